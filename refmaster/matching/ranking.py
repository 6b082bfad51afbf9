"""Rank recordings as references for a mix, and choose those that serve together.

A candidate fits by how likely it is that mastering alone lies between it and the mix: in tone (the model of
likely.py: shared material, or other music and a gain that mastering would make), in how far its loud parts
stand above its middle, and in width. Fits are log likelihoods under that of the best, which is 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Mask
from refmaster.matching.content_prior import Prior, mid_model
from refmaster.matching.features import LOWEST_SIDE_TO_MID_DB, MatchFeatures, match_features
from refmaster.matching.image import has_image_to_follow
from refmaster.matching.likely import MIN_BANDS, compared_alone
from refmaster.matching.posterior import ContentModel, other_music_log_likelihood
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.bands import LEARNED_THIRDS
from refmaster.profile.model import Profile

# How finished songs differ, standard deviations in dB (printed by benchmarks/suggest.py), and the degrees of
# freedom of Student's t: one aspect that is far off does not rule a candidate out.
SPREAD_SD_DB, WIDTH_SD_DB = 1.5, 5.0
T_FREEDOM = 4.0
# Candidates that may serve together: so many of the best, none this much less likely than the first.
TOGETHER_AMONG, TOGETHER_WITHIN = 6, 12.0
MOST_TOGETHER = 3


@dataclass(frozen=True, kw_only=True)
class RankedReference:
    """One candidate, and how it fits the mix.

    Attributes
    ----------
    profile : Profile
    file : str
        The file that it was read from: the recording, or a saved profile.
    fit : float
        Log likelihood under that of the best candidate: 0 for the best.
    shared_material : float
        Probability, 0 to 1, that it plays the same music as the mix.
    tone_distance_db : float or None
        Third-octave RMS to the mix, level removed; None without a band in common.
    loudness_difference_lu, spread_difference_db, width_difference_db : float or None
        Candidate minus mix: integrated loudness; loud parts over the middle; side to mid. None where either
        has none.
    """

    profile: Profile
    file: str
    fit: float
    shared_material: float
    tone_distance_db: float | None
    loudness_difference_lu: float | None
    spread_difference_db: float | None
    width_difference_db: float | None


def rank_references(mix: Profile, candidates: Sequence[Profile], prior: Prior) -> list[RankedReference]:
    """Return the candidates, the best first.

    Parameters
    ----------
    mix : Profile
        What is to be mastered.
    candidates : sequence of Profile
        At least one.
    prior : Prior
        How finished songs differ.
    """
    model, own = mid_model(prior), match_features(mix)
    known = LEARNED_THIRDS & own.mid_present
    found = []
    for candidate in candidates:
        fit, shared = _tone_fit(own, match_features(candidate), known, model)
        spread, width = (
            _difference(lambda p: p.momentary_spread_lu, mix, candidate),
            _difference(_width_db, mix, candidate),
        )
        fit += _t_log_density(spread, SPREAD_SD_DB) + _t_log_density(width, WIDTH_SD_DB)
        loudness = _difference(lambda p: p.levels.integrated_lufs, mix, candidate)
        found.append((candidate, fit, shared, loudness, spread, width))
    best = max(row[1] for row in found)
    ranked = [
        RankedReference(
            profile=profile,
            file=profile.source.file,
            fit=fit - best,
            shared_material=shared,
            tone_distance_db=tonal_distance_db(mix, profile),
            loudness_difference_lu=loudness,
            spread_difference_db=spread,
            width_difference_db=width,
        )
        for profile, fit, shared, loudness, spread, width in found
    ]
    return sorted(ranked, key=lambda r: -r.fit)


def best_together(mix: Profile, ranked: Sequence[RankedReference], prior: Prior) -> list[RankedReference]:
    """Return the references, up to three, whose mean tone is most likely what mastering makes of the mix.

    The first alone, where it plays the same music: nothing that is added can tell more.

    Parameters
    ----------
    mix : Profile
        What is to be mastered.
    ranked : sequence of RankedReference
        As `rank_references` returns them, at least one.
    prior : Prior
        How finished songs differ.
    """
    first, model, own = ranked[0], mid_model(prior), match_features(mix)
    known = LEARNED_THIRDS & own.mid_present
    if first.shared_material > 0.5 or known.sum() < MIN_BANDS:
        return [first]
    near = [r for r in ranked[1:TOGETHER_AMONG] if r.fit > -TOGETHER_WITHIN]
    rows = {id(r): match_features(r.profile).mid.long_term_db - own.mid.long_term_db for r in (first, *near)}

    def likelihood(group: Sequence[RankedReference]) -> float:
        mean = np.mean([rows[id(r)] for r in group], axis=0)
        return other_music_log_likelihood(mean, known, model)

    groups = [
        [first, *others] for count in range(MOST_TOGETHER) for others in itertools.combinations(near, count)
    ]
    return max(groups, key=likelihood)


def _tone_fit(
    mix: MatchFeatures, candidate: MatchFeatures, known: Mask, model: ContentModel
) -> tuple[float, float]:
    """Return the log likelihood of a candidate's tone and the probability that it plays the same music.

    All candidates are judged on the mix's bands: one that lacks a band is that far away there.
    """
    if known.sum() < MIN_BANDS:
        return 0.0, 0.0
    return compared_alone(mix, candidate, known, model)


def _difference(value: Callable[[Profile], float | None], mix: Profile, candidate: Profile) -> float | None:
    its, own = value(candidate), value(mix)
    return None if its is None or own is None else its - own


def _width_db(profile: Profile) -> float | None:
    """Return side to mid in dB, that of mono being the lowest that is told apart; None for a faulty image."""
    if profile.source.channels == 2 and not has_image_to_follow(profile):
        return None
    found = profile.stereo.side_to_mid_db
    return LOWEST_SIDE_TO_MID_DB if found is None else max(found, LOWEST_SIDE_TO_MID_DB)


def _t_log_density(difference: float | None, sd: float) -> float:
    """Return the log density, but for a constant, of a difference of songs; as at 2 sd where unknown."""
    z = 2.0 if difference is None else difference / (sd * np.sqrt(2.0))
    return float(-(T_FREEDOM + 1.0) / 2.0 * np.log1p(z * z / T_FREEDOM))
