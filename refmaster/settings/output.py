"""The written file as asked for: word length, sample rate, dither; None keeps the mix's.

The range of sample rates is what every stage supports: below 4 kHz the K-weighting filter is unstable.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refmaster.settings.model import Model

MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ = 4000, 768000

BitDepth = Literal["16", "24", "32f", "64f"]
SampleRateHz = Annotated[int, Field(ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)]
DitherSeed = Annotated[int, Field(ge=0)]
LoudnessTags = Literal["replaygain", "r128"]


class OutputSettings(Model):
    """The written file's word length, sample rate and dither."""

    bit_depth: BitDepth | None = Field(default=None, description="16, 24, 32f or 64f; null: the mix's")
    sample_rate_hz: SampleRateHz | None = Field(default=None, description="Hz; null: the mix's")
    dither_seed: DitherSeed = Field(default=0, description="the same seed gives the same bytes")
    loudness_tags: LoudnessTags | None = Field(
        default=None, description="gains for players: replaygain, or r128 as Opus has them; null: none"
    )
