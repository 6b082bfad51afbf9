"""Findings about an album: a missed loudness, mixed formats, a mix unlike the others, unsure engineers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refmaster._types import Array, Mask
from refmaster.album.effect_models import shipped_album_prior
from refmaster.album.effects import MAX_UNKNOWN_RMS_DB
from refmaster.album.features import TONE_HZ
from refmaster.album.moves import EngineerMoves
from refmaster.album.plan import AlbumPlan
from refmaster.album.pooled import album_lufs
from refmaster.album.result import TrackResult
from refmaster.check.findings import Finding, broken, info, warning
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import follows_reference
from refmaster.matching.explain import REGIONS
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB

# A region this far from the rest of the album, and this rare among songs, is worth a new mix.
UNLIKE_DB = 5.0
UNLIKE_DEVIATIONS = 2.5
MIN_TRACKS_TO_COMPARE = 3
OUTLIER_WEIGHT = 0.3
# An engineer's only song moved by this much is worth a warning.
NOTABLE_LEVEL_DB = 2.5
# Engineers' words for too much of a region.
_TOO_MUCH = {"low mids": "mud", "upper mids": "harshness"}


def judge_album(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[Finding]:
    """Return the findings about the album as a whole."""
    return [*_loudness(plan, tracks), *_audible(plan), *_formats(plan), *_engineers(plan)]


def judge_tracks(
    plan: AlbumPlan, tracks: Sequence[TrackResult], moves: EngineerMoves | None = None
) -> tuple[TrackResult, ...]:
    """Return the tracks with the findings that come from comparing them with each other."""
    if len(tracks) < MIN_TRACKS_TO_COMPARE:
        return tuple(tracks)
    unlike = _unlike_regions(plan, tracks)
    if moves is not None:
        for findings, weight in zip(unlike, moves.level_fit.song_weights, strict=True):
            if weight < OUTLIER_WEIGHT:
                findings.append(
                    info(
                        "unlike_level",
                        "level and peak are unlike the other tracks' (an interlude?): this track hardly "
                        "counts in its engineer's level",
                    )
                )
    return tuple(
        replace(track, findings=(*track.findings, *more)) for track, more in zip(tracks, unlike, strict=True)
    )


def _loudness(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[Finding]:
    promise = plan.promise
    asked = promise.integrated_lufs
    written = [t.after for t in tracks if t.after is not None]
    reached = album_lufs(written) if len(written) == len(tracks) else None
    if promise.limited_by is not None and asked is not None:
        found = "" if reached is None else f": {reached:.2f} LUFS reached ({reached - asked:+.2f} LU)"
        message = f"{promise.why}{found}"
        if follows_reference(plan.requested, plan.references):
            advice = "ask for more (loudness: full), or lower that track (level_db)"
            return [warning("loudness_short", message, advice)]
        advice = (
            "allow more limiting (max_reduction_db), ask for less loudness, or lower that track (level_db)"
        )
        return [broken("loudness_limited", message, advice)]
    if asked is None or reached is None or abs(reached - asked) <= promise.tolerance_lu:
        return []
    return [
        broken(
            "loudness_missed",
            f"the album has {reached:.2f} LUFS instead of {asked:.2f} ({reached - asked:+.2f} LU)",
            "if gains were edited, edit common.gain_db or the album's promise as well",
        )
    ]


def _audible(plan: AlbumPlan) -> list[Finding]:
    ratio = plan.promise.noise_to_mask_db
    if ratio is None or ratio <= CLEAN_NOISE_TO_MASK_DB:
        return []
    return [
        warning(
            "limiting_audible",
            f"on one track at least so much limiting is likely to be heard: its noise-to-mask ratio is "
            f"{ratio:.1f} dB, and up to {CLEAN_NOISE_TO_MASK_DB:g} dB counts as clean",
            "ask for less loudness",
        )
    ]


def _formats(plan: AlbumPlan) -> list[Finding]:
    findings = []
    rates = sorted({t.mix.sample_rate_hz for t in plan.tracks})
    if len(rates) > 1 and plan.output.sample_rate_hz is None:
        listed = ", ".join(f"{rate} Hz" for rate in rates)
        findings.append(
            warning(
                "mixed_rates",
                f"the mixes have different sample rates ({listed}), and so have the masters",
                "set output: sample_rate_hz for one rate",
            )
        )
    mono = [str(i) for i, t in enumerate(plan.tracks, 1) if t.mix.channels == 1]
    if mono and len(mono) < len(plan.tracks):
        said = "tracks {} are mono and stay mono" if len(mono) > 1 else "track {} is mono and stays mono"
        findings.append(info("mixed_channels", said.format(", ".join(mono))))
    return findings


def _engineers(plan: AlbumPlan) -> list[Finding]:
    named = [t.engineer for t in plan.tracks if t.engineer is not None]
    if len(plan.tracks) < 2:
        return [info("one_track", "the album has one track: there is nothing to bring together")]
    if not named:
        return [
            info(
                "engineers_unknown",
                "no engineer is named, so engineers cannot be told from songs: tone moves by at most "
                f"{MAX_UNKNOWN_RMS_DB:g} dB RMS, and the levels stay as mixed",
                "name them in album.yaml (engineer: ...) if you know them",
            )
        ]
    if len(set(named)) == 1 and len(named) == len(plan.tracks):
        return [info("one_engineer", f"all tracks are by {named[0]}: their differences are the songs' own")]
    findings = [
        warning(
            "level_by_one_song",
            f"{e.name}'s only song is moved by {e.level_db:+.1f} dB against the others",
            "if it is meant to be so quiet or loud, set keep: [level]",
        )
        for e in plan.engineers
        if e.tracks == 1 and abs(e.level_db) >= NOTABLE_LEVEL_DB
    ]
    if len(set(named)) == len(named):
        findings.append(
            info(
                "one_song_each",
                "every engineer is named for one song: engineer and song can hardly be told apart",
                "leave the names out unless you are sure of them: wrong names do harm",
            )
        )
    return findings


def _unlike_regions(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[list[Finding]]:
    """Return, for each track, the region in which it differs most from the rest, where songs rarely do."""
    moved = np.array([curve_at(t.plan.tone.mid, TONE_HZ) for t in tracks])
    tone = np.array([t.before.tone_db for t in tracks]) + moved - curve_at(plan.common.mid, TONE_HZ)
    present = np.array([t.before.tone_present for t in tracks])
    found = []
    for number in range(len(tracks)):
        others = present.copy()
        others[number] = False
        rest = np.where(others, tone, 0.0).sum(0) / np.maximum(others.sum(0), 1)
        both = present[number] & others.any(axis=0)
        apart = np.where(both, tone[number] - rest, 0.0)
        found.append(_rarest_region(apart, both, moved[number], len(tracks) - 1))
    return found


def _rarest_region(apart_db: Array, both: Mask, moved_db: Array, others: int) -> list[Finding]:
    """Return the finding about the region that is rarest among songs, where one is rare enough."""
    covariance = shipped_album_prior().tone.song_prior().covariance
    covariance = (covariance + np.diag(np.diag(covariance))) / 2  # 25 songs cannot settle what bands share
    found: list[Finding] = []
    rarest = 0.0
    for name, low, high in REGIONS:
        inside = both & (low <= TONE_HZ) & (high > TONE_HZ)
        if not inside.any() or inside.sum() == both.sum():
            continue
        weights = inside / inside.sum() - both / both.sum()
        apart = float(weights @ apart_db)
        spread = float(np.sqrt(weights @ covariance @ weights * (1.0 + 1.0 / others)))
        if abs(apart) >= max(UNLIKE_DB, UNLIKE_DEVIATIONS * spread) and abs(apart) / spread > rarest:
            rarest = abs(apart) / spread
            found = [_unlike_finding(name, f"{low:.0f}-{high:.0f} Hz", apart, float(weights @ moved_db))]
    return found


def _unlike_finding(region: str, hertz: str, apart: float, moved: float) -> Finding:
    said = f"{abs(apart):.0f} dB {'more' if apart > 0 else 'less'} {region} ({hertz})"
    if apart > 0 and region in _TOO_MUCH:
        said = f"{apart:.0f} dB of {_TOO_MUCH[region]} ({region}, {hertz})"
    done = f"after {moved:+.1f} dB of correction, " if abs(moved) >= 0.5 else ""
    return warning(
        "unlike_the_album",
        f"{done}{said} against the rest of the album",
        "ask for a new mix, unless the song wants it so",
    )
