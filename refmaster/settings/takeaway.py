"""The formats that a plan's equalizer is taken away in, and their ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refmaster.settings.match import Phase
from refmaster.settings.model import Model
from refmaster.settings.output import SampleRateHz

CurveFormat = Literal["impulse", "graphiceq", "rew", "bands", "moves"]
CurvePart = Literal["mid", "side"]
MIN_BANDS, MAX_BANDS, DEFAULT_BANDS = 2, 24, 8
BandCount = Annotated[int, Field(ge=MIN_BANDS, le=MAX_BANDS)]


class CurveSettings(Model):
    """The form of a plan's equalizer for other programs; None: as the plan or the file's suffix says."""

    format: CurveFormat | None = None
    bands: BandCount | None = None
    sample_rate_hz: SampleRateHz | None = None
    phase: Phase | None = None
    part: CurvePart | None = None
