"""Measurements of what a recording should not have, and the meters that make them.

Meters find and measure; whether something is a fault, `refmaster.check` decides.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Block
from refmaster.meters.clicks import MAX_ROWS, ClickMeter
from refmaster.meters.repairable import MAX_TOP_TIMES, RepairableMeter, RepairableResult
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
        description="the highest ones, by time: start (frames), length (frames), channel (0: left), height "
        "(dB over the local level)",
    )


class CutLevel(Model):
    """A level that one channel's tops, or its troughs, are cut at."""

    channel: int = Field(ge=0, description="0: left")
    level: float = Field(ge=-1000.0, le=1000.0, description="samples at it or beyond; below 0: troughs")
    tops: int = Field(ge=0, description="flat ones of 2 frames and more, with corners")
    long_tops: int = Field(ge=0, description="those of them that are too long to be restored")
    times_s: tuple[float, ...] = Field(
        default=(), max_length=MAX_TOP_TIMES, description="s, of the first ones"
    )


class Repairable(Model):
    """Facts that repairs need to the frame and to the sample value."""

    heard_from_frame: int = Field(ge=0, description="first frame of -80 dBFS and more")
    heard_to_frame: int = Field(ge=0, description="the frame after the last one; 0: there is none")
    cut: tuple[CutLevel, ...] = Field(
        default=(), description="channels' own highest levels, where tops are cut"
    )


class Faults(Model):
    """Measurements of what a mix should not have."""

    edges: Edges
    clicks: Clicks
    repairable: Repairable


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
        self._repairable = RepairableMeter(sample_rate_hz, channels)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        if len(planar):
            self._first = planar[0].copy() if self._first is None else self._first
            self._last = planar[-1].copy()
            self._clicks.update(planar)
            self._repairable.update(planar)

    def result(self) -> Faults:
        """Return what was found; the meter is finished."""
        first = np.zeros(1) if self._first is None else self._first
        clicks = self._clicks.result()
        return Faults(
            edges=Edges(first_sample_dbfs=_level_dbfs(first), last_sample_dbfs=_level_dbfs(self._last)),
            clicks=Clicks(count=clicks.count, rows=clicks.rows),
            repairable=_repairable(self._repairable.result()),
        )


def _repairable(found: RepairableResult) -> Repairable:
    return Repairable(
        heard_from_frame=found.heard_from_frame,
        heard_to_frame=found.heard_to_frame,
        cut=tuple(CutLevel(**asdict(tops)) for tops in found.cut),
    )


def _level_dbfs(frame: NDArray[np.floating]) -> float | None:
    """Return the level of the largest sample of a frame to 0.001 dB; None for zero."""
    peak = float(np.abs(frame).max())
    return round(amplitude_to_db(peak), 3) if peak else None
