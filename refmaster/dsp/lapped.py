"""Basis functions of the transforms that lossy codecs quantise in.

All are lapped transforms of long blocks: frames of `hop` samples, each described by as many coefficients, and
each coefficient the inner product of the signal with a basis function that reaches into neighbouring frames.

References
----------
Princen, Johnson, Bradley, "Subband/transform coding using filter bank designs based on time domain aliasing
cancellation", ICASSP 1987. ISO/IEC 11172-3 (MP3), ISO/IEC 13818-7 (AAC), Vorbis I specification, RFC 6716
(Opus).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array

KAISER_BESSEL_ALPHA = 4.0
_SUBBANDS, _LINES = 32, 18
_PROTOTYPE = 512
# The standard tabulates its prototype filter; a Kaiser low-pass of that length and cut-off is as good here.
_PROTOTYPE_BETA = 9.0
# ISO/IEC 11172-3, table 3-B.9: the butterflies between neighbouring subbands.
_ALIAS = np.array([-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037])


def sine_slope(length: int) -> Array:
    """Return the rising half of a sine window."""
    return np.sin(np.pi / (2 * length) * (np.arange(length) + 0.5))


def vorbis_slope(length: int) -> Array:
    """Return the rising half of the power-complementary window of Vorbis and Opus."""
    return np.sin(np.pi / 2 * sine_slope(length) ** 2)


def kaiser_bessel_slope(length: int) -> Array:
    """Return the rising half of AAC's Kaiser-Bessel-derived window."""
    summed = np.cumsum(np.kaiser(length + 1, np.pi * KAISER_BESSEL_ALPHA))
    return np.sqrt(summed[:-1] / summed[-1])


def mdct_basis(slope: Array, hop: int, bins: NDArray[np.intp]) -> Array:
    """Return basis functions of a modified discrete cosine transform.

    Parameters
    ----------
    slope : ndarray, shape (overlap,)
        Rising half of the window; where it is shorter than a frame, the window is flat between its slopes.
    hop : int
        Frame length in samples, as many coefficients.
    bins : ndarray, shape (count,)
        The coefficients wanted; coefficient k lies at (k + 1/2) / (2 hop) of the sample rate.

    Returns
    -------
    ndarray, shape (count, 2 * hop)
    """
    outside = np.zeros((hop - len(slope)) // 2)
    rising = np.concatenate([outside, slope, np.ones(len(outside))])
    window = np.concatenate([rising, rising[::-1]])
    time = np.arange(2 * hop) + 0.5 + hop / 2
    return window * np.cos(np.pi / hop * np.outer(bins + 0.5, time))


def hybrid_basis(bins: NDArray[np.intp]) -> Array:
    """Return basis functions of MP3's filter bank: 32 subbands, each split by an MDCT of 18 lines.

    Parameters
    ----------
    bins : ndarray, shape (count,)
        The lines wanted, of 576; line k lies at (k + 1/2) / 1152 of the sample rate.

    Returns
    -------
    ndarray, shape (count, 1632)
    """
    prototype = _prototype()
    basis = np.empty((len(bins), _PROTOTYPE + _SUBBANDS * (2 * _LINES - 1)))
    for row, number in enumerate(bins.tolist()):
        subband, line = divmod(number, _LINES)
        basis[row] = _line(prototype, subband, line)
        # The butterfly mixes a line near a subband's edge with its mirror image beyond the edge.
        down, up = line, _LINES - 1 - line
        if down < len(_ALIAS) and subband > 0:
            cosine, sine = _butterfly(_ALIAS[down])
            basis[row] = cosine * basis[row] - sine * _line(prototype, subband - 1, up)
        elif up < len(_ALIAS) and subband < _SUBBANDS - 1:
            cosine, sine = _butterfly(_ALIAS[up])
            basis[row] = cosine * basis[row] + sine * _line(prototype, subband + 1, up)
    return basis


def _butterfly(coefficient: float) -> tuple[float, float]:
    cosine = 1.0 / np.sqrt(1.0 + coefficient**2)
    return cosine, cosine * coefficient


def _line(prototype: Array, subband: int, line: int) -> Array:
    """Return the basis function of a line of a subband, before the butterflies."""
    time = np.arange(_PROTOTYPE)
    subband_filter = (prototype * np.cos((2 * subband + 1) * (time - 16) * np.pi / 64))[::-1]
    slots = np.arange(2 * _LINES)
    weights = np.sin(np.pi / 36 * (slots + 0.5)) * np.cos(np.pi / 72 * (2 * slots + 19) * (2 * line + 1))
    if subband % 2:  # odd subbands are mirrored in frequency
        weights = weights * (-1.0) ** slots
    basis = np.zeros(_PROTOTYPE + _SUBBANDS * (2 * _LINES - 1))
    for slot, weight in enumerate(weights.tolist()):
        basis[_SUBBANDS * slot :][:_PROTOTYPE] += weight * subband_filter
    return basis


def _prototype() -> Array:
    """Return a low-pass for 32 subbands: half the power at the edge between two of them."""
    time = np.arange(_PROTOTYPE) - _PROTOTYPE / 2
    window = np.kaiser(_PROTOTYPE + 1, _PROTOTYPE_BETA)[:-1]
    edge = np.cos(np.pi / 64 * time)
    low, high = 0.5 / 64, 2.0 / 64
    for _ in range(40):
        middle = 0.5 * (low + high)
        lowpass = np.sinc(middle * time) * window
        lowpass /= lowpass.sum()
        low, high = (low, middle) if (lowpass @ edge) ** 2 > 0.5 else (middle, high)
    return lowpass
