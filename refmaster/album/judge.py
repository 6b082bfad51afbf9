"""What a person should know of an album: what was not reached, whose mix is unlike, what is a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refmaster.album.features import TONE_HZ
from refmaster.album.moves import EngineerMoves
from refmaster.album.outcome import TrackResult, album_lufs
from refmaster.album.plan import AlbumPlan
from refmaster.album.prior import shipped_prior
from refmaster.check.findings import Finding, broken, info, warning
from refmaster.matching.curves import curve_at
from refmaster.matching.explain import REGIONS

# A region this far from the rest of the album, and rare among songs, is the mix's own trouble.
UNLIKE_DB = 5.0
UNLIKE_DEVIATIONS = 2.5
MIN_TRACKS_TO_COMPARE = 3
OUTLIER_WEIGHT = 0.3
# Against songs at large, however alike this album's are.
_SONG_SCALE = 1.0
# A level moved by this much on the evidence of one song is worth a word.
NOTABLE_LEVEL_DB = 2.5
# What engineers call too much of a region.
_TOO_MUCH = {"low mids": "mud", "upper mids": "harshness"}


def judge_album(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[Finding]:
    """Return what concerns the album as a whole."""
    return [*_loudness(plan, tracks), *_formats(plan), *_engineers(plan)]


def judge_tracks(
    plan: AlbumPlan, tracks: Sequence[TrackResult], moves: EngineerMoves | None = None
) -> list[TrackResult]:
    """Return the tracks with what the comparison with each other says of them."""
    unlike = _unlike(plan, tracks)
    if moves is not None:
        for number, weight in enumerate(moves.fits.level.song_weights):
            if weight < OUTLIER_WEIGHT and len(tracks) >= MIN_TRACKS_TO_COMPARE:
                unlike[number].append(
                    info(
                        "unlike_level",
                        "level and peak are unlike the other tracks' (an interlude?): it hardly counts as "
                        "evidence of its engineer's level",
                    )
                )
    return [
        replace(track, findings=(*track.findings, *more)) for track, more in zip(tracks, unlike, strict=True)
    ]


def _loudness(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[Finding]:
    promise = plan.promise
    asked = promise.integrated_lufs
    reached = album_lufs([t.after for t in tracks])
    if promise.limited_by is not None and asked is not None:
        found = "" if reached is None else f": {reached:.2f} LUFS reached ({reached - asked:+.2f} LU)"
        advice = (
            "allow more limiting (max_reduction_db), ask for less loudness, or lower that track (level_db)"
        )
        return [broken("loudness_limited", f"{promise.why}{found}", advice)]
    if asked is None or reached is None or abs(reached - asked) <= promise.tolerance_lu:
        return []
    return [
        broken(
            "loudness_missed",
            f"the album was to have {asked:.2f} LUFS and has {reached:.2f} ({reached - asked:+.2f} LU)",
            "where gains were edited, edit common.gain_db or the album's promise as well",
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
    mono = [i + 1 for i, t in enumerate(plan.tracks) if t.mix.channels == 1]
    if mono and len(mono) < len(plan.tracks):
        listed = ", ".join(map(str, mono))
        findings.append(info("mixed_channels", f"mono, and stays mono: track {listed}"))
    return findings


def _engineers(plan: AlbumPlan) -> list[Finding]:
    named = [t.engineer for t in plan.tracks if t.engineer is not None]
    if len(plan.tracks) < 2:
        return [info("one_track", "one track is no album: there is nothing to bring together")]
    if not named:
        return [
            info(
                "engineers_unknown",
                "no engineer is named: what is theirs and what the songs' cannot be told apart, so tone "
                "moves by at most 0.25 dB RMS and the levels stay as mixed",
                "name them in album.yaml (engineer: ...) if you know them",
            )
        ]
    if len(set(named)) == 1 and len(named) == len(plan.tracks):
        return [info("one_engineer", f"all tracks are by {named[0]}: their differences are the songs' own")]
    findings = _moved_by_one_song(plan)
    if len(set(named)) == len(named):
        findings.append(
            info(
                "one_song_each",
                "every engineer is named for one song: engineer and song can hardly be told apart",
                "leave the names out unless the mixes really differ by hand: wrong names do harm",
            )
        )
    return findings


def _moved_by_one_song(plan: AlbumPlan) -> list[Finding]:
    return [
        warning(
            "level_by_one_song",
            f"{e.name}'s only song is moved by {e.level_db:+.1f} dB against the others",
            "where it is meant to be so quiet or loud: keep: [level]",
        )
        for e in plan.engineers
        if e.tracks == 1 and abs(e.level_db) >= NOTABLE_LEVEL_DB
    ]


def _unlike(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> list[list[Finding]]:
    """Return, for each track, the region in which it differs most from the rest, where songs rarely do."""
    found: list[list[Finding]] = [[] for _ in tracks]
    if len(tracks) < MIN_TRACKS_TO_COMPARE:
        return found
    covariance = _SONG_SCALE * shipped_prior().tone.song_prior().covariance
    moved = np.array([curve_at(t.plan.tone.mid, TONE_HZ) for t in tracks])
    shared = curve_at(plan.common.mid, TONE_HZ)
    tone = np.array([t.before.tone_db for t in tracks]) + moved - shared
    present = np.array([t.before.tone_present for t in tracks])
    hz = TONE_HZ
    rarest = np.zeros(len(tracks))
    for name, low, high in REGIONS:
        inside = (hz >= low) & (hz < high)
        for number in range(len(tracks)):
            bands = present[number]
            others = present.copy()
            others[number] = False
            both = bands & others.any(axis=0)
            if not (inside & both).any() or not (both & ~inside).any():
                continue
            weights = np.where(inside & both, 1.0 / (inside & both).sum(), 0.0) - both / both.sum()
            rest = np.where(others, tone, 0.0).sum(0) / np.maximum(others.sum(0), 1)
            apart = float(weights @ np.where(both, tone[number] - rest, 0.0))
            spread = float(np.sqrt(weights @ covariance @ weights * (1.0 + 1.0 / (len(tracks) - 1))))
            if abs(apart) < max(UNLIKE_DB, UNLIKE_DEVIATIONS * spread):
                continue
            if abs(apart) / spread > rarest[number]:
                rarest[number] = abs(apart) / spread
                moved_by = float(weights @ moved[number])
                found[number] = [_unlike_finding(name, low, high, apart, moved_by)]
    return found


def _unlike_finding(name: str, low: float, high: float, apart: float, moved: float) -> Finding:
    what = f"{_TOO_MUCH[name]} ({name}, " if apart > 0 and name in _TOO_MUCH else f"{name} ("
    amount = f"{abs(apart):.0f} dB {'of' if name in _TOO_MUCH and apart > 0 else 'more'} {what}"
    if apart < 0:
        amount = f"{abs(apart):.0f} dB less {what}"
    done = f"after {moved:+.1f} dB of correction, " if abs(moved) >= 0.5 else ""
    return warning(
        "unlike_the_album",
        f"{done}{amount}{low:.0f}-{high:.0f} Hz) against the rest of the album",
        "ask for a new mix, unless the song wants it so",
    )
