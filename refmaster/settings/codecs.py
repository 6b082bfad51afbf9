"""Lossy codecs by name and rate, as a command line or YAML has them: ``mp3:128``, ``vorbis:q5``.

MP3, Opus and AAC are named with their bit rate in kbit/s of all channels together, Vorbis with its quality.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from refmaster.errors import SettingsError

# MPEG-1 Layer III (ISO/IEC 11172-3, table 2.4.2.3); below 64 the first frame has no room for the header that
# states the encoder's delay, and what is decoded is late.
_MP3_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MIN_OPUS_KBPS, _MAX_OPUS_KBPS = 32, 510  # up to 510: RFC 6716, section 2.1.1
_MIN_AAC_KBPS, _MAX_AAC_KBPS = 32, 320
_MAX_VORBIS_QUALITY = 10

_RATES: dict[str, tuple[int, ...]] = {
    "mp3": _MP3_KBPS,
    "vorbis": tuple(range(_MAX_VORBIS_QUALITY + 1)),
    "opus": tuple(range(_MIN_OPUS_KBPS, _MAX_OPUS_KBPS + 1)),
    "aac": tuple(range(_MIN_AAC_KBPS, _MAX_AAC_KBPS + 1)),
}
_EXPECTED = {
    "mp3": f"mp3 with {', '.join(map(str, _MP3_KBPS))} kbit/s, such as mp3:128",
    "vorbis": f"vorbis with a quality from q0 to q{_MAX_VORBIS_QUALITY}, such as vorbis:q5",
    "opus": f"opus with {_MIN_OPUS_KBPS} to {_MAX_OPUS_KBPS} kbit/s, such as opus:96",
    "aac": f"aac with {_MIN_AAC_KBPS} to {_MAX_AAC_KBPS} kbit/s, such as aac:256",
}
_FORM = re.compile(r"^(?P<name>[a-z0-9]+):(?P<quality>q?)(?P<rate>[0-9]{1,4})$")


@dataclass(frozen=True, order=True)
class Codec:
    """A lossy codec at a rate; as text ``mp3:128``, which a field of a settings model takes too.

    Attributes
    ----------
    name : {"mp3", "vorbis", "opus", "aac"}
    rate : int
        kbit/s of all channels together; of Vorbis its quality, 0 to 10.

    Raises
    ------
    SettingsError
        There is no such codec, or it has no such rate.
    """

    name: str
    rate: int

    def __post_init__(self) -> None:
        if self.rate not in _RATES.get(self.name, ()):
            raise SettingsError(_unknown(str(self), self.name))

    @classmethod
    def parse(cls, text: str) -> Codec:
        """Return the codec that a text names; SettingsError lists the known ones."""
        asked = text.strip().lower()
        form = _FORM.match(asked)
        if form is None or (form["quality"] == "q") != (form["name"] == "vorbis"):
            raise SettingsError(_unknown(text, asked.partition(":")[0]))
        return cls(form["name"], int(form["rate"]))

    @property
    def label(self) -> str:
        """The codec as part of a file name: ``mp3-128``."""
        return str(self).replace(":", "-")

    def __str__(self) -> str:
        return f"{self.name}:{'q' if self.name == 'vorbis' else ''}{self.rate}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validated,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(mp3|opus|aac):[0-9]+$|^vorbis:q[0-9]+$"}


def _validated(value: Any) -> Codec:
    if isinstance(value, Codec):
        return value
    if not isinstance(value, str):
        raise ValueError(_unknown(str(value), ""))  # noqa: TRY004 - pydantic's validators raise ValueError
    try:
        return Codec.parse(value)
    except SettingsError as error:
        raise ValueError(str(error)) from error


def _unknown(text: str, name: str) -> str:
    expected = _EXPECTED.get(name, "; ".join(_EXPECTED.values()))
    return f"expected {expected}; found {text!r}"
