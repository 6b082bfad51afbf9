"""The request for a release: all that keeps an album.yaml from it, at once and before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refmaster.album.request import Album, load_album
from refmaster.errors import AudioError, SettingsError
from refmaster.io.open import open_audio
from refmaster.io.source import AudioFormat
from refmaster.release.cdtext import cd_text_of
from refmaster.release.disc import PAUSE_SECTORS, Disc, DiscTrack, disc_problems
from refmaster.release.layout import Layout, Song, lay_out, layout_problems
from refmaster.release.sides import sides_of
from refmaster.settings.document import KeyPath
from refmaster.settings.target_files import delivery_target
from refmaster.settings.targets import DeliveryTarget

Problems = list[tuple[KeyPath, str]]


@dataclass(frozen=True, kw_only=True)
class ReleaseRequest:
    """An album to be released, with the delivery targets it is for.

    Attributes
    ----------
    album : Album
        Its masters are to be float files, which are shortened once for each thing made of them.
    targets : dict of str to DeliveryTarget
    """

    album: Album
    targets: dict[str, DeliveryTarget]

    @property
    def has_cd(self) -> bool:
        """Whether a CD is made."""
        return self.album.settings.release.cd


def release_request(source: str | Album) -> ReleaseRequest:
    """Return an album that can be released.

    Parameters
    ----------
    source : str or Album
        As for `refmaster.album.request.load_album`.

    Raises
    ------
    SettingsError
        Naming everything that keeps it from that.
    """
    album = source if isinstance(source, Album) else load_album(source)
    problems: Problems = []
    targets = {}
    for number, name in enumerate(album.settings.release.targets):
        try:
            targets[name] = delivery_target(name)
        except SettingsError as error:
            problems.append((("release", "targets", number), str(error)))
    formats = _formats(album, problems)
    if len(formats) == len(album.paths):
        songs = [
            Song(
                frames=_at_rate(form, program_rate_hz(formats)),
                sequence=track.sequence,
                head_quiet_s=0.0,
                tail_quiet_s=0.0,
            )
            for form, track in zip(formats, album.settings.tracks, strict=True)
        ]
        problems += _sequence_problems(album, songs, program_rate_hz(formats))
    if problems:
        raise album.problems_error(problems)
    output = album.settings.output.model_copy(update={"format": "wav", "bit_depth": "32f"})
    settings = album.settings.model_copy(update={"output": output})
    return ReleaseRequest(album=replace(album, settings=settings), targets=targets)


def program_rate_hz(formats: Sequence[AudioFormat]) -> int:
    """Return the highest sample rate, which loses nothing of any song."""
    return max(form.sample_rate_hz for form in formats)


def disc_of(album: Album, layout: Layout) -> Disc:
    """Return an album's program as a disc."""
    settings = album.settings
    barcode = settings.barcode
    tracks = []
    for number, marks in enumerate(layout.marks):
        track = settings.tracks[marks.song]
        pregap = marks.pregap
        first = number == 0
        tracks.append(
            DiscTrack(
                indexes=tuple(PAUSE_SECTORS + sector for sector in marks.indexes),
                pregap_sector=0 if first else None if pregap is None else PAUSE_SECTORS + pregap,
                title=album.titles[marks.song],
                performer=track.artist or settings.artist or "",
                isrc=track.isrc,
            )
        )
    return Disc(
        tracks=tuple(tracks),
        lead_out=PAUSE_SECTORS + layout.sectors,
        title=settings.title or "",
        performer=settings.artist or "",
        ean=None if barcode is None else barcode.rjust(13, "0"),
    )


def disc_errors(album: Album, layout: Layout) -> Problems:
    """Return what keeps an album from a CD, with the keys of album.yaml that it is about."""
    disc = disc_of(album, layout)
    problems: Problems = [(("tracks",), problem) for problem in disc_problems(disc)]
    if not album.settings.release.cd_text:
        return problems
    try:
        cd_text_of(disc)
    except SettingsError as error:
        problems.append((("tracks",), str(error)))
    return problems


def _formats(album: Album, problems: Problems) -> list[AudioFormat]:
    """Return the formats of the mixes; what cannot be read is a problem."""
    formats = []
    for number, path in enumerate(album.paths):
        try:
            form = open_audio(path).format
        except AudioError as error:
            problems.append((("tracks", number, "file"), str(error)))
            continue
        if form.frames is None:
            form = replace(form, frames=sum(len(block) for block in open_audio(path).blocks()))
        formats.append(form)
    return formats


def _at_rate(form: AudioFormat, rate_hz: int) -> int:
    return round((form.frames or 0) * rate_hz / form.sample_rate_hz)


def _sequence_problems(album: Album, songs: Sequence[Song], rate_hz: int) -> Problems:
    """Return what cannot be done, and what no CD can hold whatever the gaps come to."""
    found = layout_problems(songs, rate_hz)
    problems: Problems = [(("tracks", n, "sequence", key), text) for n, key, text in found]
    if all(song.sequence.hidden for song in songs):
        problems.append((("tracks",), "expected a track with a number, found hidden ones only"))
    if problems:
        return problems
    # Gaps that depend on the masters count as none here, so that what is said holds in any case.
    shortest = [
        replace(song, sequence=song.sequence.model_copy(update={"gap_s": 0.0}))
        if song.sequence.gap_s == "auto"
        else song
        for song in songs
    ]
    layout, vinyl = lay_out(shortest, rate_hz), album.settings.release.vinyl
    if album.settings.release.cd:
        problems += disc_errors(album, layout)
    if vinyl is not None:
        try:
            sides_of(layout, vinyl)
        except SettingsError as error:
            problems.append((("release", "vinyl", "sides"), str(error)))
    return problems
