"""An album's result as one JSON object, and as tables of its tracks and engineers before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from refmaster.album.effects import EffectsFit
from refmaster.album.features import TONE_HZ, TrackFeatures
from refmaster.album.folder import ALBUM_PLAN_NAME, AlbumFolder
from refmaster.album.outcome import AlbumResult, album_lufs, level_gaps_db, tone_gaps_db
from refmaster.album.prior import LEVEL_OWN_SD_DB
from refmaster.matching.curves import curve_at

# AES TD1008: an album's loudest track at -14 LUFS, the others as they stand to it.
AES_LOUDEST_LUFS = -14.0

TRACK_HEADER = (
    "",
    "track",
    "engineer",
    "gain dB",
    "tone dB RMS",
    "LUFS",
    "tone gap",
    "level gap",
    "width",
    "PLR",
)
ENGINEER_HEADER = (
    "engineer",
    "tracks",
    "level dB",
    "tone dB RMS",
    "known",
    "tone gap",
    "level gap",
    "width",
    "PLR",
)


def album_json(result: AlbumResult) -> dict[str, Any]:
    """Return one object: the album, its tracks in order, its engineers, what the model found, findings."""
    before, after = _sides(result)
    return {
        "album": {
            "title": result.plan.title,
            "folder": str(result.folder),
            "plan": str(result.folder / ALBUM_PLAN_NAME),
            "rendered": bool(after),
            "kept_promises": result.kept_promises,
            "requested": result.plan.promise.model_dump(mode="json"),
            "before": _as_one(before),
            "after": _as_one(after),
        },
        "tracks": _tracks_json(result),
        "engineers": _engineers_json(result),
        "model": _model_json(result),
        "changed": list(result.changed),
        "findings": [finding.model_dump(mode="json") for finding in result.findings],
    }


def _tracks_json(result: AlbumResult) -> list[dict[str, Any]]:
    before, after = _sides(result)
    anchor = result.plan.levels_by
    gaps = [_gaps(before, anchor), _gaps(after, anchor) if after else []]
    rows = []
    for number, (stage, track) in enumerate(zip(result.plan.tracks, result.tracks, strict=True)):
        rows.append(
            {
                "number": number + 1,
                "file": stage.mix.file,
                "output": str(track.output),
                "title": stage.title,
                "engineer": stage.engineer,
                "plan": str(result.folder / AlbumFolder.plan_name(stage.output)),
                "gain_db": track.plan.level.gain_db,
                "tone_rms_db": _rounded(_tone_rms(result, number)),
                "kept": track.kept,
                "before": {**track.before.measured, **gaps[0][number]},
                "after": {**track.after.measured, **gaps[1][number]} if track.after is not None else None,
                "findings": [finding.model_dump(mode="json") for finding in track.findings],
            }
        )
    return rows


def _engineers_json(result: AlbumResult) -> list[dict[str, Any]]:
    before, after = _sides(result)
    anchor = result.plan.levels_by
    rows = []
    for stage in result.plan.engineers:
        places = _places(result, stage.name)
        rows.append(
            {
                "name": stage.name,
                "tracks": [i + 1 for i in places],
                "reliability": stage.reliability,
                "correction": {
                    "level_db": stage.level_db,
                    "level_std_db": stage.level_std_db,
                    "tone_db": [list(point) for point in stage.mid],
                    "tone_std_db": stage.tone_std_db,
                    "width_db": stage.width_db,
                },
                "before": _engineer_values(before, places, anchor),
                "after": _engineer_values(after, places, anchor) if after else None,
            }
        )
    return rows


def _model_json(result: AlbumResult) -> dict[str, Any] | None:
    """Return what the model found: variances, and offsets of what is reported but not corrected."""
    if result.moves is None:
        return None
    fits = result.moves.fits
    return {
        "tone": {**_scales(fits.tone, fits.tone_says), "frequencies_hz": np.round(TONE_HZ, 1).tolist()},
        "level": {**_scales(fits.level, fits.level_says), "own_sd_db": LEVEL_OWN_SD_DB},
        "song_weights": np.round(fits.level.song_weights, 3).tolist(),
        "width": _offsets(fits.width),
        "spread": _offsets(fits.spread),
    }


def _scales(fit: EffectsFit, says: EffectsFit) -> dict[str, Any]:
    return {
        "song_variance_scale": round(fit.song_scale, 3),
        "song_variance_scale_ln_std": round(fit.song_scale_std, 3),
        "engineer_variance_scale_used": 1.0,
        "engineer_variance_scale_of_this_album": round(says.engineer_scale, 3),
        "engineer_variance_scale_of_this_album_ln_std": round(says.engineer_scale_std, 3),
    }


def _offsets(fit: EffectsFit | None) -> list[dict[str, Any]] | None:
    if fit is None:
        return None
    return [
        {"engineer": name, "offset_db": round(float(o), 2), "std_db": round(float(s), 2)}
        for name, o, s in zip(fit.engineers, fit.offsets_db[:, 0], fit.std_db[:, 0], strict=True)
        if not name.startswith("(track ")
    ]


def track_rows(result: AlbumResult) -> list[list[str]]:
    """Return a row for each track, as `TRACK_HEADER`; before and after stand as ``a > b``."""
    before, after = _sides(result)
    anchor = result.plan.levels_by
    one, two = _gaps(before, anchor), _gaps(after, anchor) if after else None
    rows = []
    for number, (stage, track) in enumerate(zip(result.plan.tracks, result.tracks, strict=True)):
        pair = (one[number], two[number] if two else None)
        lufs = (track.before.integrated_lufs, track.after.integrated_lufs if track.after else None)
        rows.append(
            [
                str(number + 1),
                stage.title,
                stage.engineer or "-",
                f"{track.plan.level.gain_db:+.1f}",
                f"{_tone_rms(result, number):.1f}",
                _moved("{:.1f}", *lufs),
                *_moved_values(pair),
            ]
        )
    return rows


def engineer_rows(result: AlbumResult) -> list[list[str]]:
    """Return a row for each named engineer, as `ENGINEER_HEADER`."""
    before, after = _sides(result)
    anchor = result.plan.levels_by
    rows = []
    for stage in result.plan.engineers:
        places = _places(result, stage.name)
        pair = (
            _engineer_values(before, places, anchor),
            _engineer_values(after, places, anchor) if after else None,
        )
        tone = curve_at(stage.mid, TONE_HZ)
        rows.append(
            [
                stage.name,
                str(len(places)),
                f"{stage.level_db:+.1f} ({stage.level_std_db:.1f})",
                f"{np.sqrt(np.mean((tone - tone.mean()) ** 2)):.1f} ({stage.tone_std_db:.1f})",
                f"{stage.reliability:.0%}",
                *_moved_values(pair),
            ]
        )
    return rows


def loudness_lines(result: AlbumResult) -> list[str]:
    """Return the album's loudness in words, before and after."""
    before, after = (_as_one(found) for found in _sides(result))
    lines = [f"album   {result.plan.promise.why}"]
    for name, found in (("before", before), ("after", after)):
        if found is None or found["pooled_lufs"] is None:
            continue
        loudest = f"its loudest, track {found['loudest_track']}, from {found['loudest_lufs']:.1f}"
        lines.append(
            f"{name:<7} {found['pooled_lufs']:.2f} LUFS over all tracks, true peak "
            f"{found['true_peak_dbtp']:.2f} dBTP; AES TD1008 would play the album "
            f"{found['aes_gain_db']:+.1f} dB ({loudest} to {AES_LOUDEST_LUFS:g} LUFS)"
        )
    return lines


def _sides(result: AlbumResult) -> tuple[list[TrackFeatures], list[TrackFeatures]]:
    after = [t.after for t in result.tracks if t.after is not None]
    return [t.before for t in result.tracks], after if len(after) == len(result.tracks) else []


def _as_one(found: Sequence[TrackFeatures]) -> dict[str, Any] | None:
    """Return the album as one recording, and its AES TD1008 view."""
    if not found:
        return None
    levels = [f.integrated_lufs for f in found]
    loudest = int(np.argmax(levels))
    return {
        "pooled_lufs": _rounded(album_lufs(found)),
        "true_peak_dbtp": _rounded(max(f.true_peak_dbtp for f in found)),
        "loudest_track": loudest + 1,
        "loudest_lufs": _rounded(levels[loudest]),
        "aes_gain_db": _rounded(AES_LOUDEST_LUFS - levels[loudest]),
    }


def _gaps(found: Sequence[TrackFeatures], anchor: str) -> list[dict[str, float | None]]:
    _, tone = tone_gaps_db(found)
    level = level_gaps_db(found, anchor)
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


def _engineer_values(
    found: Sequence[TrackFeatures], places: Sequence[int], anchor: str
) -> dict[str, float | None]:
    """Return the mean of an engineer's tracks against the album's."""
    gaps, _ = tone_gaps_db(found)
    mine = gaps[list(places)]
    known = np.isfinite(mine)
    mean = np.where(known, mine, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    level = level_gaps_db(found, anchor)[list(places)]
    return {
        "tone_gap_db": _rounded(float(np.sqrt(np.mean(mean[known.any(axis=0)] ** 2)))),
        "level_gap_db": _rounded(float(level.mean())),
        "width_db": _mean([found[i].width_db for i in places]),
        "dynamics_plr_db": _mean([found[i].plr_db for i in places]),
    }


def _places(result: AlbumResult, engineer: str) -> list[int]:
    return [i for i, t in enumerate(result.plan.tracks) if t.engineer == engineer]


def _tone_rms(result: AlbumResult, number: int) -> float:
    """Return how far a track's tone is moved, besides what every track gets; dB RMS."""
    curve = curve_at(result.tracks[number].plan.tone.mid, TONE_HZ) - curve_at(result.plan.common.mid, TONE_HZ)
    return float(np.sqrt(np.mean((curve - curve.mean()) ** 2)))


def _moved_values(pair: tuple[dict[str, float | None], dict[str, float | None] | None]) -> list[str]:
    forms = {
        "tone_gap_db": "{:.1f}",
        "level_gap_db": "{:+.1f}",
        "width_db": "{:.1f}",
        "dynamics_plr_db": "{:.1f}",
    }
    before, after = pair
    return [_moved(form, before[key], after[key] if after else None) for key, form in forms.items()]


def _moved(form: str, before: float | None, after: float | None) -> str:
    shown = ["-" if v is None else form.format(v + 0.0) for v in (before, after)]
    return shown[0] if after is None or shown[0] == shown[1] else " > ".join(shown)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return _rounded(sum(known) / len(known)) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 3)
