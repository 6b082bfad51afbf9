"""The dynamics stage's ranges: gentle level-dependent gain in the bands of a crossover.

Levels are dB, frequencies Hz, times ms.
"""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field, model_validator

from refmaster.settings.model import Model

MAX_DYNAMICS_BANDS = 4

ThresholdDb = Annotated[float, Field(ge=-120.0, le=20.0)]
Ratio = Annotated[float, Field(ge=0.5, le=4.0)]
"""Input over output above the threshold, in dB over dB; below 1 it expands."""

KneeDb = Annotated[float, Field(ge=0.0, le=40.0)]
MaxChangeDb = Annotated[float, Field(ge=0.0, le=12.0)]
MakeupDb = Annotated[float, Field(ge=-12.0, le=12.0)]
Parallel = Annotated[float, Field(ge=0.0, le=1.0)]
AttackMs = Annotated[float, Field(ge=1.0, le=5000.0)]
DynamicsReleaseMs = Annotated[float, Field(ge=5.0, le=10000.0)]
CrossoverHz = Annotated[float, Field(ge=60.0, le=20000.0)]


class DynamicsBand(Model):
    """A level-dependent gain in one band; all channels get the same.

    The level is a mean over 0.6 s with the variance of a 400 ms block's. Of a single band it is momentary
    loudness in LUFS; of several it is the power of each in the scale of a profile's spectra: mid and side
    added, a full-scale sine reads -3 dB.
    """

    threshold_db: ThresholdDb = Field(
        description="level from which it acts: LUFS of a single band, dB of one among several"
    )
    ratio: Ratio = Field(description="above 1 compresses, below 1 expands, 1: no change")
    knee_db: KneeDb = Field(description="dB, over which it sets in, half on each side of the threshold")
    attack_ms: AttackMs = Field(description="ms, time constant of a growing change")
    release_ms: DynamicsReleaseMs = Field(
        description="ms, time constant of a change that ends; up to twice as long after a sustained one"
    )
    max_change_db: MaxChangeDb = Field(description="dB, most that it turns down or up")
    parallel: Parallel = Field(description="share of the signal that is treated; the rest is added as it is")
    makeup_db: MakeupDb = Field(description="dB, constant gain of the band")


class Dynamics(Model):
    """Gentle compression or expansion in bands that sum to the signal."""

    why: str = ""
    crossover_hz: tuple[CrossoverHz, ...] = Field(description="Hz, between the bands, rising")
    bands: tuple[DynamicsBand, ...] = Field(
        max_length=MAX_DYNAMICS_BANDS, description="from low to high; empty: off"
    )

    @model_validator(mode="after")
    def _fitting(self) -> Dynamics:
        for low, high in itertools.pairwise(self.crossover_hz):
            if high <= low:
                raise ValueError(f"crossover_hz: frequencies must rise, found {low:g} Hz before {high:g} Hz")
        if len(self.crossover_hz) != max(0, len(self.bands) - 1):
            raise ValueError(
                f"expected one crossover frequency between two bands, found {len(self.crossover_hz)} for "
                f"{len(self.bands)} band(s)"
            )
        return self

    @property
    def is_at_rest(self) -> bool:
        """Whether the stage leaves every signal as it is."""
        return all(
            band.makeup_db == 0.0 and (band.ratio == 1.0 or band.max_change_db == 0.0 or band.parallel == 0.0)
            for band in self.bands
        )
