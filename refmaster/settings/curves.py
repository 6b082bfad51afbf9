"""Curves as plans hold them: points of frequency in Hz and gain in dB, and their ranges."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_GAIN_DB = 60.0
MAX_HZ = 384000.0

Gain = Annotated[float, Field(ge=-MAX_GAIN_DB, le=MAX_GAIN_DB)]
Hertz = Annotated[float, Field(gt=0.0, le=MAX_HZ)]
CurvePoint = tuple[Hertz, Gain]


def _rising(points: tuple[CurvePoint, ...]) -> tuple[CurvePoint, ...]:
    for (low, _), (high, _) in itertools.pairwise(points):
        if high <= low:
            raise ValueError(f"frequencies must rise, found {low:g} Hz before {high:g} Hz")
    return points


MonoBelowHz = Annotated[float, Field(ge=20.0, le=500.0)]
"""A frequency below which the side is removed."""

Curve = Annotated[tuple[CurvePoint, ...], AfterValidator(_rising)]
"""A gain over frequency: linear in dB over log frequency, flat outside its points."""

WidthCurve = Annotated[
    tuple[tuple[Hertz, Annotated[float, Field(ge=-2 * MAX_GAIN_DB, le=2 * MAX_GAIN_DB)]], ...],
    AfterValidator(_rising),
]
"""A curve of the side against the mid: their own gains may lie that far apart."""

WholeSide = Annotated[Curve | None, Field(alias="side", exclude=True)]
"""The side's whole gain, as in plans that do not know `width`."""
