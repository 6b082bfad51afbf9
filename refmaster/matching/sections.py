"""Loud and quiet parts: whether a mix's want different curves, and which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.content_prior import mid_model
from refmaster.matching.features import MatchFeatures, match_features
from refmaster.matching.likely import UNMATCHED_DB2
from refmaster.matching.posterior import (
    ContentModel,
    Differences,
    LikelyGain,
    likely_gain,
    log_likelihoods,
    match_references,
)
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import LEARNED_THIRDS
from refmaster.profile.model import Profile
from refmaster.units import db_to_power, power_to_db, power_to_lufs

LEVEL_S = 4.0
MARGIN_LU = 1.0
LEAST_S = 8.0
LEAST_CONTRAST_LU = 4.0
GATE_LU = -20.0
GAIN_SHARE, NEAR_SHARE, FAR_SHARE = 1.0, 1.0, 1.0
PRIOR_LOG_ODDS = 0.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    threshold_lufs: float
    contrast_lu: float
    loud: Mask
    quiet: Mask


def parts_of(profile: Profile) -> Parts | None:
    """Split."""
    momentary = np.asarray(profile.series.momentary_lufs)
    gate = (profile.levels.integrated_lufs or 0.0) + GATE_LU
    levels = smoothed_lufs(momentary, round(LEVEL_S / profile.series.hop_s))
    heard = np.sort(levels[levels > gate])
    least = round(LEAST_S / profile.series.hop_s)
    if len(heard) < 2 * least:
        return None
    count = np.arange(least, len(heard) - least + 1)
    total = np.cumsum(heard)
    low = total[count - 1] / count
    high = (total[-1] - total[count - 1]) / (len(heard) - count)
    best = int(np.argmax(count * (len(heard) - count) * (high - low) ** 2))
    threshold = (heard[count[best] - 1] + heard[count[best]]) / 2 if count[best]<len(heard) else heard[-1]
    own = segment_lufs(profile)
    width = max(1, round(LEVEL_S / profile.evidence.segment_s))
    own = smoothed_lufs(own, width)
    return Parts(threshold_lufs=threshold, contrast_lu=high[best] - low[best], loud=own > threshold + MARGIN_LU, quiet=own < threshold - MARGIN_LU)


def segment_lufs(profile: Profile) -> Array:
    rows = db_to_power(np.asarray(profile.evidence.segment_mid_db))
    if profile.evidence.segment_side_db:
        rows = 2.0 * (rows + db_to_power(np.asarray(profile.evidence.segment_side_db)))
    weight = k_weighting_power_gain(np.asarray(profile.evidence.frequencies_hz), profile.source.sample_rate_hz)
    return power_to_lufs(rows @ weight)


def smoothed_lufs(levels: Array, width: int) -> Array:
    total = np.concatenate([[0.0], np.cumsum(db_to_power(levels))])
    at = np.arange(len(levels))
    first, last = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, len(levels))
    return power_to_db((total[last] - total[first]) / (last - first))


def part_model(model: ContentModel) -> ContentModel:
    return replace(model, gain=GAIN_SHARE * model.gain, near_shape=NEAR_SHARE * model.near_shape,
        far_covariance=FAR_SHARE * model.far_covariance, far_extra=FAR_SHARE * model.far_extra)


def part_differences(mix: Profile, references: Sequence[tuple[Profile, float]], model: ContentModel, mp, rps):
    own = match_features(mix)
    known = LEARNED_THIRDS & own.mid_present
    others = [match_features(r) for r, _ in references]
    for o in others:
        known = known & o.mid_present
    weights = np.array([w for _, w in references]); weights = weights / weights.sum()
    matched, longterm, quality = 0.0, 0.0, []
    for which in ('loud', 'quiet'):
        sign = 1.0 if which == 'loud' else -1.0
        m = own.mid.segments_db[getattr(mp, which)]
        rs = [o.mid.segments_db[getattr(rp, which)] for o, rp in zip(others, rps)]
        found = match_references(m, rs, known, weights, model)
        matched = matched + sign * np.array([f.difference(m, r) for f, r in zip(found, rs)])
        mean = lambda x: power_to_db(db_to_power(x).mean(axis=0))
        longterm = longterm + sign * np.array([mean(r) - mean(m) for r in rs])
        quality.append([f.quality_db2 for f in found])
    matched, longterm = (x - x[:, known].mean(axis=1, keepdims=True) for x in (matched, longterm))
    return Differences(matched_db=matched, long_term_db=longterm, quality_db2=np.max(quality, axis=0), weights=weights, known=known)
