"""A random-effects model of an album's tracks, which separates engineers from songs.

For track i by engineer e(i): ``y_i = album + g_e(i) + s_i``. `y_i` is a vector in dB: third-octave tone with
its level removed, or loud-section level together with true peak, or one number. Songs are
``s_i ~ N(0, k u_i S)``: S is learned from finished records, k is this album's scale, u_i (where asked for)
the Student-t scale of one song, so that an interlude does not pull its engineer along. Engineers are
``g_e ~ N(0, G)``; the album is ``N(prior mean, A)``. k is integrated over a grid by its marginal likelihood;
offsets are the average of the best linear unbiased predictions (Henderson, Biometrics 31, 1975).

Values have shape (tracks, dims) and are dB. `fit_effects` predicts, `corrections_db` bounds the corrections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask

# Set by hand: a track without a named engineer moves its tone by at most this, since one song cannot tell
# its engineer from itself. `benchmarks/album.py` shows what it does to albums that nobody disturbed.
MAX_UNKNOWN_RMS_DB = 0.25
_STUDENT_ROUNDS = 9


@dataclass(frozen=True, kw_only=True)
class SongPrior:
    """Mean, shape (dims,), and covariance, shape (dims, dims), of finished songs."""

    mean: Array
    covariance: Array


@dataclass(frozen=True, kw_only=True)
class EffectsModel:
    """The model's fixed parts.

    Attributes
    ----------
    prior : SongPrior
    engineer_covariance : ndarray, shape (dims, dims)
        G.
    album_covariance : ndarray, shape (dims, dims)
        Of the album's mean around the prior's mean.
    song_scales : tuple of float
        Grid of k.
    remove_level : bool
        Each track's mean over its bands is a nuisance (tone), not data.
    song_df : float or None
        Degrees of freedom of the songs' Student-t scales; None: Gaussian.
    """

    prior: SongPrior
    engineer_covariance: Array
    album_covariance: Array
    song_scales: tuple[float, ...] = (1.0,)
    remove_level: bool = False
    song_df: float | None = None


@dataclass(frozen=True, kw_only=True)
class EffectsFit:
    """The engineers' offsets, relative to the album's mean over tracks, or to the anchor.

    Attributes
    ----------
    engineers : tuple of str
        In order of appearance; a track without a name is an engineer of its own.
    index : ndarray of int, shape (tracks,)
        Each track's place in `engineers`.
    offsets_db, std_db : ndarray, shape (engineers, dims)
    reliability : ndarray, shape (engineers,)
        Share of the offset's prior variance that the tracks settled: 0 nothing known, 1 all.
    song_scale, song_scale_ln_std : float
        Posterior (geometric) mean of k, and standard deviation of ln k.
    song_weights : ndarray, shape (tracks,)
        1 / u_i: below 0.3 the song is an outlier.
    """

    engineers: tuple[str, ...]
    index: NDArray[np.intp]
    offsets_db: Array
    std_db: Array
    reliability: Array
    song_scale: float
    song_scale_ln_std: float
    song_weights: Array


def engineer_names(engineers: Sequence[str | None]) -> list[str]:
    """Return a name for each track's engineer; one without a name is called after the track."""
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
        Measured values, in dB.
    present : ndarray of bool, shape (tracks, dims)
        Where a track has energy; the rest of `values` is not looked at.
    engineers : sequence of str or None
        Each track's; None where no engineer is named.
    model : EffectsModel
        Priors and the grid.
    anchor : str or None
        The engineer whose tracks stay as they are (as `engineer_names` calls them).
    """
    named = engineer_names(engineers)
    names = tuple(dict.fromkeys(named))
    index = np.array([names.index(e) for e in named], dtype=np.intp)
    origin = np.bincount(index, minlength=len(names)) / len(named)
    if anchor is not None:
        origin = np.eye(len(names))[names.index(anchor)]
    data = _Data(
        values=centred(values - model.prior.mean, present, remove_level=model.remove_level),
        index=index,
        origin=origin,
        **_song_precisions(present, model),
    )
    u = np.ones(len(named))
    predictions, weights = _over_scales(data, u, model)
    if model.song_df is not None:
        for _ in range(_STUDENT_ROUNDS - 1):
            u = _student_scales(data, predictions, weights, model, model.song_df)
            predictions, weights = _over_scales(data, u, model)
    contrasts = np.array([p.contrast for p in predictions])
    offsets = np.einsum("k,keb->eb", weights, contrasts)
    second = np.einsum("k,keb->eb", weights, np.array([p.variance for p in predictions]) + contrasts**2)
    variance = np.maximum(second - offsets**2, 0.0)
    prior_variance = np.einsum("k,keb->eb", weights, np.array([p.prior_variance for p in predictions]))
    reliability = np.clip(1.0 - variance.sum(1) / np.maximum(prior_variance.sum(1), 1e-12), 0.0, 1.0)
    alone = len(names) == 1
    ln_k = np.log(model.song_scales)
    mean_ln_k = float(ln_k @ weights)
    return EffectsFit(
        engineers=names,
        index=index,
        offsets_db=np.zeros_like(offsets) if alone else offsets,
        std_db=np.sqrt(variance),
        reliability=np.zeros(1) if alone else reliability,
        song_scale=float(np.exp(mean_ln_k)),
        song_scale_ln_std=float(np.sqrt((ln_k - mean_ln_k) ** 2 @ weights)),
        song_weights=1.0 / u,
    )


def corrections_db(
    fit: EffectsFit, engineers: Sequence[str | None], present: Mask, *, max_db: float
) -> Array:
    """Return what to add to each track, shape (tracks, dims): minus its engineer's offset, bounded.

    Parameters
    ----------
    fit : EffectsFit
        The engineers' offsets.
    engineers, present
        As given to `fit_effects`. Where no engineer is named, the RMS over the present values is bounded by
        `MAX_UNKNOWN_RMS_DB`.
    max_db : float
        Bound on each value.
    """
    corrections = np.clip(-fit.offsets_db[fit.index], -max_db, max_db)
    for i, engineer in enumerate(engineers):
        if engineer is None and present[i].any():
            rms = float(np.sqrt(np.mean(corrections[i][present[i]] ** 2)))
            corrections[i] *= min(1.0, MAX_UNKNOWN_RMS_DB / max(rms, 1e-9))
    return corrections


def centred(values: Array, present: Mask, *, remove_level: bool) -> Array:
    """Return values with 0 where absent and, if asked, each track's mean over its present bands removed."""
    x = np.where(present, values, 0.0)
    if remove_level:
        x = x - x.sum(1, keepdims=True) / np.maximum(present.sum(1, keepdims=True), 1)
    return np.where(present, x, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The tracks as the predictions see them.

    `origin` weighs the engineers that offsets are relative to; `precision`, `log_det` and `rank` are each
    song's at k = 1.
    """

    values: Array
    index: NDArray[np.intp]
    origin: Array
    precision: Array
    log_det: Array
    rank: Array


@dataclass(frozen=True, kw_only=True)
class _Prediction:
    """The prediction at one k: offsets as such (`raw`) and against the origin (`contrast`)."""

    log_likelihood: float
    raw: Array
    album: Array
    contrast: Array
    variance: Array
    prior_variance: Array


def _song_precisions(present: Mask, model: EffectsModel) -> dict[str, Array]:
    """Return each song's precision, log determinant and rank, its level projected out if it is a nuisance."""
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
    return {"precision": precision, "log_det": log_det, "rank": rank}


def _over_scales(data: _Data, u: Array, model: EffectsModel) -> tuple[list[_Prediction], Array]:
    """Return the prediction at each k of the grid, and their posterior weights, shape (k,)."""
    predictions = [_predict(data, k * u, model) for k in model.song_scales]
    log_posterior = np.array([p.log_likelihood for p in predictions])
    weights = np.exp(log_posterior - log_posterior.max())
    return predictions, weights / weights.sum()


def _student_scales(
    data: _Data, predictions: list[_Prediction], weights: Array, model: EffectsModel, df: float
) -> Array:
    offsets = np.einsum("k,keb->eb", weights, np.array([p.raw for p in predictions]))
    album = np.einsum("k,kb->b", weights, np.array([p.album for p in predictions]))
    residual = data.values - album - offsets[data.index]
    scale = np.exp(float(weights @ np.log(model.song_scales)))
    distance = np.einsum("ib,ibc,ic->i", residual, data.precision, residual) / scale
    return np.asarray((df + distance) / (df + data.rank))


def _predict(data: _Data, scales: Array, model: EffectsModel) -> _Prediction:
    """Predict at fixed song scales, in information form: one system per engineer and one for the album."""
    y, engineer_cov = data.values, model.engineer_covariance
    dims, count = y.shape[1], len(data.origin)
    p = data.precision / scales[:, None, None]
    b = np.einsum("ibc,ic->ib", p, y)
    ll = float((data.log_det - data.rank * np.log(scales)).sum() - (b * y).sum())
    information = np.array([p[data.index == e].sum(0) for e in range(count)])
    score = np.array([b[data.index == e].sum(0) for e in range(count)])
    t = np.linalg.inv(np.eye(dims) + information @ engineer_cov)
    ll += float(np.linalg.slogdet(t)[1].sum())
    ll += float(((score @ engineer_cov) * np.einsum("ebc,ec->eb", t, score)).sum())
    h = np.linalg.inv(np.eye(dims) + model.album_covariance @ (t @ information).sum(0))
    pull = np.einsum("ebc,ec->b", t, score)
    album_cov = h @ model.album_covariance
    album = album_cov @ pull
    ll += float(pull @ album + np.linalg.slogdet(h)[1])
    gain = engineer_cov @ t  # offsets = gain (score - information album)
    raw = np.einsum("ebc,ec->eb", gain, score - information @ album)
    lean = gain @ information
    own = np.diagonal(engineer_cov - lean @ engineer_cov, axis1=1, axis2=2)
    apart = lean - np.einsum("e,ebc->bc", data.origin, lean)
    weights = (np.eye(count) - data.origin) ** 2  # of engineer f in the contrast of engineer e
    return _Prediction(
        log_likelihood=0.5 * ll,
        raw=raw,
        album=album,
        contrast=raw - data.origin @ raw,
        variance=weights @ own + np.einsum("ebd,ebd->eb", apart @ album_cov, apart),
        prior_variance=weights @ np.tile(np.diag(engineer_cov), (count, 1)),
    )
