"""An album's result: its tracks before and after, and the album as one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refmaster._types import Array
from refmaster.album.features import TONE_HZ, TrackFeatures
from refmaster.album.moves import EngineerMoves
from refmaster.album.plan import AlbumPlan, track_curves, track_gain_db
from refmaster.album.words import tone_words
from refmaster.check.findings import Finding, kept_promises
from refmaster.matching.curves import curve_at
from refmaster.plan import MasteringPlan
from refmaster.settings.summary import Summarized, measured

NOTABLE_GAIN_DB = 0.05
SUMMARY_TRACKS = 6


@dataclass(frozen=True, kw_only=True)
class TrackResult:
    """One track, before and after.

    Attributes
    ----------
    before : TrackFeatures
    plan : MasteringPlan
        The track's own.
    output : Path
    findings : tuple of Finding
    after : TrackFeatures or None
        As measured on the written file; None in a dry run.
    kept : bool
        The master was there already, made by the same plan.
    retagged : bool
        It was, and got other tags.
    """

    before: TrackFeatures
    plan: MasteringPlan
    output: Path
    findings: tuple[Finding, ...]
    after: TrackFeatures | None = None
    kept: bool = False
    retagged: bool = False


@dataclass(frozen=True, kw_only=True, repr=False)
class AlbumResult(Summarized):
    """An album as asked for and as achieved.

    Attributes
    ----------
    plan : AlbumPlan
        Renders to the same bytes again.
    tracks : tuple of TrackResult
        In order.
    folder : Path
    findings : tuple of Finding
        Of the album as a whole; each track has its own.
    moves : EngineerMoves or None
        The engineers' habits as predicted; None where an album plan was rendered.
    changed : tuple of str
        Differences from the album plan that was in the folder before.
    unchanged : bool
        The same was asked as by the last run, and all that it wrote stands: nothing was done.
    """

    plan: AlbumPlan
    tracks: tuple[TrackResult, ...]
    folder: Path
    findings: tuple[Finding, ...]
    moves: EngineerMoves | None = None
    changed: tuple[str, ...] = ()
    unchanged: bool = False

    @property
    def kept_promises(self) -> bool:
        """True where no finding is a broken promise."""
        return kept_promises([*self.findings, *(f for track in self.tracks for f in track.findings)])

    def summary(self) -> list[tuple[str, str]]:
        """Return the album, its first tracks with their masters' loudness, and the promises."""
        plan, shown = self.plan, self.tracks[:SUMMARY_TRACKS]
        rows = [
            ("album", f"{plan.title or 'untitled'}, tracks: {len(self.tracks)}, in {self.folder}"),
            (
                "promise",
                f"{measured(plan.promise.integrated_lufs, 'LUFS')}, at most "
                f"{plan.promise.true_peak_dbtp:g} dBTP: {'kept' if self.kept_promises else 'broken'}",
            ),
        ]
        for number, (track, stage) in enumerate(zip(shown, plan.tracks, strict=False), 1):
            found = measured(track.after.integrated_lufs, "LUFS") if track.after else "planned"
            rows.append((f"track {number}", f"{stage.title}, {stage.engineer or 'no engineer'}: {found}"))
        if len(self.tracks) > len(shown):
            rows.append(("and", f"{len(self.tracks) - len(shown)} more"))
        return rows


def tone_gaps_db(found: Sequence[TrackFeatures]) -> tuple[Array, Array]:
    """Return each track's tone against the album's mean, and how far that is apart.

    Returns
    -------
    gaps : ndarray, shape (tracks, 27)
        Third octaves at `TONE_HZ`, level removed; not-a-number where a track has no energy.
    rms : ndarray, shape (tracks,)
        dB.
    """
    tone = np.array([np.where(f.tone_present, f.tone_db, np.nan) for f in found])
    if not np.isfinite(tone).any():
        return tone, np.zeros(len(found))
    tone[~np.isfinite(tone).any(axis=1)] = 0.0
    tone = tone - np.nanmean(tone, axis=1, keepdims=True)
    known = np.isfinite(tone)
    gaps = tone - np.where(known, tone, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    gaps = gaps - np.nanmean(gaps, axis=1, keepdims=True)
    return gaps, np.sqrt(np.nanmean(gaps**2, axis=1))


def level_gaps_db(found: Sequence[TrackFeatures], anchor: str) -> Array:
    """Return each track's anchored level against the mean of all, shape (tracks,)."""
    levels = np.array([f.level_lufs(anchor) for f in found])
    return levels - levels.mean()


def plan_changes(before: AlbumPlan, after: AlbumPlan) -> list[str]:
    """Return, in words, which tracks' plans differ from those of an earlier album plan."""
    known = {Path(t.mix.file).name: i for i, t in enumerate(before.tracks)}
    lines = []
    for number, track in enumerate(after.tracks):
        who = f'track {number + 1} ("{track.title}")'
        old = known.pop(Path(track.mix.file).name, None)
        if old is None:
            lines.append(f"{who}: is new")
            continue
        gain = track_gain_db(after, number) - track_gain_db(before, old)
        curves = [curve_at(track_curves(plan, i)[0], TONE_HZ) for plan, i in ((after, number), (before, old))]
        tone = tone_words(curves[0] - curves[1])
        said = ["a new mix"] if before.tracks[old].mix.sha256 != track.mix.sha256 else []
        said += [f"gain {gain:+.2f} dB"] if abs(gain) >= NOTABLE_GAIN_DB else []
        said += [f"tone {tone}"] if tone else []
        if said:
            lines.append(f"{who}: {', '.join(said)}")
    return [*lines, *(f"{name}: is no longer on the album" for name in known)]
