"""A release that was made, and the files of each kind in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refmaster.album.result import AlbumResult
from refmaster.check.findings import Finding, kept_promises
from refmaster.profile.model import Profile
from refmaster.release.disc import Disc
from refmaster.release.layout import Layout
from refmaster.release.request import ReleaseRequest
from refmaster.release.transitions import Transition


@dataclass(frozen=True, kw_only=True)
class ReleasedSet:
    """The files of one kind: an archive, a CD or a delivery.

    Attributes
    ----------
    name : str
        Its folder in the release.
    files : tuple of str
        Of the numbered tracks, in order, relative to the release's folder.
    others : tuple of str
        What else belongs to it.
    sample_rate_hz : int
    sample_peaks_dbfs : tuple of (float or None)
        Largest sample of each track; None for silence.
    max_reduction_db : float
        Deepest limiting that was needed on top of the masters', in dB.
    """

    name: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    sample_rate_hz: int
    sample_peaks_dbfs: tuple[float | None, ...]
    max_reduction_db: float


@dataclass(frozen=True, kw_only=True)
class ReleaseResult:
    """A release: the album, its program, and what was made of it.

    Attributes
    ----------
    folder : Path
    album : AlbumResult
    request : ReleaseRequest
    layout : Layout
    disc : Disc
        Positions and texts, also where no CD was asked for.
    masters : tuple of Profile
        Of each song, in order.
    sets : tuple of ReleasedSet
    integrated_lufs : float or None
        Of all masters together.
    transitions : tuple of Transition
    findings : tuple of Finding
        Besides those of the album.
    """

    folder: Path
    album: AlbumResult
    request: ReleaseRequest
    layout: Layout
    disc: Disc
    masters: tuple[Profile, ...]
    sets: tuple[ReleasedSet, ...]
    integrated_lufs: float | None
    transitions: tuple[Transition, ...]
    findings: tuple[Finding, ...]

    @property
    def kept_promises(self) -> bool:
        """Whether neither the album nor the release broke a promise."""
        return self.album.kept_promises and kept_promises(self.findings)

    def all_findings(self) -> list[Finding]:
        """Return the findings of the release, of the album, and of each track under its name."""
        of_tracks = [
            finding.model_copy(update={"message": f"{track.output.stem}: {finding.message}"})
            for track in self.album.tracks
            for finding in track.findings
        ]
        return [*self.findings, *self.album.findings, *of_tracks]
