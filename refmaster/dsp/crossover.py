"""A linear-phase crossover whose bands add up to the signal exactly.

Each frequency has a low-pass; a band is the difference of two neighbouring ones, and the highest band is what
the last low-pass leaves of the signal. So the low-passes are all that is filtered: one forward transform, and
one back for each of them.

Conventions: blocks are ``(frames, channels)``, of a fixed length; results are ``(channels, frames)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmaster._types import Array
from refmaster.dsp.fir import default_taps

TRANSITION_OCTAVES = 2.0
# An eighth of the equaliser's length, 46 ms at 44.1 kHz: its window blurs by 43 Hz, which the slope around
# the lowest crossover frequency that a plan may have still bears. Twice the length cost a tenth more.
_TAPS_SHARE = 8
_SEGMENTS = 2


def low_pass_gains(frequencies_hz: ArrayLike, crossover_hz: Sequence[float]) -> Array:
    """Return the gain of each crossover frequency's low-pass.

    A raised cosine over log frequency, 1/2 at the crossover frequency, from an octave below to one above.

    Parameters
    ----------
    frequencies_hz : array_like, shape (points,)
        In Hz.
    crossover_hz : sequence of float
        Rising.

    Returns
    -------
    ndarray of float64, shape (len(crossover_hz), points)
        Linear, 0 to 1, rising from row to row: a band's gain is a row less the one before, with 0 before the
        first and 1 after the last.
    """
    frequencies = np.maximum(np.asarray(frequencies_hz, dtype=np.float64), 1e-6)
    octaves = np.log2(frequencies / np.asarray(crossover_hz, dtype=np.float64)[:, np.newaxis])
    return np.asarray(0.5 - 0.5 * np.sin(np.pi * np.clip(octaves / TRANSITION_OCTAVES, -0.5, 0.5)))


class Crossover:
    """Filter a stream of blocks with the low-passes of a crossover.

    Overlap-save in two segments a block. What comes out trails by `latency_blocks`, and with it comes the
    signal at the same delay.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate.
    channels : int
        Number of channels.
    crossover_hz : sequence of float
        Rising; with none there is a single band, and no delay.
    block_frames : int
        Length of a block, at least half the filter's.
    """

    def __init__(
        self, sample_rate_hz: int, channels: int, crossover_hz: Sequence[float], block_frames: int
    ) -> None:
        self.latency_blocks = 1 if len(crossover_hz) else 0
        self._channels = channels
        self._block_frames = block_frames
        taps = (default_taps(sample_rate_hz) - 1) // _TAPS_SHARE + 1
        self._half = (taps - 1) // 2
        self._hop = -(-block_frames // _SEGMENTS)
        self._size = _quick_size(self._hop + 2 * self._half)
        # Symmetric filters around 0 have real spectra: real and imaginary parts are scaled alike. The size
        # makes up for the scaling of the transforms.
        realised = self._size * _realised(sample_rate_hz, crossover_hz, taps, self._size)
        self._gains = [np.repeat(row, 2) for row in realised]
        self._signal: NDArray[Any] = np.zeros((0, 0))  # the first block's dtype makes it

    def process(self, block: NDArray[Any]) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """Take the next block and return the signal and its low-passes, from low to high.

        Parameters
        ----------
        block : ndarray of float32 or float64, shape (block_frames, channels)
            Of one dtype for the whole stream.

        Returns
        -------
        signal : ndarray, shape (channels, block_frames)
        lows : list of ndarray of the same shape, one for each crossover frequency
        """
        if not self._gains:
            return block.T, []
        if not self._signal.size:
            self._prepare(block.dtype)
        frames, half, hop, size = self._block_frames, self._half, self._hop, self._size
        signal = self._signal  # half a filter before the block that comes out, that block, and the new one
        signal[:, : half + frames] = signal[:, frames : half + 2 * frames]
        signal[:, half + frames : half + 2 * frames] = block.T
        for n in range(_SEGMENTS):
            self._segments[:, n] = signal[:, n * hop : n * hop + size]
        # Both transforms divide by the size: NumPy leaves float32 where it does not scale, at half the speed.
        spectrum = np.fft.rfft(self._segments, norm="forward", out=self._spectrum)
        lows = []
        for gains in self._gains:
            np.multiply(spectrum.view(block.dtype), gains, out=self._filtered.view(block.dtype))
            filtered = np.fft.irfft(self._filtered, n=size, out=self._segments)
            valid = filtered[:, :, half : half + hop].reshape(self._channels, -1)
            lows.append(valid[:, :frames])
        return signal[:, half : half + frames].copy(), lows

    def _prepare(self, dtype: np.dtype[Any]) -> None:
        """Make the arrays to work in, of a precision."""
        complex_type = np.result_type(dtype, np.complex64)
        needed = max(self._half + 2 * self._block_frames, (_SEGMENTS - 1) * self._hop + self._size)
        self._signal = np.zeros((self._channels, needed), dtype)
        self._segments = np.empty((self._channels, _SEGMENTS, self._size), dtype)
        self._spectrum = np.empty((self._channels, _SEGMENTS, self._size // 2 + 1), complex_type)
        self._filtered = np.empty_like(self._spectrum)
        self._gains = [gains.astype(dtype, copy=False) for gains in self._gains]


def _realised(sample_rate_hz: int, crossover_hz: Sequence[float], taps: int, size: int) -> Array:
    """Return the low-passes' gains as filters of so many taps have them, on the grid of a transform."""
    half = (taps - 1) // 2
    fine = 4 * (taps - 1)
    wanted = low_pass_gains(np.linspace(0.0, sample_rate_hz / 2, fine // 2 + 1), crossover_hz)
    response = np.fft.irfft(wanted, fine)
    centred = np.zeros((len(wanted), size))
    window = np.hanning(2 * half + 3)[1:-1]
    centred[:, : half + 1] = response[:, : half + 1] * window[half:]
    centred[:, size - half :] = response[:, fine - half :] * window[:half]
    return np.asarray(np.fft.rfft(centred).real)


def _quick_size(length: int) -> int:
    """Return the smallest even length from `length` on that a Fourier transform is quick at."""
    size = length + length % 2
    while _without_factors(size) > 1:
        size += 2
    return size


def _without_factors(size: int) -> int:
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    return size
