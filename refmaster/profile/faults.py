"""Measurements of what a recording should not have, and the meters that make them.

Meters find and measure; whether something is a fault, `refmaster.check` decides.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Block
from refmaster.meters.clicks import MAX_ROWS, ClickMeter
from refmaster.settings.model import Model
from refmaster.units import amplitude_to_db

SampleLevel = Annotated[float, Field(ge=-10_000.0, le=100.0)]


class Edges(Model):
    """The very ends of a recording."""

    first_sample_dbfs: SampleLevel | None = Field(description="dBFS; null: zero")
    last_sample_dbfs: SampleLevel | None = Field(description="dBFS; null: zero")


class Clicks(Model):
    """Clicks and pops: short errors in one channel."""

    count: int = Field(ge=0, description="all that were found")
    rows: tuple[tuple[int, int, int, float], ...] = Field(
        default=(),
        max_length=MAX_ROWS,
        description="the highest ones, by time: start (frames), length (frames), channel (0: left), dB over the "
        "local level",
    )


class Faults(Model):
    """Measurements of what a mix should not have."""

    edges: Edges
    clicks: Clicks


class FaultMeter:
    """Look for faults in a stream, beside the meters of a profile.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._first: NDArray[np.floating] | None = None
        self._last: NDArray[np.floating] = np.zeros(channels)
        self._clicks = ClickMeter(sample_rate_hz, channels)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        if len(planar):
            self._first = planar[0].copy() if self._first is None else self._first
            self._last = planar[-1].copy()
            self._clicks.update(planar)

    def result(self) -> Faults:
        """Return what was found; the meter is finished."""
        first = np.zeros(1) if self._first is None else self._first
        clicks = self._clicks.result()
        return Faults(
            edges=Edges(first_sample_dbfs=_level_dbfs(first), last_sample_dbfs=_level_dbfs(self._last)),
            clicks=Clicks(count=len(clicks), rows=tuple(clicks)),
        )


def _level_dbfs(frame: NDArray[np.floating]) -> float | None:
    """Return the level of the largest sample of a frame to 0.001 dB; None for zero."""
    peak = float(np.abs(frame).max())
    return round(amplitude_to_db(peak), 3) if peak else None
