"""The tags that a master may be given: their names, and what each may say.

Names are those of Vorbis comments in lower case; what else people call them (`ALIASES`) is translated. An
ISRC is ISO 3901 (two letters, three letters or digits, seven digits; no check digit). A barcode is EAN-13 or
UPC-A as in the GS1 General Specifications, with its check digit.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from refmaster.errors import SettingsError
from refmaster.settings.model import Model, PathText
from refmaster.settings.output import OutputSettings

MAX_TAG_CHARACTERS = 20_000
MAX_NUMBER = 999

TAGS = {
    "title": "of the recording",
    "artist": "who plays it",
    "album": "the record it is on",
    "albumartist": "who the record is by",
    "tracknumber": "position on the record; 3/12 says the total too",
    "tracktotal": "tracks on the record",
    "discnumber": "disc of the set; 1/2 says the total too",
    "disctotal": "discs of the set",
    "isrc": "of the recording, such as DEA123456789",
    "barcode": "of the record: EAN-13 or UPC of 12 digits",
    "date": "of the release: YYYY, YYYY-MM or YYYY-MM-DD",
    "genre": "",
    "comment": "",
    "copyright": "",
    "composer": "",
    "lyricist": "",
    "lyrics": "",
    "conductor": "",
    "remixer": "",
    "subtitle": "",
    "grouping": "",
    "organization": "label or publisher",
    "catalognumber": "the label's number of the record",
    "mood": "",
    "bpm": "beats per minute",
}
"""Names of tags, with what they are of."""

ALIASES = {
    "track": "tracknumber", "disc": "discnumber", "disk": "discnumber", "year": "date", "upc": "barcode",
    "ean": "barcode", "label": "organization", "publisher": "organization", "totaltracks": "tracktotal",
    "totaldiscs": "disctotal", "text": "lyrics",
}  # fmt: skip
OF_ONE_RECORDING = ("title", "tracknumber", "isrc")
"""Tags that two recordings do not share."""
_LEVEL_TAGS = re.compile(r"replaygain_(track|album)_(gain|peak)|r128_(track|album)_gain")
_LONG_TEXTS = ("comment", "lyrics")
_TOTALS = {"tracknumber": "tracktotal", "discnumber": "disctotal"}
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def _isrc(text: str) -> str:
    code = re.sub(r"[-\s]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", code, re.ASCII):
        raise ValueError(
            "expected an ISRC: two letters, three letters or digits, then seven digits, such as "
            f"DE-A12-34-56789; found {_shown(text)} ({len(code)} characters without hyphens)"
        )
    return code


def _barcode(text: str) -> str:
    digits = re.sub(r"[-\s]", "", text)
    if not re.fullmatch(r"[0-9]{12,13}", digits, re.ASCII):
        raise ValueError(
            f"expected 13 digits (EAN) or 12 (UPC), the last one the check digit; found {_shown(text)} "
            f"({len(digits)} characters without hyphens)"
        )
    body, check = digits[:-1], int(digits[-1])
    # from the right the weights are 3, 1, 3, ...
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(body)))
    expected = -total % 10
    if check != expected:
        raise ValueError(
            f"expected {expected} as the check digit of {body}, found {check}: one of its digits is wrong"
        )
    return digits


def _date(text: str) -> str:
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", text, re.ASCII)
    try:
        if parts is None:
            raise ValueError
        dt.date(int(parts[1]), int(parts[2] or 1), int(parts[3] or 1))
    except ValueError:
        raise ValueError(f"expected YYYY, YYYY-MM or YYYY-MM-DD, found {_shown(text)}") from None
    return text


def _number(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= MAX_NUMBER:
        raise ValueError(f"expected a whole number from 1 to {MAX_NUMBER}, found {_shown(text)}")
    return str(int(text))


_CHECKS: dict[str, Callable[[str], str]] = {
    "isrc": _isrc,
    "barcode": _barcode,
    "date": _date,
    "bpm": _number,
    **dict.fromkeys((*_TOTALS, *_TOTALS.values()), _number),
}


def checked_tags(given: Any) -> Any:
    """Return tags under their own names with checked texts; anything but a mapping is returned as it is.

    Raises
    ------
    ValueError
        A name is not known or stands twice, or a text is not what its tag needs.
    """
    if not isinstance(given, Mapping):
        return given
    said: dict[str, str] = {}
    for name, text in given.items():
        for key, checked in _checked(name, text):
            if said.setdefault(key, checked) != checked:
                raise ValueError(f"{key}: expected one text, found {_shown(said[key])} and {_shown(checked)}")
    for number, total in _TOTALS.items():
        if number in said and total in said and int(said[number]) > int(said[total]):
            raise ValueError(f"{number}: expected at most {said[total]}, the total; found {said[number]}")
    return said


def _checked(name: Any, text: Any) -> list[tuple[str, str]]:
    """Return what one tag says: itself, or number and total."""
    key = _known(name)
    if type(text) is int:  # as YAML takes a year, a track or a barcode
        text = str(text)
    if not isinstance(text, str):
        raise ValueError(f"{key}: expected text, found {_shown(str(text))}")  # noqa: TRY004 - for pydantic
    text = text.replace("\r\n", "\n").strip()
    try:
        _require_text(text, key)
        if key in _TOTALS and "/" in text:
            number, _, total = text.partition("/")
            return [(key, _number(number.strip())), (_TOTALS[key], _number(total.strip()))]
        return [(key, _CHECKS[key](text) if key in _CHECKS else text)]
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _known(name: Any) -> str:
    key = re.sub(r"[\s_-]", "", str(name)).lower()
    key = ALIASES.get(key, key)
    if key in TAGS:
        return key
    if _LEVEL_TAGS.fullmatch(str(name)):
        return str(name)
    close = difflib.get_close_matches(key, [*TAGS, *ALIASES], n=1, cutoff=0.6)
    meant = f', did you mean "{close[0]}"?' if close else f"; known are {', '.join(TAGS)}"
    raise ValueError(f"unknown tag {_shown(str(name))}{meant}")


def _require_text(text: str, key: str) -> None:
    if not text:
        raise ValueError("expected a text, found an empty one")
    if len(text) > MAX_TAG_CHARACTERS:
        raise ValueError(f"expected at most {MAX_TAG_CHARACTERS:,} characters, found {len(text):,}")
    found = _CONTROLS.search(text)
    if found is not None:
        kind = "a null character" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        raise ValueError(f"expected printable text, found {kind} at character {found.start() + 1}")
    if _SURROGATES.search(text):
        raise ValueError("expected Unicode text, found bytes that are no UTF-8")
    if key not in _LONG_TEXTS and "\n" in text:
        raise ValueError("expected one line, found a line feed; only comment and lyrics may have several")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def parse_tags(options: Iterable[str]) -> dict[str, str]:
    """Return the tags of options such as ``title=A song``, as they were given.

    Raises
    ------
    SettingsError
        An option has no "=", or a name stands twice.
    """
    said: dict[str, str] = {}
    for option in options:
        name, sign, text = option.partition("=")
        if not sign:
            raise SettingsError(f"--tag: expected NAME=TEXT, such as title=Home; found {_shown(option)}")
        if name in said:
            raise SettingsError(f"--tag {name}: expected it once, found it twice")
        said[name] = text
    return said


Tags = Annotated[dict[str, str], BeforeValidator(checked_tags, json_schema_input_type=dict[str, str | int])]
"""Tags of a master; their texts are checked and brought into their usual form."""


class TagSettings(Model):
    """Tags and cover art that stand for the mix's own."""

    tags: Tags = Field(default={}, description="title, artist, isrc, barcode, ...: stand for the mix's own")
    art: PathText | None = Field(default=None, description="cover: a JPEG or PNG; null: the mix's own")
    bext: bool = Field(
        default=False, description="give a WAV master a broadcast chunk with its loudness if the mix has none"
    )


class WrittenSettings(OutputSettings, TagSettings):
    """A written file: its word length, sample rate and dither, its tags and cover art."""
