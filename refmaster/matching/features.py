"""What of a profile the separation of mastering from content looks at: third octaves, long-term and segments.

Arrays have the third octaves of prior.py (20 Hz to 20 kHz) as their last axis; levels are dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.prior import THIRDS, thirds_hz
from refmaster.profile.bands import JUDGED_HIGH_HZ, smooth, smooth_power_db, spectrum_of
from refmaster.profile.model import BANDS_PER_OCTAVE, Profile, band_centers_hz

# What lies further below the loudest band (or, of the side, below the mid) is noise: it is all the same.
FLOOR_BELOW_LOUDEST_DB = 90.0
LOWEST_SIDE_TO_MID_DB = -40.0
# Third octaves count where most of their finer bands do.
KNOWN_SHARE = 0.75
# Profiles whose segments are longer than this were made otherwise and cannot be matched.
LONGEST_SEGMENT_S = 1.2

_GRID_HZ = band_centers_hz(96000)
# Where the third octaves' centres stand on the profile's grid (the lowest lies just below it).
_PLACES = np.maximum(BANDS_PER_OCTAVE // 3 * (THIRDS - THIRDS[0]) - 1, 0)


@dataclass(frozen=True, kw_only=True)
class Features:
    """One recording.

    Attributes
    ----------
    mid_db : ndarray, shape (bands,)
        Long-term level of the mid.
    width_db : ndarray, shape (bands,), or None
        Long-term level of the side over the mid; None for mono.
    segment_mid_db : ndarray, shape (segments, bands)
        Levels of segments in order of time; none where the profile has none.
    segment_width_db : ndarray, shape (segments, bands), or None
    mid_present, side_present : ndarray of bool, shape (bands,)
        Where there is energy.
    """

    mid_db: Array
    width_db: Array | None
    segment_mid_db: Array
    segment_width_db: Array | None
    mid_present: Mask
    side_present: Mask


def features_of(profile: Profile) -> Features:
    """Return what a profile holds for the separation."""
    spectrum = spectrum_of(profile, _GRID_HZ)
    mid = smooth_power_db(spectrum.mid_db, 1 / 3)[_PLACES]
    mid = np.maximum(mid, mid.max() - FLOOR_BELOW_LOUDEST_DB)
    segments = _segments(profile, profile.evidence.segment_mid_db)
    if len(segments):
        loudest = float((10.0 * np.log10(np.mean(10.0 ** (segments / 10.0), axis=0))).max())
        segments = np.maximum(segments, loudest - FLOOR_BELOW_LOUDEST_DB)
    width = segment_width = None
    if spectrum.side_db is not None:
        side = smooth_power_db(spectrum.side_db, 1 / 3)[_PLACES]
        width = np.maximum(side - mid, LOWEST_SIDE_TO_MID_DB)
        side_segments = _segments(profile, profile.evidence.segment_side_db)
        if len(side_segments) == len(segments):
            segment_width = np.maximum(side_segments - segments, LOWEST_SIDE_TO_MID_DB)
    return Features(
        mid_db=mid,
        width_db=width,
        segment_mid_db=segments,
        segment_width_db=segment_width,
        mid_present=at_thirds(spectrum.mid_present),
        side_present=at_thirds(spectrum.side_present),
    )


def at_thirds(mask: Mask) -> Mask:
    """Return in which third octaves a mask of the profile's grid counts; the grid may end early."""
    whole = np.zeros(len(_GRID_HZ), dtype=bool)
    whole[: len(mask)] = mask
    share = smooth(whole.astype(np.float64), np.ones(len(whole), dtype=bool), 1 / 3)
    return np.asarray(share[_PLACES] >= KNOWN_SHARE)


def values_at_thirds(values: Array) -> Array:
    """Return values of the profile's grid at the third octaves' centres, the last one held beyond its end."""
    return np.asarray(values[np.minimum(_PLACES, len(values) - 1)])


def on_grid(values: Array, frequencies_hz: Array) -> Array:
    """Return values of the third octaves as a smooth curve on the profile's grid."""
    fine = np.interp(np.log2(frequencies_hz), np.log2(thirds_hz()), values)
    return smooth(fine, np.ones(len(fine), dtype=bool), 1 / 3)


def judged_thirds() -> Mask:
    """Return the third octaves over which level is removed."""
    return np.asarray((THIRDS >= -14) & (thirds_hz() <= 1.1 * JUDGED_HIGH_HZ))


def long_term_thirds_db(profile: Profile) -> Array | None:
    """Return the long-term third-octave levels of the mid, cut at their own edges; None without segments.

    The profile's 1/24 octaves cannot tell on which side of an edge a partial lies; its segments can.
    """
    rows = _segments(profile, profile.evidence.segment_mid_db)
    if not len(rows):
        return None
    return np.asarray(10.0 * np.log10(np.mean(10.0 ** (rows / 10.0), axis=0)))


def _segments(profile: Profile, rows: tuple[tuple[float, ...], ...]) -> Array:
    """Return segment levels on all third octaves; bands that the profile does not reach are at the floor."""
    if not rows or profile.evidence.segment_s > LONGEST_SEGMENT_S:
        return np.zeros((0, len(THIRDS)))
    found = np.full((len(rows), len(THIRDS)), -200.0)
    centers = np.round(3 * np.log2(np.asarray(profile.evidence.frequencies_hz) / 1000.0)).astype(int)
    inside = np.isin(centers, THIRDS)
    found[:, centers[inside] - THIRDS[0]] = np.asarray(rows)[:, inside]
    return found
