"""Measurements of what a recording should not have, and the meters that make them.

Meters find and measure; whether something is a fault, `refmaster.check` decides.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Array, Block
from refmaster.dsp.hops import HOPS_PER_SECOND
from refmaster.meters.balance import MAX_VALUES, BalanceMeter
from refmaster.meters.clicks import MAX_ROWS, ClickMeter
from refmaster.meters.edges import EdgeMeter, Edges
from refmaster.meters.framing import Codec
from refmaster.meters.noise import Hum, Noise, NoiseMeter
from refmaster.meters.origin import OriginMeter, OriginResult
from refmaster.meters.repairable import MAX_TOP_TIMES, RepairableMeter, RepairableResult
from refmaster.meters.tops import TopMeter, Tops
from refmaster.settings.model import Model
from refmaster.settings.output import MAX_SAMPLE_RATE_HZ

BandEdgeHz = Annotated[float, Field(gt=0.0, le=MAX_SAMPLE_RATE_HZ / 2)]

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


class Origin(Model):
    """Signs in the samples of where they come from."""

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
    balance_db: tuple[float, ...] = Field(
        max_length=MAX_VALUES, description="dB, left over right every 0.2 s; empty for mono"
    )
    clicks: Clicks
    repairable: Repairable
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
        self._edges = EdgeMeter(sample_rate_hz)
        self._tops = TopMeter(sample_rate_hz, channels, watcher=self._watch_peaks)
        self._balance = BalanceMeter()
        self._noise = NoiseMeter(sample_rate_hz)
        self._clicks = ClickMeter(sample_rate_hz, channels)
        self._repairable = RepairableMeter(sample_rate_hz, channels)
        self._origin = OriginMeter(sample_rate_hz)

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        for meter in (self._edges, self._tops, self._clicks, self._repairable, self._origin):
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
            clicks=Clicks(count=clicks.count, rows=clicks.rows),
            repairable=_repairable(self._repairable.result()),
            origin=_origin(self._origin.result()),
        )


def _repairable(found: RepairableResult) -> Repairable:
    return Repairable(
        heard_from_frame=found.heard_from_frame,
        heard_to_frame=found.heard_to_frame,
        cut=tuple(CutLevel(**asdict(tops)) for tops in found.cut),
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
