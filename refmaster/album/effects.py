"""A random-effects model of an album's tracks, which separates engineers from songs.

For track i by engineer e(i): ``y_i = album + g_e(i) + s_i``. `y_i` is a vector in dB: third-octave tone, or
loud-section level together with true peak, or one number. It is looked at through a few shapes, which are
orthonormal: of tone those that engineers make, which are broad and without level. What songs differ by
between neighbouring bands is larger than that and says nothing about engineers.

Songs are ``s_i ~ N(0, k u_i S)``: S is learned from finished records, k is this album's scale, u_i (where
asked for) the Student-t scale of one song, so that an interlude does not pull its engineer along. Engineers
are ``g_e ~ N(0, G)``; the album is ``N(prior mean, a S)``. k is integrated over a grid by its marginal
likelihood; offsets are the average of the best linear unbiased predictions (Henderson, Biometrics 31, 1975).
In the eigenvectors of G against S every direction stands alone.

Values have shape (tracks, bands) and are dB. `fit_effects` predicts, `corrections_db` decides how much of it
is worth doing, and bounds it.
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
    """Mean, shape (bands,), and covariance, shape (bands, bands), of finished songs."""

    mean: Array
    covariance: Array


@dataclass(frozen=True, kw_only=True)
class EffectsModel:
    """The model's fixed parts.

    Attributes
    ----------
    shapes : ndarray, shape (shapes, bands)
        Orthonormal rows.
    song_mean : ndarray, shape (bands,)
        Of finished songs.
    song_covariance, engineer_covariance : ndarray, shape (shapes, shapes)
        S and G.
    album_share : float
        a: the album's mean differs from the prior's by this share of how songs differ.
    song_scales : tuple of float
        Grid of k.
    song_df : float
        Degrees of freedom of the songs' Student-t scales.
    sure_share, doubt : float
        Of the predictions at most `sure_share` is taken back, and the less, the larger their expected squared
        error times `doubt` is against their mean square (James and Stein, 1961).
    """

    shapes: Array
    song_mean: Array
    song_covariance: Array
    engineer_covariance: Array
    album_share: float
    song_scales: tuple[float, ...] = (1.0,)
    song_df: float
    sure_share: float = 1.0
    doubt: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EffectsFit:
    """The engineers' offsets, relative to the album's mean over tracks, or to the anchor.

    Attributes
    ----------
    engineers : tuple of str
        In order of appearance; a track without a name is an engineer of its own.
    index : ndarray of int, shape (tracks,)
        Each track's place in `engineers`.
    offsets_db, std_db : ndarray, shape (engineers, bands)
    reliability : ndarray, shape (engineers,)
        Share of the offset's prior variance that the tracks settled: 0 nothing known, 1 all.
    worth_share : float
        Share of the offsets that is worth taking back: 0 where they may well be chance.
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
    worth_share: float
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
    values : ndarray, shape (tracks, bands)
        Measured values, in dB.
    present : ndarray of bool, shape (tracks, bands)
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
    tracks = np.bincount(index, minlength=len(names)) / len(named)
    origin = tracks if anchor is None else np.eye(len(names))[names.index(anchor)]
    into, back, ratios = _directions(model)
    data = _Data(
        values=filled(values - model.song_mean, present) @ into,
        members=np.eye(len(names))[:, index] * present.any(axis=1),
        origin=origin,
        ratios=ratios,
    )
    u = np.ones(len(named))
    predictions, weights = _over_scales(data, u, model)
    for _ in range(_STUDENT_ROUNDS - 1):
        u = _student_scales(data, predictions, weights, model)
        predictions, weights = _over_scales(data, u, model)
    contrasts = np.array([p.contrast @ back for p in predictions])
    variances = np.array([p.variance @ back**2 for p in predictions])
    offsets = np.einsum("k,keb->eb", weights, contrasts)
    variance = np.einsum("k,keb->eb", weights, variances + (contrasts - offsets) ** 2)
    prior_variance = ((np.eye(len(names)) - origin) ** 2).sum(1) * (ratios @ back**2).sum()
    squares = float(tracks @ (offsets**2).sum(1))
    chance = model.doubt * float(tracks @ variance.sum(1))
    alone = len(names) == 1
    ln_k = np.log(model.song_scales)
    mean_ln_k = float(ln_k @ weights)
    return EffectsFit(
        engineers=names,
        index=index,
        offsets_db=np.zeros_like(offsets) if alone else offsets,
        std_db=np.sqrt(variance),
        reliability=np.clip(1.0 - variance.sum(1) / np.maximum(prior_variance, 1e-12), 0.0, 1.0)
        if not alone
        else np.zeros(1),
        worth_share=model.sure_share * max(0.0, 1.0 - chance / max(squares, 1e-12)),
        song_scale=float(np.exp(mean_ln_k)),
        song_scale_ln_std=float(np.sqrt((ln_k - mean_ln_k) ** 2 @ weights)),
        song_weights=1.0 / u,
    )


def corrections_db(
    fit: EffectsFit, engineers: Sequence[str | None], present: Mask, *, max_db: float
) -> Array:
    """Return what to add to each track, shape (tracks, bands): what of its engineer's offset is worth it.

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
    corrections = np.clip(-fit.worth_share * fit.offsets_db[fit.index], -max_db, max_db)
    for i, engineer in enumerate(engineers):
        if engineer is None and present[i].any():
            rms = float(np.sqrt(np.mean(corrections[i][present[i]] ** 2)))
            corrections[i] *= min(1.0, MAX_UNKNOWN_RMS_DB / max(rms, 1e-9))
    return corrections


def filled(values: Array, present: Mask) -> Array:
    """Return values in which an absent band has the value of the nearest that is present."""
    filled = np.zeros_like(values)
    for i, here in enumerate(present):
        at = np.flatnonzero(here)
        if len(at):
            nearest = np.abs(np.arange(len(here))[:, None] - at).argmin(axis=1)
            filled[i] = values[i, at[nearest]]
    return filled


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The tracks as the predictions see them.

    `values` are along the directions, shape (tracks, directions), where songs have the variance k u_i and
    engineers the variance `ratios`; `members` is 1 where a track is an engineer's, shape (engineers, tracks);
    `origin` weighs the engineers that offsets are relative to.
    """

    values: Array
    members: Array
    origin: Array
    ratios: Array


@dataclass(frozen=True, kw_only=True)
class _Prediction:
    """The prediction at one k: offsets as such (`raw`) and against the origin (`contrast`)."""

    log_likelihood: float
    raw: Array
    album: Array
    contrast: Array
    variance: Array


def _directions(model: EffectsModel) -> tuple[Array, Array, Array]:
    """Return the ways from bands to directions and back, and the engineers' variance along each.

    Along the directions songs have variance 1, and both covariances are diagonal.
    """
    low = np.linalg.cholesky(model.song_covariance)
    inverse = np.linalg.inv(low)
    ratios, vectors = np.linalg.eigh(inverse @ model.engineer_covariance @ inverse.T)
    into = model.shapes.T @ inverse.T @ vectors
    return into, vectors.T @ low.T @ model.shapes, np.maximum(ratios, 1e-12)


def _over_scales(data: _Data, u: Array, model: EffectsModel) -> tuple[list[_Prediction], Array]:
    """Return the prediction at each k of the grid, and their posterior weights, shape (k,)."""
    predictions = [_predict(data, k * u, model.album_share) for k in model.song_scales]
    log_posterior = np.array([p.log_likelihood for p in predictions])
    weights = np.exp(log_posterior - log_posterior.max())
    return predictions, weights / weights.sum()


def _student_scales(
    data: _Data, predictions: list[_Prediction], weights: Array, model: EffectsModel
) -> Array:
    offsets = np.einsum("k,keb->eb", weights, np.array([p.raw for p in predictions]))
    album = np.einsum("k,kb->b", weights, np.array([p.album for p in predictions]))
    residual = data.values - album - data.members.T @ offsets
    scale = np.exp(float(weights @ np.log(model.song_scales)))
    distance = (residual**2).sum(1) / scale
    return np.asarray((model.song_df + distance) / (model.song_df + residual.shape[1]))


def _predict(data: _Data, scales: Array, album_variance: float) -> _Prediction:
    """Predict at fixed song scales, each direction by itself."""
    y, ratios = data.values, data.ratios
    count = len(data.origin)
    weighted = data.members / scales
    information, score = weighted.sum(1)[:, None], weighted @ y
    left = 1.0 / (1.0 + information * ratios)  # share of an engineer's variance that its tracks leave
    album_left = 1.0 / (1.0 / album_variance + (left * information).sum(0))
    pull = (left * score).sum(0)
    album = album_left * pull
    raw = ratios * left * (score - information * album)
    heard = data.members.any(axis=0)
    ll = -y.shape[1] * np.log(scales[heard]).sum() - (weighted.sum(0) @ y**2).sum()
    ll += (np.log(left) + ratios * left * score**2).sum()
    ll += (np.log(album_left / album_variance) + pull * album).sum()
    lean = ratios * left * information
    apart = lean - data.origin @ lean
    weights = (np.eye(count) - data.origin) ** 2  # of engineer f in the contrast of engineer e
    return _Prediction(
        log_likelihood=0.5 * float(ll),
        raw=raw,
        album=album,
        contrast=raw - data.origin @ raw,
        variance=weights @ (ratios * left) + apart**2 * album_left,
    )
