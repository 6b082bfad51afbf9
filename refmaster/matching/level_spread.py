"""The spread of a recording's levels, and the slope that likely lies between a mix's and its references'.

Levels are gated 400 ms blocks, K-weighted, in LUFS. What mastering does to their spread is described by one
number, a slope: above the mix's median level, with a knee, a dB of the mix becomes so many dB of the master
(the inverse of a compressor's ratio). It is told from four statistics of the upper half of the levels, on a
logarithmic scale, because recordings differ by factors rather than by decibels.

As for tone (posterior.py) a difference is a move and song content, and there are two hypotheses: the
recordings share material (near), or are other music (far). The covariance of content is learned for both.
Every slope of a grid is applied to the mix, and what then still differs says how likely it is.

Slopes are base-2 logarithms: positive expands, negative compresses, 0 changes nothing. Constants without a
comment of their own were set by hand on finished music hidden behind random engineers; benchmarks/dynamics.py
judges the written masters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.dsp.dynamics import static_change_db
from refmaster.matching.posterior import FAR_SCALES, SHARED_CONTENT
from refmaster.meters.loudness import gate_block_powers
from refmaster.profile.model import Profile
from refmaster.settings.dynamics import DynamicsBand
from refmaster.units import db_to_power, lufs_to_power, power_to_db, power_to_lufs

FEATURES = ("95 % over mean", "99 % over mean", "95 % over 50 %", "95 % over 30 %")
"""The statistics, the mean being that of power: the loudness."""

SUMMARY_LEVELS = 400
# 10 s of blocks: fewer say nothing about how levels spread.
MIN_BLOCKS = 100
# A smaller spread counts as this one: steady sounds have no dynamics to be told apart by.
LEAST_SPREAD_DB = 0.3
# Slopes that are thought of: a ratio from 0.5 to 2.
SLOPES: Array = np.linspace(-1.0, 1.0, 81)
# The stage: it sets in over this knee, and follows a level that the kernel averages over 0.6 s already.
KNEE_DB = 4.0
ATTACK_MS, RELEASE_MS = 20.0, 150.0
# The most that is done, and what hardly bounds a slope that is only thought of.
MAX_CHANGE_DB, UNBOUNDED_DB = 3.0, 12.0
# What mastering does to the spread: two times in five nothing, otherwise a slope of this standard deviation.
UNTOUCHED_SHARE, SLOPE_SD = 0.4, 0.7


@dataclass(frozen=True, kw_only=True)
class SlopeModel:
    """Covariances of content, shape (features, features), of base-2 logarithms.

    Attributes
    ----------
    near : ndarray
        Of what recordings differ by that share their material.
    far : ndarray
        Of songs.
    """

    near: Array
    far: Array


@dataclass(frozen=True, kw_only=True)
class LikelySlope:
    """The slope between a mix and its references.

    Attributes
    ----------
    likely : float
        Posterior mean of the slope that is mastering.
    deviation : float
        Its standard deviation.
    whole : float
        The slope that explains the difference best, were all of it mastering.
    """

    likely: float
    deviation: float
    whole: float


def level_summary(profile: Profile) -> Array | None:
    """Return evenly spaced quantiles of the gated levels in LUFS, None where there are too few."""
    return summarized(profile.series.momentary_lufs)


def summarized(momentary_lufs: Sequence[float]) -> Array | None:
    """Return `SUMMARY_LEVELS` evenly spaced quantiles of the blocks that pass the loudness gates, rising."""
    levels = power_to_lufs(gate_block_powers(lufs_to_power(np.asarray(momentary_lufs, dtype=np.float64))))
    if len(levels) < MIN_BLOCKS:
        return None
    return np.asarray(np.quantile(levels, (np.arange(SUMMARY_LEVELS) + 0.5) / SUMMARY_LEVELS))


def halves_difference(profile: Profile) -> Array | None:
    """Return by how much the statistics of a recording's halves differ, None where it is too short."""
    series = profile.series.momentary_lufs
    first, second = summarized(series[: len(series) // 2]), summarized(series[len(series) // 2 :])
    return None if first is None or second is None else statistics(first) - statistics(second)


def statistics(levels: Array) -> Array:
    """Return the `FEATURES` of summaries of levels, shape (..., levels), as logarithms, (..., features)."""
    p30, p50, p95, p99 = np.quantile(levels, (0.3, 0.5, 0.95, 0.99), axis=-1)
    mean = power_to_db(db_to_power(levels).mean(axis=-1))
    spreads = np.stack([p95 - mean, p99 - mean, p95 - p50, p95 - p30], axis=-1)
    return np.asarray(np.log2(np.maximum(spreads, LEAST_SPREAD_DB)))


def mean_level(levels: Array) -> float:
    """Return the level of the mean power."""
    return power_to_db(float(db_to_power(levels).mean()))


def band_at(levels: Array, slope: float, *, max_change_db: float = MAX_CHANGE_DB) -> DynamicsBand:
    """Return the broadband stage that bends the upper half of levels by a slope; the mean level stays.

    Parameters
    ----------
    levels : ndarray
        A summary of levels in LUFS.
    slope : float
        Within `SLOPES`.
    max_change_db : float
        The most that it turns up or down.
    """
    band = DynamicsBand(
        threshold_db=round(float(np.quantile(levels, 0.5)), 2),
        ratio=round(2.0**-slope, 3),
        knee_db=KNEE_DB,
        attack_ms=ATTACK_MS,
        release_ms=RELEASE_MS,
        max_change_db=max_change_db,
        parallel=1.0,
        makeup_db=0.0,
    )
    louder = mean_level(levels + static_change_db(levels, band)) - mean_level(levels)
    return band.model_copy(update={"makeup_db": round(-louder, 2) + 0.0})


def likely_slope(
    mix: Array,
    references: Sequence[tuple[Array, float, float]],
    model: SlopeModel,
) -> LikelySlope:
    """Return the slope that likely lies between a mix and its references.

    Parameters
    ----------
    mix : ndarray
        A summary of its levels.
    references : sequence of (ndarray, weight, shared)
        Summaries, the user's weights, and how likely each shares the mix's material.
    model : SlopeModel
        How content differs.
    """
    found = np.array([statistics(levels) for levels, _, _ in references])
    weights = np.array([weight for _, weight, _ in references])
    shared = np.array([share for _, _, share in references])
    above = static_change_db(mix, band_at(mix, 1.0, max_change_db=UNBOUNDED_DB))
    reached = statistics(mix + (2.0 ** SLOPES[:, None] - 1.0) * above)
    p = float(shared.max())
    near = _posterior(_mean(found, weights * np.maximum(shared, 1e-6)) - reached, model.near, np.ones(1))
    scales = FAR_SCALES * (
        SHARED_CONTENT + (1 - SHARED_CONTENT) * float(weights @ weights) / weights.sum() ** 2
    )
    far = _posterior(_mean(found, weights) - reached, model.far, scales)
    likely = p * near.likely + (1.0 - p) * far.likely
    variance = p * near.deviation**2 + (1.0 - p) * far.deviation**2
    variance += p * (1.0 - p) * (near.likely - far.likely) ** 2
    return LikelySlope(
        likely=likely, deviation=float(np.sqrt(variance)), whole=p * near.whole + (1.0 - p) * far.whole
    )


def _mean(rows: Array, weights: Array) -> Array:
    return np.asarray(weights @ rows / weights.sum())


def _posterior(left: Array, covariance: Array, scales: Array) -> LikelySlope:
    """Return the posterior over `SLOPES`, given what each leaves, the content's scale integrated out."""
    distance = np.einsum("si,ij,sj->s", left, np.linalg.inv(covariance), left)
    log = -0.5 * distance[:, None] / scales - 0.5 * left.shape[1] * np.log(scales)
    log = np.logaddexp.reduce(log, axis=1)
    prior = np.exp(-0.5 * (SLOPES / SLOPE_SD) ** 2)
    prior *= (1.0 - UNTOUCHED_SHARE) / prior.sum()
    prior[len(SLOPES) // 2] += UNTOUCHED_SHARE
    weights = prior * np.exp(log - log.max())
    weights /= weights.sum()
    mean = float(weights @ SLOPES)
    return LikelySlope(
        likely=mean,
        deviation=float(np.sqrt(weights @ (SLOPES - mean) ** 2)),
        whole=float(SLOPES[np.argmin(distance)]),
    )
