"""An independent judge of written files: none of refmaster's meters, only SciPy and libebur128.

Spectra are Welch estimates (16384-point Hann frames at 44.1 and 48 kHz) of the mid, summed into third
octaves; true peak is read twice, by libebur128 and by eightfold Fourier interpolation of overlapping
one-second pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

Array = NDArray[np.float64]
# 40 Hz to 16 kHz by IEC 61260-1, base ten: the judge's own grid on purpose, not the one of profile/bands.py.
THIRDS_HZ = 1000.0 * 10 ** (np.arange(-14, 13) / 10)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the judge reads off one file."""

    mid_db: Array
    side_db: Array
    integrated_lufs: float
    true_peak_dbtp: float
    true_peak_long_dbtp: float
    crest_db: float


def read(path: Path) -> tuple[Array, int]:
    """Return float64 samples of shape (frames, channels) and the rate in Hz."""
    samples, rate = sf.read(path, dtype="float64", always_2d=True)
    return samples, rate


def judge(path: Path) -> Reading:
    """Read everything off a file."""
    samples, rate = read(path)
    mid = samples.mean(axis=1)
    side = (samples[:, 0] - samples[:, -1]) / 2
    peak = float(np.abs(samples).max())
    return Reading(
        mid_db=third_octaves_db(mid, rate),
        side_db=third_octaves_db(side, rate),
        integrated_lufs=loudness_lufs(samples, rate),
        true_peak_dbtp=ebur128_true_peak_dbtp(samples, rate),
        true_peak_long_dbtp=long_true_peak_dbtp(samples),
        crest_db=20 * np.log10(peak / np.sqrt(np.mean(samples**2))),
    )


def third_octaves_db(signal: Array, rate: int) -> Array:
    """Return third-octave levels in dB at `THIRDS_HZ`."""
    from scipy.signal import welch

    size = int(2 ** np.round(np.log2(16384 * rate / 46000)))
    size = min(size, len(signal))
    hz, density = welch(signal, rate, window="hann", nperseg=size, noverlap=size // 2, detrend=False)
    edges = np.concatenate([[0.0], np.cumsum(density)]) * (hz[1] - hz[0])
    at = np.concatenate([hz - hz[1] / 2, [hz[-1] + hz[1] / 2]])
    low, high = THIRDS_HZ * 10**-0.05, THIRDS_HZ * 10**0.05
    power = np.interp(high, at, edges) - np.interp(low, at, edges)
    return 10 * np.log10(np.maximum(power, 1e-20))


def with_energy(*levels_db: Array, below_loudest_db: float = 60.0) -> NDArray[np.bool_]:
    """Return the bands in which every spectrum has energy."""
    mask = np.ones(len(THIRDS_HZ), dtype=bool)
    for level in levels_db:
        mask &= level > level.max() - below_loudest_db
    return mask


def rms_difference_db(one: Array, other: Array, mask: NDArray[np.bool_]) -> float:
    """Return the RMS of the difference over the bands of `mask`, its mean removed."""
    difference = (one - other)[mask]
    return float(np.sqrt(np.mean((difference - difference.mean()) ** 2)))


def octave_smoothed(difference_db: Array, mask: NDArray[np.bool_]) -> Array:
    """Return a third-octave difference averaged over an octave (three bands), within `mask`."""
    weights = np.convolve(mask.astype(float), np.ones(3), mode="same")
    total = np.convolve(np.where(mask, difference_db, 0.0), np.ones(3), mode="same")
    return np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)


def loudness_lufs(samples: Array, rate: int) -> float:
    """Return integrated loudness in LUFS by libebur128."""
    import pyebur128

    state = pyebur128.R128State(samples.shape[1], rate, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
    return float(pyebur128.get_loudness_global(state))


def ebur128_true_peak_dbtp(samples: Array, rate: int) -> float:
    """Return true peak in dBTP by libebur128."""
    import pyebur128

    state = pyebur128.R128State(samples.shape[1], rate, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
    peaks = [pyebur128.get_true_peak(state, channel) for channel in range(samples.shape[1])]
    return float(20 * np.log10(max(peaks)))


def long_true_peak_dbtp(samples: Array, factor: int = 8) -> float:
    """Return true peak in dBTP by Fourier interpolation of overlapping pieces: the longest filter."""
    size, guard = 65536, 4096
    peak = float(np.abs(samples).max())
    padded = np.concatenate(
        [np.zeros((guard, samples.shape[1])), samples, np.zeros((size, samples.shape[1]))]
    )
    window = np.ones(size)
    fade = 0.5 - 0.5 * np.cos(np.pi * (np.arange(guard // 2) + 0.5) / (guard // 2))
    window[: guard // 2], window[-guard // 2 :] = fade, fade[::-1]
    for start in range(0, len(samples) + guard, size - 2 * guard):
        piece = padded[start : start + size]
        if len(piece) < size or np.abs(piece).max() < peak * 0.25:
            continue
        spectrum = np.fft.rfft(piece * window[:, None], axis=0)
        spectrum[-1] *= 0.5
        fine = np.fft.irfft(spectrum, size * factor, axis=0) * factor
        peak = max(peak, float(np.abs(fine[guard * factor : -guard * factor]).max()))
    return float(20 * np.log10(peak))
