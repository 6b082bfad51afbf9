"""From features to moves: the correction of each engineer's habits, and the level each track is to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.album.effect_models import (
    AlbumPrior,
    level_model,
    shipped_album_prior,
    tone_model,
    width_model,
)
from refmaster.album.effects import EffectsFit, corrections_db, fit_effects
from refmaster.album.features import TrackFeatures, tone_at
from refmaster.album.pooled import pooled_lufs
from refmaster.album.request import Album
from refmaster.matching.curves import curve_at
from refmaster.settings.curves import CurvePoint

# Set by hand: a quiet song and a quiet engineer look alike, so an engineer's only song is moved by at most
# this share of `max_level_db`.
SINGLE_SONG_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class EngineerMoves:
    """Corrections of the engineers' habits, track by track, and the predictions behind them.

    Attributes
    ----------
    tone_db : ndarray, shape (tracks, 27)
        At `TONE_HZ`, full strength.
    width_db, level_db : ndarray, shape (tracks,)
        Full strength; the level move comes besides what the tone changes.
    share : ndarray, shape (tracks,)
        How much of all three is applied, 0 to 1.
    applied_tone_db : ndarray, shape (tracks, 27)
        `tone_db` by its share, 0 where the track keeps its tone.
    tone_fit, level_fit : EffectsFit
        Dims of level are the anchored level and true peak.
    width_fit : EffectsFit or None
        Of the tracks that have a side; None where there is none.
    """

    tone_db: Array
    width_db: Array
    level_db: Array
    share: Array
    applied_tone_db: Array
    tone_fit: EffectsFit
    level_fit: EffectsFit
    width_fit: EffectsFit | None


def engineer_moves(
    album: Album, features: Sequence[TrackFeatures], prior: AlbumPrior | None = None
) -> EngineerMoves:
    """Predict the engineers' habits and return their corrections; `prior` is the shipped one if None."""
    prior = prior or shipped_album_prior()
    engineers, bounds = album.engineers, album.settings.engineers
    strengths = [bounds.strength if t.strength is None else t.strength for t in album.settings.tracks]
    share = np.array(strengths) / 100.0
    tones = np.array([f.tone_db for f in features])
    present = np.array([f.tone_present for f in features])
    tone = fit_effects(tones, present, engineers, tone_model(prior), anchor=album.anchor)
    tone_db = corrections_db(tone, engineers, present, max_db=bounds.max_tone_db)
    applied = tone_db * np.where(album.keeps("tone"), 0.0, share)[:, None]
    anchor = album.settings.levels.anchor
    levels = np.array([[f.level_lufs(anchor), f.true_peak_dbtp] for f in features])
    levels = levels + tone_changes_db(features, applied, anchor)[:, None]
    every = np.ones(levels.shape, dtype=bool)
    level = fit_effects(levels, every, engineers, level_model(prior, anchor), anchor=album.anchor)
    level_db = corrections_db(level, engineers, every, max_db=bounds.max_level_db)[:, 0]
    most = [bounds.max_level_db * (SINGLE_SONG_SHARE if engineers.count(e) == 1 else 1.0) for e in engineers]
    width = _width_fit(album, features, prior)
    return EngineerMoves(
        tone_db=tone_db,
        width_db=_width_moves(album, width),
        level_db=np.where(album.is_named, np.clip(level_db, np.negative(most), most), 0.0),
        share=share,
        applied_tone_db=applied,
        tone_fit=tone,
        level_fit=level,
        width_fit=width,
    )


def tone_changes_db(features: Sequence[TrackFeatures], tone_db: Array, anchor: str) -> Array:
    """Return how curves at `TONE_HZ`, shape (tracks, 27), change each track's level; shape (tracks,)."""
    return np.array(
        [
            f.level_change_db(tone_at(row, f.segment_hz), anchor)
            for f, row in zip(features, tone_db, strict=True)
        ]
    )


def level_targets_lufs(album: Album, features: Sequence[TrackFeatures], moves: EngineerMoves) -> Array:
    """Return where each track's anchored level belongs, against the others; shape (tracks,).

    Habits are removed; the songs' own distance is kept or drawn together; a track's own `level_db` comes
    last. Where no engineer is named, or all tracks are one engineer's, the mixes' own levels stand.
    """
    settings = album.settings
    anchor = settings.levels.anchor
    own = np.array([f.level_lufs(anchor) for f in features])
    changes = tone_changes_db(features, moves.applied_tone_db, anchor)
    several = len(set(album.engineers)) > 1
    kept = album.keeps("level")
    target = np.where(album.is_named & several & ~kept, own + changes + moves.share * moves.level_db, own)
    distance = settings.levels.distance / 100.0
    drawn = target.mean() + distance * (target - target.mean())
    return np.where(kept, target, drawn) + np.array([t.level_db for t in settings.tracks])


def integrated_targets_lufs(
    features: Sequence[TrackFeatures],
    levels_lufs: Array,
    curves: Sequence[tuple[CurvePoint, ...]],
    anchor: str,
) -> Array:
    """Return the integrated loudness at which each track has its level, before the album's common gain.

    Parameters
    ----------
    features : sequence of TrackFeatures
        As measured.
    levels_lufs : ndarray, shape (tracks,)
        As `level_targets_lufs` returns them.
    curves : sequence of curves
        Each track's whole curve of the mid.
    anchor : str
        The level that `levels_lufs` are.
    """
    targets = []
    for f, level, points in zip(features, levels_lufs, curves, strict=True):
        gain = curve_at(points, f.segment_hz)
        after = f.level_lufs(anchor) + f.level_change_db(gain, anchor)
        integrated = f.integrated_lufs + f.level_change_db(gain, "integrated")
        targets.append(integrated + level - after)
    return np.array(targets)


def common_gain_db(features: Sequence[TrackFeatures], targets_lufs: Array, album_lufs: float) -> float:
    """Return the gain that brings the album, its tracks at `targets_lufs`, to its pooled loudness."""
    blocks = [f.momentary_lufs for f in features]
    shifts = targets_lufs - np.array([f.integrated_lufs for f in features])
    gain = 0.0
    for _ in range(3):  # the gate at -70 LUFS is the only thing that is not linear
        reached = pooled_lufs(blocks, shifts + gain)
        if reached is None or not np.isfinite(reached):
            return 0.0
        gain += album_lufs - reached
    return gain


def _width_fit(album: Album, features: Sequence[TrackFeatures], prior: AlbumPrior) -> EffectsFit | None:
    tracks = zip(features, album.names, strict=True)
    known = [(f.width_db, name) for f, name in tracks if f.width_db is not None]
    if not known:
        return None
    names = [name for _, name in known]
    anchor = album.anchor if album.anchor in names else None
    values = np.array([[width] for width, _ in known], dtype=np.float64)
    return fit_effects(values, np.ones(values.shape, dtype=bool), names, width_model(prior), anchor=anchor)


def _width_moves(album: Album, fit: EffectsFit | None) -> Array:
    if fit is None or not album.settings.engineers.width:
        return np.zeros(len(album.names))
    offsets = dict(zip(fit.engineers, fit.offsets_db[:, 0], strict=True))
    bound = album.settings.match.width_bound_db(full=False)
    moves = [float(np.clip(-offsets.get(name, 0.0), -bound, bound)) for name in album.names]
    return np.where(album.is_named, moves, 0.0)
