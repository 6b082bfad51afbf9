"""A compact disc: its tracks in sectors, and the rules of the Red Book (IEC 60908).

Positions are sectors of 1/75 s, 588 frames of 44.1 kHz stereo, counted from the start of the disc's time,
where the pause of the first track begins.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

SAMPLE_RATE_HZ = 44100
SECTORS_PER_SECOND = 75
SECTOR_FRAMES = SAMPLE_RATE_HZ // SECTORS_PER_SECOND
SECTOR_BYTES = 4 * SECTOR_FRAMES
PAUSE_SECTORS = 2 * SECTORS_PER_SECOND
MAX_TRACKS = 99
MAX_INDEX = 99
MIN_TRACK_SECTORS = 4 * SECTORS_PER_SECOND
# 79.8 minutes; plants differ.
MAX_DISC_SECTORS = 359_100


@dataclass(frozen=True, kw_only=True)
class DiscTrack:
    """One track of a disc.

    Attributes
    ----------
    indexes : tuple of int
        Sectors of index 01, 02 and so on; music begins at the first.
    pregap_sector : int or None
        Sector of index 00, where the display begins to count down; None without a gap.
    title, performer : str
        Empty where there is none.
    isrc : str or None
        Twelve characters.
    pre_emphasis, copy_permitted : bool
    """

    indexes: tuple[int, ...]
    pregap_sector: int | None = None
    title: str = ""
    performer: str = ""
    isrc: str | None = None
    pre_emphasis: bool = False
    copy_permitted: bool = False

    @property
    def start(self) -> int:
        """The sector at which a player starts the track."""
        return self.indexes[0]

    @property
    def first(self) -> int:
        """The sector at which the track begins, its gap included."""
        return self.start if self.pregap_sector is None else self.pregap_sector

    def numbered_indexes(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of the indexes with their sectors."""
        if self.pregap_sector is not None:
            yield 0, self.pregap_sector
        yield from enumerate(self.indexes, start=1)


@dataclass(frozen=True, kw_only=True)
class Disc:
    """A disc as it is to be pressed.

    Attributes
    ----------
    tracks : tuple of DiscTrack
        The first has its pause at sector 0.
    lead_out : int
        Sector after the last one of the program.
    title, performer : str
    ean : str or None
        Thirteen digits.
    """

    tracks: tuple[DiscTrack, ...]
    lead_out: int
    title: str = ""
    performer: str = ""
    ean: str | None = None

    def track_sectors(self) -> list[int]:
        """Return the length of each track from its start to that of the next one, or to the lead-out."""
        starts = [*(track.start for track in self.tracks), self.lead_out]
        return [after - before for before, after in itertools.pairwise(starts)]


def msf(sectors: int) -> tuple[int, int, int]:
    """Return minutes, seconds and frames (1/75 s) of a number of sectors."""
    seconds, frames = divmod(sectors, SECTORS_PER_SECOND)
    return (*divmod(seconds, 60), frames)


def msf_text(sectors: int) -> str:
    """Return a position as MM:SS:FF."""
    return "{:02d}:{:02d}:{:02d}".format(*msf(sectors))


def disc_problems(disc: Disc) -> list[str]:
    """Return every rule of the Red Book that a disc breaks, in words; empty for one that can be pressed."""
    problems = []
    count = len(disc.tracks)
    if not 1 <= count <= MAX_TRACKS:
        problems.append(f"expected 1 to {MAX_TRACKS} tracks on a CD, found {count}")
    if disc.lead_out > MAX_DISC_SECTORS:
        problems.append(
            f"expected at most {msf_text(MAX_DISC_SECTORS)} ({MAX_DISC_SECTORS / 4500:.1f} minutes) on a CD, "
            f"found {msf_text(disc.lead_out)}"
        )
    if disc.tracks and disc.tracks[0].pregap_sector != 0:
        problems.append("track 1: expected its pause to begin at 00:00:00")
    if disc.tracks and disc.tracks[0].start < PAUSE_SECTORS:
        problems.append(
            f"track 1: expected its music to begin at {msf_text(PAUSE_SECTORS)} or later, found "
            f"{msf_text(disc.tracks[0].start)}"
        )
    ends = [*(track.first for track in disc.tracks[1:]), disc.lead_out][:count]
    for number, (track, end, length) in enumerate(
        zip(disc.tracks, ends, disc.track_sectors(), strict=True), start=1
    ):
        problems += [f"track {number}: {problem}" for problem in _track_problems(track, end, length)]
    return problems


def _track_problems(track: DiscTrack, end: int, length: int) -> Iterator[str]:
    places = [sector for _, sector in track.numbered_indexes()]
    if any(after <= before for before, after in itertools.pairwise([*places, end])):
        shown = ", ".join(msf_text(place) for place in places)
        yield f"expected indexes that rise and lie within the track (to {msf_text(end)}), found {shown}"
    if len(track.indexes) > MAX_INDEX:
        yield f"expected at most {MAX_INDEX} indexes, found {len(track.indexes)}"
    if length < MIN_TRACK_SECTORS:
        yield (
            f"expected at least {MIN_TRACK_SECTORS / SECTORS_PER_SECOND:.0f} s, found "
            f"{length / SECTORS_PER_SECOND:.2f} s"
        )
