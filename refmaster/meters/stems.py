"""Third-octave powers of the stems of a mix in its segments, side by side.

Frames, segments and the gates are those of `refmaster.meters.spectrum`, and the sum of the stems is gated:
a stem that is silent in a segment has its row there all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.meters.loudness import RANGE_GATE_LU
from refmaster.meters.spectrum import LOWEST_LUFS, Segments, band_power, frame_length
from refmaster.units import power_to_lufs

_HOPS_AT_ONCE = 8


class StemMeter:
    """Measures the mids of stems and of their sum.

    Parameters
    ----------
    sample_rate_hz : int
    edges_hz : ndarray, shape (bands + 1,)
        Edges of the bands.
    """

    def __init__(self, sample_rate_hz: int, edges_hz: Array) -> None:
        self._frame = frame_length(sample_rate_hz)
        self._hop = self._frame // 2
        self._hz = np.linspace(0.0, sample_rate_hz / 2, self._hop + 1)
        self._window = np.hanning(self._frame + 1)[:-1]
        self._scale = 2.0 / (self._frame * np.sum(self._window**2))
        self._weight = k_weighting_power_gain(self._hz, sample_rate_hz)
        self._edges = edges_hz
        self._segments = Segments(self._hop / sample_rate_hz)
        self._blocks: Reblocker[np.float64] = Reblocker(self._hop * _HOPS_AT_ONCE)
        self._last: NDArray[np.float64] | None = None
        self._loudness_sum, self._loudness_count = 0.0, 0

    def update(self, stems: Iterable[Block]) -> None:
        """Take a block of each stem, equally long, of shape (frames, channels) each."""
        mids = np.column_stack([stem.mean(axis=1, dtype=np.float64) for stem in stems])
        for piece in self._blocks.push(np.column_stack([mids.sum(axis=1), mids])):
            self._take(piece)

    def result(self) -> Array:
        """Return mean powers, shape (segments, 1 + stems, bands), those of the sum first."""
        rest = self._blocks.remainder()
        if rest is not None and len(rest) >= self._hop:
            self._take(rest[: len(rest) // self._hop * self._hop])
        if not self._loudness_count:
            return np.zeros((0, 0, len(self._edges) - 1))
        gate = power_to_lufs(self._loudness_sum / self._loudness_count) + RANGE_GATE_LU
        return self._segments.power(float(gate))

    def _take(self, piece: NDArray[np.float64]) -> None:
        signal = piece if self._last is None else np.concatenate([self._last, piece])
        self._last = piece[-self._hop :].copy()
        for start in range(0, len(signal) - self._frame + 1, self._hop):
            spectrum = np.fft.rfft(signal[start : start + self._frame].T * self._window)
            power = (spectrum.real**2 + spectrum.imag**2) * self._scale
            loudness = np.zeros((len(power), 1))
            loudness[0] = power[0] @ self._weight  # the gates are the sum's
            level = power_to_lufs(float(loudness[0, 0]))
            counts = bool(level >= LOWEST_LUFS)
            if counts:
                self._loudness_sum += float(loudness[0, 0])
                self._loudness_count += 1
            self._segments.add(np.hstack([band_power(self._hz, power, self._edges), loudness]), counts=counts)
