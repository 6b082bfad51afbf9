"""Tags: their names, and what each of them may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.errors import SettingsError
from refmaster.settings.document import parse_document
from refmaster.settings.model import validate_document
from refmaster.settings.tags import ALIASES, MAX_TAG_CHARACTERS, TAGS, TagSettings, parse_tags


def said(**tags: object) -> dict[str, str]:
    return TagSettings(tags=tags).tags


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"isrc": "de-a12-34-56789"}, {"isrc": "DEA123456789"}),
        ({"ISRC": "US ABC 12 34567"}, {"isrc": "USABC1234567"}),
        ({"upc": "0-36000-29145-2"}, {"barcode": "036000291452"}),
        ({"ean": "4006381333931"}, {"barcode": "4006381333931"}),
        ({"barcode": 4006381333931}, {"barcode": "4006381333931"}),
        ({"track": "03/12"}, {"tracknumber": "3", "tracktotal": "12"}),
        ({"track": 7}, {"tracknumber": "7"}),
        ({"disc": "1 / 2"}, {"discnumber": "1", "disctotal": "2"}),
        ({"year": 1999}, {"date": "1999"}),
        ({"Album Artist": " All \r\n"}, {"albumartist": "All"}),
        ({"album_artist": "All", "album-artist": "All"}, {"albumartist": "All"}),
        ({"comment": "one\r\ntwo"}, {"comment": "one\ntwo"}),
        ({"replaygain_track_gain": "-3.00 dB"}, {"replaygain_track_gain": "-3.00 dB"}),
    ],
)
def test_texts_are_brought_into_their_usual_form(given: dict[str, object], kept: dict[str, str]) -> None:
    assert said(**given) == kept


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"isrc": "DE-A12-34-5678"},
            "two letters, three letters or digits, then seven digits.*11 characters",
        ),
        ({"isrc": "1EA123456789"}, "expected an ISRC"),
        ({"isrc": "DEA12345678X"}, "expected an ISRC"),
        ({"isrc": "DÉA123456789"}, "expected an ISRC"),
        ({"isrc": "DEA12345678٣"}, "expected an ISRC"),
        ({"upc": "036000291453"}, "expected 2 as the check digit of 03600029145, found 3"),
        ({"ean": "4006381333930"}, "expected 1 as the check digit"),
        ({"ean": "40063813339"}, "13 digits .EAN. or 12 .UPC.*11 characters"),
        ({"date": "2024-02-30"}, "expected YYYY, YYYY-MM or YYYY-MM-DD"),
        ({"date": "May 2024"}, "found 'May 2024'"),
        ({"track": "0"}, "from 1 to 999, found '0'"),
        ({"track": "a/3"}, "whole number"),
        ({"track": "5/3"}, "at most 3, the total; found 5"),
        ({"track": "3/12", "tracktotal": "11"}, "expected one text, found '12' and '11'"),
        ({"title": "a\0b"}, "a null character at character 2"),
        ({"title": "a\x1b[2J"}, "control character U.001B"),
        ({"title": "a\nb"}, "expected one line"),
        ({"title": " \n"}, "an empty one"),
        ({"title": "\udcff"}, "no UTF-8"),
        ({"comment": "x" * (MAX_TAG_CHARACTERS + 1)}, "at most 20,000 characters, found 20,001"),
        ({"title": 1.5}, "expected text"),
        ({"titel": "x"}, 'did you mean "title"'),
        ({"qqqq": "x"}, "known are title, artist"),
    ],
)
def test_what_a_tag_cannot_be_is_refused_with_both_sides(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        said(**given)


def test_every_alias_leads_to_a_tag() -> None:
    assert set(ALIASES.values()) <= TAGS.keys()
    assert not ALIASES.keys() & TAGS.keys()


def test_a_job_is_told_its_line() -> None:
    document = parse_document("art: a.png\ntags:\n  isrc: DE-A12\n", name="jobs.yaml")
    with pytest.raises(SettingsError, match=r"jobs.yaml:\d:\d.*tags: isrc: expected an ISRC"):
        validate_document(TagSettings, document)


def test_options_are_names_and_texts() -> None:
    assert parse_tags(["title=a=b", "isrc=x"]) == {"title": "a=b", "isrc": "x"}
    with pytest.raises(SettingsError, match="expected NAME=TEXT"):
        parse_tags(["title"])
    with pytest.raises(SettingsError, match="found it twice"):
        parse_tags(["title=a", "title=b"])


def check_digit(body: str) -> str:
    """GS1: from the right the digits weigh 3, 1, 3, ...; all together are a multiple of ten."""
    weighted = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(body[::-1]))
    return str((10 - weighted % 10) % 10)


@given(st.text("0123456789", min_size=11, max_size=12), st.data())
def test_one_wrong_digit_of_a_barcode_is_always_found(body: str, data: st.DataObject) -> None:
    code = body + check_digit(body)
    assert said(ean=code) == {"barcode": code}
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != code[at]]))
    with pytest.raises(SettingsError, match="check digit"):
        said(ean=code[:at] + other + code[at + 1 :])


@given(st.sampled_from(list(TAGS)), st.text(max_size=300))
def test_any_text_is_kept_as_it_is_or_refused(name: str, text: str) -> None:
    try:
        kept = said(**{name: text})
    except SettingsError as error:
        refusal = str(error)
    else:
        assert said(**kept) == kept
        return
    assert refusal.startswith("tags: ")
    assert refusal.isprintable()
