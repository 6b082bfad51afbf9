"""Whatever stands in a document, it is answered with its place, quickly and in bounded memory."""

import contextlib
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from refmaster.album.plan import TrackStage
from refmaster.album.request import AlbumReference, AlbumTrack
from refmaster.batch.schema import WeightedReference
from refmaster.cli.references import parse_references
from refmaster.errors import SettingsError
from refmaster.mastering import plan_file
from refmaster.settings import document as bounds
from refmaster.settings.document import parse_document, read_document
from refmaster.settings.model import Model, validate_document
from refmaster.settings.records import ReferenceRecord


class Song(Model):
    file: str
    weight: float = 1.0


class Songs(Model):
    version: int
    songs: tuple[Song, ...] = ()


def refusal(text, **limits):
    """Return the one line that a text is refused with."""
    with pytest.raises(SettingsError) as caught:
        parse_document(text, name="a.yaml", **limits)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: !!int foo", 'a.yaml:2:4: b: expected text of the type !!int, found "foo"'),
        ('a: !!float ""', 'a.yaml:1:4: a: expected text of the type !!float, found ""'),
        ("a: !!bool yes", 'a.yaml:1:4: a: expected text of the type !!bool, found "yes"'),
        ("a: !!null x", 'a.yaml:1:4: a: expected text of the type !!null, found "x"'),
        ("a: !!timestamp 2024-01-01", "a.yaml:1:4: a: the tag tag:yaml.org,2002:timestamp is not supported"),
        ("a: !mine 1", "a.yaml:1:4: a: the tag !mine is not supported"),
        ("a: !!python/object:os.system [x]", "a.yaml:1:4: a: the tag"),
        ("a: !!set {x, y}", "a.yaml:1:4: a: the tag tag:yaml.org,2002:set is not supported"),
        (f"a: !{'x' * 100_000} 1", "a.yaml:1:4: a: the tag !xxx"),
        ("# own\n%TAG !e! tag:example\n---\na: 1", "a.yaml:2:1: tags of one's own are not supported"),
        ("!!int 1: 2", "a.yaml:1:1: a key must be plain text"),
    ],
)
def test_explicit_tags_stand_only_on_text_of_their_type(text, message):
    assert refusal(text).startswith(message)


def test_explicit_tags_that_fit_are_taken():
    text = 'a: !!str 12\nb: !!int "12"\nc: !!float 1\nd: !!seq [!!null ~]\ne: !!map {x: !!bool true}'
    data = parse_document(text, name="a.yaml").data
    assert data == {"a": "12", "b": 12, "c": 1.0, "d": [None], "e": {"x": True}}
    assert isinstance(data["c"], float)


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1." + "0" * 5000, "1e" + "9" * 5000])
def test_a_number_of_thousands_of_digits_is_refused(number):
    assert refusal(f"x: 1\na: {number}") == (
        f"a.yaml:2:4: a: expected a number of at most 100 digits, found {len(number):,}"
    )
    assert parse_document(f"a: '{number}'", name="a.yaml").data == {"a": number}


@pytest.mark.parametrize("depth", [500, 200_000])
@pytest.mark.parametrize("opened", ["[", "{a: ", "[{a: ", "- ", "? "])
def test_nesting_without_end_is_refused_where_it_gets_too_deep(depth, opened):
    message = refusal("x: 1\ny:\n  " + opened * depth)
    assert message.startswith("a.yaml:3:")
    assert message.endswith("nested deeper than 32 levels")


def test_nesting_through_aliases_is_refused():
    rows = ["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 1000))]
    assert refusal("\n".join(rows)).endswith("nested deeper than 32 levels")


def test_deep_settings_within_the_bound_are_read():
    assert parse_document("[" * 30 + "]" * 30, name="a.yaml").data


def bomb(levels, width):
    rows = [f"a0: &a0 [{', '.join(['1'] * width)}]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(rows)


@pytest.mark.parametrize(("levels", "width"), [(9, 10), (25, 2), (3, 2000)])
def test_an_alias_bomb_costs_little(levels, width):
    tracemalloc.start()
    started = time.process_time()
    message = refusal(bomb(levels, width))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "unfold without end" in message
    assert time.process_time() - started < 5.0
    assert peak < 150e6


def test_merges_of_many_mappings_take_time_in_proportion():
    keys = "\n".join(f"  k{i}: 1" for i in range(20_000))
    text = f"none: &none {{}}\nbig:\n{keys}\n  <<: [{', '.join(['*none'] * 20_000)}]"
    started = time.process_time()
    assert len(parse_document(text, name="a.yaml").data["big"]) == 20_000
    assert time.process_time() - started < 5.0


def test_an_alias_into_itself_and_one_without_anchor_are_refused():
    assert refusal("a: &x\n  - [*x]") == "a.yaml:2:6: a[0][0]: aliases that unfold without end"
    assert refusal("a: &x {<<: *x}").startswith("a.yaml:1:12: a")
    assert refusal(f"a: *{'x' * 100_000}").startswith("a.yaml:1:4: a: no anchor &xxx")
    assert refusal("a: 1\nb: *x") == "a.yaml:2:4: b: no anchor &x stands before this alias"
    assert refusal("a: &x 1\nb: &x 2") == "a.yaml:2:4: b: the anchor &x stands twice"


def test_what_an_alias_brings_is_a_copy():
    data = parse_document("a: &x {b: [1]}\nc: *x", name="a.yaml").data
    assert data["a"] == data["c"]
    assert data["a"]["b"] is not data["c"]["b"]


def test_merged_keys_have_their_order_and_precedence():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b], own: 3}"
    assert parse_document(text, name="a.yaml").data["c"] == {"x": 1, "y": 1, "z": 3, "own": 3}
    assert refusal("a: {<<: 1}").endswith("<< expects a mapping to merge")
    assert refusal("a: {<<: [{}, 1]}").endswith("<< expects a mapping to merge")
    assert parse_document('a: {"<<": 1}', name="a.yaml").data == {"a": {"<<": 1}}


def test_a_document_of_keys_without_end_is_refused_early(tmp_path):
    path = tmp_path / "keys.yaml"
    path.write_text("".join(f"k{i}: \n" for i in range(1_100_000)))
    with pytest.raises(SettingsError, match="expected at most 4,194,304 bytes, found more"):
        read_document(path)
    started = time.process_time()
    with pytest.raises(SettingsError, match=r"keys\.yaml:100001:1: more than 100,000 keys"):
        read_document(path, max_bytes=bounds.JOBS_MAX_BYTES, max_values=bounds.JOBS_MAX_VALUES)
    assert time.process_time() - started < 5.0


def test_more_values_than_a_kind_has_are_refused():
    assert refusal("[" + "1," * 500_000 + "]").endswith("more than 500,000 values: this is no settings file")
    assert refusal("[" + "[]," * 125_000 + "]").endswith("more than 500,000 values: this is no settings file")
    assert refusal("a: [1, 2]\nb: 1", max_values=10).startswith("a.yaml:2:4: b: more than 10 values")
    assert parse_document("a: [1, 2]\nb: 1", name="a.yaml", max_values=11).data


def test_a_device_without_end_is_refused():
    with pytest.raises(SettingsError, match="expected at most 4,194,304 bytes"):
        read_document("/dev/zero")


def test_texts_and_keys_without_end_are_refused():
    assert refusal(f"a: {'x' * 100_000}") == (
        "a.yaml:1:4: a: expected a text of at most 65,536 characters, found 100,000"
    )
    assert refusal(f"? {'x' * 100_000}\n: 1").startswith("a.yaml:1:3: expected a text of at most 65,536")


def test_a_name_with_a_null_character_is_no_file():
    with pytest.raises(SettingsError, match="cannot be read"):
        read_document("a\0b.yaml")


def test_a_message_is_one_short_line_whatever_the_key():
    with pytest.raises(SettingsError) as caught:
        validate_document(Songs, parse_document(f'version: 1\n"a\\n{"x" * 5000}": 2', name="a.yaml"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_characters_that_yaml_has_not_are_refused_with_their_place():
    assert refusal("a: 1\né: \x07").startswith("a.yaml:2:4: not YAML: the character #x0007: ")


def test_a_second_document_is_refused():
    assert refusal("a: 1\n---\nb: 2") == "a.yaml:2:1: expected one document, found another"


def test_problems_without_end_are_counted():
    several = "version: 1\nsongs:\n" + "  - {file: 1}\n" * 150
    with pytest.raises(SettingsError) as caught:
        validate_document(Songs, parse_document(several, name="a.yaml"))
    rows = str(caught.value).splitlines()
    assert len(rows) == 101
    assert rows[-1] == "a.yaml: and 50 problems more"
    endless = "version: 1\nsongs: [" + "1, " * 20_000 + "]"
    with pytest.raises(SettingsError, match=r"^a\.yaml:1:1: 20,000 problems: is this the right file\?$"):
        validate_document(Songs, parse_document(endless, name="a.yaml"))
    with pytest.raises(SettingsError) as caught:
        parse_document("a: \n" * 20_000, name="a.yaml")
    assert len(str(caught.value).splitlines()) == 101


@pytest.mark.parametrize(
    ("model", "key"), [(AlbumTrack, "file"), (AlbumReference, "file"), (TrackStage, "output")]
)
def test_a_name_too_long_for_a_file_is_refused_with_its_place(model, key):
    document = parse_document(f"{key}: folder/{'é' * 150}", name="a.yaml")
    message = f"a.yaml:1:{len(key) + 3}: {key}: expected names of at most 255 bytes, found one of 300"
    with pytest.raises(SettingsError, match=message):
        validate_document(model, document)


WEIGHTS = ["inf", "1e999", "nan", "1e308", "1e-308", "0", "-1"]


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("model", [AlbumReference, WeightedReference, ReferenceRecord])
def test_a_weight_in_yaml_is_a_positive_number_within_reason(model, weight):
    weight = f".{weight}" if weight in ("inf", "nan") else weight
    document = parse_document(f"weight: {weight}", name="a.yaml")
    with pytest.raises(SettingsError, match=r"a\.yaml:1:9: weight: expected "):
        validate_document(model, document)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_weight_on_the_command_line_is_a_positive_number_within_reason(
    weight, example_mix, example_reference
):
    references = parse_references([f"{example_reference}:{weight}", str(example_reference)])
    with pytest.raises(SettingsError, match="a reference's weight must be above 0 and finite, "):
        plan_file(example_mix, references)


pieces = st.sampled_from(
    [*"ab[]{}#\n\t\0\ufeff\\é'\"", ": ", "- ", "? ", ", ", "\n  ", "&x ", "*x ", "<<: ", "|\n", ">-\n"]
) | st.sampled_from(["!!int ", "!t ", "1e999", "---\n", "...\n", "%TAG ! x\n", "9" * 101])


@given(st.lists(pieces, max_size=30).map("".join) | st.text(max_size=60))
def test_random_text_is_data_or_refused(text):
    with contextlib.suppress(SettingsError):
        validate_document(Songs, parse_document(text, name="a.yaml"))


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**90), 10**90)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_any_data_comes_through(data):
    text = yaml.safe_dump(data, allow_unicode=True, default_style='"', sort_keys=False)
    assert parse_document(text, name="a.yaml").data == data
