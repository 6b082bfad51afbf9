"""True peaks by plain interpolation of every point, in float64.

Samples are ``(frames, channels)``; peaks are linear, of the same shape: the largest ``|x|`` of the points
from half a frame before each frame to half a frame after it. The signal is zero outside its frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_PAD = 300  # frames of silence on either side, more than the filters reach

# BS.1770-4, Annex 2: the coefficients of phases 0 and 1. Phases 3 and 2 are the same backwards.
BS1770_PHASES = (
    (
        *(0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000),
        *(-0.0594482421875, 0.1373291015625, 0.9721679687500, -0.1022949218750),
        *(0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
    ),
    (
        *(-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250),
        *(-0.1665039062500, 0.4650878906250, 0.7797851562500, -0.2003173828125),
        *(0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
    ),
)


def windowed_sinc(offsets: Array, half_width: float, beta: float) -> Array:
    """Return a sinc under a Kaiser window that ends at ``half_width`` samples, scaled to the sum 1."""
    window = np.i0(beta * np.sqrt(np.maximum(0.0, 1.0 - (offsets / half_width) ** 2))) / np.i0(beta)
    taps = np.sinc(offsets) * window * (np.abs(offsets) < half_width)
    return taps / taps.sum()


def eightfold_peaks(samples: ArrayLike) -> Array:
    """Return the peaks at eight times the rate: 256 taps (Kaiser, beta 4) double it, 12 (beta 8) the rest."""
    samples = np.asarray(samples, dtype=np.float64)
    half_way = windowed_sinc(np.arange(256) - 127.5, 128.0, 4.0)
    peaks = np.zeros_like(samples)
    for line, peak in zip(samples.T, peaks.T, strict=True):
        padded = np.pad(line, _PAD)
        doubled = np.empty(2 * len(padded))
        doubled[::2] = padded
        doubled[1::2] = np.convolve(padded, half_way)[128:-127]
        phases = [doubled]
        for quarter in (0.25, 0.5, 0.75):
            taps = windowed_sinc(np.arange(-5.0, 7.0) - quarter, 6.0, 8.0)
            phases.append(np.convolve(doubled, taps[::-1])[6:-5])
        points = np.abs(np.stack(phases, axis=1)).ravel()
        middle = 8 * (np.arange(len(line)) + _PAD)
        for eighth in range(-4, 5):
            np.maximum(peak, points[middle + eighth], out=peak)
    return peaks


def bs1770_peaks(samples: ArrayLike) -> Array:
    """Return the larger of each sample and the four points of BS.1770-4, Annex 2, about it."""
    samples = np.asarray(samples, dtype=np.float64)
    peaks = np.abs(samples)
    for line, peak in zip(samples.T, peaks.T, strict=True):
        for taps in (*BS1770_PHASES, *(phase[::-1] for phase in BS1770_PHASES)):
            # its delay of 5.5 samples, to the next whole one
            np.maximum(peak, np.abs(np.convolve(line, taps)[6:][: len(line)]), out=peak)
    return peaks


def highest_db(peaks: Array) -> float:
    """Return the highest of all peaks in dB, -240 for silence."""
    return float(20.0 * np.log10(max(peaks.max(initial=0.0), 1e-12)))
