"""Measurements of what a recording should not have, and the meters that make them.

Meters find and measure; whether something is a fault, `refmaster.check` decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Array, Block
from refmaster.dsp.hops import HOPS_PER_SECOND
from refmaster.meters.balance import MAX_VALUES, BalanceMeter
from refmaster.meters.clicks import MAX_ROWS, ClickMeter
from refmaster.meters.edges import EdgeMeter, Edges
from refmaster.meters.noise import Hum, Noise, NoiseMeter
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
        description="the highest ones, by time: start (frames), length (frames), channel (0: left), dB over the "
        "local level",
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
    balance_db: tuple[float, ...] = Field(
        max_length=MAX_VALUES, description="dB, left over right every 0.2 s; empty for mono"
    )
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
        self._edges = EdgeMeter(sample_rate_hz)
        self._tops = TopMeter(sample_rate_hz, channels, watcher=self._watch_peaks)
        self._balance = BalanceMeter()
        self._noise = NoiseMeter(sample_rate_hz)
        self._clicks = ClickMeter(sample_rate_hz, channels)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        for meter in (self._edges, self._tops, self._clicks):
            meter.update(planar)

    def _watch_peaks(self, highest: NDArray[np.floating]) -> None:
        self._edges.watch(highest)
        self._balance.watch(highest)

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
            balance_db=self._balance.result(),
            clicks=Clicks(count=len(clicks), rows=tuple(clicks)),
        )
