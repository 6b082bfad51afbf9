"""Long-term average spectrum of mid and side, gated as loudness is, with its variation over time.

Frames are Hann windows of 16384 samples at 44.1 and 48 kHz (about a third of a second at every rate),
half overlapped. Bin powers are scaled so that they add up to the mean square of the signal: a full-scale
sine adds up to 0.5. Mid is (L+R)/2, side is (L-R)/2. One channel is all mid; of more than two channels
the mean power is taken as mid, and there is no side.

Frames count from -70 LUFS and from 20 LU below the mean of those that do (the gates of EBU Tech 3342). The
second gate is known at the end only, so power is collected per class of 1 LU: exact to half a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.meters.loudness import RANGE_GATE_LU
from refmaster.units import db_to_power, power_to_db, power_to_lufs

FRAME_AT_48K = 16384
LOWEST_LUFS, HIGHEST_LUFS = -70, 10
SEGMENT_S = 0.75  # to the nearest hop: 0.74 s at 44.1 kHz, 0.68 s at 48 kHz
MAX_SEGMENTS = 512  # 6 minutes; of a longer recording every second (fourth, ...) segment is kept
_HOPS_AT_ONCE = 8

Watcher: TypeAlias = Callable[[NDArray[np.float32]], None]


@dataclass(frozen=True, kw_only=True)
class SpectrumResult:
    """The long-term average spectrum.

    Attributes
    ----------
    frequencies_hz : ndarray, shape (bins,)
    mid_power : ndarray, shape (bins,)
        Mean square per bin over the frames that passed the gates.
    side_power : ndarray, shape (bins,), or None
        None where there is no side.
    frames_passed_share : float
        Share of all frames that passed the gates.
    segment_s : float
        Length of a segment in seconds.
    segment_mid_power, segment_side_power : ndarray, shape (segments, bands)
        Mean square in the meter's segment bands, for every segment that passes the gates, in order of
        time; at most `MAX_SEGMENTS`, evenly spaced.
    """

    frequencies_hz: Array
    mid_power: Array
    side_power: Array | None
    frames_passed_share: float
    segment_s: float
    segment_mid_power: Array
    segment_side_power: Array | None


class SpectrumMeter:
    """Measures the long-term average spectrum of a stream.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    segment_edges_hz : ndarray, shape (bands + 1,)
        Edges of the bands that segments are summed in.
    watcher : callable, optional
        Called with the power of every frame in order, shape (signals, frames, bins) in float32, of mid and
        side, or of one signal; times `scale` it is the mean square per bin. It must not keep the array.
    """

    def __init__(
        self, sample_rate_hz: int, channels: int, segment_edges_hz: Array, *, watcher: Watcher | None = None
    ) -> None:
        self.frame = frame_length(sample_rate_hz)
        self._hop = self.frame // 2
        self._channels = channels
        self._stereo = channels == 2
        self.frequencies_hz: Array = np.linspace(0.0, sample_rate_hz / 2, self.frame // 2 + 1)
        window = np.hanning(self.frame + 1)[:-1]
        self._window = (window * (0.5 if self._stereo else 1.0)).astype(np.float32)
        scale = np.full(len(self.frequencies_hz), 2.0)
        scale[0] = scale[-1] = 1.0
        # Spectra come divided by the frame length: NumPy then transforms float32 as such, four times as fast.
        self.scale: Array = scale * (self.frame / np.sum(window**2))
        weighting = k_weighting_power_gain(self.frequencies_hz, sample_rate_hz)
        # A mean over both channels' squares is twice the mean of mid's and side's.
        loudness_weight = weighting * self.scale * (2.0 if self._stereo else channels)
        self._loudness_weight = loudness_weight.astype(np.float32)
        self._segment_bands = len(segment_edges_hz) - 1
        self._bands = _BandSums(self.frequencies_hz, segment_edges_hz, self.scale[1])
        classes = HIGHEST_LUFS - LOWEST_LUFS
        self._power = np.zeros((classes, 2 if self._stereo else 1, len(self.frequencies_hz)))
        self._count = np.zeros(classes, dtype=np.int64)
        self._below = 0
        self._blocks: Reblocker[np.float32] = Reblocker(self._hop * _HOPS_AT_ONCE)
        self._begun = False
        # two channels are transformed as mid and side, others as they are
        self._signals = np.zeros((channels, (_HOPS_AT_ONCE + 1) * self._hop), np.float32)  # one hop kept
        self._frames = np.empty((channels, _HOPS_AT_ONCE, self.frame), np.float32)
        shape = (channels, _HOPS_AT_ONCE, len(self.frequencies_hz))
        self._spectra: NDArray[Any] = np.empty(shape, np.complex64)
        self._frame_power = np.empty(shape, np.float32)
        self._segments = Segments(self._hop / sample_rate_hz)
        self._watcher = watcher

    def update(self, block: Block) -> None:
        """Take a block of shape (frames, channels)."""
        for piece in self._blocks.push(block.astype(np.float32, copy=False)):
            self._take(piece)

    def result(self) -> SpectrumResult:
        """Return the spectrum; the meter is finished."""
        rest = self._blocks.remainder()
        if rest is not None:
            whole = len(rest) // self._hop * self._hop
            nothing_yet = not self._begun and whole < self.frame
            if nothing_yet:  # too short for a frame: one frame, filled up with silence
                rest = np.concatenate([rest, np.zeros((self.frame - len(rest), rest.shape[1]), rest.dtype)])
                whole = self.frame
            if whole:
                self._take(rest[:whole])
        gate = self._gate_lufs()
        levels = np.arange(LOWEST_LUFS, HIGHEST_LUFS) + 0.5
        passed = levels >= gate
        count = int(self._count[passed].sum())
        total = int(self._count.sum()) + self._below
        power = self._power[passed].sum(axis=0) * (self.scale / max(count, 1))
        segments = self._segments.power(gate)
        if not len(segments):
            segments = np.zeros((0, len(self._power[0]), self._segment_bands))
        return SpectrumResult(
            frequencies_hz=self.frequencies_hz,
            mid_power=power[0],
            side_power=power[1] if self._stereo else None,
            frames_passed_share=count / max(total, 1),
            segment_s=self._segments.length_s,
            segment_mid_power=segments[:, 0],
            segment_side_power=segments[:, 1] if self._stereo else None,
        )

    def _take(self, piece: NDArray[np.float32]) -> None:
        """Transform the half-overlapped frames of a whole number of hops."""
        hop, count = self._hop, len(piece) // self._hop
        signals = self._signals[:, : (count + 1) * hop]
        fresh = signals[:, hop:]
        if self._stereo:  # the halves of mid and side are in the window
            np.add(piece[:, 0], piece[:, 1], out=fresh[0])
            np.subtract(piece[:, 0], piece[:, 1], out=fresh[1])
        else:
            fresh[:] = piece.T
        hops = signals.reshape(len(signals), count + 1, hop)[:, 0 if self._begun else 1 :]
        count = hops.shape[1] - 1
        if count:
            frames = self._frames[:, :count]
            np.multiply(hops[:, :-1], self._window[:hop], out=frames[:, :, :hop])
            np.multiply(hops[:, 1:], self._window[hop:], out=frames[:, :, hop:])
            spectra = np.fft.rfft(frames, norm="forward", out=self._spectra[:, :count])
            parts = spectra.view(np.float32)  # real and imaginary in turn
            np.square(parts, out=parts)
            power = np.add(parts[:, :, 0::2], parts[:, :, 1::2], out=self._frame_power[:, :count])
            power = power if self._stereo else power.mean(axis=0, keepdims=True)
            self._add(power)
            if self._watcher is not None:
                self._watcher(power)
        self._begun = True
        self._signals[:, :hop] = signals[:, -hop:]

    def _add(self, power: NDArray[np.float32]) -> None:
        """Count frames, shape (signals, frames, bins), each in its class of loudness."""
        loudness = (power @ self._loudness_weight)[:, :, np.newaxis]
        summed = np.concatenate([self._bands(power), loudness], axis=2, dtype=np.float64)
        for number, level in enumerate(power_to_lufs(summed[:, :, -1].sum(axis=0)).tolist()):
            self._segments.add(summed[:, number], counts=level >= LOWEST_LUFS)
            if level < LOWEST_LUFS:
                self._below += 1
                continue
            place = min(int(np.floor(level)) - LOWEST_LUFS, len(self._count) - 1)
            self._power[place] += power[:, number]
            self._count[place] += 1

    def _gate_lufs(self) -> float:
        """Return the relative gate: 20 LU below the mean of what passed -70 LUFS."""
        if not self._count.any():
            return float(HIGHEST_LUFS)
        levels = np.arange(LOWEST_LUFS, HIGHEST_LUFS) + 0.5
        mean = power_to_db(float(np.sum(self._count * db_to_power(levels)) / self._count.sum()))
        return mean + RANGE_GATE_LU


class Segments:
    """Band powers of segments; where there are too many, every second one is dropped."""

    def __init__(self, hop_s: float) -> None:
        self._hops = max(1, round(SEGMENT_S / hop_s))
        self.length_s = self._hops * hop_s
        self._sum: Array | None = None
        self._taken = 0
        self._counted = 0
        self._number = 0
        self._stride = 1
        self._rows: list[tuple[int, Array]] = []

    def add(self, summed: Array, *, counts: bool) -> None:
        """Add one frame: powers of its bands and, last, its loudness; shape (signals, bands + 1)."""
        if counts:
            self._sum = summed if self._sum is None else self._sum + summed
            self._counted += 1
        self._taken += 1
        if self._taken == self._hops:
            self._close()

    def power(self, gate_lufs: float) -> Array:
        """Return mean band powers of what passes the gate, shape (segments, signals, bands)."""
        if self._counted and (not self._rows or 2 * self._taken >= self._hops):
            self._close()
        kept = [row[:, :-1] for _, row in self._rows if power_to_lufs(float(row[:, -1].sum())) >= gate_lufs]
        return np.array(kept)

    def _close(self) -> None:
        if self._sum is not None and self._number % self._stride == 0:
            self._rows.append((self._number, self._sum / self._counted))
            if len(self._rows) > MAX_SEGMENTS:
                self._stride *= 2
                self._rows = [row for row in self._rows if row[0] % self._stride == 0]
        self._sum = None
        self._number += 1
        self._taken = self._counted = 0


def frame_length(sample_rate_hz: int) -> int:
    """Return the frame length in samples: 16384 at 44.1 and 48 kHz, about a third of a second elsewhere."""
    return int(2 ** max(8, round(np.log2(FRAME_AT_48K * sample_rate_hz / 46000))))


def band_power(frequencies_hz: Array, power: Array, edges_hz: Array) -> Array:
    """Return the power between successive edges, bins that straddle an edge being split.

    Parameters
    ----------
    frequencies_hz : ndarray, shape (bins,)
        Evenly spaced bin centres.
    power : ndarray, shape (..., bins)
        Of each bin.
    edges_hz : ndarray, shape (bands + 1,)
        Rising.

    Returns
    -------
    ndarray, shape (..., bands)
    """
    step = frequencies_hz[1] - frequencies_hz[0]
    below = np.concatenate(
        [np.zeros((*power.shape[:-1], 1)), np.cumsum(power, axis=-1, dtype=np.float64)], axis=-1
    )
    place = np.clip(edges_hz / step + 0.5, 0.0, len(frequencies_hz))
    whole = np.minimum(place.astype(int), len(frequencies_hz) - 1)
    at_edge = below[..., whole] + (below[..., whole + 1] - below[..., whole]) * (place - whole)
    return np.diff(at_edge, axis=-1)


class _BandSums:
    """The powers of `band_power`, times a factor, for many float32 frames of the same bands."""

    def __init__(self, frequencies_hz: Array, edges_hz: Array, factor: float) -> None:
        place = edges_hz / (frequencies_hz[1] - frequencies_hz[0]) + 0.5
        self._first = np.minimum(place.astype(np.intp), len(frequencies_hz) - 1)
        self._share = ((place - self._first) * factor).astype(np.float32)  # of its bin below each edge
        # Where two edges lie in one bin reduceat would yield that bin, and not nothing.
        self._factor = np.where(np.diff(self._first) > 0, factor, 0.0).astype(np.float32)

    def __call__(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the power in each band, shape (..., bands)."""
        sums = np.add.reduceat(power, self._first, axis=-1)[..., :-1]
        sums *= self._factor
        edges = power[..., self._first] * self._share
        sums += edges[..., 1:]
        sums -= edges[..., :-1]
        return np.maximum(sums, 0.0, out=sums)
