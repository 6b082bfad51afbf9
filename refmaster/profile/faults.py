"""Measurements of what a recording should not have, and the meters that make them.

Meters find and measure; whether something is a fault, `refmaster.check` decides.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Array, Block
from refmaster.dsp.hops import HOPS_PER_SECOND
from refmaster.meters.clicks import MAX_ROWS, ClickMeter
from refmaster.meters.edges import EdgeMeter, Edges
from refmaster.meters.noise import Hum, Noise, NoiseMeter
from refmaster.meters.repairable import MAX_TOP_TIMES, RepairableMeter, RepairableResult
from refmaster.meters.tops import TopMeter, Tops
from refmaster.settings.model import Model

# Times of overs that facts keep.
MAX_OVERS = 100


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


class Overs(Model):
    """Peaks above full scale, between samples or at them."""

    count: int = Field(ge=0, description="tenths of a second that hold one")
    times_s: tuple[float, ...] = Field(max_length=MAX_OVERS, description="s, the first of them")


class Faults(Model):
    """Measurements of what a mix should not have."""

    edges: Edges
    tops: Tops
    overs: Overs
    noise: Noise
    hum: Hum
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
        self._edges = EdgeMeter(sample_rate_hz)
        self._tops = TopMeter(sample_rate_hz, channels, watcher=self._edges.watch)
        self._noise = NoiseMeter(sample_rate_hz)
        self._clicks = ClickMeter(sample_rate_hz, channels)
        self._repairable = RepairableMeter(sample_rate_hz, channels)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        for meter in (self._edges, self._tops, self._clicks, self._repairable):
            meter.update(planar)

    def watch(self, power: NDArray[np.float32]) -> None:
        """Take the frames of the spectrum meter (see its `watcher`)."""
        self._noise.watch(power)

    def result(self, true_peak_series_dbtp: Array) -> Faults:
        """Return what was found; the meter is finished.

        Parameters
        ----------
        true_peak_series_dbtp : ndarray
            `TruePeakResult.true_peak_series_dbtp` of the same stream.
        """
        clicks = self._clicks.result()
        tops = self._tops.result()  # hands the last hop to the edges
        over = np.flatnonzero(true_peak_series_dbtp > 0.0) / HOPS_PER_SECOND
        return Faults(
            tops=tops,
            edges=self._edges.result(),
            overs=Overs(count=len(over), times_s=tuple(over[:MAX_OVERS].tolist())),
            noise=self._noise.noise(),
            hum=self._noise.hum(),
            clicks=Clicks(count=clicks.count, rows=clicks.rows),
            repairable=_repairable(self._repairable.result()),
        )


def _repairable(found: RepairableResult) -> Repairable:
    return Repairable(
        heard_from_frame=found.heard_from_frame,
        heard_to_frame=found.heard_to_frame,
        cut=tuple(CutLevel(**asdict(tops)) for tops in found.cut),
    )
