"""Find the gain between mix and references that is likely mastering, and compare the references.

Arrays have the bands of `THIRDS_HZ` as their last axis; levels and gains are dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.content_prior import Prior, mid_model, side_model
from refmaster.matching.features import MatchFeatures
from refmaster.matching.posterior import (
    ContentModel,
    Differences,
    LikelyGain,
    SegmentMatch,
    likely_gain,
    log_likelihoods,
    match_references,
    oddness,
)
from refmaster.profile.bands import JUDGED_THIRDS, LEARNED_THIRDS

# Fewer third octaves than this say nothing.
MIN_BANDS = 4
# Each of fewer references than this is as odd as the other.
MIN_TO_BE_ODD = 3
# The quality of a match that could not be made: the recordings count as different music.
UNMATCHED_DB2 = 100.0

WeightedFeatures = tuple[MatchFeatures, float]


@dataclass(frozen=True, kw_only=True)
class Likely:
    """The gains that are likely mastering, and how the references compare.

    Attributes
    ----------
    mid : LikelyGain or None
        In the mid, its level removed; None where too little is known: hardly any energy in common.
    width : LikelyGain or None
        In the side over the mid; None without any width in common.
    fits : tuple of float, or None each
        Log likelihood of each reference's difference, under that of the best: 0 for the best; None for one.
    oddness : tuple of float, or None each
        Distance to the mean of the others, 1 as songs differ; None for fewer than three.
    """

    mid: LikelyGain | None
    width: LikelyGain | None
    fits: tuple[float | None, ...]
    oddness: tuple[float | None, ...]


def likely_gains(mix: MatchFeatures, references: Sequence[WeightedFeatures], prior: Prior) -> Likely:
    """Tell mastering from song content.

    Parameters
    ----------
    mix : MatchFeatures
        What is to be matched.
    references : sequence of (MatchFeatures, weight)
        At least one.
    prior : Prior
        How finished songs differ.
    """
    count, model = len(references), mid_model(prior)
    mid = width = None
    fits: tuple[float | None, ...] = (None,) * count
    odd: tuple[float | None, ...] = (None,) * count
    known = LEARNED_THIRDS & mix.mid_present
    for reference, _ in references:
        known = known & reference.mid_present
    if known.sum() >= MIN_BANDS:
        matches = _matches(mix, references, known, model)
        found = _mid_differences(mix, references, matches, known)
        mid = _without_level(likely_gain(found, model))
        width = _likely_width(mix, references, matches, side_model(prior))
        if count > 1:
            values = log_likelihoods(found, model)
            fits = tuple((values - values.max()).tolist())
        if count >= MIN_TO_BE_ODD:
            odd = tuple(oddness(found, model).tolist())
    return Likely(mid=mid, width=width, fits=fits, oddness=odd)


def _matches(
    mix: MatchFeatures, references: Sequence[WeightedFeatures], known: Mask, model: ContentModel
) -> list[SegmentMatch | None]:
    """Match the references that have segments by their mids; None for those that have none."""
    able = [i for i, (r, _) in enumerate(references) if len(r.segment_mid_db) and len(mix.segment_mid_db)]
    found: list[SegmentMatch | None] = [None] * len(references)
    if able:
        segments = [references[i][0].segment_mid_db for i in able]
        weights = np.array([references[i][1] for i in able])
        matches = match_references(mix.segment_mid_db, segments, known, weights, model)
        for i, match in zip(able, matches, strict=True):
            found[i] = match
    return found


def _mid_differences(
    mix: MatchFeatures,
    references: Sequence[WeightedFeatures],
    matches: Sequence[SegmentMatch | None],
    known: Mask,
) -> Differences:
    long_term = [reference.mid_db - mix.mid_db for reference, _ in references]
    matched = [
        whole if match is None else match.difference(mix.segment_mid_db, reference.segment_mid_db)
        for (reference, _), match, whole in zip(references, matches, long_term, strict=True)
    ]

    def level_removed(rows: list[Array]) -> list[Array]:
        return [row - row[known].mean() for row in rows]

    weights = [weight for _, weight in references]
    return _differences(level_removed(matched), level_removed(long_term), matches, weights, known)


def _likely_width(
    mix: MatchFeatures,
    references: Sequence[WeightedFeatures],
    matches: Sequence[SegmentMatch | None],
    model: ContentModel,
) -> LikelyGain | None:
    """Compare side over mid between the segments that the mids were matched by."""
    known = LEARNED_THIRDS & mix.side_present
    matched, long_term, weights = [], [], []
    used: list[SegmentMatch | None] = []
    for (reference, weight), match in zip(references, matches, strict=True):
        if mix.width_db is None or reference.width_db is None:
            continue
        known = known & reference.side_present
        long_term.append(reference.width_db - mix.width_db)
        weights.append(weight)
        own, its = mix.segment_width_db, reference.segment_width_db
        if match is None or own is None or its is None:
            matched.append(long_term[-1])
            used.append(None)
        else:
            matched.append(match.difference(own, its))
            used.append(match)
    if not used or known.sum() < MIN_BANDS:
        return None
    return likely_gain(_differences(matched, long_term, used, weights, known), model)


def _differences(
    matched: list[Array],
    long_term: list[Array],
    matches: Sequence[SegmentMatch | None],
    weights: list[float],
    known: Mask,
) -> Differences:
    return Differences(
        matched_db=np.array(matched),
        long_term_db=np.array(long_term),
        quality_db2=np.array([UNMATCHED_DB2 if match is None else match.quality_db2 for match in matches]),
        weights=np.array(weights) / np.sum(weights),
        known=known,
    )


def _without_level(found: LikelyGain) -> LikelyGain:
    """Remove the mean over the judged third octaves, which says nothing, from a gain and its covariance."""
    counts = found.known & JUDGED_THIRDS
    remove = np.eye(len(counts)) - counts / counts.sum()
    return replace(
        found,
        gain_db=found.gain_db - found.gain_db[counts].mean(),
        covariance=remove @ found.covariance @ remove.T,
    )
