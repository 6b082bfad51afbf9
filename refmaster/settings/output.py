"""The written file as asked for: word length, sample rate, dither; None keeps the mix's.

The range of sample rates holds for what is read and for what is written. From 11 kHz up a 1 kHz tone reads
within 0.1 LU of its loudness at 48 kHz; down to 4 kHz pink noise within 0.21 LU (a tone near 1.4 kHz 1.4 LU
low); below, the K-weighting filter becomes unstable. Memory grows with the rate, hence the upper end.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from refmaster.settings.codecs import Codec
from refmaster.settings.model import Model

MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ = 4000, 768000


def _as_text(value: Any) -> Any:
    """Return a whole number as text: YAML takes 16 and 24 for numbers, and both ways of writing are meant."""
    return str(value) if type(value) is int else value


BitDepth = Annotated[
    Literal["16", "24", "32f", "64f"],
    BeforeValidator(_as_text, json_schema_input_type=Literal["16", "24", "32f", "64f", 16, 24]),
]
SampleRateHz = Annotated[int, Field(ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)]
DitherSeed = Annotated[int, Field(ge=0)]
LoudnessTags = Literal["replaygain", "r128"]


def _as_tuple(value: Any) -> Any:
    """Return a list as a tuple: options of a command and of a batch come as lists."""
    return tuple(value) if isinstance(value, list) else value


Codecs = Annotated[tuple[Codec, ...], BeforeValidator(_as_tuple, json_schema_input_type=list[Codec])]


class FileSettings(Model):
    """The written file's word length, sample rate and dither."""

    bit_depth: BitDepth | None = Field(default=None, description="16, 24, 32f or 64f; null: the mix's")
    sample_rate_hz: SampleRateHz | None = Field(default=None, description="Hz; null: the mix's")
    dither_seed: DitherSeed = Field(default=0, description="the same seed gives the same bytes")
    loudness_tags: LoudnessTags | None = Field(
        default=None, description="gains for players: replaygain, or r128 as Opus has them; null: none"
    )


class OutputSettings(FileSettings):
    """The written file, and the lossy codecs that its ceiling has to survive."""

    codecs: Codecs = Field(
        default=(),
        description="decoded from these it keeps the ceiling too: mp3:128, vorbis:q5, opus:96, aac:256",
    )
