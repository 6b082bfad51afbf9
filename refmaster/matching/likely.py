"""Find the gain between mix and references that is likely mastering, and compare the references.

Arrays have the bands of `THIRDS_HZ` as their last axis; levels and gains are dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refmaster._types import Mask
from refmaster.matching.content_prior import Prior, mid_model, side_model
from refmaster.matching.features import MatchFeatures, ThirdLevels
from refmaster.matching.posterior import (
    ContentModel,
    Differences,
    LikelyGain,
    NearGain,
    SegmentMatch,
    likely_gain,
    log_likelihoods,
    match_references,
    oddness,
    shared_material,
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
    shared : tuple of float
        Probability that each reference shares the mix's material; 0 where too little is known.
    """

    mid: LikelyGain | None
    width: LikelyGain | None
    fits: tuple[float | None, ...]
    oddness: tuple[float | None, ...]
    shared: tuple[float, ...]


def likely_gains(
    mix: MatchFeatures,
    references: Sequence[WeightedFeatures],
    prior: Prior,
    known_near: NearGain | None = None,
) -> Likely:
    """Tell mastering from song content.

    Parameters
    ----------
    mix : MatchFeatures
        What is to be matched.
    references : sequence of (MatchFeatures, weight)
        Without one nothing is likely.
    prior : Prior
        How finished songs differ.
    known_near : NearGain, optional
        The gain of the mid behind shared material, where it is known already.
    """
    count, model = len(references), mid_model(prior)
    mid = width = None
    fits: tuple[float | None, ...] = (None,) * count
    odd: tuple[float | None, ...] = (None,) * count
    shared = (0.0,) * count
    known = LEARNED_THIRDS & mix.mid_present
    for reference, _ in references:
        known = known & reference.mid_present
    if count and known.sum() >= MIN_BANDS:
        matches = _matches(mix, references, known, model)
        mids = [(r.mid, weight, match) for (r, weight), match in zip(references, matches, strict=True)]
        found = _differences(mix.mid, mids, known, level_is_free=True)
        mid = _without_level(likely_gain(found, model, known_near))
        shared = tuple(shared_material(found.quality_db2).tolist())
        width = _likely_width(mix, references, matches, side_model(prior))
        if count > 1:
            values = log_likelihoods(found, model)
            fits = tuple((values - values.max()).tolist())
        if count >= MIN_TO_BE_ODD:
            odd = tuple(oddness(found, model).tolist())
    return Likely(mid=mid, width=width, fits=fits, oddness=odd, shared=shared)


def compared_alone(
    mix: MatchFeatures, reference: MatchFeatures, known: Mask, model: ContentModel
) -> tuple[float, float]:
    """Return how likely the difference to one reference is, and that it plays the same music.

    Parameters
    ----------
    mix, reference : MatchFeatures
        Levels of both.
    known : ndarray of bool, shape (bands,)
        The bands to judge by, at least one; a reference without energy there counts as far below.
    model : ContentModel
        Of the mid.

    Returns
    -------
    log_likelihood : float
        To be compared with that of other references on the same bands.
    shared_material : float
        Probability, 0 to 1.
    """
    match = _matches(mix, [(reference, 1.0)], known, model)
    found = _differences(mix.mid, [(reference.mid, 1.0, match[0])], known, level_is_free=True)
    return float(log_likelihoods(found, model)[0]), float(shared_material(found.quality_db2)[0])


def _matches(
    mix: MatchFeatures, references: Sequence[WeightedFeatures], known: Mask, model: ContentModel
) -> list[SegmentMatch | None]:
    """Match the references that have segments by their mids; None for those that have none."""
    own = mix.mid.segments_db
    found: list[SegmentMatch | None] = [None] * len(references)
    able = [i for i, (r, _) in enumerate(references) if len(r.mid.segments_db) and len(own)]
    if able:
        segments = [references[i][0].mid.segments_db for i in able]
        weights = np.array([references[i][1] for i in able])
        for i, match in zip(able, match_references(own, segments, known, weights, model), strict=True):
            found[i] = match
    return found


def _likely_width(
    mix: MatchFeatures,
    references: Sequence[WeightedFeatures],
    matches: Sequence[SegmentMatch | None],
    model: ContentModel,
) -> LikelyGain | None:
    """Compare side over mid between the segments that the mids were matched by."""
    known = LEARNED_THIRDS & mix.side_present
    widths = []
    for (reference, weight), match in zip(references, matches, strict=True):
        if reference.width is not None:
            known = known & reference.side_present
            widths.append((reference.width, weight, match))
    if mix.width is None or not widths or known.sum() < MIN_BANDS:
        return None
    return likely_gain(_differences(mix.width, widths, known, level_is_free=False), model)


def _differences(
    mix: ThirdLevels,
    references: Sequence[tuple[ThirdLevels, float, SegmentMatch | None]],
    known: Mask,
    *,
    level_is_free: bool,
) -> Differences:
    matched, long_term, quality = [], [], []
    for reference, _, match in references:
        long_term.append(reference.long_term_db - mix.long_term_db)
        if match is not None and len(mix.segments_db) and len(reference.segments_db):
            matched.append(match.difference(mix.segments_db, reference.segments_db))
            quality.append(match.quality_db2)
        else:
            matched.append(long_term[-1])
            quality.append(UNMATCHED_DB2)
    if level_is_free:
        matched, long_term = ([row - row[known].mean() for row in rows] for rows in (matched, long_term))
    weights = np.array([weight for _, weight, _ in references])
    return Differences(
        matched_db=np.array(matched),
        long_term_db=np.array(long_term),
        quality_db2=np.array(quality),
        weights=weights / weights.sum(),
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
