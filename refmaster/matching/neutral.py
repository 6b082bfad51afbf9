"""Curves without a level: moved up or down until the mix is as loud after them as before.

Loudness is read on the mix's long-term spectrum, K-weighted, mid and side together. Arrays have the shape
(bands,) of the profile's bands below half the mix's sample rate; gains are dB.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refmaster._types import Array
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import band_levels
from refmaster.profile.model import Profile
from refmaster.settings.match import FULL_MAX_GAIN_DB, MatchSettings
from refmaster.units import db_to_power, power_to_db

# Halvings of a range of at most 80 dB: to far below what a plan's points resolve.
_STEPS = 40
_INAUDIBLE_DB = 1e-6


class MixLoudness:
    """A mix's K-weighted spectrum, which tells how much louder curves make it.

    Parameters
    ----------
    mix : Profile
    frequencies_hz : ndarray, shape (bands,)
        The bands of the curves, from the lowest of the profile's.
    """

    def __init__(self, mix: Profile, frequencies_hz: Array) -> None:
        levels = band_levels(mix, frequencies_hz)
        weight = k_weighting_power_gain(frequencies_hz, mix.source.sample_rate_hz)
        self._mid = weight * db_to_power(levels.mid_db)
        self._side = 0.0 * weight if levels.side_db is None else weight * db_to_power(levels.side_db)
        self._before = float((self._mid + self._side).sum())

    def change_db(self, mid_db: Array, side_db: Array) -> float:
        """Return how much louder curves make the mix, in dB."""
        after = float(self._mid @ db_to_power(mid_db) + self._side @ db_to_power(side_db))
        return power_to_db(after / self._before)


def loudness_neutral(
    mid_db: Array,
    width_db: Array,
    loudness: MixLoudness,
    placed: Callable[[Array], Array],
    settings: MatchSettings,
) -> Array:
    """Return a curve of the mid, without its level.

    Parameters
    ----------
    mid_db : ndarray, shape (bands,)
        A curve that keeps the bounds.
    width_db : ndarray, shape (bands,)
        The side's gain over the mid's.
    loudness : MixLoudness
        Of the mix that the curve is for.
    placed : callable
        Turns the moved curve into the one that is applied (a range, say); it must not fall where its
        argument rises.
    settings : MatchSettings
        The curve is not moved beyond a bound that was asked for: where it is tight, some level stays.
    """
    most_cut, most_boost = (np.inf if b is None else b for b in (settings.max_cut_db, settings.max_boost_db))

    def change_db(offset: float) -> float:
        mid = placed(mid_db - offset)
        return loudness.change_db(mid, mid + width_db)

    if abs(change_db(0.0)) < _INAUDIBLE_DB:
        return placed(mid_db)
    low = max(-FULL_MAX_GAIN_DB, min(0.0, float(mid_db.max()) - most_boost))
    high = min(FULL_MAX_GAIN_DB, max(0.0, float(mid_db.min()) + most_cut))
    for _ in range(_STEPS):
        offset = (low + high) / 2
        low, high = (offset, high) if change_db(offset) > 0.0 else (low, offset)
    return placed(mid_db - offset)
