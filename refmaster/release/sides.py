"""The sides of a record: which tracks stand on each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from refmaster.errors import SettingsError
from refmaster.release.disc import SECTORS_PER_SECOND
from refmaster.release.layout import Layout
from refmaster.settings.sequence import VinylSettings
from refmaster.settings.vinyl import vinyl_side


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
                f"expected the tracks 1 to {len(lengths)} in order, each once, found "
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
