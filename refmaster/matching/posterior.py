"""Tell mastering from song content: the posterior of the gain that lies between a mix and its references.

Arrays in, arrays out; the last axis is third octaves (bands), levels and gains are dB. A difference,
reference minus mix, is g + c: the gain g ~ N(0, G) that mastering applied, and song content c, about which
there are two hypotheses:

near  The recordings share material. Segments of the mix are matched with segments of the reference that have
      the same detail (a metric that discounts whatever a gain could explain); the matched difference has
      content N(0, s^2 shape), and the quality q of the match predicts s: log s ~ N(a + b log q, sd^2).
far   Other music. The difference of the long-term spectra has content N(0, k covariance), k on a grid.

Both scales are integrated out by the marginal likelihood; q says how likely "near" is. Level is free (mid)
or part of the gain (side over mid).

Constants without a comment of their own were set by hand on finished music hidden behind random engineers;
`benchmarks/choose_matching.py` states what other values would do, out of sample, and `benchmarks/evidence.py`
judges the written masters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask

# The metric of the match: level is free, and detail of this variance (dB^2) is not held against a pair.
LEVEL_VARIANCE_DB2 = 100.0
DETAIL_VARIANCE_DB2 = 2.0
# How sharply pairs are preferred: within a row or a column, and over all pairs.
TEMPERATURE = 0.25
JOINT_TEMPERATURE = 1.0
MIN_QUALITY_DB2 = 1e-3  # guard: two copies of one segment
# Steps of the near content's scale, in standard deviations of its logarithm (numerical integration).
SCALE_STEPS = np.linspace(-3.0, 3.0, 13)
# The same of other music: how much further apart than the learned covariance recordings may be.
FAR_SCALES = np.array([2.0, 4.0, 8.0])
# Variance of a level that says nothing: any large number.
FREE_LEVEL_VARIANCE_DB2 = 1e4
# The content of two references is correlated by what the mix contributes to both: half of it, by symmetry.
SHARED_CONTENT = 0.5
# Content that no band shares with its neighbours.
NEAR_NOISE_DB2, FAR_NOISE_DB2 = 0.02, 0.3
# Quality at which shared material is as likely as not, and how sharply that turns.
QUALITY_HALF_DB2, QUALITY_POWER = 4.5, 8.0

_Solved = tuple[Array, Array, float]  # mean, covariance, marginal log likelihood


@dataclass(frozen=True, kw_only=True)
class ContentModel:
    """Model of how content differs and of what mastering does about it.

    Attributes
    ----------
    gain : ndarray, shape (bands, bands)
        Covariance of the gains that mastering applies, dB^2.
    near_shape : ndarray, shape (bands, bands)
        Covariance of what is left between segments that play the same, scaled to a mean variance of 1.
    near_log_rms : tuple of float
        Intercept and slope of its log RMS over the log quality of the match.
    near_log_rms_sd : float
        How far that misses.
    far_covariance : ndarray, shape (bands, bands)
        Covariance of the long-term spectra of finished music, dB^2.
    far_extra : ndarray, shape (bands, bands)
        What that is thought to miss, added where mastering is told from content, dB^2.
    level_is_free : bool
        Whether level is no part of the gain (mid) or is (side over mid).
    """

    gain: Array
    near_shape: Array
    near_log_rms: tuple[float, float]
    near_log_rms_sd: float
    far_covariance: Array
    far_extra: Array
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
class Differences:
    """Differences of references to a mix, in dB.

    Attributes
    ----------
    matched_db, long_term_db : ndarray, shape (references, bands)
        Difference of matched segments, and of the long-term spectra.
    quality_db2, weights : ndarray, shape (references,)
        Quality of the matches; weights of the user, which sum to 1.
    known : ndarray of bool, shape (bands,)
        Where mix and references have energy and content was learned.
    """

    matched_db: Array
    long_term_db: Array
    quality_db2: Array
    weights: Array
    known: Mask


@dataclass(frozen=True, kw_only=True)
class LikelyGain:
    """The gain that is likely mastering, and what is known about it.

    Attributes
    ----------
    gain_db : ndarray, shape (bands,)
        Posterior mean; where a band is not known it is what the neighbours imply.
    covariance : ndarray, shape (bands, bands)
        Posterior covariance, dB^2.
    known : ndarray of bool, shape (bands,)
        Where it was observed.
    near_weight : float
        Probability that mix and reference share their material.
    """

    gain_db: Array
    covariance: Array
    known: Mask
    near_weight: float


@dataclass(frozen=True, kw_only=True)
class NearGain:
    """A gain behind shared material that was found otherwise: with stems, that of their sum.

    Attributes
    ----------
    gain_db : ndarray, shape (bands,)
        Posterior mean.
    covariance : ndarray, shape (bands, bands)
        Posterior covariance, dB^2.
    """

    gain_db: Array
    covariance: Array


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
    mix_segments: Array, reference_segments: list[Array], known: Mask, weights: Array, model: ContentModel
) -> list[SegmentMatch]:
    """Match each reference twice: the second time behind the gain that the first one found.

    The quality is the first match's, which the prior was learned from.
    """
    at = np.flatnonzero(known)
    here = np.ix_(at, at)
    mix, references = mix_segments[:, at], [r[:, at] for r in reference_segments]
    first = [match_segments(mix, r, np.zeros(len(at)), model.gain[here]) for r in references]
    quality = np.array([m.quality_db2 for m in first])
    differences = np.array([m.difference(mix, r) for m, r in zip(first, references, strict=True)])
    gain, covariance, _ = _near(differences, quality, weights, at, model)
    second = [match_segments(mix, r, gain[at], covariance[here]) for r in references]
    return [SegmentMatch(pairs=m.pairs, quality_db2=float(q)) for m, q in zip(second, quality, strict=True)]


def likely_gain(found: Differences, model: ContentModel, known_near: NearGain | None = None) -> LikelyGain:
    """Return the posterior of the gain: both hypotheses, mixed by how likely shared material is.

    Where the gain behind shared material is known already (`known_near`) it is taken.
    """
    at = np.flatnonzero(found.known)
    near, near_covariance, _ = _near(found.matched_db[:, at], found.quality_db2, found.weights, at, model)
    if known_near is not None:
        near, near_covariance = known_near.gain_db, known_near.covariance
    far, far_covariance, _ = _far(found.long_term_db[:, at], found.weights, at, model)
    p = float(shared_material(found.quality_db2).max())
    gap = near - far
    return LikelyGain(
        gain_db=p * near + (1 - p) * far,
        covariance=p * near_covariance + (1 - p) * far_covariance + p * (1 - p) * np.outer(gap, gap),
        known=found.known,
        near_weight=p,
    )


def shared_gain(found: Differences, model: ContentModel) -> tuple[Array, float]:
    """Return the gain behind shared material, shape (bands,), and by how much it is likelier than none.

    The second is the logarithm of the ratio of marginal likelihoods (Bayes factor).
    """
    at = np.flatnonzero(found.known)
    rows = found.matched_db[:, at]
    gain, _, some = _near(rows, found.quality_db2, found.weights, at, model)
    none = _near(rows, found.quality_db2, found.weights, at, replace(model, gain=0.0 * model.gain))[2]
    return gain, some - none


def log_likelihoods(found: Differences, model: ContentModel) -> Array:
    """Return how likely each reference's difference is, shape (references,): the largest fits best."""
    at, one = np.flatnonzero(found.known), np.ones(1)
    shared = np.clip(shared_material(found.quality_db2), 1e-12, 1.0)
    other = np.clip(1.0 - shared, 1e-12, 1.0)
    values = []
    for i in range(len(found.weights)):
        row = slice(i, i + 1)
        near = _near(found.matched_db[row, at], found.quality_db2[row], one, at, model)[2]
        far = _far(found.long_term_db[row, at], one, at, model)[2]
        values.append(np.logaddexp(np.log(shared[i]) + near, np.log(other[i]) + far))
    return np.array(values)


def shared_material(quality_db2: Array) -> Array:
    """Return the probability that a match of this quality shares its material."""
    return np.asarray(1.0 / (1.0 + (quality_db2 / QUALITY_HALF_DB2) ** QUALITY_POWER))


def other_music_log_likelihood(long_term_db: Array, known: Mask, model: ContentModel) -> float:
    """Return how likely a difference of long-term spectra is, as to one other song; its level is removed.

    Parameters
    ----------
    long_term_db : ndarray, shape (bands,)
        Of a reference, or the mean of several, less the mix.
    known : ndarray of bool, shape (bands,)
        The bands to judge by.
    model : ContentModel
        Of the mid.
    """
    row = long_term_db[known] - long_term_db[known].mean()
    return _far(row[None], np.ones(1), np.flatnonzero(known), model)[2]


def oddness(found: Differences, model: ContentModel) -> Array:
    """Return the mean squared normalised distance of each of three and more references to the others.

    About 1 is ordinary, above 2 is odd. Each is held against the mean of the others: mix and gain cancel, and
    their content is left.
    """
    at = np.flatnonzero(found.known)
    rows, weights = found.long_term_db[:, at], found.weights
    shape = model.far_covariance[np.ix_(at, at)] / 2
    values = []
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        v = weights[others] / weights[others].sum()
        left = rows[i] - v @ rows[others]
        covariance = shape * (1 + v @ v)
        if model.level_is_free:
            covariance = covariance + FREE_LEVEL_VARIANCE_DB2
        values.append(left @ np.linalg.solve(covariance, left) / len(at))
    return np.array(values)


def _near(rows: Array, quality: Array, weights: Array, at: NDArray[np.intp], model: ContentModel) -> _Solved:
    """Weigh the matches by user and quality, and solve for the gain behind content that they share."""
    a, b = model.near_log_rms
    s = np.exp(a + b * np.log(quality))
    content = SHARED_CONTENT * np.outer(s, s) + (1 - SHARED_CONTENT) * np.diag(s**2)
    w = np.maximum(np.linalg.solve(content, np.ones(len(s))), 0.0) * weights
    w /= w.sum()
    scales = float(w @ content @ w) * np.exp(2 * model.near_log_rms_sd * SCALE_STEPS)
    shape = model.near_shape[np.ix_(at, at)]
    return _solve(w @ rows, at, model, scales, shape, NEAR_NOISE_DB2, -0.5 * SCALE_STEPS**2)


def _far(rows: Array, weights: Array, at: NDArray[np.intp], model: ContentModel) -> _Solved:
    """Solve for the gain behind other music."""
    scales = FAR_SCALES * (SHARED_CONTENT + (1 - SHARED_CONTENT) * float(weights @ weights))
    shape = (model.far_covariance + model.far_extra)[np.ix_(at, at)]
    return _solve(weights @ rows, at, model, scales, shape, FAR_NOISE_DB2, np.zeros(len(scales)))


def _solve(
    difference: Array,
    at: NDArray[np.intp],
    model: ContentModel,
    scales: Array,
    shape: Array,
    noise: float,
    log_prior: Array,
) -> _Solved:
    """Average gain (G + k S + noise)^-1 d over the scales k by their marginal likelihood.

    One generalised eigenproblem serves all scales: L^-1 (G + noise + level) L^-T with L L^T = S.
    """
    n = len(at)
    to = model.gain[:, at]
    fixed = model.gain[np.ix_(at, at)] + noise * np.eye(n)
    if model.level_is_free:
        fixed = fixed + FREE_LEVEL_VARIANCE_DB2
    low = np.linalg.cholesky(shape)
    inverse = np.linalg.inv(low)
    values, vectors = np.linalg.eigh(inverse @ fixed @ inverse.T)
    back = inverse.T @ vectors  # (fixed + k S)^-1 = back diag(1/(values + k)) back^T
    z = back.T @ difference
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
    return mean, model.gain - taken @ taken.T + (off * w[:, None]).T @ off, total
