"""Wrong settings are answered in plain words, whichever way they come in."""

import pytest

from refmaster.album.plan import AlbumPlan
from refmaster.album.request import AlbumSettings
from refmaster.batch.jobs_file import jobs_file_model
from refmaster.errors import SettingsError
from refmaster.matching.content_prior import Prior
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.settings.document import parse_document
from refmaster.settings.kinds import WrongDocumentError, kind_of, require_kind
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model, validate_document
from refmaster.settings.output import OutputSettings
from refmaster.settings.targets import DeliveryTarget


def refused(make):
    with pytest.raises(SettingsError) as caught:
        make()
    assert "pydantic" not in str(caught.value)
    return str(caught.value)


def test_a_model_that_is_called_with_wrong_values_says_so_in_our_words():
    found = refused(lambda: MatchSettings(strength=400))
    assert found == "strength: expected at most 100, or evidence, balanced or full; found 400"
    found = refused(lambda: MatchSettings(strenght=40, tone="yes"))
    assert found.splitlines() == [
        'tone: expected true or false, found "yes"',
        'strenght: unknown key, did you mean "strength"?',
    ]
    found = refused(lambda: MatchSettings(low_hz=1000.0, high_hz=1000.0))
    assert found == "low_hz (1000) must be below high_hz (1000)"
    assert refused(lambda: LimiterSettings(ceiling_dbtp=3.0)) == "ceiling_dbtp: expected at most 0, found 3.0"


class Row(Model):
    points: tuple[tuple[float, float], ...] = ()
    names: tuple[str, ...] = ()
    inner: LimiterSettings = LimiterSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points: [[1, 2, 3]]", "x:1:10: points[0]: expected at most 2 items, found 3"),
        ("points: [[1]]", "x:1:10: points[0]: expected more items, found [1]"),
        ("points: 3", "x:1:9: points: expected a list, found 3"),
        ("names: {a: b}", 'x:1:8: names: expected a list, found {"a": "b"}'),
        ("inner: 3", "x:1:8: inner: expected keys and values, found 3"),
        ("inner: {hold_ms: x}", 'x:1:18: inner.hold_ms: expected a number, found "x"'),
        ("names: [3]", "x:1:9: names[0]: expected text, found 3"),
    ],
)
def test_plain_words(text, message):
    assert refused(lambda: validate_document(Row, parse_document(text, name="x"))) == message


@pytest.mark.parametrize("written", ["24", "'24'"])
def test_a_bit_depth_may_be_written_as_a_number(written):
    read = validate_document(OutputSettings, parse_document(f"bit_depth: {written}", name="x"))
    assert read.bit_depth == "24"
    assert OutputSettings(bit_depth=24) == read


@pytest.mark.parametrize("written", ["12", "true", "24.0"])
def test_other_bit_depths_are_refused(written):
    found = refused(
        lambda: validate_document(OutputSettings, parse_document(f"bit_depth: {written}", name="x"))
    )
    assert "bit_depth: expected 16, 24, 32f or 64f, found" in found


def test_a_target_stands_for_its_values():
    settings = MatchSettings(target="amazon-music", strength=40)
    assert (settings.target_lufs, settings.ceiling_dbtp) == (-14.0, -2.0)
    assert settings == MatchSettings(target_lufs=-14.0, ceiling_dbtp=-2.0, strength=40)
    assert MatchSettings.model_validate_json(settings.model_dump_json()) == settings
    assert MatchSettings(target="cd").target_lufs is None
    assert MatchSettings(target="spotify", ceiling_dbtp=-2.0).ceiling_dbtp == -2.0
    assert MatchSettings(target="spotify", target_lufs=-14).target_lufs == -14.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "spotfy"}, 'did you mean "spotify"'),
        ({"target": 3}, "target: expected text, found 3"),
        ({"target": "spotify", "target_lufs": -9.0}, "contradicts a loudness of -9 LUFS"),
        ({"target": "spotify", "ceiling_dbtp": -0.5}, "contradicts a ceiling of -0.5 dBTP"),
        ({"target": "spotify", "loudness": False}, "contradict each other"),
    ],
)
def test_what_contradicts_a_target_is_refused(values, message):
    assert message in refused(lambda: MatchSettings(**values))


MODELS = {
    "a plan": MasteringPlan,
    "an album plan": AlbumPlan,
    "a saved profile": Profile,
    "a prior": Prior,
    "a jobs file": jobs_file_model(),
    "an album": AlbumSettings,
    "a delivery target": DeliveryTarget,
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_document_is_told_by_its_keys(kind):
    assert kind_of(MODELS[kind].model_fields) == kind
    for other, model in MODELS.items():
        if other != kind:
            with pytest.raises(WrongDocumentError, match=f"x.yaml: this is {kind}, expected {other}"):
                require_kind(
                    "x.yaml", set(MODELS[kind].model_fields) - {"title", "output"}, model.model_fields
                )


def test_a_damaged_document_is_still_of_its_kind():
    keys = {key.replace("promise", "promsie") for key in AlbumPlan.model_fields}
    assert kind_of(keys) == "an album"
    require_kind("x.yaml", keys, AlbumPlan.model_fields)
