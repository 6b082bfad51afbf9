"""The third-octave levels of a recording that matching compares: long-term and segment by segment.

Arrays have the bands of `THIRDS_HZ` as their last axis; levels are dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.profile.bands import (
    BANDS_HZ,
    THIRDS_HZ,
    band_levels,
    mask_at_thirds,
    smooth_power_db,
    values_at_thirds,
)
from refmaster.profile.model import FLOOR_DB, Profile
from refmaster.units import db_to_power, power_to_db

# What lies further below the loudest band (or, of the side, below the mid) is noise and is held there. Set by
# hand: below the noise of a 16-bit master, and below the side of any image that is heard.
FLOOR_BELOW_LOUDEST_DB = 90.0
LOWEST_SIDE_TO_MID_DB = -40.0
# Profiles whose segments are longer than this were made otherwise and cannot be matched.
LONGEST_SEGMENT_S = 1.2


@dataclass(frozen=True, kw_only=True)
class MatchFeatures:
    """One recording's levels.

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


def match_features(profile: Profile) -> MatchFeatures:
    """Return the levels of a profile that matching compares."""
    levels = band_levels(profile, BANDS_HZ)
    mid = values_at_thirds(smooth_power_db(levels.mid_db, 1 / 3))
    mid = np.maximum(mid, mid.max() - FLOOR_BELOW_LOUDEST_DB)
    segments = _segments(profile, profile.evidence.segment_mid_db)
    if len(segments):
        segments = np.maximum(segments, power_mean_db(segments).max() - FLOOR_BELOW_LOUDEST_DB)
    width = segment_width = None
    if levels.side_db is not None:
        side = values_at_thirds(smooth_power_db(levels.side_db, 1 / 3))
        width = np.maximum(side - mid, LOWEST_SIDE_TO_MID_DB)
        side_segments = _segments(profile, profile.evidence.segment_side_db)
        if len(side_segments) == len(segments):
            segment_width = np.maximum(side_segments - segments, LOWEST_SIDE_TO_MID_DB)
    return MatchFeatures(
        mid_db=mid,
        width_db=width,
        segment_mid_db=segments,
        segment_width_db=segment_width,
        mid_present=mask_at_thirds(levels.mid_present),
        side_present=mask_at_thirds(levels.side_present),
    )


def long_term_thirds_db(profile: Profile) -> Array | None:
    """Return the long-term third-octave levels of the mid, cut at their own edges; None without segments.

    The profile's 1/24 octaves cannot tell on which side of an edge a partial lies; its segments can.
    """
    rows = _segments(profile, profile.evidence.segment_mid_db)
    return power_mean_db(rows) if len(rows) else None


def power_mean_db(rows: Array) -> Array:
    """Return the mean power of the rows of a matrix, in dB."""
    return power_to_db(db_to_power(rows).mean(axis=0))


def _segments(profile: Profile, rows: tuple[tuple[float, ...], ...]) -> Array:
    """Return segment levels on all third octaves; bands that the profile does not reach are at the floor."""
    if not rows or profile.evidence.segment_s > LONGEST_SEGMENT_S:
        return np.zeros((0, len(THIRDS_HZ)))
    found = np.full((len(rows), len(THIRDS_HZ)), FLOOR_DB)
    places = np.round(3 * np.log2(np.asarray(profile.evidence.frequencies_hz) / THIRDS_HZ[0])).astype(int)
    inside = (places >= 0) & (places < len(THIRDS_HZ))
    found[:, places[inside]] = np.asarray(rows)[:, inside]
    return found
