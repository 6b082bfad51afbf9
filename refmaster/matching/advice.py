"""Advice on references: which fits the mix, which is the odd one out, and the corridor that they span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.matching.features import Features, features_of
from refmaster.matching.wanted import Wanted
from refmaster.profile.bands import JUDGED_THIRDS, THIRDS_HZ
from refmaster.profile.model import Profile

MIN_TO_BE_ODD = 3


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What several references say of each other.

    Attributes
    ----------
    fits : tuple of float, or None each
        Log likelihood of each reference's difference, under that of the best: 0 for the best.
    oddness : tuple of float, or None each
        Distance to the mean of the others as songs differ; None for fewer than three.
    frequencies_hz, lowest_db, highest_db : ndarray, shape (bands,)
        The corridor: the references' levels over the mix's, level removed, where all have energy.
    """

    fits: tuple[float | None, ...]
    oddness: tuple[float | None, ...]
    frequencies_hz: Array
    lowest_db: Array
    highest_db: Array


def advise(mix: Profile, references: Sequence[Profile], wanted: Wanted | None) -> Advice:
    """Return the advice; for a single reference there is nothing to say."""
    count = len(references)
    nothing = np.zeros(0)
    if count < 2 or wanted is None:
        none = (None,) * count
        return Advice(fits=none, oddness=none, frequencies_hz=nothing, lowest_db=nothing, highest_db=nothing)
    likelihoods = wanted.posterior.log_likelihoods
    own, others = features_of(mix), [features_of(reference) for reference in references]
    known = own.mid_present & JUDGED_THIRDS
    for other in others:
        known = known & other.mid_present
    above = np.array([_level_free(other, known) - _level_free(own, known) for other in others])
    return Advice(
        fits=tuple((likelihoods - likelihoods.max()).tolist()),
        oddness=tuple(wanted.posterior.oddness.tolist()) if count >= MIN_TO_BE_ODD else (None,) * count,
        frequencies_hz=THIRDS_HZ[known],
        lowest_db=above.min(axis=0),
        highest_db=above.max(axis=0),
    )


def _level_free(features: Features, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Array:
    levels = features.mid_db[known]
    return np.asarray(levels - levels.mean())
