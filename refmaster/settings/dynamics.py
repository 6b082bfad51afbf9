"""The dynamics stage's ranges: gentle level-dependent gain in the bands of a crossover.

Levels are dB, frequencies Hz, times ms.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
