"""Strict YAML: what other readers let pass is refused, with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.errors import SettingsError
from refmaster.settings.document import parse_document, read_document
from refmaster.settings.emit import emit_model
from refmaster.settings.model import Model, settings_from, validate_document


class Track(Model):
    file: str
    gain_db: float = 0.0


class Album(Model):
    version: int
    title: str | None = None
    loud: bool = False
    tracks: tuple[Track, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    names: tuple[str, ...] = ()
    tags: dict[str, str] = {}  # noqa: RUF012


def read(text):
    return validate_document(Album, parse_document(text, name="a.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("2:30.5", "2:30.5"),
        ("0123", "0123"),
        ("no", "no"),
        ("true", True),
        ("12", 12),
        ("~", None),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
    ],
)
def test_scalars_are_what_they_look_like(text, value):
    assert parse_document(f"a: {text}", name="x").data == {"a": value}


def test_all_problems_at_once_with_their_places():
    with pytest.raises(SettingsError) as caught:
        read("version: 1\ntracks:\n  - fiel: a\n    gain_db: loud\ntitel: x\n")
    assert str(caught.value).splitlines() == [
        "a.yaml:3:5: tracks[0].file: this key is required and missing",
        'a.yaml:3:5: tracks[0].fiel: unknown key, did you mean "file"?',
        'a.yaml:4:14: tracks[0].gain_db: expected a number, found "loud"',
        'a.yaml:5:1: titel: unknown key, did you mean "title"?',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nversion: 2\n", "a.yaml:2:1: version: this key stands twice"),
        ("version: '1'", 'a.yaml:1:10: version: expected a whole number, found "1"'),
        ("version: .inf", "a.yaml:1:10: version"),
        ("a: &x [*x]", "aliases that unfold without end"),
        ("a: [1", "not YAML"),
        ("", "expected keys and values, found an empty file"),
        ("- 1", "expected keys and values, found list"),
        ("version: !!python/object:os.system x", "a.yaml:1:10"),
    ],
)
def test_refused(text, message):
    with pytest.raises(SettingsError, match=r"a\.yaml") as caught:
        read(text)
    assert message in str(caught.value)


def test_anchors_and_merge_keys():
    album = read("version: 1\ntracks:\n  - &t {file: a, gain_db: 1}\n  - {<<: *t, file: b}\n")
    assert [(t.file, t.gain_db) for t in album.tracks] == [("a", 1.0), ("b", 1.0)]


def test_alias_bombs_stop(monkeypatch):
    monkeypatch.setattr("refmaster.settings.document.MAX_VALUES", 1000)
    rows = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    rows += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(SettingsError, match="unfold without end"):
        parse_document("\n".join(rows), name="bomb.yaml")


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        read_document(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="expected a UTF-8 text file"):
        read_document(tmp_path / "b.yaml")
    with pytest.raises(SettingsError, match="is a directory"):
        read_document(tmp_path)


def test_options_are_named_as_the_user_knows_them():
    with pytest.raises(SettingsError, match=r"--version: expected a whole number, found 1\.5"):
        settings_from(Album, {"version": 1.5}, names={"version": "--version"})


finite = st.floats(allow_nan=False, allow_infinity=False)
albums = st.builds(
    Album,
    version=st.integers(),
    title=st.none() | st.text(),
    loud=st.booleans(),
    tracks=st.lists(st.builds(Track, file=st.text(), gain_db=finite), max_size=3).map(tuple),
    points=st.lists(st.tuples(finite, finite), max_size=12).map(tuple),
    names=st.lists(st.text(), max_size=12).map(tuple),
    tags=st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(albums)
def test_what_is_written_reads_back_equal(album):
    text = emit_model(album, header="any: header\n- of: lines")
    assert validate_document(Album, parse_document(text, name="x")) == album
