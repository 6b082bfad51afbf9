"""Codecs by name and rate: read from text, the same in YAML, plan and on the command line."""

import pytest

from refmaster.errors import SettingsError
from refmaster.settings.codecs import Codec
from refmaster.settings.document import parse_document
from refmaster.settings.model import validate_document
from refmaster.settings.output import OutputSettings


@pytest.mark.parametrize(
    ("text", "name", "rate", "label"),
    [
        ("mp3:128", "mp3", 128, "mp3-128"),
        (" MP3:320 ", "mp3", 320, "mp3-320"),
        ("vorbis:q5", "vorbis", 5, "vorbis-q5"),
        ("vorbis:q0", "vorbis", 0, "vorbis-q0"),
        ("opus:96", "opus", 96, "opus-96"),
        ("aac:256", "aac", 256, "aac-256"),
    ],
)
def test_a_text_and_back(text, name, rate, label):
    codec = Codec.parse(text)
    assert (codec.name, codec.rate, codec.label) == (name, rate, label)
    assert Codec.parse(str(codec)) == codec
    (found,) = OutputSettings(codecs=[text]).codecs
    assert found == codec
    again = validate_document(OutputSettings, parse_document(f'codecs: ["{text.strip()}"]', name="x"))
    assert again.codecs == (codec,)
    assert OutputSettings(**again.model_dump()) == again
    assert OutputSettings.model_validate_json(again.model_dump_json()) == again


@pytest.mark.parametrize(
    "text", ["mp3", "mp3:", "mp3:q5", "mp3:129", "mp3:63", "mp3:32", "mp3:-128", "mp3:1e3"]
)
def test_a_rate_that_mp3_has_not_names_those_it_has(text):
    with pytest.raises(SettingsError, match=r"expected mp3 with 64, .*, 320 kbit/s, such as mp3:128; found"):
        Codec.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vorbis:5", "vorbis with a quality from q0 to q10, such as vorbis:q5"),
        ("vorbis:q11", "vorbis with a quality from q0 to q10"),
        ("opus:31", "opus with 32 to 510 kbit/s, such as opus:96"),
        ("opus:511", "opus with 32 to 510"),
        ("aac:31", "aac with 32 to 320 kbit/s, such as aac:256"),
        ("aac:321", "aac with 32 to 320"),
        ("wma:128", "mp3 with .*; vorbis with .*; opus with .*; aac with .*found 'wma:128'"),
        ("", "mp3 with .*; vorbis with .*; opus with .*; aac with"),
    ],
)
def test_what_is_unknown_is_told_with_what_is_known(text, expected):
    with pytest.raises(SettingsError, match=expected):
        Codec.parse(text)


def test_ends_of_the_ranges_are_in_them():
    for text in ("mp3:64", "mp3:320", "vorbis:q0", "vorbis:q10", "opus:32", "opus:510", "aac:32", "aac:320"):
        assert str(Codec.parse(text)) == text


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("codecs: mp3:128", 'x:1:9: codecs: expected a list, found "mp3:128"'),
        ("codecs: [mp3:128, aac]", r"x:1:19: codecs\[1\]: expected aac with 32 to 320"),
        ("codecs: [5]", r"codecs\[0\]: expected mp3 with .*found '5'"),
    ],
)
def test_a_file_is_told_the_place(yaml, said):
    with pytest.raises(SettingsError, match=said):
        validate_document(OutputSettings, parse_document(yaml, name="x"))
