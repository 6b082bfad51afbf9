"""Premasters of the sides of a record, without a limiter, and the findings on them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.album.result import AlbumResult
from refmaster.check.findings import Finding, info
from refmaster.check.vinyl import judge_vinyl
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.release.layout import Layout
from refmaster.rendering.render import render_file
from refmaster.settings.sequence import VinylSettings

# The grooves near the centre are read more slowly: what is loud belongs outside.
TOLD_LOUDER_LU = 1.5


def render_unlimited(
    mastered: AlbumResult, folder: Path, asked: VinylSettings, progress: Progress | None
) -> tuple[list[Path], list[Profile]]:
    """Render every song of an album without its limiter, as float files; return files and measurements.

    Peaks may be above full scale; one gain for the whole program brings them down.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, profiles = [], []
    for track in mastered.tracks:
        path = folder / track.output.name
        result = render_file(_unlimited(track.plan, asked), path, overwrite=True, progress=progress)
        files.append(path)
        profiles.append(result.master)
    return files, profiles


def judge_sides(
    sides: Sequence[Sequence[int]], layout: Layout, songs: Sequence[Profile], asked: VinylSettings
) -> list[Finding]:
    """Return the findings on the sides: their lengths, what a cutter cannot hold, and their order.

    Parameters
    ----------
    sides : sequence of sequence of int
        Numbers of the tracks from 0.
    layout : Layout
        Of the program.
    songs : sequence of Profile
        As measured without the limiter.
    asked : VinylSettings
        Size and speed.
    """
    findings = []
    for letter, side in zip(_letters(), sides, strict=False):
        on_side = [songs[layout.marks[track].song] for track in side]
        found = judge_vinyl(on_side, size_inch=asked.size_inch, speed_rpm=asked.speed_rpm)
        findings += [each.model_copy(update={"message": f"side {letter}: {each.message}"}) for each in found]
        first, last = on_side[0].levels.max_short_term_lufs, on_side[-1].levels.max_short_term_lufs
        if len(on_side) > 1 and first is not None and last is not None and last > first + TOLD_LOUDER_LU:
            findings.append(
                info(
                    "vinyl_order",
                    f"side {letter}: its last song is {last - first:.1f} LU louder than its first, and the "
                    "innermost grooves hold the least",
                    "put loud songs first where the record allows it",
                    value=round(last - first, 1),
                    limit=TOLD_LOUDER_LU,
                    unit="LU",
                )
            )
    return findings


def side_name(number: int) -> str:
    """Return the letter of a side, from 0."""
    return next(itertools.islice(_letters(), number, None))


def _letters() -> itertools.chain[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return itertools.chain(letters, (one + other for one in letters for other in letters))


def _unlimited(plan: MasteringPlan, asked: VinylSettings) -> MasteringPlan:
    tone = plan.tone.model_copy(update={"mono_below_hz": asked.mono_below_hz})
    limiter = plan.limiter.model_copy(update={"enabled": False})
    return plan.model_copy(update={"tone": tone, "limiter": limiter})
