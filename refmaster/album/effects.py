"""What belongs to the engineer and what to the song: a random-effects model over an album's tracks.

For track i by engineer e(i): ``y_i = album + g_e(i) + s_i``. `y_i` is a vector in dB: third-octave tone with
its level removed, or loud-section level together with true peak, or one number. Songs are
``s_i ~ N(0, k u_i S)``: S is learned from finished records, k is this album's scale, u_i (where asked) the
Student-t scale of one song, so that an interlude does not pull its engineer along. Engineers are
``g_e ~ N(0, v G)``; the album is ``N(prior mean, A)``. k and v are integrated over a grid by their marginal
likelihood; offsets are the average of the best linear unbiased predictions (Henderson, Biometrics 31, 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask

# Where nobody is named, no track's tone moves by more than this: one song says nothing of who mixed it that
# an unlike song would not say as well.
MAX_UNKNOWN_RMS_DB = 0.25
_STUDENT_ROUNDS = 9


@dataclass(frozen=True, kw_only=True)
class SongPrior:
    """How finished songs differ: mean, shape (dims,), and covariance, shape (dims, dims)."""

    mean: Array
    covariance: Array


@dataclass(frozen=True, kw_only=True)
class EffectsModel:
    """The model's fixed parts.

    Attributes
    ----------
    prior : SongPrior
    engineer_covariance : ndarray, shape (dims, dims)
        G; its scale is `engineer_scales`.
    album_covariance : ndarray, shape (dims, dims)
        Of the album's mean around the prior's mean.
    remove_level : bool
        Each track's mean over its bands is a nuisance (tone), not data.
    song_scales, engineer_scales : tuple of float
        Grid of k and of v.
    song_df : float or None
        Degrees of freedom of the songs' Student-t scales; None: Gaussian.
    """

    prior: SongPrior
    engineer_covariance: Array
    album_covariance: Array
    remove_level: bool = False
    song_scales: tuple[float, ...] = (1.0,)
    engineer_scales: tuple[float, ...] = (1.0,)
    song_df: float | None = None


@dataclass(frozen=True, kw_only=True)
class EffectsFit:
    """What was found. `offsets_db` are relative to the album's mean over tracks, or to the anchor.

    Attributes
    ----------
    engineers : tuple of str
        In order of appearance; a track without a name is an engineer of its own.
    index : ndarray of int, shape (tracks,)
        Each track's place in `engineers`.
    offsets_db, std_db : ndarray, shape (engineers, dims)
    reliability : ndarray, shape (engineers,)
        Share of the offset's prior variance that the tracks settled: 0 nothing known, 1 all.
    song_scale, engineer_scale : float
        Posterior (geometric) means of k and v.
    song_scale_std, engineer_scale_std : float
        Posterior standard deviations of ln k and ln v.
    song_weights : ndarray, shape (tracks,)
        1 / u_i: how far each song was believed; below 0.3 is an outlier.
    """

    engineers: tuple[str, ...]
    index: NDArray[np.intp]
    offsets_db: Array
    std_db: Array
    reliability: Array
    song_scale: float
    engineer_scale: float
    song_scale_std: float
    engineer_scale_std: float
    song_weights: Array


def engineer_names(engineers: Sequence[str | None]) -> list[str]:
    """Return a name for each track's engineer; who is not named is called after the track."""
    return [e if e is not None else f"(track {i + 1})" for i, e in enumerate(engineers)]


def fit_effects(
    values: Array,
    present: Mask,
    engineers: Sequence[str | None],
    model: EffectsModel,
    *,
    anchor: str | None = None,
) -> EffectsFit:
    """Predict every engineer's offset.

    Parameters
    ----------
    values : ndarray, shape (tracks, dims)
        What was measured, in dB.
    present : ndarray of bool, shape (tracks, dims)
        Where a track has energy; the rest of `values` is not looked at.
    engineers : sequence of str or None
        None is an engineer nobody named.
    model : EffectsModel
        Priors and grids.
    anchor : str or None
        The engineer whose tracks stay as they are (as `engineer_names` calls them).
    """
    named = engineer_names(engineers)
    names = tuple(dict.fromkeys(named))
    index = np.array([names.index(e) for e in named], dtype=np.intp)
    mean = model.prior.mean * present
    y = centred(np.where(present, values, 0.0) - mean, present, remove_level=model.remove_level)
    share = np.bincount(index, minlength=len(names)) / len(named)
    if anchor is not None:
        share = np.eye(len(names))[names.index(anchor)]
    base = _song_precisions(present, model)
    u = np.ones(len(named))
    cells, weights = _grid(y, index, base, u, share, model)
    if model.song_df is not None:
        for _ in range(_STUDENT_ROUNDS - 1):
            u = _student_scales(y, index, base, cells, weights, model)
            cells, weights = _grid(y, index, base, u, share, model)
    return _averaged(names, index, cells, weights, u, model)


def corrections_db(
    fit: EffectsFit,
    engineers: Sequence[str | None],
    present: Mask,
    *,
    max_db: float,
    unknown_rms_db: float = MAX_UNKNOWN_RMS_DB,
) -> Array:
    """Return what to add to each track, shape (tracks, dims): minus its engineer's offset, bounded.

    Parameters
    ----------
    fit : EffectsFit
        The engineers' offsets.
    engineers : sequence of str or None
        As given to `fit_effects`.
    present : ndarray of bool, shape (tracks, dims)
        As given to `fit_effects`.
    max_db : float
        Bound on each value.
    unknown_rms_db : float
        Bound on the RMS over a track's values where nobody is named.
    """
    corrections = np.clip(-fit.offsets_db[fit.index], -max_db, max_db)
    for i, engineer in enumerate(engineers):
        if engineer is None and present[i].any():
            rms = float(np.sqrt(np.mean(corrections[i][present[i]] ** 2)))
            corrections[i] *= min(1.0, unknown_rms_db / max(rms, 1e-9))
    return corrections


def centred(values: Array, present: Mask, *, remove_level: bool) -> Array:
    """Return values with each track's mean over its present bands removed, 0 elsewhere."""
    x = np.where(present, values, 0.0)
    if remove_level:
        x = x - x.sum(1, keepdims=True) / np.maximum(present.sum(1, keepdims=True), 1)
    return np.where(present, x, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Base:
    """Each song's precision at k = 1, its log determinant and its rank."""

    precision: Array
    log_det: Array
    rank: Array


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """The prediction at one pair of scales."""

    log_likelihood: float
    raw: Array
    album: Array
    contrast: Array
    variance: Array
    prior_variance: Array


def _grid(
    y: Array, index: NDArray[np.intp], base: _Base, u: Array, share: Array, model: EffectsModel
) -> tuple[list[_Cell], Array]:
    """Return the predictions over the grid, k outside v, and their posterior weights, shape (k, v)."""
    cells = [
        _solve(y, index, base, k * u, v * model.engineer_covariance, share, model)
        for k in model.song_scales
        for v in model.engineer_scales
    ]
    log_posterior = np.array([c.log_likelihood for c in cells])
    weights = np.exp(log_posterior - log_posterior.max())
    weights /= weights.sum()
    return cells, weights.reshape(len(model.song_scales), len(model.engineer_scales))


def _student_scales(
    y: Array, index: NDArray[np.intp], base: _Base, cells: list[_Cell], weights: Array, model: EffectsModel
) -> Array:
    flat = weights.ravel()
    offsets = np.einsum("c,ceb->eb", flat, np.array([c.raw for c in cells]))
    album = np.einsum("c,cb->b", flat, np.array([c.album for c in cells]))
    residual = y - album - offsets[index]
    scale = np.exp(float(weights.sum(1) @ np.log(model.song_scales)))
    distance = np.einsum("ib,ibc,ic->i", residual, base.precision, residual) / scale
    df = model.song_df or 1.0
    return np.asarray((df + distance) / (df + base.rank))


def _averaged(
    names: tuple[str, ...],
    index: NDArray[np.intp],
    cells: list[_Cell],
    weights: Array,
    u: Array,
    model: EffectsModel,
) -> EffectsFit:
    flat = weights.ravel()
    contrasts = np.array([c.contrast for c in cells])
    contrast = np.einsum("c,ceb->eb", flat, contrasts)
    second = np.einsum("c,ceb->eb", flat, np.array([c.variance for c in cells]) + contrasts**2)
    variance = np.maximum(second - contrast**2, 0.0)
    prior_variance = np.einsum("c,ceb->eb", flat, np.array([c.prior_variance for c in cells]))
    alone = len(names) == 1
    reliability = 1.0 - variance.sum(1) / np.maximum(prior_variance.sum(1), 1e-12)
    ln_k, k_std = _moments(np.log(model.song_scales), weights.sum(1))
    ln_v, v_std = _moments(np.log(model.engineer_scales), weights.sum(0))
    return EffectsFit(
        engineers=names,
        index=index,
        offsets_db=np.zeros_like(contrast) if alone else contrast,
        std_db=np.sqrt(variance),
        reliability=np.zeros(1) if alone else np.clip(reliability, 0.0, 1.0),
        song_scale=float(np.exp(ln_k)),
        engineer_scale=float(np.exp(ln_v)),
        song_scale_std=k_std,
        engineer_scale_std=v_std,
        song_weights=1.0 / u,
    )


def _song_precisions(present: Mask, model: EffectsModel) -> _Base:
    """Return each track's song precision at k = 1, its level projected out where it is a nuisance."""
    n, dims = present.shape
    precision, log_det, rank = np.zeros((n, dims, dims)), np.zeros(n), np.zeros(n)
    for i, p in enumerate(present):
        if p.sum() <= int(model.remove_level):
            continue
        cov = model.prior.covariance[np.ix_(p, p)]
        inverse = np.linalg.inv(cov)
        log_det[i], rank[i] = -np.linalg.slogdet(cov)[1], p.sum()
        if model.remove_level:
            ones = inverse.sum(1)
            inverse = inverse - np.outer(ones, ones) / ones.sum()
            log_det[i] -= np.log(ones.sum())
            rank[i] -= 1
        precision[i][np.ix_(p, p)] = inverse
    return _Base(precision=precision, log_det=log_det, rank=rank)


def _solve(
    y: Array,
    index: NDArray[np.intp],
    base: _Base,
    scales: Array,
    engineer_cov: Array,
    share: Array,
    model: EffectsModel,
) -> _Cell:
    """Predict at fixed scales, in information form: one system per engineer and one for the album."""
    dims, count = y.shape[1], len(share)
    eye = np.eye(dims)
    p = base.precision / scales[:, None, None]
    b = np.einsum("ibc,ic->ib", p, y)
    ll = float((base.log_det - base.rank * np.log(scales)).sum() - (b * y).sum())
    information = np.array([p[index == e].sum(0) for e in range(count)])
    evidence = np.array([b[index == e].sum(0) for e in range(count)])
    t = np.linalg.inv(eye + information @ engineer_cov)
    ll += float(np.linalg.slogdet(t)[1].sum())
    ll += float(((evidence @ engineer_cov) * np.einsum("ebc,ec->eb", t, evidence)).sum())
    h = np.linalg.inv(eye + model.album_covariance @ (t @ information).sum(0))
    pull = np.einsum("ebc,ec->b", t, evidence)
    album_cov = h @ model.album_covariance
    album = album_cov @ pull
    ll += float(pull @ album + np.linalg.slogdet(h)[1])
    gain = engineer_cov @ t  # offsets = gain (evidence - information album)
    raw = np.einsum("ebc,ec->eb", gain, evidence - information @ album)
    lean = gain @ information
    own = np.diagonal(engineer_cov - lean @ engineer_cov, axis1=1, axis2=2)
    apart = lean - np.einsum("e,ebc->bc", share, lean)
    weights = (np.eye(count) - share) ** 2  # of engineer f in the contrast of engineer e
    return _Cell(
        log_likelihood=0.5 * ll,
        raw=raw,
        album=album,
        contrast=raw - share @ raw,
        variance=weights @ own + np.einsum("ebd,ebd->eb", apart @ album_cov, apart),
        prior_variance=weights @ np.tile(np.diag(engineer_cov), (count, 1)),
    )


def _moments(values: Array, weights: Array) -> tuple[float, float]:
    mean = float(values @ weights)
    return mean, float(np.sqrt((values - mean) ** 2 @ weights))
