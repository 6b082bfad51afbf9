"""The band grids, and spectra read on them: energy masks, smoothing, and the way between grids.

Every grid stands here. Band centres are ``1000 * 2**(k/n)`` Hz: the profile's spectra have n = 24
(`BANDS_HZ`), its segments and the matching have third octaves (`THIRDS_HZ`). Arrays have shape (bands,) on
the profile's grid, which ends early at low sample rates, or (thirds,) on `THIRDS_HZ`; levels are dB, and a
mask is True where a band counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.profile.model import FLOOR_DB, Profile
from refmaster.units import db_to_power, power_to_db

BANDS_PER_OCTAVE = 24
BANDS_HZ: Array = 1000.0 * 2.0 ** (np.arange(-135, 105) / BANDS_PER_OCTAVE)
"""The profile's bands, 20.3 Hz to 20.16 kHz, shape (240,)."""
THIRDS_HZ: Array = 1000.0 * 2.0 ** (np.arange(-17, 14) / 3)
"""Third octaves, 20 Hz to 20 kHz, shape (31,)."""

# The range over which level is removed and distances are stated.
JUDGED_LOW_HZ, JUDGED_HIGH_HZ = 40.0, 16000.0
JUDGED_THIRDS: Mask = (THIRDS_HZ > 0.9 * JUDGED_LOW_HZ) & (THIRDS_HZ < 1.1 * JUDGED_HIGH_HZ)
"""Where in `THIRDS_HZ` the third octaves of that range are, 39.4 Hz to 16 kHz: 27 of them."""
LEARNED_THIRDS: Mask = JUDGED_THIRDS & (THIRDS_HZ < 13000.0)
"""Where song content is learned: to 12.7 kHz; beyond, codecs say more than the music does. 26 of them."""

# Where the third octaves' centres stand on the profile's grid (the lowest lies just below it).
_THIRD_PLACES = np.maximum(8 * np.arange(len(THIRDS_HZ)) - 1, 0)
# Third octaves count where most of their finer bands do.
_KNOWN_SHARE = 0.75
# A band this far below the loudest one carries no music: it is dither, or what a low-pass left over.
EMPTY_BELOW_LOUDEST_DB = 75.0
# 16-bit TPDF dither puts about -108 dB into the widest 1/24-octave band.
EMPTY_BELOW_DB = -106.0
# A codec's low-pass falls by this much within a sixth of an octave and never rises again.
CUTOFF_DROP_DB = 15.0
CUTOFF_SEARCH_ABOVE_HZ = 8000.0
# Side this far below mid is no image but residue: nothing to widen.
SIDE_PRESENT_ABOVE_DB = -30.0

for _grid in (BANDS_HZ, THIRDS_HZ, JUDGED_THIRDS, LEARNED_THIRDS):
    _grid.flags.writeable = False


@dataclass(frozen=True, kw_only=True)
class BandLevels:
    """One recording's levels in the profile's bands; `side_db` is None for mono."""

    frequencies_hz: Array
    mid_db: Array
    side_db: Array | None
    mid_present: Mask
    side_present: Mask


def band_centers_hz(sample_rate_hz: int) -> Array:
    """Return those of `BANDS_HZ` that fit below 0.49 of the sample rate."""
    return _fitting(BANDS_HZ, BANDS_PER_OCTAVE, sample_rate_hz)


def third_centers_hz(sample_rate_hz: int) -> Array:
    """Return those of `THIRDS_HZ` that fit below 0.49 of the sample rate."""
    return _fitting(THIRDS_HZ, 3, sample_rate_hz)


def band_edges_hz(centers_hz: Array, bands_per_octave: int) -> Array:
    """Return the edges of adjoining bands in Hz, one more than there are bands."""
    half = 2.0 ** (0.5 / bands_per_octave)
    return np.append(centers_hz / half, centers_hz[-1:] * half)


def band_levels(profile: Profile, frequencies_hz: Array) -> BandLevels:
    """Return a profile's levels in `frequencies_hz`; bands it does not reach are at the floor."""
    n = len(frequencies_hz)
    mid = _padded(profile.spectrum.mid_db, n)
    mid_present = energy_mask(frequencies_hz, mid)
    side, side_present = None, np.zeros(n, dtype=bool)
    if profile.spectrum.side_db:
        side = _padded(profile.spectrum.side_db, n)
        above = smooth(side, np.ones(n), 1 / 3) - smooth(mid, np.ones(n), 1 / 3)
        side_present = energy_mask(frequencies_hz, side) & mid_present & (above > SIDE_PRESENT_ABOVE_DB)
    return BandLevels(
        frequencies_hz=frequencies_hz,
        mid_db=mid,
        side_db=side,
        mid_present=mid_present,
        side_present=side_present,
    )


def energy_mask(frequencies_hz: Array, level_db: Array) -> Mask:
    """Return which bands carry energy: not far below the loudest, not above a codec's cut-off."""
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


def judged(frequencies_hz: Array) -> Mask:
    """Return the bands over which level is removed and distances are stated."""
    return (frequencies_hz >= JUDGED_LOW_HZ) & (frequencies_hz <= JUDGED_HIGH_HZ)


def smooth(values: Array, weights: Mask | Array, octaves: float) -> Array:
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
    power = db_to_power(level_db)
    return power_to_db(np.maximum(smooth(power, np.ones(len(power)), octaves), 1e-30))


def mask_at_thirds(mask: Mask) -> Mask:
    """Return in which of `THIRDS_HZ` a mask of the profile's grid counts; the grid may end early."""
    whole = np.zeros(len(BANDS_HZ))
    whole[: len(mask)] = mask
    return np.asarray(smooth(whole, np.ones(len(whole)), 1 / 3)[_THIRD_PLACES] >= _KNOWN_SHARE)


def values_at_thirds(values: Array) -> Array:
    """Return values of the profile's grid at `THIRDS_HZ`, the last one held beyond the grid's end."""
    return np.asarray(values[np.minimum(_THIRD_PLACES, len(values) - 1)])


def thirds_at_bands(values: Array, frequencies_hz: Array) -> Array:
    """Return values of `THIRDS_HZ` as a smooth curve in the profile's bands."""
    fine = np.interp(np.log2(frequencies_hz), np.log2(THIRDS_HZ), values)
    return smooth(fine, np.ones(len(fine)), 1 / 3)


def third_octave_rms_db(values: Array, known: Mask) -> float | None:
    """Return the RMS of a difference over the third octaves from 40 Hz to 16 kHz, its mean removed, or None.

    Parameters
    ----------
    values : ndarray, shape (bands,)
        Differences of third-octave readings on the profile's grid, in dB.
    known : ndarray of bool, shape (bands,)
        Where they count.
    """
    places = _THIRD_PLACES[(THIRDS_HZ >= JUDGED_LOW_HZ) & JUDGED_THIRDS]
    places = places[places < len(values)]
    chosen = values[places[known[places]]]
    return float(chosen.std()) if len(chosen) else None


def _fitting(centers_hz: Array, bands_per_octave: int, sample_rate_hz: int) -> Array:
    return centers_hz[centers_hz * 2.0 ** (0.5 / bands_per_octave) < 0.49 * sample_rate_hz]


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
