"""An album's result as one JSON object, and its loudness and work in lines of text.

Values are LUFS, dBTP, dB and LU, as their names say; a gap is the distance to the mean of the album. The
sentences on engineers and tracks are in `refmaster.report.album_words`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from refmaster.album.effect_models import LEVEL_OWN_SD_DB
from refmaster.album.effects import EffectsFit
from refmaster.album.features import TONE_HZ, TrackFeatures
from refmaster.album.folder import ALBUM_PLAN_NAME, AlbumFolder
from refmaster.album.pooled import album_lufs
from refmaster.album.result import AlbumResult, level_gaps_db, tone_gaps_db
from refmaster.matching.curves import curve_at

# AES TD1008: an album's loudest track at -14 LUFS, the others as they stand to it.
AES_LOUDEST_LUFS = -14.0

Values = dict[str, float | None]
T = TypeVar("T")


def album_json(result: AlbumResult) -> dict[str, Any]:
    """Return one object: the album, its tracks in order, its engineers, the model's fits, findings."""
    before, after = _before_after(result, _as_one)
    return {
        "album": {
            "title": result.plan.title,
            "folder": str(result.folder),
            "plan": str(result.folder / ALBUM_PLAN_NAME),
            "rendered": after is not None,
            "kept_promises": result.kept_promises,
            "requested": result.plan.promise.model_dump(mode="json"),
            "before": before,
            "after": after,
        },
        "tracks": _tracks_json(result),
        "engineers": _engineers_json(result),
        "model": _model_json(result),
        "changed": list(result.changed),
        "findings": [finding.model_dump(mode="json") for finding in result.findings],
    }


def _tracks_json(result: AlbumResult) -> list[dict[str, Any]]:
    before, after = _before_after(result, lambda found: _track_values(result, found))
    return [
        {
            "number": number + 1,
            "file": stage.mix.file,
            "output": str(track.output),
            "title": stage.title,
            "engineer": stage.engineer,
            "plan": str(result.folder / AlbumFolder.plan_name(stage.output)),
            "gain_db": track.plan.level.gain_db,
            "tone_rms_db": _rounded(_tone_rms_db(result, number)),
            "kept": track.kept,
            "retagged": track.retagged,
            "before": {**track.before.measured, **before[number]},
            "after": {**track.after.measured, **after[number]} if track.after and after else None,
            "findings": [finding.model_dump(mode="json") for finding in track.findings],
        }
        for number, (stage, track) in enumerate(zip(result.plan.tracks, result.tracks, strict=True))
    ]


def _engineers_json(result: AlbumResult) -> list[dict[str, Any]]:
    before, after = _before_after(result, lambda found: _engineer_values(result, found))
    return [
        {
            "name": stage.name,
            "tracks": [i + 1 for i in _places(result, stage.name)],
            "reliability": stage.reliability,
            "habit": {
                "level_db": stage.habit_level_db,
                "tone_db": [list(estimate) for estimate in stage.habit],
            },
            "correction": {
                "level_db": stage.level_db,
                "level_std_db": stage.level_std_db,
                "tone_db": [list(point) for point in stage.mid],
                "tone_std_db": stage.tone_std_db,
                "width_db": stage.width_db,
            },
            "before": before[number],
            "after": after[number] if after else None,
        }
        for number, stage in enumerate(result.plan.engineers)
    ]


def _model_json(result: AlbumResult) -> dict[str, Any] | None:
    """Return the model's estimates: the songs' variances, outliers, and the engineers' widths."""
    moves = result.moves
    if moves is None:
        return None
    width = moves.width_fit
    named = {stage.name for stage in result.plan.engineers}
    return {
        "tone": {**_song_scale(moves.tone_fit), "frequencies_hz": np.round(TONE_HZ, 1).tolist()},
        "level": {**_song_scale(moves.level_fit), "own_sd_db": LEVEL_OWN_SD_DB},
        "song_weights": np.round(moves.level_fit.song_weights, 3).tolist(),
        "width": None
        if width is None
        else [
            {"engineer": name, "offset_db": round(float(o), 2), "std_db": round(float(s), 2)}
            for name, o, s in zip(width.engineers, width.offsets_db[:, 0], width.std_db[:, 0], strict=True)
            if name in named
        ],
    }


def _song_scale(fit: EffectsFit) -> dict[str, float]:
    return {
        "song_variance_scale": round(fit.song_scale, 3),
        "song_variance_scale_ln_std": round(fit.song_scale_ln_std, 3),
    }


def loudness_lines(result: AlbumResult) -> list[str]:
    """Return the album's loudness in words, before and after."""
    lines = [f"album   {result.plan.promise.why}"]
    for name, found in zip(("before", "after"), _before_after(result, _as_one), strict=True):
        if found is None or found["pooled_lufs"] is None:
            continue
        loudest = f"its loudest, track {found['loudest_track']}, from {found['loudest_lufs']:.1f}"
        lines.append(
            f"{name:<7} {found['pooled_lufs']:.2f} LUFS over all tracks, true peak "
            f"{round(found['true_peak_dbtp'], 2) + 0.0:.2f} dBTP; AES TD1008 would play the album "
            f"{found['aes_gain_db']:+.1f} dB ({loudest} to {AES_LOUDEST_LUFS:g} LUFS)"
        )
    return lines


def work_lines(result: AlbumResult) -> list[str]:
    """Return what this run moved, kept and wrote, in words."""
    count = len(result.tracks)
    rendered = result.tracks[0].after is not None
    if result.unchanged:
        stands = f"all {count} masters" if rendered else "the plans (there are no masters yet)"
        return [f"kept    {stands} in {result.folder}: nothing has changed since they were made"]
    lines = [f"moved   {line}" for line in result.changed]
    kept = sum(track.kept for track in result.tracks)
    if kept:
        lines.append(f"kept    {kept} of {count} masters, made by the same plans in an earlier run")
    retagged = sum(track.retagged for track in result.tracks)
    if retagged:
        lines.append(f"tags    written anew into {retagged} of them; their audio is as it was")
    if kept < count:
        lines.append(f"written {result.folder}" + ("" if rendered else " (plans only)"))
    return lines


def _before_after(
    result: AlbumResult, describe: Callable[[Sequence[TrackFeatures]], T]
) -> tuple[T, T | None]:
    """Return a description of the mixes, and of the masters where all are written."""
    after = [t.after for t in result.tracks if t.after is not None]
    return describe([t.before for t in result.tracks]), describe(after) if after else None


def _as_one(found: Sequence[TrackFeatures]) -> dict[str, Any]:
    """Return the album as one recording, and its AES TD1008 view."""
    levels = [f.integrated_lufs for f in found]
    loudest = int(np.argmax(levels))
    return {
        "pooled_lufs": _rounded(album_lufs(found)),
        "true_peak_dbtp": _rounded(max(f.true_peak_dbtp for f in found)),
        "loudest_track": loudest + 1,
        "loudest_lufs": _rounded(levels[loudest]),
        "aes_gain_db": _rounded(AES_LOUDEST_LUFS - levels[loudest]),
    }


def _track_values(result: AlbumResult, found: Sequence[TrackFeatures]) -> list[Values]:
    _, tone = tone_gaps_db(found)
    level = level_gaps_db(found, result.plan.levels_by)
    return [
        {
            "loud_sections_lufs": _rounded(f.loud_lufs),
            "tone_gap_db": _rounded(float(t)),
            "level_gap_db": _rounded(float(g)),
            "width_db": _rounded(f.width_db),
            "dynamics_plr_db": _rounded(f.plr_db),
        }
        for f, t, g in zip(found, tone, level, strict=True)
    ]


def _engineer_values(result: AlbumResult, found: Sequence[TrackFeatures]) -> list[Values]:
    """Return the mean of each engineer's tracks against the album's."""
    gaps, _ = tone_gaps_db(found)
    level = level_gaps_db(found, result.plan.levels_by)
    values: list[Values] = []
    for stage in result.plan.engineers:
        places = _places(result, stage.name)
        known = np.isfinite(gaps[places])
        mean = np.where(known, gaps[places], 0.0).sum(0) / np.maximum(known.sum(0), 1)
        values.append(
            {
                "tone_gap_db": _rounded(float(np.sqrt(np.mean(mean[known.any(axis=0)] ** 2)))),
                "level_gap_db": _rounded(float(level[places].mean())),
                "width_db": _mean([found[i].width_db for i in places]),
                "dynamics_plr_db": _mean([found[i].plr_db for i in places]),
            }
        )
    return values


def _places(result: AlbumResult, engineer: str) -> list[int]:
    return [i for i, t in enumerate(result.plan.tracks) if t.engineer == engineer]


def _tone_rms_db(result: AlbumResult, number: int) -> float:
    """Return how far a track's tone is moved, besides what every track gets."""
    curves = (result.tracks[number].plan.tone.mid, result.plan.common.mid)
    return float(np.std(curve_at(curves[0], TONE_HZ) - curve_at(curves[1], TONE_HZ)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return _rounded(sum(known) / len(known)) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 3) + 0.0
