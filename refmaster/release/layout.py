"""The layout of a program: where each song lies in it, and where the marks of its tracks are.

Songs lie at frames of the program's sample rate. Marks are sectors of 1/75 s from the program's start: a song
that follows a gap begins at one, and where songs touch or overlap the mark is the sector that the next one
begins in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from refmaster.profile.model import Profile
from refmaster.release.disc import SECTORS_PER_SECOND
from refmaster.settings.sequence import TrackSequence

# As long as the pause that a CD has by default, counted from where the ear takes a song to be over.
HEARD_GAP_S = 2.0
# A song is over, or has not begun, this far below its loudest three seconds.
QUIET_BELOW_LOUDEST_LU = 40.0


@dataclass(frozen=True, kw_only=True)
class Song:
    """A master and how it is to follow the one before.

    Attributes
    ----------
    frames : int
        Its length at the program's sample rate.
    sequence : TrackSequence
    head_quiet_s, tail_quiet_s : float
        How long it is quiet before its first sound and after its last.
    """

    frames: int
    sequence: TrackSequence
    head_quiet_s: float
    tail_quiet_s: float


@dataclass(frozen=True, kw_only=True)
class PlacedSong:
    """A song in the program; all in frames of the program's sample rate.

    Attributes
    ----------
    start : int
        Where it begins.
    head : int
        Frames cut off its beginning.
    frames : int
        Frames that are left of it.
    fade_in, fade_out : int
    equal_power_in, equal_power_out : bool
        Whether the fade is half of a crossfade.
    """

    start: int
    head: int
    frames: int
    fade_in: int = 0
    fade_out: int = 0
    equal_power_in: bool = False
    equal_power_out: bool = False

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + self.frames


@dataclass(frozen=True, kw_only=True)
class TrackMarks:
    """The marks of a numbered track, in sectors from the start of the program.

    Attributes
    ----------
    song : int
        Which song it is named after.
    indexes : tuple of int
    pregap : int or None
        Where the silence before it begins.
    """

    song: int
    indexes: tuple[int, ...]
    pregap: int | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A program: its songs, its marks and its length in sectors."""

    sample_rate_hz: int
    songs: tuple[PlacedSong, ...]
    gaps_s: tuple[float, ...]
    marks: tuple[TrackMarks, ...]
    sectors: int

    @property
    def frames(self) -> int:
        """Length in frames."""
        return frames_at(self.sectors, self.sample_rate_hz)


def frames_at(sector: int, sample_rate_hz: int) -> int:
    """Return the frame that a sector begins at."""
    return round(sector * sample_rate_hz / SECTORS_PER_SECOND)


def song_of(profile: Profile, frames: int, sequence: TrackSequence) -> Song:
    """Return a song with the silence at its ends, as heard after trimming and fading.

    Parameters
    ----------
    profile : Profile
        Of the master.
    frames : int
        Its length at the program's rate.
    sequence : TrackSequence
        How it is to follow.
    """
    levels, hop_s = profile.series.momentary_lufs, profile.series.hop_s
    loudest = profile.levels.max_short_term_lufs
    loudest = profile.levels.max_momentary_lufs if loudest is None else loudest
    if loudest is None:
        return Song(frames=frames, sequence=sequence, head_quiet_s=0.0, tail_quiet_s=0.0)
    heard = [n for n, level in enumerate(levels) if level > loudest - QUIET_BELOW_LOUDEST_LU]
    duration_s = profile.source.duration_s
    # A momentary value covers 400 ms, of which a sound may fill the last, or the first.
    first_s = heard[0] * hop_s + 0.3 if heard and heard[0] else 0.0
    last_s = min(duration_s, heard[-1] * hop_s + 0.1) if heard and heard[-1] < len(levels) - 1 else duration_s
    return Song(
        frames=frames,
        sequence=sequence,
        head_quiet_s=max(0.0, first_s - sequence.trim_head_s),
        tail_quiet_s=max(0.0, duration_s - last_s - sequence.trim_tail_s),
    )


def lay_out(songs: Sequence[Song], sample_rate_hz: int) -> Layout:
    """Return the program of songs in order; its problems are those of `layout_problems`."""
    placed: list[PlacedSong] = []
    gaps: list[float] = []
    marks: list[TrackMarks] = []
    for number, song in enumerate(songs):
        asked = song.sequence
        before = placed[-1] if placed else None
        gap_s = _gap_s(songs[number - 1], song) if number else 0.0
        overlap = round(asked.crossfade_s * sample_rate_hz)
        start = 0
        if before is not None:
            start = before.end - overlap
            if gap_s:
                start = frames_at(
                    _sector_after(start + gap_s * sample_rate_hz, sample_rate_hz), sample_rate_hz
                )
            if overlap:
                placed[-1] = replace(before, fade_out=overlap, equal_power_out=True)
        this = _placed(song, start, sample_rate_hz, overlap)
        placed.append(this)
        gaps.append(gap_s - asked.crossfade_s if number else 0.0)
        marks = _with_marks(marks, number, this, before, song, sample_rate_hz)
    sectors = _sector_after(max(song.end for song in placed), sample_rate_hz)
    return Layout(
        sample_rate_hz=sample_rate_hz,
        songs=tuple(placed),
        gaps_s=tuple(gaps),
        marks=tuple(marks),
        sectors=sectors,
    )


def layout_problems(songs: Sequence[Song], sample_rate_hz: int) -> list[tuple[int, str, str]]:
    """Return what cannot be done: the song's place, the key of its sequence, and why."""
    problems = []
    left = [_length(song, sample_rate_hz) for song in songs]
    for number, song in enumerate(songs):
        asked, seconds = song.sequence, left[number] / sample_rate_hz
        if left[number] <= 0:
            problems.append(
                (number, "trim_head_s", f"expected to leave some of its {_s(song, sample_rate_hz)}")
            )
            continue
        if asked.fade_in_s + asked.fade_out_s > seconds:
            found = f"{asked.fade_in_s:g} and {asked.fade_out_s:g} s"
            message = f"expected fades within its {seconds:.1f} s, found {found}"
            problems.append((number, "fade_out_s" if asked.fade_out_s else "fade_in_s", message))
        if any(place >= seconds for place in asked.index_s):
            problems.append((number, "index_s", f"expected positions within its {seconds:.1f} s"))
        if not asked.crossfade_s:
            continue
        if number == 0:
            problems.append((0, "crossfade_s", "the first song has none before it to cross over from"))
            continue
        fades = [(number, seconds), (number - 1, left[number - 1] / sample_rate_hz)]
        for which, length_s in fades:
            own = songs[which].sequence
            taken = asked.crossfade_s + (own.crossfade_s if which == number - 1 else own.fade_out_s)
            if taken > length_s:
                problems.append(
                    (
                        number,
                        "crossfade_s",
                        f"{asked.crossfade_s:g} s are longer than song {which + 1} allows ({length_s:.1f} s)",
                    )
                )
        if songs[number - 1].sequence.fade_out_s:
            problems.append((number, "crossfade_s", f"song {number} fades out already; drop one of them"))
    return problems


def _gap_s(before: Song, song: Song) -> float:
    asked = song.sequence
    if asked.crossfade_s:
        return 0.0
    if asked.gap_s != "auto":
        return float(asked.gap_s)
    return max(0.0, HEARD_GAP_S - before.tail_quiet_s - song.head_quiet_s)


def _length(song: Song, sample_rate_hz: int) -> int:
    asked = song.sequence
    return song.frames - round(asked.trim_head_s * sample_rate_hz) - round(asked.trim_tail_s * sample_rate_hz)


def _s(song: Song, sample_rate_hz: int) -> str:
    return f"{song.frames / sample_rate_hz:.1f} s"


def _placed(song: Song, start: int, sample_rate_hz: int, overlap: int) -> PlacedSong:
    asked = song.sequence
    return PlacedSong(
        start=start,
        head=round(asked.trim_head_s * sample_rate_hz),
        frames=_length(song, sample_rate_hz),
        fade_in=overlap or round(asked.fade_in_s * sample_rate_hz),
        fade_out=round(asked.fade_out_s * sample_rate_hz),
        equal_power_in=overlap > 0,
    )


def _with_marks(
    marks: list[TrackMarks],
    number: int,
    this: PlacedSong,
    before: PlacedSong | None,
    song: Song,
    sample_rate_hz: int,
) -> list[TrackMarks]:
    """Return the marks with those of one more song."""
    if song.sequence.hidden:
        return marks
    start = _sector_at(this.start, sample_rate_hz)
    more = tuple(_sector_at(this.start + s * sample_rate_hz, sample_rate_hz) for s in song.sequence.index_s)
    pregap = None
    if before is not None:
        end = _sector_after(before.end, sample_rate_hz)
        # What stands before the first track is found by going back from it: all of that is its gap.
        pregap = 0 if not marks else end if end < start else None
    return [*marks, TrackMarks(song=number, indexes=(start, *more), pregap=pregap)]


def _sector_at(frame: float, sample_rate_hz: int) -> int:
    return math.floor(frame * SECTORS_PER_SECOND / sample_rate_hz + 1e-9)


def _sector_after(frame: float, sample_rate_hz: int) -> int:
    return math.ceil(frame * SECTORS_PER_SECOND / sample_rate_hz - 1e-9)
