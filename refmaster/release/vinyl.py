"""The sides of a record: which songs stand on each, and premasters without a limiter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.album.result import AlbumResult
from refmaster.check.findings import Finding, info
from refmaster.check.vinyl import judge_vinyl
from refmaster.errors import SettingsError
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.release.disc import SECTORS_PER_SECOND
from refmaster.release.layout import Layout
from refmaster.rendering.render import render_file
from refmaster.settings.sequence import VinylSettings
from refmaster.settings.vinyl import vinyl_side

# The grooves near the centre are read more slowly: what is loud belongs outside.
TOLD_LOUDER_LU = 1.5


def sides_of(layout: Layout, asked: VinylSettings) -> list[list[int]]:
    """Return the tracks (from 0) on each side, in the order of the program.

    Where nothing is asked they are split over as few pairs of sides as hold them, the longest side as short
    as it can be.

    Raises
    ------
    SettingsError
        The sides that were asked for are not the tracks in order, or a track is too long for a side.
    """
    lengths = track_lengths_s(layout)
    if asked.sides:
        sides = [[number - 1 for number in side] for side in asked.sides]
        if list(itertools.chain.from_iterable(sides)) != list(range(len(lengths))):
            raise SettingsError(
                f"release.vinyl.sides: expected the tracks 1 to {len(lengths)} in order, each once, found "
                f"{[list(side) for side in asked.sides]}"
            )
        return sides
    most_s = vinyl_side(asked.size_inch, asked.speed_rpm).most_s
    for count in range(2, len(lengths) + 2, 2):
        sides = _split(lengths, count)
        if all(sum(lengths[track] for track in side) <= most_s for side in sides):
            return sides
    return [[track] for track in range(len(lengths))]


def track_lengths_s(layout: Layout) -> list[float]:
    """Return the length of each numbered track, to the start of the next one."""
    starts = [*(marks.indexes[0] for marks in layout.marks), layout.sectors]
    return [(after - before) / SECTORS_PER_SECOND for before, after in itertools.pairwise(starts)]


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


def _split(lengths: Sequence[float], count: int) -> list[list[int]]:
    """Return tracks in order on so many sides at most, the longest side as short as it can be."""
    best: dict[tuple[int, int], tuple[float, list[list[int]]]] = {}

    def split(first: int, left: int) -> tuple[float, list[list[int]]]:
        if (first, left) not in best:
            if first == len(lengths):
                best[first, left] = (0.0, [])
            elif left == 1:
                best[first, left] = (sum(lengths[first:]), [list(range(first, len(lengths)))])
            else:
                options = []
                for stop in range(first + 1, len(lengths) + 1):
                    longest, rest = split(stop, left - 1)
                    options.append(
                        (max(sum(lengths[first:stop]), longest), [list(range(first, stop)), *rest])
                    )
                best[first, left] = min(options, key=lambda option: option[0])
        return best[first, left]

    return split(0, count)[1]
