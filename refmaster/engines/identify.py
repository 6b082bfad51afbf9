"""The curves that another engine applied, read off its input and its output.

An engine that equalizes mid and side with fixed filters is described by two magnitude responses. They are
estimated from averaged cross-spectra, band by band (the least-squares gain of each band), so that they can
stand in a plan like any other curve. What the estimate leaves unexplained is stated with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from refmaster._types import Array, Mask
from refmaster.units import amplitude_to_db

# Long against any filter of 4096 taps, so that what a window cuts off its tail does not count.
FRAME = 65536
BANDS_PER_OCTAVE = 48
LOWEST_HZ = 15.0
# Bands in which less of the output than this follows from the input hold nothing but rounding.
COHERENT_FROM = 0.9
# An output this far below its input (90 dB) has been taken away.
REMOVED_BELOW = 1e-9
# No music has less power per bin; far above what rounding in 32-bit float leaves.
SILENT_POWER = 1e-22


@dataclass(frozen=True, kw_only=True)
class AppliedCurves:
    """Curves read off an engine's output.

    Attributes
    ----------
    frequencies_hz : ndarray, shape (bands,)
    mid_db, side_db : ndarray, shape (bands,)
        Gains, level included; where nothing is known, interpolated from the neighbours.
    mid_known, side_known : ndarray of bool, shape (bands,)
        Where input and output carry a signal.
    """

    frequencies_hz: Array
    mid_db: Array
    side_db: Array
    mid_known: Mask
    side_known: Mask


def applied_curves(before: Path, after: Path) -> AppliedCurves:
    """Return the curves that turned one file into the other.

    Parameters
    ----------
    before, after : Path
        Audio files of one sample rate and length, aligned within some samples; mono counts as equal
        channels.

    Returns
    -------
    AppliedCurves
    """
    rate = sf.info(before).samplerate
    own = np.zeros((2, FRAME // 2 + 1))
    its = np.zeros_like(own)
    cross = np.zeros(own.shape, dtype=np.complex128)
    window = np.hanning(FRAME + 1)[:-1]
    for x, y in zip(_frames(before), _frames(after), strict=False):
        x_spectrum, y_spectrum = (np.fft.rfft(z * window, axis=1) for z in (x, y))
        own += np.abs(x_spectrum) ** 2
        its += np.abs(y_spectrum) ** 2
        cross += np.conj(x_spectrum) * y_spectrum
    hz = np.fft.rfftfreq(FRAME, 1.0 / rate)
    centers = LOWEST_HZ * 2.0 ** (np.arange(0, 13 * BANDS_PER_OCTAVE) / BANDS_PER_OCTAVE)
    centers = centers[centers < 0.49 * rate]
    mid_db, mid_known = _gains(hz, centers, own[0], its[0], cross[0])
    side_db, side_known = _gains(hz, centers, own[1], its[1], cross[1])
    return AppliedCurves(
        frequencies_hz=centers, mid_db=mid_db, side_db=side_db, mid_known=mid_known, side_known=side_known
    )


def thinned(frequencies_hz: Array, gain_db: Array, tolerance_db: float) -> list[int]:
    """Return which points describe a curve, linear in dB over log frequency, within `tolerance_db`."""
    octaves = np.log2(frequencies_hz)
    kept = {0, len(octaves) - 1}
    spans = [(0, len(octaves) - 1)]
    while spans:
        first, last = spans.pop()
        inside = slice(first, last + 1)
        line = np.interp(octaves[inside], octaves[[first, last]], gain_db[[first, last]])
        off = np.abs(gain_db[inside] - line)
        worst = first + int(np.argmax(off))
        if off.max() > tolerance_db:
            kept.add(worst)
            spans += [(first, worst), (worst, last)]
    return sorted(kept)


def _frames(path: Path) -> Iterator[NDArray[np.float64]]:
    """Yield mid and side of half-overlapping frames, shape (2, FRAME), the last one filled up."""
    blocks = sf.blocks(
        path, blocksize=FRAME, overlap=FRAME // 2, dtype="float64", always_2d=True, fill_value=0.0
    )
    for block in blocks:
        left, right = block[:, 0], block[:, -1]
        yield np.stack([(left + right) / 2.0, (left - right) / 2.0])


def _gains(
    hz: Array, centers: Array, own: Array, its: Array, cross: NDArray[np.complex128]
) -> tuple[Array, Mask]:
    half = 2.0 ** (0.5 / BANDS_PER_OCTAVE)
    first = np.searchsorted(hz, centers / half)
    last = np.maximum(np.searchsorted(hz, centers * half), first + 1)
    # Magnitudes per bin: a sum of the cross-spectrum itself would lose where a delay turns its phase.
    sums = [np.concatenate([[0.0], np.cumsum(v)]) for v in (own, its, np.abs(cross))]
    power, out_power, shared = (s[last] - s[first] for s in sums)
    floor = SILENT_POWER * FRAME
    known = power > floor
    both = known & (out_power > 0.0)
    coherence = np.divide(shared**2, power * out_power, out=np.zeros_like(power), where=both)
    known &= (coherence > COHERENT_FROM) | (out_power < REMOVED_BELOW * power)
    gain = np.divide(shared, power, out=np.ones_like(power), where=known)
    gain_db = amplitude_to_db(np.maximum(gain, 1e-6))
    if not known.any():
        return np.zeros(len(centers)), known
    octaves = np.log2(centers)
    return np.interp(octaves, octaves[known], gain_db[known]), known
