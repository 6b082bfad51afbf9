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
from refmaster.meters.framing import Codec
from refmaster.meters.origin import OriginMeter, OriginResult
from refmaster.settings.model import Model
from refmaster.settings.output import MAX_SAMPLE_RATE_HZ
from refmaster.units import amplitude_to_db

SampleLevel = Annotated[float, Field(ge=-10_000.0, le=100.0)]
BandEdgeHz = Annotated[float, Field(gt=0.0, le=MAX_SAMPLE_RATE_HZ / 2)]


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


class Origin(Model):
    """What the samples say of where they come from."""

    used_bits: Annotated[int, Field(ge=8, le=32)] | None = Field(
        description="shortest word length that holds every sample; null: none does, or silence"
    )
    bandwidth_hz: BandEdgeHz | None = Field(
        description="Hz, where the spectrum ends; null: it does not end abruptly"
    )
    drop_db: Annotated[float, Field(ge=0.0, le=1000.0)] | None = Field(
        description="dB, how far it falls there"
    )
    codec: Codec | None = Field(
        description="the lossy codec whose frames stand out most; null: they were not looked for"
    )
    frame_prominence: float = Field(
        ge=0.0, le=1e9, description="standard deviations by which they stand out; chance reaches about 5"
    )
    searched_to_hz: BandEdgeHz | None = Field(description="Hz, the highest sound that was looked at")


class Faults(Model):
    """Measurements of what a mix should not have."""

    edges: Edges
    clicks: Clicks
    origin: Origin


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
        self._origin = OriginMeter(sample_rate_hz)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        if len(planar):
            self._first = planar[0].copy() if self._first is None else self._first
            self._last = planar[-1].copy()
            self._clicks.update(planar)
            self._origin.update(planar)

    def result(self) -> Faults:
        """Return what was found; the meter is finished."""
        first = np.zeros(1) if self._first is None else self._first
        clicks = self._clicks.result()
        return Faults(
            edges=Edges(first_sample_dbfs=_level_dbfs(first), last_sample_dbfs=_level_dbfs(self._last)),
            clicks=Clicks(count=len(clicks), rows=tuple(clicks)),
            origin=_origin(self._origin.result()),
        )


def _origin(found: OriginResult) -> Origin:
    framing = found.framing
    return Origin(
        used_bits=found.used_bits,
        bandwidth_hz=None if found.bandwidth_hz is None else round(found.bandwidth_hz, 1),
        drop_db=None if found.drop_db is None else round(found.drop_db, 1),
        codec=None if framing is None else framing.codec,
        frame_prominence=0.0 if framing is None else round(framing.prominence, 2),
        searched_to_hz=None if found.searched_to_hz is None else round(found.searched_to_hz, 1),
    )


def _level_dbfs(frame: NDArray[np.floating]) -> float | None:
    """Return the level of the largest sample of a frame to 0.001 dB; None for zero."""
    peak = float(np.abs(frame).max())
    return round(amplitude_to_db(peak), 3) if peak else None
