"""Spectra on the profile's 1/24-octave grid: alignment, energy masks, smoothing.

Arrays have shape (bands,), levels are dB, and a mask is True where a band counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask
from refmaster.profile.model import BANDS_PER_OCTAVE, FLOOR_DB, Profile

# A band this far below the loudest one carries no music: it is dither, or what a low-pass left over.
EMPTY_BELOW_LOUDEST_DB = 75.0
# 16-bit TPDF dither puts about -108 dB into the widest 1/24-octave band.
EMPTY_BELOW_DB = -106.0
# A codec's low-pass falls by this much within a sixth of an octave and never rises again.
CUTOFF_DROP_DB = 15.0
CUTOFF_SEARCH_ABOVE_HZ = 8000.0
# Side this far below mid is no image but residue: nothing to widen.
SIDE_PRESENT_ABOVE_DB = -30.0
# The third-octave range over which level is removed and distances are stated.
JUDGED_LOW_HZ, JUDGED_HIGH_HZ = 40.0, 16000.0


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """One recording's bands on the common grid; `side_db` is None for mono."""

    frequencies_hz: Array
    mid_db: Array
    side_db: Array | None
    mid_present: Mask
    side_present: Mask


def spectrum_of(profile: Profile, frequencies_hz: Array) -> Spectrum:
    """Return a profile's spectrum on `frequencies_hz`; bands it does not reach are at the floor."""
    n = len(frequencies_hz)
    mid = _padded(profile.spectrum.mid_db, n)
    mid_present = energy_mask(frequencies_hz, mid)
    if not profile.spectrum.side_db:
        return Spectrum(
            frequencies_hz=frequencies_hz,
            mid_db=mid,
            side_db=None,
            mid_present=mid_present,
            side_present=np.zeros(n, dtype=bool),
        )
    side = _padded(profile.spectrum.side_db, n)
    above = smooth(side, np.ones(n, bool), 1 / 3) - smooth(mid, np.ones(n, bool), 1 / 3)
    side_present = energy_mask(frequencies_hz, side) & mid_present & (above > SIDE_PRESENT_ABOVE_DB)
    return Spectrum(
        frequencies_hz=frequencies_hz,
        mid_db=mid,
        side_db=side,
        mid_present=mid_present,
        side_present=side_present,
    )


def energy_mask(frequencies_hz: Array, level_db: Array) -> Mask:
    """Tell which bands carry energy: not far below the loudest, not above a codec's cut-off."""
    loudest = float(level_db.max(initial=FLOOR_DB))
    present = (level_db > loudest - EMPTY_BELOW_LOUDEST_DB) & (level_db > EMPTY_BELOW_DB)
    cutoff = cutoff_hz(frequencies_hz, level_db)
    if cutoff is not None:
        present &= frequencies_hz < cutoff
    return present


def cutoff_hz(frequencies_hz: Array, level_db: Array) -> float | None:
    """Return where a steep low-pass begins, in Hz, or None: lossy codecs and filters leave such an edge."""
    span = BANDS_PER_OCTAVE // 6
    for k in range(len(level_db) - span):
        if frequencies_hz[k] < CUTOFF_SEARCH_ABOVE_HZ:
            continue
        edge = level_db[k] - CUTOFF_DROP_DB
        if level_db[k + span] < edge and level_db[k + span :].max() < edge:
            still_up = np.flatnonzero(level_db[k : k + span] > level_db[k] - CUTOFF_DROP_DB / 3)
            return float(frequencies_hz[k + still_up[-1]])
    return None


def smooth(values: Array, weights: NDArray[np.bool_] | Array, octaves: float) -> Array:
    """Return the mean of `values` over a running window of `octaves`, by `weights`; 0 where none count.

    The window is a box for third octaves and finer, and a Gaussian of the same variance for wider ones,
    so that broad curves have no corners.
    """
    w = np.asarray(weights, dtype=np.float64)
    kernel = _kernel(octaves)
    total, summed = _convolve(w, kernel), _convolve(values * w, kernel)
    return np.divide(summed, total, out=np.zeros_like(summed), where=total > 1e-9)


def smooth_power_db(level_db: Array, octaves: float) -> Array:
    """Return band powers averaged over a running window of `octaves`, in dB (a fractional-octave reading)."""
    power = 10.0 ** (level_db / 10.0)
    return 10.0 * np.log10(np.maximum(smooth(power, np.ones(len(power), bool), octaves), 1e-30))


def judged(frequencies_hz: Array) -> Mask:
    """Return the bands over which level is removed and distances are stated."""
    return (frequencies_hz >= JUDGED_LOW_HZ) & (frequencies_hz <= JUDGED_HIGH_HZ)


def _kernel(octaves: float) -> Array:
    width = octaves * BANDS_PER_OCTAVE
    if octaves <= 1 / 3 + 1e-9:
        count = max(1, round((width - 1) / 2) * 2 + 1)
        kernel = np.ones(count)
        if count > 1 and count > width:  # fractional ends, so that the width is exact
            kernel[0] = kernel[-1] = 1.0 - (count - width) / 2
        return kernel
    sigma = width / np.sqrt(12.0)
    reach = int(np.ceil(3 * sigma))
    return np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)


def _convolve(values: Array, kernel: Array) -> Array:
    full = np.convolve(values, kernel, mode="full")
    start = (len(kernel) - 1) // 2
    return np.asarray(full[start : start + len(values)])


def _padded(values: tuple[float, ...], count: int) -> Array:
    padded = np.full(count, FLOOR_DB)
    padded[: min(count, len(values))] = values[:count]
    return padded
