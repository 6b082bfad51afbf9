"""An album's result in sentences, one for each engineer and each track; an engineer's tone as a small curve.

An engineer's habit is the difference between this engineer's mixes and the album's mean, as predicted by the
model; it is sure to its standard deviation. Behind it stands what is added to take it back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster._types import Array
from refmaster.album.features import TONE_HZ
from refmaster.album.plan import AlbumPlan, EngineerStage, TrackStage
from refmaster.album.result import AlbumResult, level_gaps_db
from refmaster.album.words import UNHEARD_DB, telling_range, tone_words
from refmaster.matching.curves import curve_at

_LEVELS = {
    "loud_sections": "its loud sections",
    "max_short_term": "its loudest 3 seconds",
    "integrated": "the whole of it",
}
# The curve's height in rows above and below 0 dB, and what a row may be, in dB.
_ROWS = 4
_STEPS_DB = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


def engineer_lines(result: AlbumResult) -> list[str]:
    """Return a sentence for each named engineer: the habits found, how sure they are, what is done."""
    return [_engineer_line(result.plan, stage) for stage in result.plan.engineers]


def track_lines(result: AlbumResult) -> list[str]:
    """Return a sentence for each track: its gain and loudness, its tone, its place in the album."""
    found = [t.before for t in result.tracks]
    if all(t.after is not None for t in result.tracks):
        found = [t.after for t in result.tracks if t.after is not None]
    gaps = level_gaps_db(found, result.plan.levels_by)
    return [_track_line(result, number, float(gap)) for number, gap in enumerate(gaps)]


def common_line(result: AlbumResult) -> str | None:
    """Return what the references do to every track; None where there are none."""
    if not result.plan.references:
        return None
    words = tone_words(curve_at(result.plan.common.mid, TONE_HZ)) or "no change of tone"
    return f"all songs, toward the references: {words}"


def curve_lines(stage: EngineerStage) -> list[str]:
    """Return an engineer's habit in tone as a small curve of text, 62 columns wide; empty where unknown."""
    if not stage.habit:
        return []
    habit, std = _habit(stage)
    reach = float((np.abs(habit) + std).max())
    step = next((s for s in _STEPS_DB if reach <= _ROWS * s), _STEPS_DB[-1])
    rows = range(_ROWS, -_ROWS - 1, -1)
    lines = []
    for row in rows:
        cells = [
            "*" if round(h / step) == row else _beside(row, h, s, step)
            for h, s in zip(habit, std, strict=True)
        ]
        lines.append(f"{row * step:+5.2g} dB " + " ".join(cells))
    drawn = [place for place, row in enumerate(rows) if row == 0 or any(c in lines[place] for c in "*|")]
    lines = lines[drawn[0] : drawn[-1] + 1]
    marks = {63: "63", 250: "250", 1000: "1k", 4000: "4k"}
    axis = [" "] * (2 * len(TONE_HZ) + 8)
    for hz, text in marks.items():
        at = 9 + 2 * int(np.argmin(np.abs(TONE_HZ - hz)))
        axis[at : at + len(text)] = text
    title = f"{stage.name}'s tone against the album's: * the habit, | how sure it is"
    return [title, *(line.rstrip() for line in lines), "".join(axis).rstrip() + " Hz"]


def _beside(row: int, habit_db: float, std_db: float, step_db: float) -> str:
    """Return the character of a curve's cell that the habit itself does not fall into."""
    if abs(row * step_db - habit_db) <= std_db:
        return "|"
    return "-" if row == 0 else " "


def _engineer_line(plan: AlbumPlan, stage: EngineerStage) -> str:
    tracks = [t for t in plan.tracks if t.engineer == stage.name]
    head = f"{stage.name}, {len(tracks)} song{'s' if len(tracks) != 1 else ''}: "
    special = stage.why.partition("; ")[2]
    if special:
        return head + special
    return head + "; ".join([_tone_habit(stage, tracks), _level_habit(stage, tracks)])


def _tone_habit(stage: EngineerStage, tracks: Sequence[TrackStage]) -> str:
    habit, std = _habit(stage)
    found = telling_range(habit)
    mean, sure = found.mean_db(habit), f"(sure to {found.rms_db(std):.1f})"
    if abs(mean) < UNHEARD_DB:
        return f"tone like the others' {sure}"
    done = found.mean_db(curve_at(stage.mid, TONE_HZ))
    word = found.too_much if mean > 0.0 else found.too_little
    return f"{abs(mean):.1f} dB {word} {found.place} {sure}: {_done(done, 'tone', tracks)}"


def _level_habit(stage: EngineerStage, tracks: Sequence[TrackStage]) -> str:
    habit, sure = stage.habit_level_db, f"(sure to {stage.level_std_db:.1f})"
    if habit is None:
        habit = -stage.level_db
    if abs(habit) < UNHEARD_DB:
        return f"level like the others' {sure}"
    word = "loud" if habit > 0.0 else "quiet"
    return f"{abs(habit):.1f} dB {word} {sure}: {_done(stage.level_db, 'level', tracks)}"


def _done(full_db: float, aspect: str, tracks: Sequence[TrackStage]) -> str:
    """Return what an engineer's tracks get of a correction, which may differ among them."""
    moves = sorted({f"{t.share * full_db:+.1f}" for t in tracks if aspect not in t.keep}, key=float)
    if not moves or set(moves) <= {"+0.0", "-0.0"}:
        return "left as it is"
    return f"{moves[0]} dB" if len(moves) == 1 else f"{moves[0]} to {moves[-1]} dB"


def _habit(stage: EngineerStage) -> tuple[Array, Array]:
    """Return the habit in tone and its standard deviation, at `TONE_HZ`."""
    if not stage.habit:  # an album plan from before it said so
        return -curve_at(stage.mid, TONE_HZ), np.full(len(TONE_HZ), stage.tone_std_db)
    _, habit, std = np.array(stage.habit).T
    return habit, std


def _track_line(result: AlbumResult, number: int, gap_db: float) -> str:
    stage, track, plan = result.plan.tracks[number], result.tracks[number], result.plan
    by = f" ({stage.engineer})" if stage.engineer else ""
    before = f"{track.before.integrated_lufs:.1f}"
    reached = track.after.integrated_lufs if track.after is not None else stage.promise.integrated_lufs
    to = "" if reached is None else f" to {reached:.1f}"
    tone = curve_at(track.plan.tone.mid, TONE_HZ) - curve_at(plan.common.mid, TONE_HZ)
    place = f"{abs(gap_db):.1f} dB {'above' if gap_db > 0.0 else 'below'}"
    if abs(gap_db) < UNHEARD_DB:
        place = "at"
    when = "" if track.after is not None else " in the mixes"
    return (
        f"{number + 1:>2} {stage.title}{by}: {track.plan.level.gain_db:+.1f} dB, from {before}{to} LUFS; "
        f"tone {tone_words(tone) or 'as mixed'}; {_LEVELS[plan.levels_by]} {place} the album's mean{when}"
    )
