"""What a person asks of the written file; None keeps what the mix has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refmaster.settings.model import Model

BitDepth = Literal["16", "24", "32f", "64f"]


class OutputSettings(Model):
    """The written file's word length, sample rate and dither."""

    bit_depth: BitDepth | None = Field(default=None, description="16, 24, 32f or 64f; null: the mix's")
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=384000, description="Hz; null: the mix's")
    dither_seed: int = Field(default=0, ge=0, description="the same seed gives the same bytes")
