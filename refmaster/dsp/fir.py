"""Equaliser curves as FIR filters, and the kernel that applies them to a stream.

Conventions: curves are gains in dB over frequency in Hz, interpolated linearly over log frequency and held
flat beyond their ends. Taps are float64. Blocks are ``(frames, channels)`` and keep their dtype. The delay of
a filter is compensated exactly, so output frame n belongs to input frame n and no length changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmaster.dsp.blocks import BlockKernel
from refmaster.errors import SettingsError
from refmaster.units import amplitude_to_db, db_to_amplitude

_REFERENCE_TAPS = 16384
_REFERENCE_RATE_HZ = 48000
# The window blurs the curve below about 60 Hz, and feeding the error back undoes most of it. Over 40 random
# third-octave curves (4 dB per band, smoothed over 3 bands) the largest error at 20 Hz and above, which sits
# at the corners of the lowest bands, is 0.12 dB in the median and 0.30 dB in
# the worst (0.06 and 0.15 from 40 Hz on; 0.06 dB RMS over 20-80 Hz). Without the feedback it is twice that.
# Curves that jump +-6 dB from band to band keep 1 dB at 20 Hz: only a longer filter would help them.
_FEEDBACK_ROUNDS = 3
_KAISER_BETA = 3.0


def default_taps(sample_rate_hz: int) -> int:
    """Return the odd filter length that spans the same time at every rate.

    16385 at 44.1 and 48 kHz (0.37 and 0.34 s), 32769 at 88.2 and 96 kHz, 4097 at 8 to 12 kHz.
    """
    needed = _REFERENCE_TAPS * sample_rate_hz / _REFERENCE_RATE_HZ
    return int(2 ** np.ceil(np.log2(needed))) + 1


def curve_on_grid(
    frequencies_hz: ArrayLike, gain_db: ArrayLike, grid_hz: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the curve's gain in dB at ``grid_hz``: linear over log frequency, flat beyond the ends.

    Raises
    ------
    SettingsError
        If the frequencies are not positive and rising, the lengths differ, or a value is not finite.
    """
    frequencies = np.atleast_1d(np.asarray(frequencies_hz, dtype=np.float64))
    gains = np.atleast_1d(np.asarray(gain_db, dtype=np.float64))
    if frequencies.ndim != 1 or frequencies.shape != gains.shape or not len(frequencies):
        raise SettingsError(
            "an EQ curve needs as many gains as frequencies, at least one of each, "
            f"got shapes {frequencies.shape} and {gains.shape}"
        )
    if not (np.isfinite(frequencies).all() and np.isfinite(gains).all()):
        raise SettingsError("an EQ curve needs finite frequencies and gains: remove the NaN or Inf values")
    if frequencies[0] <= 0 or np.any(np.diff(frequencies) <= 0):
        raise SettingsError("the frequencies of an EQ curve must be above 0 Hz and strictly rising")
    floor_hz = max(float(frequencies[0]) * 1e-3, 1e-6)  # so that DC has a logarithm; flat there anyway
    log_grid = np.log(np.maximum(grid_hz, floor_hz))
    return np.interp(log_grid, np.log(frequencies), gains)


def design_linear_phase(
    frequencies_hz: ArrayLike, gain_db: ArrayLike, sample_rate_hz: int, *, taps: int | None = None
) -> NDArray[np.float64]:
    """Design a linear-phase FIR with the gain of a curve.

    Frequency sampling with a Kaiser window. The window's blur is taken back by feeding the error in dB into
    the sampled curve a few times, which matters below about 60 Hz only.

    Parameters
    ----------
    frequencies_hz : array_like, shape (points,)
        Strictly rising, above 0.
    gain_db : array_like, shape (points,)
        Gain at these frequencies; between them it is linear over log frequency.
    sample_rate_hz : int
        Rate of the signal that will be filtered.
    taps : int, optional
        Odd length; `default_taps` when not given.

    Returns
    -------
    ndarray of float64, shape (taps,)
        Exactly symmetric around frame ``(taps - 1) // 2``. A curve of zeros gives an exact unit impulse.

    Raises
    ------
    SettingsError
        If the curve is malformed or ``taps`` is even or below 3.
    """
    length = default_taps(sample_rate_hz) if taps is None else taps
    if length < 3 or length % 2 == 0:
        raise SettingsError(f"a linear-phase filter needs an odd number of taps, at least 3, got {length}")
    half = (length - 1) // 2
    size = 2 * _power_of_two_at_least(length - 1)
    grid_hz = np.linspace(0.0, sample_rate_hz / 2, size // 2 + 1)
    wanted_db = curve_on_grid(frequencies_hz, gain_db, grid_hz)
    right = np.zeros(half + 1)
    if not wanted_db.any():
        right[0] = 1.0
        return _mirror(right)
    window = np.kaiser(length, _KAISER_BETA)[half:]
    asked_db = wanted_db.copy()
    for _ in range(_FEEDBACK_ROUNDS):
        right = _windowed_response(asked_db, window)
        error_db = wanted_db - _zero_phase_gain_db(right, size)
        # Beyond 3 dB the error is a step the window cannot follow: feeding it back would only make it ring.
        asked_db += np.clip(error_db, -3.0, 3.0)
    return _mirror(_windowed_response(asked_db, window))


def design_minimum_phase(
    frequencies_hz: ArrayLike, gain_db: ArrayLike, sample_rate_hz: int, *, taps: int | None = None
) -> NDArray[np.float64]:
    """Design a minimum-phase FIR with the magnitude of `design_linear_phase` (folded real cepstrum).

    Parameters and errors are those of `design_linear_phase`.

    Returns
    -------
    ndarray of float64, shape (taps,)
        Causal with the least delay; use it with ``delay_frames=0``.

    References
    ----------
    A. V. Oppenheim, R. W. Schafer, Discrete-Time Signal Processing, ch. "Cepstrum analysis".
    """
    linear = design_linear_phase(frequencies_hz, gain_db, sample_rate_hz, taps=taps)
    length = len(linear)
    size = 8 * _power_of_two_at_least(length)  # long, so that the cepstrum hardly aliases
    log_magnitude = np.log(np.maximum(np.abs(np.fft.rfft(linear, size)), 1e-10))
    cepstrum = np.fft.irfft(log_magnitude, size)
    cepstrum[1 : size // 2] *= 2.0
    cepstrum[size // 2 + 1 :] = 0.0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), size)[:length]
    if not np.any(linear[: (length - 1) // 2]):  # a pure gain: exact, as the linear-phase design is
        response = np.zeros(length)
        response[0] = linear[(length - 1) // 2]
    return response


class FilterBanks(BlockKernel):
    """Filter a stream with one FIR, or its mid and side with one each, from one or several banks of them.

    Overlap-save on fixed segments, so that the result does not depend on how the caller cuts the stream, to
    the bit. float32 in gives float32 out, float64 gives float64. A subclass says which bank filters which
    frames; a block is transformed once for all of them.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    banks : sequence of (mid_taps, side_taps)
        Arrays of shape (taps,), all of one length: the filter of every channel, or of
        mid = (left + right) / 2 where there is a second, which is that of side = (left - right) / 2. Without
        one it is None; with one the stream has two channels.
    delay_frames : int, optional
        The filters' delay that is compensated: by default ``(taps - 1) // 2``, which is exact for linear
        phase. Use 0 for minimum phase.

    Notes
    -----
    Segments are four times as long as the filter, and several are transformed per call: NumPy then works on
    four float32 at once. Blocks come out with each channel's frames side by side in memory, as the kernels
    behind this one take them.
    """

    def __init__(
        self, channels: int, banks: Sequence[tuple[ArrayLike, ArrayLike | None]], *, delay_frames: int | None
    ) -> None:
        pairs = []
        for mid_taps, side_taps in banks:
            mid = np.asarray(mid_taps, dtype=np.float64)
            side = mid if side_taps is None else np.asarray(side_taps, dtype=np.float64)
            if side_taps is not None and channels != 2:
                raise ValueError(f"side_taps needs a stereo stream, got {channels} channels")
            pairs.append((mid, side))
        shape = pairs[0][0].shape
        if len(shape) != 1 or not shape[0] or any(taps.shape != shape for pair in pairs for taps in pair):
            shapes = ", ".join(str(taps.shape) for pair in pairs for taps in pair)
            raise ValueError(f"taps must be one-dimensional and equally long, got {shapes}")
        self.taps = shape[0]
        self.delay_frames = (self.taps - 1) // 2 if delay_frames is None else delay_frames
        if not 0 <= self.delay_frames < self.taps:
            raise ValueError(f"delay_frames must be within the filter, got {self.delay_frames}")
        self._size = max(4 * _power_of_two_at_least(self.taps - 1), 4096)
        self._hop = self._size - self.taps + 1
        self._segments = -(-4 // max(channels, 1))  # four transforms a call fill the vector registers
        super().__init__(channels, self._segments * self._hop, self.delay_frames)
        self._mid_side = any(not np.array_equal(mid, side) for mid, side in pairs)
        self._banks = [[mid, side] if self._mid_side else [mid] for mid, side in pairs]
        self._identity = all(
            _is_unit_impulse(taps, self.delay_frames) for filters in self._banks for taps in filters
        )
        self._spectra: list[NDArray[Any]] = []  # of each bank; the first block's dtype makes them

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block and return the frames that are now complete, see `BlockKernel.push`.

        Where every filter is a unit impulse the block is returned untouched.
        """
        return block if self._identity else super().push(block)

    def _bank_spectra(self, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
        """Return what the spectra of segments are multiplied with, each of shape ``(filters, 1, values)``.

        A symmetric filter around 0 has a real spectrum. It then scales the real and imaginary parts alike,
        which is half the work of a complex product.
        """
        symmetric = 2 * self.delay_frames == self.taps - 1 and all(
            np.array_equal(taps, taps[::-1]) for filters in self._banks for taps in filters
        )
        complex_type = np.complex64 if dtype == np.float32 else np.complex128
        banks = []
        for filters in self._banks:
            spectra = []
            for taps in filters:
                centred = np.zeros(self._size)
                centred[: self.taps] = taps
                spectrum = np.fft.rfft(np.roll(centred, -self.delay_frames))
                spectra.append(np.repeat(spectrum.real, 2).astype(dtype) if symmetric else spectrum)
            stacked = np.stack(spectra)[:, np.newaxis]
            banks.append(stacked.astype(dtype if symmetric else complex_type) * self._size)
        return banks

    def _prepare(self, dtype: np.dtype[Any]) -> None:
        """Make the filters' spectra and the arrays to work in, of a precision."""
        self._spectra = self._bank_spectra(dtype)
        frames = self.taps - 1 + self._segments * self._hop
        self._signal = np.zeros(
            (self.channels, frames), dtype
        )  # what a block's filters reach back to, and the block
        self._frames = np.empty((self.channels, self._segments, self._size), dtype)
        complex_type = np.complex64 if dtype == np.float32 else np.complex128
        self._spectrum = np.empty((self.channels, self._segments, self._size // 2 + 1), complex_type)

    def _transformed(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block and return the spectra of its segments; they are valid until the next block."""
        kept, hop, size = self.taps - 1, self._hop, self._size
        if not self._spectra:
            self._prepare(block.dtype)
        signal = self._signal
        signal[:, :kept] = signal[:, len(block) :].copy()
        fresh = signal[:, kept:]
        if self._mid_side:
            np.add(block[:, 0], block[:, 1], out=fresh[0])
            np.subtract(block[:, 0], block[:, 1], out=fresh[1])
            fresh *= block.dtype.type(0.5)
        else:
            fresh[:] = block.T
        for segment in range(self._segments):
            self._frames[:, segment] = signal[:, segment * hop : segment * hop + size]
        # "forward" divides by the size, which `_spectra` makes up for: without it NumPy transforms float32 in
        # float64, at a quarter of the speed. A power of two, so that nothing is rounded.
        return np.fft.rfft(self._frames, norm="forward", out=self._spectrum)

    def _filtered(self, spectrum: NDArray[Any], bank: int) -> NDArray[Any]:
        """Return the frames of a transformed block behind a bank, which trail it by ``delay_frames``.

        The spectrum is worked on in place.
        """
        hop, dtype = self._hop, self._frames.dtype
        parts = spectrum if np.iscomplexobj(self._spectra[bank]) else spectrum.view(dtype)
        parts *= self._spectra[bank]
        filtered = np.fft.irfft(spectrum, n=self._size, out=self._frames)
        first = self.taps - 1 - self.delay_frames
        valid = filtered[:, :, first : first + hop]
        result = np.empty((self.channels, self._segments, hop), dtype=dtype)
        if self._mid_side:
            np.add(valid[0], valid[1], out=result[0])
            np.subtract(valid[0], valid[1], out=result[1])
        else:
            result[:] = valid
        return result.reshape(self.channels, -1).T


class FirEqualizer(FilterBanks):
    """Filter a stream with one FIR, or its mid and side with one each, without latency.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    mid_taps : array_like, shape (taps,)
        The filter of every channel, or of mid = (left + right) / 2 when ``side_taps`` is given.
    side_taps : array_like, shape (taps,), optional
        The filter of side = (left - right) / 2; two channels only, as long as ``mid_taps``.
    delay_frames : int, optional
        As for `FilterBanks`.
    """

    def __init__(
        self,
        channels: int,
        mid_taps: ArrayLike,
        side_taps: ArrayLike | None = None,
        *,
        delay_frames: int | None = None,
    ) -> None:
        super().__init__(channels, [(mid_taps, side_taps)], delay_frames=delay_frames)

    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        return self._filtered(self._transformed(block), 0)


def _power_of_two_at_least(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()


def _is_unit_impulse(taps: NDArray[np.float64], position: int) -> bool:
    return bool(taps[position] == 1.0 and np.count_nonzero(taps) == 1)


def _mirror(right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric filter whose right half, centre first, is ``right``."""
    return np.concatenate([right[:0:-1], right])


def _windowed_response(gain_db: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the right half of the windowed zero-phase response to a gain on a full FFT grid."""
    response = np.fft.irfft(db_to_amplitude(gain_db))
    return response[: len(window)] * window


def _zero_phase_gain_db(right: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the gain in dB of the symmetric filter with this right half, on a grid of ``size``."""
    periodic = np.zeros(size)
    periodic[: len(right)] = right
    periodic[size - len(right) + 1 :] = right[:0:-1]
    return amplitude_to_db(np.maximum(np.abs(np.fft.rfft(periodic).real), 1e-10))
