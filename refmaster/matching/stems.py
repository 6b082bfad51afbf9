"""Tell which stem differs from the references, and by what gain.

The likely gain of the whole mix (`posterior.py`) explains a difference by one broad gain. With stems a
difference is a sum: d(t) = g_0 + sum over stems of share_i(t) g_i + content. The share of a stem is that of
the power in a band and a segment (a Wiener gain), so that a gain of one stem shows where that stem sounds and
nowhere else. All gains are broad Gaussian processes; whether the bus or a stem has one at all is a hypothesis
of its own (none, each stem alone, all; each with and without the bus), and so is the scale of the content;
the gains are averaged over the hypotheses by their marginal likelihood. So the bus takes what is broad in the
sum, and a stem what only that stem explains.

Arrays have the bands of `THIRDS_HZ` as their last axis; levels and gains are dB.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask
from refmaster.matching.content_prior import gain_covariance, load_prior, mid_model
from refmaster.matching.curves import tone_points
from refmaster.matching.features import FLOOR_BELOW_LOUDEST_DB, match_features
from refmaster.matching.posterior import (
    FREE_LEVEL_VARIANCE_DB2,
    NEAR_NOISE_DB2,
    SCALE_STEPS,
    ContentModel,
    NearGain,
    SegmentMatch,
    match_references,
    shared_material,
)
from refmaster.matching.shape import range_window
from refmaster.profile.bands import LEARNED_THIRDS, THIRDS_HZ, band_centers_hz, thirds_at_bands
from refmaster.profile.model import Profile
from refmaster.settings.curves import CurvePoint
from refmaster.settings.match import EVIDENCE_PERCENT, MatchSettings
from refmaster.units import power_to_db

# Gains of one stem, as a mix engineer sets them; by hand, from what the engineers of benchmarks/ do.
STEM_SD_DB, STEM_OCTAVES, STEM_SHELF_SD_DB = 1.0, 1.5, 2.5
# No stem is moved further than this.
MAX_STEM_GAIN_DB = 4.0
# A stem whose curve stays below this is left alone.
NEGLIGIBLE_STEM_DB = 0.25
# Segments of a song repeat each other: so much of their number is taken as independent. Set by hand.
INDEPENDENT_SHARE = 0.25
# Scales of the content, in standard deviations of their logarithm.
SCALES = SCALE_STEPS[::2]
# Fewer segments, or fewer third octaves, say nothing.
MIN_SEGMENTS, MIN_BANDS = 4, 4
_LOWEST_POWER = 1e-20


@dataclass(frozen=True, kw_only=True)
class StemCurve:
    """The equalizer of one stem: its points, empty where it is left alone, and the reason."""

    points: tuple[CurvePoint, ...]
    why: str


@dataclass(frozen=True, kw_only=True)
class StemMatch:
    """The curves of the stems, and the gain that is left for their sum; None where nothing is known."""

    curves: tuple[StemCurve, ...]
    bus: NearGain | None


@dataclass(frozen=True)
class _Normal:
    """Normal equations of the gains, whitened by the covariance of the content."""

    matrix: Array  # (parts * bands, parts * bands)
    right: Array  # (parts * bands,)
    log_likelihood: float = 0.0  # of no gain at all

    def __add__(self, other: _Normal) -> _Normal:
        return _Normal(
            self.matrix + other.matrix, self.right + other.right, self.log_likelihood + other.log_likelihood
        )

    def scaled(self, weight: float) -> _Normal:
        """Return the equations with a weight."""
        return _Normal(weight * self.matrix, weight * self.right, weight * self.log_likelihood)


def derive_stems(
    powers: Array,
    mix: Profile,
    references: Sequence[tuple[Profile, float]],
    settings: MatchSettings,
) -> StemMatch:
    """Derive the curve of each stem, and what is left for their sum.

    Parameters
    ----------
    powers : ndarray, shape (segments, 1 + stems, bands)
        Mean powers in the third octaves that the sample rate holds, those of the sum first.
    mix : Profile
        Of the sum.
    references : sequence of (Profile, weight)
        Those of the tone; without one the stems are left alone.
    settings : MatchSettings
        With the range, and the strength: up to `evidence` in proportion, from there on in full.
    """
    found = _found(powers, mix, references, settings) if settings.tone else None
    if found is None:
        why = "left alone: the references say too little to tell the stems apart"
        if not settings.tone:
            why = "left alone: tone is switched off"
        return StemMatch(curves=(StemCurve(points=(), why=why),) * (powers.shape[1] - 1), bus=None)
    gains, bus, shared = found
    hz = band_centers_hz(mix.source.sample_rate_hz)
    window = range_window(hz, settings)
    share = min(1.0, settings.percent / EVIDENCE_PERCENT) * shared
    curves = []
    for gain in gains:
        curve = np.clip(share * gain, -MAX_STEM_GAIN_DB, MAX_STEM_GAIN_DB)
        curves.append(_stem_curve(hz, thirds_at_bands(curve, hz) * window))
    return StemMatch(curves=tuple(curves), bus=bus)


def _found(
    powers: Array, mix: Profile, references: Sequence[tuple[Profile, float]], settings: MatchSettings
) -> tuple[Array, NearGain, float] | None:
    """Return the gains of the stems, that of the bus, and how likely material is shared; None if unknown."""
    own = match_features(mix)
    matched = [(match_features(profile), weight) for profile, weight in references]
    matched = [(found, weight) for found, weight in matched if len(found.mid.segments_db)]
    known = LEARNED_THIRDS & own.mid_present
    for found, _ in matched:
        known = known & found.mid_present
    if not matched or len(powers) < MIN_SEGMENTS or known.sum() < MIN_BANDS:
        return None
    model = mid_model(load_prior(settings.prior))
    segments, shares = _levels_and_shares(powers)
    weights = np.array([weight for _, weight in matched])
    weights /= weights.sum()
    rows = [found.mid.segments_db for found, _ in matched]
    matches = match_references(segments, rows, known, weights, model)
    each = [
        [scale.scaled(float(weight)) for scale in _normals(match, segments, row, shares, known, model)]
        for match, row, weight in zip(matches, rows, weights, strict=True)
    ]
    scales = [functools.reduce(operator.add, same) for same in zip(*each, strict=True)]
    gains, bus = _posterior(scales, known, powers.shape[1] - 1, model)
    return gains, bus, float(shared_material(np.array([match.quality_db2 for match in matches])).max())


def _levels_and_shares(powers: Array) -> tuple[Array, Array]:
    """Return the sum's segments in dB, and the shares of bus (1) and stems in each, over all bands."""
    whole = np.zeros((*powers.shape[:2], len(THIRDS_HZ)))
    whole[:, :, : powers.shape[2]] = powers
    segments = power_to_db(np.maximum(whole[:, 0], _LOWEST_POWER))
    segments = np.maximum(segments, segments.max() - FLOOR_BELOW_LOUDEST_DB)
    shares = whole.copy()
    shares[:, 0] = 1.0
    shares[:, 1:] /= np.maximum(whole[:, 1:].sum(axis=1, keepdims=True), _LOWEST_POWER)
    return segments, shares


def _normals(
    match: SegmentMatch, mix: Array, reference: Array, shares: Array, known: Mask, model: ContentModel
) -> list[_Normal]:
    """Return the equations of a matched reference at each scale of content.

    They are those of the mean difference, and of what the segments differ by from it.
    """
    at = np.flatnonzero(known)
    here = np.ix_(at, at)
    weights = match.pairs.sum(axis=1)
    heard = weights > 1e-6 * weights.max()
    weights = weights[heard] / weights[heard].sum()
    pairs = match.pairs[heard] / match.pairs[heard].sum(axis=1, keepdims=True)
    difference = (pairs @ reference - mix[heard])[:, at]
    share = shares[heard][:, :, at]
    level = FREE_LEVEL_VARIANCE_DB2 * np.ones((len(at), len(at)))
    mean_share, mean = np.tensordot(weights, share, 1), weights @ difference
    off = difference - mean
    off = off - off.mean(axis=1, keepdims=True)
    spread = max(float(weights @ (off**2).mean(axis=1)), NEAR_NOISE_DB2)
    independent = INDEPENDENT_SHARE / float(weights @ weights)
    covariance = spread * (0.5 * model.near_shape[here] + 0.5 * np.eye(len(at))) + level
    apart = _equations(share - mean_share, off, independent * weights, covariance)
    a, b = model.near_log_rms
    found = []
    for step in SCALES:
        content = np.exp(2 * (a + b * np.log(match.quality_db2) + step * model.near_log_rms_sd))
        covariance = content * model.near_shape[here] + NEAR_NOISE_DB2 * np.eye(len(at)) + level
        likelihood = -0.5 * float(mean @ np.linalg.solve(covariance, mean) + np.linalg.slogdet(covariance)[1])
        same = _equations(mean_share[None], mean[None], np.ones(1), covariance)
        found.append(apart + replace(same, log_likelihood=likelihood))
    return found


def _equations(shares: Array, differences: Array, weights: Array, covariance: Array) -> _Normal:
    inverse = np.linalg.inv(covariance)
    parts, bands = shares.shape[1:]
    weighted = shares * weights[:, None, None]
    matrix = np.einsum("tpb,tqc->pbqc", weighted, shares, optimize=True) * inverse[None, :, None, :]
    right = (np.einsum("tpb,tc->pbc", weighted, differences, optimize=True) * inverse).sum(axis=2)
    return _Normal(matrix.reshape(parts * bands, parts * bands), right.ravel())


def _posterior(
    scales: Sequence[_Normal], known: Mask, stems: int, model: ContentModel
) -> tuple[Array, NearGain]:
    """Return the gains of the stems and of the bus, averaged over hypotheses and scales of content."""
    at = np.flatnonzero(known)
    stem_gain = gain_covariance(
        THIRDS_HZ, sd_db=STEM_SD_DB, octaves=STEM_OCTAVES, shelf_sd_db=STEM_SHELF_SD_DB
    )
    subsets = [(), *((i,) for i in range(1, stems + 1)), tuple(range(1, stems + 1))]
    solved = [
        _solved(
            normal,
            -0.5 * step**2,
            {part: stem_gain if part else model.gain for part in (*bus, *subset)},
            at,
            stems,
        )
        for normal, step in zip(scales, SCALES, strict=True)
        for bus in ((), (0,))
        for subset in (subsets if stems > 1 else subsets[:-1])
    ]
    values = np.array([likelihood for _, _, likelihood in solved])
    weights = np.exp(values - np.logaddexp.reduce(values))
    gains = np.array([gain for gain, _, _ in solved])
    mean = np.tensordot(weights, gains, 1)
    off = gains[:, 0] - mean[0]
    covariance = np.tensordot(weights, np.array([c for _, c, _ in solved]), 1) + (off.T * weights) @ off
    return mean[1:], NearGain(gain_db=mean[0], covariance=covariance)


def _solved(
    normal: _Normal, log_prior: float, priors: dict[int, Array], at: NDArray[np.intp], stems: int
) -> tuple[Array, Array, float]:
    """Return all gains under one hypothesis, the covariance of the bus's, and the log likelihood."""
    bands = len(at)
    gains = np.zeros((1 + stems, len(THIRDS_HZ)))
    left = np.zeros((len(THIRDS_HZ), len(THIRDS_HZ)))
    likelihood = normal.log_likelihood + log_prior
    if not priors:
        return gains, left, likelihood
    active = np.concatenate([part * bands + np.arange(bands) for part in priors])
    matrix, right = normal.matrix[np.ix_(active, active)], normal.right[active]
    prior = np.zeros((len(active), len(active)))
    for place, covariance in enumerate(priors.values()):
        here = slice(place * bands, (place + 1) * bands)
        prior[here, here] = covariance[np.ix_(at, at)]
    system = np.eye(len(prior)) + matrix @ prior
    solved = np.linalg.solve(system, np.column_stack([right, matrix[:, :bands]]))
    likelihood += 0.5 * float(right @ prior @ solved[:, 0]) - 0.5 * float(np.linalg.slogdet(system)[1])
    for place, (part, covariance) in enumerate(priors.items()):
        gains[part] = covariance[:, at] @ solved[place * bands : (place + 1) * bands, 0]
    if 0 in priors:  # the bus stands first
        left = priors[0] - priors[0][:, at] @ solved[:bands, 1:] @ priors[0][at]
    return gains, left, likelihood


def _stem_curve(frequencies_hz: Array, gain_db: Array) -> StemCurve:
    largest = int(np.argmax(np.abs(gain_db)))
    if abs(gain_db[largest]) < NEGLIGIBLE_STEM_DB:
        return StemCurve(points=(), why="left alone: it explains nothing that the mix misses")
    hz = frequencies_hz[largest]
    at = f"{hz / 1000:.1f} kHz" if hz >= 1000.0 else f"{hz:.0f} Hz"
    why = f"{gain_db[largest]:+.1f} dB at {at}: where it sounds the mix differs by this from the reference"
    return StemCurve(points=tone_points(frequencies_hz, gain_db), why=why)
