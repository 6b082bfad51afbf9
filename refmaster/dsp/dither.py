"""Word-length reduction: float samples to integers, with or without dither.

The dither is TPDF (triangular probability density, 2 LSB peak to peak, non-subtractive): the sum of two
independent uniform variables of 1 LSB each, after which the error's mean and variance no longer depend on
the signal (Lipshitz, Wannamaker and Vanderkooy, "Quantization and dither: a theoretical survey",
J. Audio Eng. Soc. 40(5), 1992). It is drawn sample by sample in interleaved order from a seeded
generator, so the result does not depend on how the signal is cut into blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POOL_SAMPLES = 32768


class Quantiser:
    """Turn float blocks into integers of a given word length.

    Rounds to the nearest integer and limits to the word's range: -2^(bits-1) to 2^(bits-1) - 1 stands for
    -1.0 to just below 1.0.

    Parameters
    ----------
    bits : int
        Word length, 8 to 32.
    seed : int or None
        Seed of the dither; None for none.
    """

    def __init__(self, bits: int, *, seed: int | None) -> None:
        if not 8 <= bits <= 32:
            raise ValueError(f"bits must be 8 to 32, got {bits}")
        self.bits = bits
        self.clipped_samples = 0
        self._scale = float(2 ** (bits - 1))
        self._generator = None if seed is None else np.random.SFC64(np.random.SeedSequence(seed))
        self._noise_lsb = np.zeros(_POOL_SAMPLES, dtype=np.float32)
        self._noise_at = _POOL_SAMPLES  # the pool is used up: the next piece refills it
        self._scratch = np.empty(_POOL_SAMPLES, dtype=np.float64)

    def quantise(self, block: NDArray[np.floating]) -> NDArray[np.int32]:
        """Return the block as integers.

        Parameters
        ----------
        block : ndarray, shape (frames, channels)
            Finite samples with full scale 1.0.

        Returns
        -------
        ndarray of int32, the block's shape
            Samples beyond the word's range are limited to it and counted in `clipped_samples`.
        """
        samples = np.ascontiguousarray(block).reshape(-1)
        integers = np.empty(samples.size, dtype=np.int32)
        done = 0
        while done < samples.size:
            if self._noise_at == _POOL_SAMPLES:
                self._refill()
            size = min(_POOL_SAMPLES - self._noise_at, samples.size - done)
            # float64: the steps of float32 near full scale are as coarse as those of 24-bit words
            level = np.multiply(
                samples[done : done + size], self._scale, out=self._scratch[:size], dtype=np.float64
            )
            if self._generator is not None:
                level += self._noise_lsb[self._noise_at : self._noise_at + size]
            np.rint(level, out=level)
            self._limit(level)
            integers[done : done + size] = level
            self._noise_at += size
            done += size
        return integers.reshape(block.shape)

    def _refill(self) -> None:
        self._noise_at = 0
        if self._generator is None:
            return
        # 64 random bits make four 16-bit uniforms, for two samples
        words = self._generator.random_raw(_POOL_SAMPLES // 2).astype("<u8", copy=False).view("<i2")
        np.add(words[:_POOL_SAMPLES], words[_POOL_SAMPLES:], out=self._noise_lsb, dtype=np.float32)
        self._noise_lsb += 1.0  # a 16-bit integer has the mean -0.5, two have -1
        self._noise_lsb *= 2.0**-16

    def _limit(self, level: NDArray[np.float64]) -> None:
        lowest, highest = float(level.min()), float(level.max())
        if lowest >= -self._scale and highest < self._scale:
            return
        if not (np.isfinite(lowest) and np.isfinite(highest)):
            raise ValueError("samples to quantise must be finite")
        self.clipped_samples += int(np.count_nonzero((level < -self._scale) | (level >= self._scale)))
        np.clip(level, -self._scale, self._scale - 1.0, out=level)
