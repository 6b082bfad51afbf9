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
class ThirdLevels:
    """Third-octave levels: long-term, shape (bands,), and of segments in order of time, (segments, bands)."""

    long_term_db: Array
    segments_db: Array


@dataclass(frozen=True, kw_only=True)
class MatchFeatures:
    """The levels of one recording.

    Attributes
    ----------
    mid : ThirdLevels
        Of the mid; without segments where the profile has none.
    width : ThirdLevels or None
        Of the side over the mid; None for mono.
    mid_present, side_present : ndarray of bool, shape (bands,)
        Where there is energy.
    """

    mid: ThirdLevels
    width: ThirdLevels | None
    mid_present: Mask
    side_present: Mask


def match_features(profile: Profile) -> MatchFeatures:
    """Return the levels of a profile that matching compares."""
    levels = band_levels(profile, BANDS_HZ)
    mid = values_at_thirds(smooth_power_db(levels.mid_db, 1 / 3))
    mid = np.maximum(mid, mid.max() - FLOOR_BELOW_LOUDEST_DB)
    segments = _segments(profile, profile.evidence.segment_mid_db)
    if len(segments):
        segments = np.maximum(segments, _mean_power_db(segments).max() - FLOOR_BELOW_LOUDEST_DB)
    width = None
    if levels.side_db is not None:
        side = values_at_thirds(smooth_power_db(levels.side_db, 1 / 3))
        side_segments = _segments(profile, profile.evidence.segment_side_db)
        if len(side_segments) != len(segments):
            side_segments = segments[:0]
        width = ThirdLevels(
            long_term_db=np.maximum(side - mid, LOWEST_SIDE_TO_MID_DB),
            segments_db=np.maximum(side_segments - segments[: len(side_segments)], LOWEST_SIDE_TO_MID_DB),
        )
    return MatchFeatures(
        mid=ThirdLevels(long_term_db=mid, segments_db=segments),
        width=width,
        mid_present=mask_at_thirds(levels.mid_present),
        side_present=mask_at_thirds(levels.side_present),
    )


def long_term_thirds_db(profile: Profile) -> Array | None:
    """Return the long-term third-octave levels of the mid, cut at their own edges; None without segments.

    The profile's 1/24 octaves cannot tell on which side of an edge a partial lies; its segments can.
    """
    rows = _segments(profile, profile.evidence.segment_mid_db)
    return _mean_power_db(rows) if len(rows) else None


def _segments(profile: Profile, rows: tuple[tuple[float, ...], ...]) -> Array:
    """Return segment levels on all third octaves; bands that the profile does not reach are at the floor."""
    if not rows or profile.evidence.segment_s > LONGEST_SEGMENT_S:
        return np.zeros((0, len(THIRDS_HZ)))
    found = np.full((len(rows), len(THIRDS_HZ)), FLOOR_DB)
    places = np.round(3 * np.log2(np.asarray(profile.evidence.frequencies_hz) / THIRDS_HZ[0])).astype(int)
    inside = (places >= 0) & (places < len(THIRDS_HZ))
    found[:, places[inside]] = np.asarray(rows)[:, inside]
    return found


def _mean_power_db(rows: Array) -> Array:
    return power_to_db(db_to_power(rows).mean(axis=0))
