"""The request for an album: album.yaml, or a folder of mixes; a key that would have no effect is refused.

Tracks stand in the album's order. Paths of album.yaml are relative to it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, StringConstraints, field_validator

from refmaster._types import Mask
from refmaster.album.effects import engineer_names
from refmaster.engines.registry import engine_named
from refmaster.errors import OutputError, SettingsError
from refmaster.io.metadata.loudness import require_loudness_tags
from refmaster.io.names import check_text
from refmaster.io.suffixes import is_recording
from refmaster.profile.model import Profile
from refmaster.profile.obtain import References, weighted_references
from refmaster.settings.document import Document, KeyPath, Problem, problems_error, read_document
from refmaster.settings.match import MatchSettings, Percent, Weight
from refmaster.settings.model import Model, PathText, settings_from, validate_document
from refmaster.settings.output import FileSettings
from refmaster.settings.repair import RepairSettings
from refmaster.settings.sequence import Barcode, Isrc, ReleaseSettings, TrackSequence
from refmaster.settings.target_files import delivery_target

EngineerName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Aspect = Literal["tone", "level", "width"]
LevelAnchor = Literal["loud_sections", "max_short_term", "integrated"]

# What the command line calls fields of `match`.
MATCH_NAMES = {
    "target_lufs": "--lufs",
    "ceiling_dbtp": "--ceiling",
    "max_reduction_db": "--max-reduction",
    "strength": "--strength",
}
# Fields of `match` that act without a reference.
ACTS_ALONE = frozenset({"target_lufs", "ceiling_dbtp", "max_reduction_db", "phase", "engine"})
NO_SECTIONS = "an album has one curve for all of its songs; sections are for a song of its own"
NO_REPAIR = "an album's mixes are repaired one by one, before: refmaster master MIX --repair ..."
NO_ASPECTS = "an album is brought toward its references as a whole; expected references for all aspects"
NO_ENGINES = "an album is matched as a whole, which only refmaster's own engine does"


class AlbumTrack(Model):
    """One track, in the album's order."""

    file: PathText = Field(min_length=1, description="the mix; relative paths are relative to this file")
    title: str | None = Field(default=None, min_length=1, description="null: the file's name")
    artist: str | None = Field(default=None, min_length=1, description="null: the mix's, or the album's")
    engineer: EngineerName | None = Field(default=None, description="who mixed it; null: not known")
    anchor: bool = Field(default=False, description="the album follows this track's engineer")
    keep: tuple[Aspect, ...] = Field(default=(), description="parts of the mix that stay: tone, level, width")
    level_db: float = Field(default=0.0, ge=-24.0, le=24.0, description="dB; louder in the album on purpose")
    strength: Percent | None = Field(default=None, description="percent; null: as engineers.strength")
    isrc: Isrc | None = Field(default=None, description="of the recording; null: the mix's")
    sequence: TrackSequence = Field(
        default=TrackSequence(), description="gap, crossfade, fades and marks, for refmaster release"
    )


class AlbumReference(Model):
    """A recording, or a saved profile, that the album as a whole is brought toward."""

    file: PathText = Field(min_length=1)
    weight: Weight = Field(default=1.0, description="relative")


class EngineerSettings(Model):
    """Bounds and strength of the engineers' corrections."""

    strength: Percent = Field(default=100.0, description="percent of each engineer's predicted offset")
    anchor: EngineerName | None = Field(default=None, description="engineer to follow; null: the mean")
    max_tone_db: float = Field(default=3.0, ge=0.0, le=12.0, description="dB; most that tone is moved")
    max_level_db: float = Field(default=6.0, ge=0.0, le=24.0, description="dB; most that level is moved")
    width: bool = Field(default=False, description="move width as well, though songs differ far more in it")


class LevelSettings(Model):
    """Settings of the tracks' levels against each other."""

    anchor: LevelAnchor = Field(
        default="loud_sections",
        description="level compared: loud_sections (top of the loudness range), max_short_term, integrated",
    )
    distance: Percent = Field(default=100.0, description="percent of the songs' distance in level to keep")


class AlbumOutput(FileSettings):
    """The written files."""

    format: Literal["wav", "flac", "aiff", "caf"] = Field(default="wav", description="container")


class AlbumSettings(Model):
    """album.yaml."""

    version: int = Field(ge=1, le=1)
    title: str | None = Field(default=None, min_length=1)
    artist: str | None = Field(default=None, min_length=1, description="of the album as a whole")
    tracks: tuple[AlbumTrack, ...]
    references: tuple[AlbumReference, ...] = Field(default=(), description="for the album as a whole")
    target: str | None = Field(default=None, description="a delivery target, such as spotify: sets match")
    match: MatchSettings = Field(default=MatchSettings(), description="toward the references; how loud")
    engineers: EngineerSettings = EngineerSettings()
    levels: LevelSettings = LevelSettings()
    output: AlbumOutput = AlbumOutput()
    barcode: Barcode | None = Field(default=None, description="EAN-13 or UPC-A of the album")
    release: ReleaseSettings = Field(
        default=ReleaseSettings(), description="what refmaster release makes of the masters"
    )

    @field_validator("tracks")
    @classmethod
    def _some(cls, tracks: tuple[AlbumTrack, ...]) -> tuple[AlbumTrack, ...]:
        if not tracks:
            raise ValueError("expected at least one track")
        return tracks


@dataclass(frozen=True, kw_only=True)
class Album:
    """An album as asked for, with its paths found.

    Attributes
    ----------
    name : str
        The file or folder, for messages.
    settings : AlbumSettings
        With the delivery target already in `match`.
    paths : tuple of Path
        The mixes, in order.
    references : tuple of (Path, weight)
    document : Document or None
        Where things stand in album.yaml; None for a folder.
    """

    name: str
    settings: AlbumSettings
    paths: tuple[Path, ...]
    references: tuple[tuple[Path, float], ...]
    document: Document | None = None

    @property
    def engineers(self) -> list[str | None]:
        """Each track's engineer, None where nobody is named."""
        return [track.engineer for track in self.settings.tracks]

    @property
    def names(self) -> list[str]:
        """Each track's engineer, or a name made of the track's number."""
        return engineer_names(self.engineers)

    @property
    def is_named(self) -> Mask:
        """Whether each track's engineer is named."""
        return np.array([engineer is not None for engineer in self.engineers])

    @property
    def titles(self) -> list[str]:
        """Each track's title; the file's name without its suffix where none is given."""
        return [t.title or path.stem for t, path in zip(self.settings.tracks, self.paths, strict=True)]

    @property
    def anchor(self) -> str | None:
        """The engineer to follow, as in `names`; None: the mean of all."""
        anchors = [name for name, t in zip(self.names, self.settings.tracks, strict=True) if t.anchor]
        return anchors[0] if anchors else self.settings.engineers.anchor

    def keeps(self, aspect: Aspect) -> Mask:
        """Return which tracks keep their mix's tone, level or width."""
        return np.array([aspect in track.keep for track in self.settings.tracks])

    def problems_error(self, problems: list[tuple[KeyPath, str]]) -> SettingsError:
        """Return one error that names every problem; with its place, where its key is one of album.yaml."""
        placed = [self.document.problem(key, text) for key, text in problems if key and self.document]
        rows = [str(problems_error(self.name, placed))] if placed else []
        rows += [text for key, text in problems if not (key and self.document)]
        return SettingsError("\n".join(rows))


def load_album(path: str | Path, **overrides: Any) -> Album:
    """Read album.yaml, or take a folder's mixes in the natural order of their names.

    Parameters
    ----------
    path : str or Path
        A YAML file or a folder.
    overrides : optional
        ``references`` (as of `master_file`, but paths for all aspects), ``target``, and fields of
        `MatchSettings`, which stand for those of the file.

    Raises
    ------
    SettingsError
        Naming every problem as ``file:line:column: key.path: message``.
    """
    path = Path(path)
    album = _album_of_folder(path) if path.is_dir() else _album_of_file(path, overrides)
    album = _with_overrides(album, overrides)
    check_text(reference for reference, _ in album.references)
    if not engine_named(album.settings.match.engine).matches_albums:
        raise SettingsError(f"engine: {NO_ENGINES}")
    if album.settings.match.sections:
        raise SettingsError(f"sections: {NO_SECTIONS}")
    if album.settings.match.repair != RepairSettings():
        raise SettingsError(f"repair: {NO_REPAIR}")
    return album


def _album_of_file(path: Path, overrides: dict[str, Any]) -> Album:
    document = read_document(path)
    settings = validate_document(AlbumSettings, document)
    problems = [*_name_problems(document), *_tag_problems(settings, document)]
    problems += _anchor_problems(settings, document) if not problems else []
    problems += _idle_keys(settings, document, more_references=bool(overrides.get("references")))
    if not overrides.get("engine") and not engine_named(settings.match.engine).matches_albums:
        problems.append(document.problem(("match", "engine"), NO_ENGINES))
    if settings.match.sections and overrides.get("sections") is None:
        problems.append(document.problem(("match", "sections"), NO_SECTIONS))
    if settings.match.repair != RepairSettings() and overrides.get("repair") is None:
        problems.append(document.problem(("match", "repair"), NO_REPAIR))
    if problems:
        raise problems_error(str(path), problems)
    folder = path.parent
    if settings.match.prior is not None:
        match = settings.match.model_copy(update={"prior": str(folder / settings.match.prior)})
        settings = settings.model_copy(update={"match": match})
    return Album(
        name=str(path),
        settings=settings,
        paths=tuple(folder / track.file for track in settings.tracks),
        references=tuple((folder / r.file, r.weight) for r in settings.references),
        document=document,
    )


def _album_of_folder(folder: Path) -> Album:
    files = sorted((f for f in folder.iterdir() if is_recording(f)), key=lambda f: _natural(f.name))
    if not files:
        raise SettingsError(f"{folder}: expected mixes (.wav, .flac, ...) in this folder, found none")
    check_text(files)
    tracks = tuple(AlbumTrack(file=f.name) for f in files)
    settings = AlbumSettings(version=1, title=folder.resolve().name or None, tracks=tracks)
    return Album(name=str(folder), settings=settings, paths=tuple(files), references=())


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which ``2 b`` comes before ``10 a``."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def _with_overrides(album: Album, overrides: dict[str, Any]) -> Album:
    """Fill the delivery target and the overrides into `match`."""
    given = {k: v for k, v in overrides.items() if v is not None and k not in ("references", "target")}
    settings = album.settings
    values = {k: getattr(settings.match, k) for k in settings.match.model_fields_set}
    name = overrides.get("target") or settings.target
    if name is not None:
        from_target = {"target_lufs": None, **delivery_target(name).match_values}
        values = {**values, **from_target} if overrides.get("target") else {**from_target, **values}
    changed: dict[str, Any] = {"match": settings_from(MatchSettings, {**values, **given}, names=MATCH_NAMES)}
    references = overrides.get("references")
    if references:  # instead of those of the file
        changed["references"] = ()
        album = replace(album, references=_for_all_aspects(references))
    return replace(album, settings=settings.model_copy(update=changed))


def _for_all_aspects(references: References) -> tuple[tuple[Path, float], ...]:
    found = []
    for recording, weight, aspects in weighted_references(references):
        if aspects:
            raise SettingsError(f"references: {NO_ASPECTS}; found one for {', '.join(aspects)}")
        if isinstance(recording, Profile):
            raise SettingsError("references: expected paths, found a profile; save it first")
        found.append((Path(recording), weight))
    return tuple(found)


def _name_problems(document: Document) -> list[Problem]:
    """Return a problem for each engineer's name that differs from an earlier one by case or spaces only."""
    tracks = document.data["tracks"]
    places: list[KeyPath] = [("tracks", i, "engineer") for i, t in enumerate(tracks) if t.get("engineer")]
    names = [tracks[i]["engineer"] for _, i, _ in places]
    anchor = (document.data.get("engineers") or {}).get("anchor")
    if anchor is not None:
        places.append(("engineers", "anchor"))
        names.append(anchor)
    first: dict[str, tuple[str, int]] = {}
    problems = []
    for place, name in zip(places, names, strict=True):
        alike = " ".join(unicodedata.normalize("NFC", name).split()).casefold()
        known, known_line = first.setdefault(alike, (name, document.problem(place, "").line))
        if name != known:
            message = f'"{name}" and, in line {known_line}, "{known}": one engineer or two? write them alike'
            problems.append(document.problem(place, message))
    return problems


def _anchor_problems(settings: AlbumSettings, document: Document) -> list[Problem]:
    anchors = [i for i, track in enumerate(settings.tracks) if track.anchor]
    named = settings.engineers.anchor
    places: list[KeyPath] = [("tracks", i, "anchor") for i in anchors[1:]]
    problems = []
    if named is not None:
        path = ("engineers", "anchor")
        engineers = {track.engineer for track in settings.tracks if track.engineer}
        if named not in engineers:
            known = ", ".join(sorted(engineers)) or "none"
            problems.append(document.problem(path, f"no track is by {named!r}; engineers: {known}"))
        if anchors:
            places.append(path)
    for place in places:
        message = f"the album has one anchor, and track {anchors[0] + 1} is it already"
        problems.append(document.problem(place, message))
    return problems


def _tag_problems(settings: AlbumSettings, document: Document) -> list[Problem]:
    kind = settings.output.loudness_tags
    if kind is None:
        return []
    try:
        require_loudness_tags(f"*.{settings.output.format}", kind)
    except OutputError as error:
        return [document.problem(("output", "loudness_tags"), str(error))]
    return []


def _idle_keys(settings: AlbumSettings, document: Document, *, more_references: bool) -> list[Problem]:
    """Return a problem for every key that would be accepted and have no effect."""
    problems = []
    if not settings.references and not more_references:
        for key in sorted(settings.match.model_fields_set - ACTS_ALONE):
            message = "acts toward references, and there are none"
            problems.append(document.problem(("match", key), message, at_key=True))
    if settings.target is not None:
        try:
            delivery_target(settings.target)
        except SettingsError as error:
            problems.append(document.problem(("target",), str(error)))
        if settings.match.target_lufs is not None:
            problems.append(document.problem(("target",), "contradicts match.target_lufs; drop one of them"))
    return problems
