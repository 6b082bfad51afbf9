"""Release an album end to end: master it, lay it out, write archive, CD and deliveries, and the sheet."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from refmaster._types import Progress
from refmaster.album.passes import master_album
from refmaster.album.planning import name_of
from refmaster.album.pooled import album_lufs
from refmaster.album.request import Album
from refmaster.album.result import AlbumResult
from refmaster.check.findings import Finding, info
from refmaster.delivery.adapt import LOSSY_CONTAINERS
from refmaster.io.formats import output_format_for
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource
from refmaster.meters.true_peak import TruePeakMeter
from refmaster.profile.cache import cached_profile
from refmaster.profile.model import Profile
from refmaster.release import ddp
from refmaster.release.cue import cue_text
from refmaster.release.disc import PAUSE_SECTORS, SAMPLE_RATE_HZ, SECTOR_FRAMES, Disc
from refmaster.release.labels import label_pieces
from refmaster.release.layout import Layout, frames_at, lay_out, song_of
from refmaster.release.place import DDP, ReleaseFolder
from refmaster.release.program import Program
from refmaster.release.request import ReleaseRequest, disc_errors, disc_of, release_request
from refmaster.release.result import ReleasedSet, ReleaseResult
from refmaster.release.sheet import write_sheet
from refmaster.release.sides import sides_of
from refmaster.release.transitions import judge_transitions, transitions_of, write_previews
from refmaster.release.vinyl import judge_sides, render_unlimited, side_name
from refmaster.release.writing import Piece, ProgramForm, WrittenPieces, write_pieces
from refmaster.settings.output import BitDepth
from refmaster.settings.sequence import VinylSettings
from refmaster.settings.targets import DeliveryTarget

ARCHIVE, CD, VINYL, PREVIEWS = "Archive", "CD", "Vinyl", "Previews"
UNLIMITED = "Masters without limiter"  # while the sides are made
ARCHIVE_BITS, CD_BITS = 24, 16


def release_album(
    source: str | Path | Album,
    folder: str | Path,
    *,
    previews: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ReleaseResult:
    """Master an album and write everything that a plant, a distributor and an archive need of it.

    Parameters
    ----------
    source : str, Path or Album
        album.yaml, or a folder of mixes in the order of their names.
    folder : str or Path
        For the release. It holds the old release until the new one is complete.
    previews : bool
        Write what each transition sounds like, in the folder ``Previews``.
    overwrite : bool
        Replace a folder that holds something else.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Raises
    ------
    SettingsError
        Naming everything that cannot be released; nothing has been written then.
    InputError
        A mix cannot be read, or the folder not be written.
    """
    request = release_request(source if isinstance(source, Album) else str(source))
    place = ReleaseFolder(folder, overwrite=overwrite)
    place.prepare()
    album = master_album(request.album, place.masters, overwrite=True, progress=progress)
    masters = tuple(cached_profile(place.masters / track.output.name) for track in album.tracks)
    layout = _layout(request.album, masters)
    disc = disc_of(request.album, layout)
    build = _Build(request, place, layout, disc, masters, album, progress)
    sets = [build.archive()]
    if request.has_cd:
        sets.append(build.compact_disc())
    sets += [build.delivery(name, target) for name, target in request.targets.items()]
    if request.album.settings.release.vinyl is not None:
        sets.append(build.vinyl(request.album.settings.release.vinyl))
    if previews:
        build.previews()
    transitions = transitions_of(masters, layout)
    build.findings += judge_transitions(transitions, request.album.titles)
    result = ReleaseResult(
        folder=place.path,
        album=album,
        request=request,
        layout=layout,
        disc=disc,
        masters=masters,
        sets=tuple(sets),
        integrated_lufs=build.integrated_lufs,
        transitions=tuple(transitions),
        findings=tuple(build.findings),
    )
    write_sheet(result, place.making)
    place.commit()
    return result


def _layout(album: Album, masters: Sequence[Profile]) -> Layout:
    """Return the layout of the masters; SettingsError where it came out too long for a CD."""
    rate = max(profile.source.sample_rate_hz for profile in masters)
    songs = [
        song_of(profile, round(profile.source.frames * rate / profile.source.sample_rate_hz), track.sequence)
        for profile, track in zip(masters, album.settings.tracks, strict=True)
    ]
    layout = lay_out(songs, rate)
    problems = disc_errors(album, layout) if album.settings.release.cd else []
    if problems:
        raise album.problems_error(problems)
    return layout


class _Build:
    """Makes the files of a release from its program."""

    def __init__(
        self,
        request: ReleaseRequest,
        place: ReleaseFolder,
        layout: Layout,
        disc: Disc,
        masters: Sequence[Profile],
        mastered: AlbumResult,
        progress: Progress | None,
    ) -> None:
        self._album = request.album
        self._folder = place.making
        self._sources = [open_audio(place.masters / track.output.name) for track in mastered.tracks]
        self._channels = max(profile.source.channels for profile in masters)
        self._mastered = mastered
        self.integrated_lufs = album_lufs(
            [track.after for track in mastered.tracks if track.after is not None]
        )
        self._layout = layout
        self._disc = disc
        self._masters = masters
        self._progress = progress
        self._written: dict[object, tuple[Sequence[str], WrittenPieces]] = {}
        self.findings: list[Finding] = []

    def archive(self) -> ReleasedSet:
        """Write the 24-bit masters in the program's own sample rate."""
        form = self._form(self._layout.sample_rate_hz, ARCHIVE_BITS)
        names = [f"{ARCHIVE}/{name}" for name in self._names(".wav")]
        written = self._write(form, names, bit_depth="24", stage="writing the archive")
        self._label(names, written, form, bext=True)
        return self._set(ARCHIVE, names, (), form, written)

    def compact_disc(self) -> ReleasedSet:
        """Write the tracks of a CD, its program with a cue sheet, and the DDP image."""
        form = self._form(SAMPLE_RATE_HZ, CD_BITS)
        names = [f"{CD}/{name}" for name in self._names(".wav")]
        whole = f"{CD}/{self._title}.wav"
        (self._folder / DDP).mkdir(parents=True, exist_ok=True)
        written = self._write(
            form,
            names,
            bit_depth="16",
            stage="writing the CD",
            whole=whole,
            image=self._folder / DDP / ddp.IMAGE_NAME,
            channels=2,
        )
        cue = f"{CD}/{self._title}.cue"
        (self._folder / cue).write_text(
            cue_text(self._disc, Path(whole).name), encoding="utf-8", newline="\n"
        )
        asked = self._album.settings.release
        listed = ddp.write_descriptors(
            self._folder / DDP, self._disc, master_id=asked.master_id, cd_text=asked.cd_text
        )
        ddp.write_checksums(self._folder / DDP, listed)
        others = (whole, cue, *(f"{DDP}/{name}" for name in (*listed, ddp.CHECKSUM_NAME)))
        return self._set(CD, names, others, form, written)

    def delivery(self, name: str, target: DeliveryTarget) -> ReleasedSet:
        """Write the tracks as a delivery target asks."""
        own = self._layout.sample_rate_hz
        rates, depths = target.sample_rates_hz, target.bit_depths
        rate = own if not rates or own in rates else rates[0]
        depth = "24" if not depths or "24" in depths else depths[0]
        suffix = f".{target.containers[0]}"
        lossy = target.containers[0] in LOSSY_CONTAINERS
        own_lufs = self.integrated_lufs
        gain_db, limit = 0.0, target.true_peak_limit_dbtp(own_lufs)
        if target.meant == "required" and target.integrated_lufs is not None and own_lufs is not None:
            gain_db = target.integrated_lufs - own_lufs
        ceiling = min(target.ceiling_dbtp, target.ceiling_dbtp if limit is None else limit)
        bits = None if lossy or depth.endswith("f") else int(depth)
        form = self._form(rate, bits, ceiling_dbtp=ceiling, gain_db=gain_db)
        names = [f"{name}/{file}" for file in self._names(suffix)]
        written = self._write(form, names, bit_depth=None if lossy else depth, stage=f"writing for {name}")
        self._label(names, written, form)
        if written.max_reduction_db > 0.1:
            self.findings.append(
                info(
                    "release_limited",
                    f"{name}: {written.max_reduction_db:.1f} dB of limiting on top of the masters' keeps it "
                    f"under {form.ceiling_dbtp:g} dBTP",
                )
            )
        return self._set(name, names, (), form, written)

    def vinyl(self, asked: VinylSettings) -> ReleasedSet:
        """Write a premaster for each side: 24 bit, no limiter, one gain for the whole record."""
        sides = sides_of(self._layout, asked)
        folder = self._folder / UNLIMITED
        files, songs = render_unlimited(self._mastered, folder, asked, self._progress)
        self.findings += judge_sides(sides, self._layout, songs, asked)
        highest = max(
            (song.levels.true_peak_dbtp for song in songs if song.levels.true_peak_dbtp is not None),
            default=0.0,
        )
        form = ProgramForm(
            sample_rate_hz=self._layout.sample_rate_hz,
            bits=ARCHIVE_BITS,
            ceiling_dbtp=None,
            gain_db=min(0.0, self._album.settings.match.ceiling_dbtp - highest),
            dither_seed=self._album.settings.output.dither_seed,
        )
        starts = [self._layout.marks[side[0]].indexes[0] for side in sides]
        names = [f"{VINYL}/Side {side_name(number)}.wav" for number in range(len(sides))]
        written = self._write(
            form,
            names,
            bit_depth="24",
            stage="writing the sides",
            starts=[0, *starts[1:]],
            sources=[open_audio(file) for file in files],
        )
        shutil.rmtree(folder)
        return self._set(VINYL, names, (), form, written)

    @cached_property
    def _crossfade_peak_dbtp(self) -> float:
        """The true peak where songs overlap, which alone may be higher than the masters'."""
        spans = [
            (song.start, song.start + song.fade_in) for song in self._layout.songs if song.equal_power_in
        ]
        if not spans:
            return -math.inf
        meter, at = TruePeakMeter(self._layout.sample_rate_hz, self._channels), 0
        for block in self._program().blocks():
            if any(first < at + len(block) and at < last for first, last in spans):
                meter.update(block)
            at += len(block)
        return meter.result().true_peak_dbtp

    def _program(self, sources: Sequence[AudioSource] | None = None, channels: int | None = None) -> Program:
        title = self._album.settings.title or "the album"
        return Program(title, sources or self._sources, self._layout, channels or self._channels)

    def previews(self) -> None:
        """Write what each transition sounds like."""
        folder = self._folder / PREVIEWS
        folder.mkdir(parents=True, exist_ok=True)
        write_previews(
            self._program(), self._layout, [name_of(title) for title in self._album.titles], folder
        )

    def _label(
        self, names: Sequence[str], written: WrittenPieces, form: ProgramForm, *, bext: bool = False
    ) -> None:
        label_pieces(
            self._album,
            self._folder,
            names,
            self._layout,
            self._masters,
            peaks_dbfs=written.sample_peaks_dbfs[-len(names) :],
            album_lufs=self.integrated_lufs,
            gain_db=form.gain_db,
            bext=bext,
        )

    @property
    def _title(self) -> str:
        return name_of(self._album.settings.title or "") or "Album"

    def _names(self, suffix: str) -> list[str]:
        """Return the files of the numbered tracks."""
        return [
            f"{number:02d} {name_of(self._album.titles[marks.song])}".strip() + suffix
            for number, marks in enumerate(self._layout.marks, start=1)
        ]

    def _form(
        self,
        rate_hz: int,
        bits: int | None,
        *,
        ceiling_dbtp: float | None = None,
        gain_db: float = 0.0,
    ) -> ProgramForm:
        """Return the form of a program; it is limited where something may have raised its peaks."""
        album_ceiling = self._album.settings.match.ceiling_dbtp
        ceiling = album_ceiling if ceiling_dbtp is None else min(album_ceiling, ceiling_dbtp)
        raised = rate_hz != self._layout.sample_rate_hz or gain_db > 0.0 or ceiling < album_ceiling
        raised = raised or self._crossfade_peak_dbtp > ceiling
        return ProgramForm(
            sample_rate_hz=rate_hz,
            bits=bits,
            ceiling_dbtp=ceiling if raised else None,
            gain_db=gain_db,
            dither_seed=self._album.settings.output.dither_seed,
        )

    def _write(
        self,
        form: ProgramForm,
        names: Sequence[str],
        *,
        bit_depth: BitDepth | None,
        stage: str,
        whole: str | None = None,
        image: Path | None = None,
        channels: int | None = None,
        starts: Sequence[int] | None = None,
        sources: Sequence[AudioSource] | None = None,
    ) -> WrittenPieces:
        if starts is None:
            starts = [marks.indexes[0] for marks in self._layout.marks]
        frames = self._piece_frames(starts, form.sample_rate_hz)
        same = (form, bit_depth, channels or self._channels, Path(names[0]).suffix, tuple(frames))
        if whole is None and image is None and sources is None and same in self._written:
            earlier, written = self._written[same]
            for one, other in zip(earlier, names, strict=True):
                copied = self._folder / other
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._folder / one, copied)
            return written
        program = self._program(sources, channels)

        def piece(name: str, count: int) -> Piece:
            made = output_format_for(
                self._folder / name, program.format, bit_depth=bit_depth, sample_rate_hz=form.sample_rate_hz
            )
            return Piece(path=self._folder / name, format=made, frames=count)

        hidden = len(frames) > len(names)
        pieces = [piece(*each) for each in zip(self._with_hidden(names, hidden), frames, strict=True)]
        beside = None if whole is None else piece(whole, sum(frames))
        written = write_pieces(
            program,
            form,
            pieces,
            whole=beside,
            image=image,
            image_pause_frames=PAUSE_SECTORS * SECTOR_FRAMES,
            progress=self._progress,
            stage=stage,
        )
        if sources is None and not hidden:
            self._written[same] = (names, written)
        return written

    def _with_hidden(self, names: Sequence[str], hidden: bool) -> list[str]:
        """Return the names with one for what stands before the first track."""
        if not hidden:
            return list(names)
        first = Path(names[0])
        return [(first.parent / f"00 {name_of(self._album.titles[0])}{first.suffix}").as_posix(), *names]

    def _piece_frames(self, starts: Sequence[int], rate_hz: int) -> list[int]:
        """Return the frames of each piece: what stands before the first start, then from start to start."""
        edges = (
            [0, *starts[1:], self._layout.sectors] if not starts[0] else [0, *starts, self._layout.sectors]
        )
        places = [frames_at(edge, rate_hz) for edge in edges]
        return [after - before for before, after in itertools.pairwise(places)]

    def _set(
        self,
        name: str,
        files: Sequence[str],
        others: Sequence[str],
        form: ProgramForm,
        written: WrittenPieces,
    ) -> ReleasedSet:
        peaks = written.sample_peaks_dbfs[-len(files) :]
        hidden = self._with_hidden(files, len(written.sample_peaks_dbfs) > len(files))[: -len(files)]
        return ReleasedSet(
            name=name,
            files=tuple(files),
            others=(*hidden, *others),
            sample_rate_hz=form.sample_rate_hz,
            sample_peaks_dbfs=peaks,
            max_reduction_db=written.max_reduction_db,
        )
