"""Separate mastering from content: the posterior of the wanted gain curve, per band.

Nothing here knows of profiles or files: arrays in, arrays out, so that any pass (a track's tone, its width,
an album's) can use it. Bands are third octaves. A difference, reference minus mix in dB, is g + c: the wanted
gain g ~ N(0, gain), and content c, about which there are two hypotheses:

near  The recordings share material. Segments of the mix are matched with segments of the reference that have
      the same detail (a metric that discounts whatever a gain curve could explain); the matched difference
      has content N(0, s^2 shape), and the quality q of the match predicts s: log s ~ N(a + b log q, sd^2).
far   Other music. The difference of the long-term spectra has content N(0, k covariance), k on a grid.

Both scales are integrated out by the marginal likelihood; q says how likely "near" is. Level is free (mid)
or part of the gain (side-to-mid).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask

Places = NDArray[np.intp]
# Mean, covariance, RMS of the content in dB, log marginal likelihood.
_Solved = tuple[Array, Array, float, float]

# The metric of the match: level is free, detail within this variance (dB^2) is not held against a pair.
LEVEL_VARIANCE_DB2 = 100.0
DETAIL_VARIANCE_DB2 = 2.0
TEMPERATURE = 0.25
JOINT_TEMPERATURE = 1.0
PASSES = 2
MIN_QUALITY_DB2 = 1e-3  # two copies of one segment
# Scale multipliers exp(sd z) of the near content and their log prior.
SCALE_Z = np.linspace(-3.0, 3.0, 13)
FREE_LEVEL_VARIANCE_DB2 = 1e4
# The content of two references is correlated by what the mix contributes to both.
SHARED_CONTENT = 0.5


@dataclass(frozen=True, kw_only=True)
class ContentPrior:
    """How content differs, and what mastering does about it.

    Attributes
    ----------
    learned : ndarray of bool, shape (bands,)
        Bands that the content was learned in; others can only be concluded from their neighbours.
    gain : ndarray, shape (bands, bands)
        Covariance of the gains that mastering applies, dB^2.
    near_shape : ndarray, shape (bands, bands)
        Of what is left between segments that play the same, scaled to a mean variance of 1.
    near_log_rms : tuple of float
        Intercept and slope of its log RMS over the log quality of the match.
    near_log_rms_sd : float
        How far that misses.
    near_noise_db2, far_noise_db2 : float
    far_covariance : ndarray, shape (bands, bands)
        Of the long-term spectra of finished music, dB^2.
    far_extra : ndarray, shape (bands, bands)
        What that is thought to miss, added where mastering is told from content, dB^2.
    far_scales : tuple of float
        How much further apart than that two recordings may be.
    quality_half, quality_power : float
        Quality in dB^2 at which shared material is as likely as not, and how sharply that turns.
    level_is_free : bool
        Level is no part of the gain (mid), or is (side-to-mid).
    """

    learned: Mask
    gain: Array
    near_shape: Array
    near_log_rms: tuple[float, float]
    near_log_rms_sd: float
    near_noise_db2: float
    far_covariance: Array
    far_extra: Array
    far_scales: tuple[float, ...]
    far_noise_db2: float
    quality_half: float
    quality_power: float
    level_is_free: bool


@dataclass(frozen=True, kw_only=True)
class SegmentMatch:
    """Segments of a mix paired with segments of a reference.

    Attributes
    ----------
    pairs : ndarray, shape (mix segments, reference segments)
        Weights; they sum to 1.
    quality_db2 : float
        Mean squared detail that matched pairs still differ by; small: the same material.
    """

    pairs: Array
    quality_db2: float

    def difference(self, mix_db: Array, reference_db: Array) -> Array:
        """Return the weighted mean difference of segment levels, shape (bands,)."""
        difference: Array = self.pairs.sum(axis=0) @ reference_db - self.pairs.sum(axis=1) @ mix_db
        return difference


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """The wanted gain and what is known about it.

    Attributes
    ----------
    mean_db, std_db : ndarray, shape (bands,)
    covariance : ndarray, shape (bands, bands)
        Of the leading hypothesis mix; what the album pass needs.
    near_weight : float
        Probability that mix and reference share their material.
    content_rms_db : float
        Expected RMS of the content in the difference that the leading hypothesis uses.
    log_likelihoods : ndarray, shape (references,)
        Marginal log likelihood of each reference's difference: the largest fits best.
    oddness : ndarray, shape (references,)
        Mean squared normalised distance of each reference to the others; about 1 is ordinary, above 2 is odd.
    """

    mean_db: Array
    std_db: Array
    covariance: Array
    near_weight: float
    content_rms_db: float
    log_likelihoods: Array
    oddness: Array


def match_segments(
    mix_db: Array, reference_db: Array, gain_db: Array, gain_covariance: Array
) -> SegmentMatch:
    """Pair segments whose detail agrees, whatever gain (within its covariance) lies between them.

    Parameters
    ----------
    mix_db, reference_db : ndarray, shape (segments, bands)
        Levels of segments.
    gain_db : ndarray, shape (bands,)
        What is known to lie between them, reference minus mix.
    gain_covariance : ndarray, shape (bands, bands)
        How well it is known.
    """
    n = mix_db.shape[1]
    metric = np.linalg.inv(gain_covariance + LEVEL_VARIANCE_DB2 + DETAIL_VARIANCE_DB2 * np.eye(n))
    own = mix_db + gain_db
    mo, mr = own @ metric, reference_db @ metric
    distance = (mo * own).sum(1)[:, None] + (mr * reference_db).sum(1)[None] - 2.0 * mo @ reference_db.T
    distance = np.maximum(distance, 0.0) * (DETAIL_VARIANCE_DB2 / n)
    by_row = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (2 * TEMPERATURE))
    by_column = np.exp(-(distance - distance.min(axis=0, keepdims=True)) / (2 * TEMPERATURE))
    pairs = by_row / by_row.sum(1, keepdims=True) / len(own)
    pairs += by_column / by_column.sum(0, keepdims=True) / len(reference_db)
    pairs *= np.exp(-(distance - distance.min()) / (2 * JOINT_TEMPERATURE))
    pairs /= pairs.sum()
    return SegmentMatch(pairs=pairs, quality_db2=max(float((pairs * distance).sum()), MIN_QUALITY_DB2))


def match_references(
    mix_segments: Array, reference_segments: list[Array], known: Mask, weights: Array, prior: ContentPrior
) -> list[SegmentMatch]:
    """Match each reference; the second pass matches with the gain that the first one found.

    The quality is the first pass's, which the prior was learned from.
    """
    at = np.flatnonzero(known)
    mix = mix_segments[:, at]
    references = [r[:, at] for r in reference_segments]
    gain, covariance = np.zeros(len(at)), prior.gain[np.ix_(at, at)]
    quality: list[float] = []
    matches: list[SegmentMatch] = []
    for number in range(PASSES):
        matches = [match_segments(mix, r, gain, covariance) for r in references]
        if number == 0:
            quality = [m.quality_db2 for m in matches]
        if number < PASSES - 1:
            differences = np.array([m.difference(mix, r) for m, r in zip(matches, references, strict=True)])
            gain, covariance, *_ = _near(differences, np.array(quality), weights, at, prior)
            gain, covariance = gain[at], covariance[np.ix_(at, at)]
    return [SegmentMatch(pairs=m.pairs, quality_db2=q) for m, q in zip(matches, quality, strict=True)]


def posterior(
    matched_db: Array,
    long_term_db: Array,
    quality_db2: Array,
    known: Mask,
    weights: Array,
    prior: ContentPrior,
) -> Posterior:
    """Return the posterior of the gain.

    Parameters
    ----------
    matched_db, long_term_db : ndarray, shape (references, bands)
        Difference of matched segments, and of the long-term spectra.
    quality_db2, weights : ndarray, shape (references,)
        Of the matches; of the user (they are normalised here).
    known : ndarray of bool, shape (bands,)
        Where mix and references have energy. Elsewhere the mean is what the neighbours imply.
    prior : ContentPrior
        Of this kind of difference.
    """
    at = np.flatnonzero(known)
    u = weights / weights.sum()
    near_mean, near_cov, near_rms, _ = _near(matched_db[:, at], quality_db2, u, at, prior)
    far_mean, far_cov, far_rms, _ = _far(long_term_db[:, at], u, at, prior)
    near_each = 1.0 / (1.0 + (quality_db2 / prior.quality_half) ** prior.quality_power)
    p = float(near_each.max())
    mean = p * near_mean + (1 - p) * far_mean
    gap = near_mean - far_mean
    covariance = p * near_cov + (1 - p) * far_cov + p * (1 - p) * np.outer(gap, gap)
    likelihoods = np.empty(len(u))
    for i in range(len(u)):
        one = np.ones(1)
        ll_near = _near(matched_db[i : i + 1, at], quality_db2[i : i + 1], one, at, prior)[3]
        ll_far = _far(long_term_db[i : i + 1, at], one, at, prior)[3]
        likelihoods[i] = np.logaddexp(
            np.log(max(near_each[i], 1e-12)) + ll_near, np.log(max(1 - near_each[i], 1e-12)) + ll_far
        )
    return Posterior(
        mean_db=mean,
        std_db=np.sqrt(np.maximum(np.diag(covariance), 0.0)),
        covariance=covariance,
        near_weight=p,
        content_rms_db=float(np.sqrt(p * near_rms**2 + (1 - p) * far_rms**2)),
        log_likelihoods=likelihoods,
        oddness=_oddness(long_term_db[:, at], u, at, prior),
    )


def _near(d: Array, quality: Array, u: Array, at: Places, prior: ContentPrior) -> _Solved:
    a, b = prior.near_log_rms
    s = np.exp(a + b * np.log(quality))
    content = SHARED_CONTENT * np.outer(s, s) + (1 - SHARED_CONTENT) * np.diag(s**2)
    w = np.maximum(np.linalg.solve(content, np.ones(len(s))), 0.0) * u
    w /= w.sum()
    base = float(w @ content @ w)
    scales = base * np.exp(2 * prior.near_log_rms_sd * SCALE_Z)
    shape = prior.near_shape[np.ix_(at, at)]
    return _solve(w @ d, at, prior, scales, shape, prior.near_noise_db2, -0.5 * SCALE_Z**2)


def _far(d: Array, u: Array, at: Places, prior: ContentPrior) -> _Solved:
    scales = np.array(prior.far_scales) * (SHARED_CONTENT + (1 - SHARED_CONTENT) * float(u @ u))
    flat = np.zeros(len(scales))
    return _solve(
        u @ d,
        at,
        prior,
        scales,
        (prior.far_covariance + prior.far_extra)[np.ix_(at, at)],
        prior.far_noise_db2,
        flat,
    )


def _solve(
    d: Array, at: Places, prior: ContentPrior, scales: Array, shape: Array, noise: float, log_prior: Array
) -> _Solved:
    """Average gain (G + k S + noise)^-1 d over the scales by their marginal likelihood.

    One generalised eigenproblem serves all scales: L^-1 (G + noise + level) L^-T with L L^T = S.
    """
    n = len(at)
    to = prior.gain[:, at]
    fixed = prior.gain[np.ix_(at, at)] + noise * np.eye(n)
    if prior.level_is_free:
        fixed = fixed + FREE_LEVEL_VARIANCE_DB2
    low = np.linalg.cholesky(shape)
    inverse = np.linalg.inv(low)
    values, vectors = np.linalg.eigh(inverse @ fixed @ inverse.T)
    back = inverse.T @ vectors  # (fixed + k S)^-1 = back diag(1/(values + k)) back^T
    z = back.T @ d
    spread = np.maximum(values, 0.0)[None] + scales[:, None]
    log_likelihood = -0.5 * (z**2 / spread).sum(1) - 0.5 * np.log(spread).sum(1) - np.log(np.diag(low)).sum()
    log_likelihood -= 0.5 * n * np.log(2 * np.pi)
    log_weight = log_likelihood + log_prior - np.logaddexp.reduce(log_prior)
    total = float(np.logaddexp.reduce(log_weight))
    w = np.exp(log_weight - total)
    means = (z / spread) @ (to @ back).T
    mean = w @ means
    taken = (to @ back) * np.sqrt(w @ (1.0 / spread))
    off = means - mean
    covariance = prior.gain - taken @ taken.T + (off * w[:, None]).T @ off
    rms = float(np.sqrt((w @ scales) * np.trace(shape) / n))
    return mean, covariance, rms, total


def _oddness(d: Array, u: Array, at: Places, prior: ContentPrior) -> Array:
    """Hold each reference against the mean of the others: mix and gain cancel, their content is left."""
    count = len(u)
    if count < 3:
        return np.ones(count)
    shape = prior.far_covariance[np.ix_(at, at)] / 2
    out = np.empty(count)
    for i in range(count):
        others = np.arange(count) != i
        v = u[others] / u[others].sum()
        r = d[i] - v @ d[others]
        s = shape * (1 + v @ v)
        if prior.level_is_free:
            s = s + FREE_LEVEL_VARIANCE_DB2
        out[i] = r @ np.linalg.solve(s, r) / len(at)
    return out
