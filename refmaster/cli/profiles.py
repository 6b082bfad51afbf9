"""Print what recordings measure: a column for each of a few, a row for each of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from refmaster.check.second_opinion import SecondOpinion
from refmaster.cli import screen
from refmaster.cli.table import Name
from refmaster.profile.model import Profile
from refmaster.report.result import LEVELS, level_rows, shown

Measured = tuple[Profile, SecondOpinion | None]

# More than these stand in rows.
MAX_COLUMNS = 3
# The levels that a row has room for, by their headings.
ROW_LEVELS = {
    "LUFS": "Integrated loudness",
    "LRA LU": "Loudness range",
    "TP dBTP": "True peak",
    "PLR dB": "PLR",
}


def print_profiles(measured: Sequence[Measured]) -> None:
    """Print a table, and what a reader should know of its numbers."""
    profiles = [profile for profile, _ in measured]
    opinions = [opinion for _, opinion in measured if opinion is not None]
    names, facts, more = _names(profiles), _facts(profiles), _opinion_rows(opinions)
    if len(profiles) <= MAX_COLUMNS:
        rows = [*facts, *level_rows(profiles, LEVELS), *more]
        screen.print_table(["", "", *names], rows, text_columns=2)
    else:
        levels = level_rows(profiles, ROW_LEVELS.values())
        columns = [
            *(values for _, _, *values in facts),
            *(values for _, _, *values in levels),
            *(values for _, _, *values in more),
        ]
        header = ["file", "format", "Hz", "ch", "length", *ROW_LEVELS]
        header += [f"{name} {unit}" for name, unit, *_ in more]
        rows = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
        screen.print_table(header, rows, text_columns=2)
    for note in _notes(measured):
        screen.print_text(f"note: {note}", indent=6)


def _names(profiles: Sequence[Profile]) -> list[Name]:
    """Return the recordings by name, those that share one by their whole path."""
    names = [profile.name for profile in profiles]
    return [
        Name(profile.name if names.count(profile.name) == 1 else profile.source.file) for profile in profiles
    ]


def _facts(profiles: Sequence[Profile]) -> list[list[str]]:
    """Return rows of ``[name, unit, value, value, ...]`` on the files themselves."""
    sources = [profile.source for profile in profiles]
    return [
        ["Format", "", *(f"{source.container} {source.subtype}" for source in sources)],
        ["Sample rate", "Hz", *(str(source.sample_rate_hz) for source in sources)],
        ["Channels", "", *(str(source.channels) for source in sources)],
        ["Length", "", *(_length(source.duration_s) for source in sources)],
    ]


def _length(duration_s: float) -> str:
    """Return a duration as minutes and seconds, with hours where there are any; never rounded up."""
    minutes, seconds = divmod(math.floor(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _opinion_rows(opinions: Sequence[SecondOpinion]) -> list[list[str]]:
    if not opinions:
        return []
    return [
        ["By pyloudnorm", "LUFS", *(shown(o.integrated_lufs) for o in opinions)],
        ["Difference", "LU", *(shown(o.difference_lu, "{:+.3f}") for o in opinions)],
    ]


def _notes(measured: Sequence[Measured]) -> list[str]:
    """Return what a reader should know: loudness ranges that may move, meters that did not measure."""
    short = [profile for profile, _ in measured if not profile.levels.loudness_range_stable]
    notes = []
    if len(short) > MAX_COLUMNS:
        notes.append(f"{len(short)} recordings last under 60 s, where the loudness range may still move")
    else:
        for profile in short:
            duration_s = math.floor(10 * profile.source.duration_s) / 10  # 59.98 s is under 60 s
            notes.append(
                f"{profile.name} lasts {duration_s:.1f} s; under 60 s the loudness range may still move"
            )
    for profile, opinion in measured:
        if opinion is not None and opinion.skipped:
            notes.append(f"{profile.name} was not measured by pyloudnorm: {opinion.skipped}")
    return notes
