"""From features to moves: the engineers' offsets, the common curve, and each track's level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.album.effects import EffectsFit, EffectsModel, corrections_db, fit_effects
from refmaster.album.features import TONE_HZ, TrackFeatures
from refmaster.album.pooled import pooled_lufs
from refmaster.album.prior import (
    ENGINEER_SCALES,
    AlbumPrior,
    level_model,
    shipped_prior,
    spread_model,
    tone_model,
    width_model,
)
from refmaster.album.request import Album
from refmaster.matching.curves import curve_at
from refmaster.plan import CurvePoint

# One quiet song and one quiet engineer look alike: on the evidence of one song less is moved.
SINGLE_SONG_SHARE = 2 / 3


@dataclass(frozen=True, kw_only=True)
class AlbumFits:
    """What the model found; the engineers of each fit are those of the tracks it could use.

    Attributes
    ----------
    tone, level : EffectsFit
        Dims of level are the anchored level and true peak.
    width, spread : EffectsFit or None
        None where no track has a side, or none lasts 3 s.
    tone_says, level_says : EffectsFit
        The same with the engineers' variance left open: what this album alone says of it. For the report.
    """

    tone: EffectsFit
    level: EffectsFit
    width: EffectsFit | None
    spread: EffectsFit | None
    tone_says: EffectsFit
    level_says: EffectsFit


@dataclass(frozen=True, kw_only=True)
class EngineerMoves:
    """What is done for each track on its engineer's account, full strength and share alike.

    Attributes
    ----------
    tone_db : ndarray, shape (tracks, 27)
        At `TONE_HZ`, full strength.
    width_db, level_db : ndarray, shape (tracks,)
        Full strength; the level move is what the habit is, besides what the tone changes.
    share : ndarray, shape (tracks,)
        Of all three that is applied.
    fits : AlbumFits
    """

    tone_db: Array
    width_db: Array
    level_db: Array
    share: Array
    fits: AlbumFits

    def applied_tone_db(self, album: Album) -> Array:
        """Return the tone that is applied, shape (tracks, 27)."""
        kept = np.array(["tone" in t.keep for t in album.settings.tracks])
        return np.asarray(self.tone_db * np.where(kept, 0.0, self.share)[:, None])


def engineer_moves(
    album: Album, features: Sequence[TrackFeatures], prior: AlbumPrior | None = None
) -> EngineerMoves:
    """Predict what belongs to the engineers, and what takes it back."""
    prior = prior or shipped_prior()
    settings, engineers = album.settings, album.engineers
    share = np.array([_share(t.strength, settings.engineers.strength) for t in settings.tracks])
    tones = np.array([f.tone_db for f in features])
    present = np.array([f.tone_present for f in features])
    model = tone_model(prior)
    tone = fit_effects(tones, present, engineers, model, anchor=album.anchor)
    tone_db = corrections_db(tone, engineers, present, max_db=settings.engineers.max_tone_db)
    width = _single([f.width_db for f in features], album, width_model(prior))
    spread = _single([f.spread_lu for f in features], album, spread_model(prior))
    so_far = EngineerMoves(
        tone_db=tone_db,
        width_db=_width_moves(album, width),
        level_db=np.zeros(len(features)),
        share=share,
        fits=AlbumFits(tone=tone, level=tone, width=width, spread=spread, tone_says=tone, level_says=tone),
    )
    changes = tone_changes(album, features, so_far.applied_tone_db(album), settings.levels.anchor)
    values = (
        np.array([[f.level_lufs(settings.levels.anchor), f.true_peak_dbtp] for f in features])
        + np.array([changes, changes]).T
    )
    every = np.ones(values.shape, dtype=bool)
    levels = level_model(prior, settings.levels.anchor)
    level = fit_effects(values, every, engineers, levels, anchor=album.anchor)
    says = level_model(prior, settings.levels.anchor, engineer_scales=ENGINEER_SCALES)
    open_tone = tone_model(prior, engineer_scales=ENGINEER_SCALES)
    limit = settings.engineers.max_level_db
    level_db = corrections_db(level, engineers, every, max_db=limit)[:, 0]
    single = np.array([engineers.count(e) == 1 for e in engineers])
    level_db = np.where(
        single, np.clip(level_db, -limit * SINGLE_SONG_SHARE, limit * SINGLE_SONG_SHARE), level_db
    )
    named = np.array([e is not None for e in engineers])
    return EngineerMoves(
        tone_db=tone_db,
        width_db=so_far.width_db,
        level_db=np.where(named, level_db, 0.0),
        share=share,
        fits=AlbumFits(
            tone=tone,
            level=level,
            width=width,
            spread=spread,
            tone_says=fit_effects(tones, present, engineers, open_tone, anchor=album.anchor),
            level_says=fit_effects(values, every, engineers, says, anchor=album.anchor),
        ),
    )


def tone_changes(album: Album, features: Sequence[TrackFeatures], tone_db: Array, anchor: str) -> list[float]:
    """Return how the engineers' curves change each track's level."""
    del album
    return [
        f.level_change_db(np.interp(np.log2(f.segment_hz), np.log2(TONE_HZ), row), anchor)
        for f, row in zip(features, tone_db, strict=True)
    ]


def level_targets_lufs(album: Album, features: Sequence[TrackFeatures], moves: EngineerMoves) -> Array:
    """Return where each track's anchored level belongs, against the others; shape (tracks,).

    Habits are removed; the songs' own distance is kept or drawn together; what is asked for a track on
    purpose comes last. Where nobody is named, or all tracks are one engineer's, the mixes' own levels stand.
    """
    settings = album.settings
    anchor = settings.levels.anchor
    own = np.array([f.level_lufs(anchor) for f in features])
    named = np.array([e is not None for e in album.engineers])
    several = len(set(album.engineers)) > 1
    kept = np.array(["level" in t.keep for t in settings.tracks])
    changes = np.array(tone_changes(album, features, moves.applied_tone_db(album), anchor))
    moved = own + changes + moves.share * moves.level_db
    target = np.where(named & several & ~kept, moved, own)
    distance = settings.levels.distance / 100.0
    drawn = target.mean() + distance * (target - target.mean())
    return np.where(kept, target, drawn) + np.array([t.level_db for t in settings.tracks])


def integrated_targets_lufs(
    album: Album,
    features: Sequence[TrackFeatures],
    levels_lufs: Array,
    curves: Sequence[tuple[CurvePoint, ...]],
) -> Array:
    """Return the integrated loudness at which each track has its level, before the album's common gain.

    Parameters
    ----------
    album : Album
        As asked.
    features : sequence of TrackFeatures
        As measured.
    levels_lufs : ndarray, shape (tracks,)
        As `level_targets_lufs` returns them.
    curves : sequence of curves
        Each track's whole curve of the mid.
    """
    anchor = album.settings.levels.anchor
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


def _share(own: float | None, common: float) -> float:
    return (common if own is None else own) / 100.0


def _single(values: Sequence[float | None], album: Album, model: EffectsModel) -> EffectsFit | None:
    """Fit a value that not every track has."""
    known = [i for i, value in enumerate(values) if value is not None]
    if not known:
        return None
    names = [album.engineers[i] for i in known]
    anchor = album.anchor if album.anchor in names else None
    found = np.array([[values[i]] for i in known], dtype=np.float64)
    return fit_effects(found, np.ones(found.shape, dtype=bool), names, model, anchor=anchor)


def _width_moves(album: Album, fit: EffectsFit | None) -> Array:
    if fit is None or not album.settings.engineers.width:
        return np.zeros(len(album.engineers))
    offsets = dict(zip(fit.engineers, fit.offsets_db[:, 0], strict=True))
    bound = album.settings.match.width_bound_db(full=False)
    return np.array(
        [0.0 if e is None else float(np.clip(-offsets.get(e, 0.0), -bound, bound)) for e in album.engineers]
    )
