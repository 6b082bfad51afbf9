"""What a person asks of an album: album.yaml, or a folder of mixes, and nothing that is not acted on.

Tracks stand in the album's order. A track's keys, and the sections of the file, leave room for more (gaps,
fades, disc images); what this version does not know it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from refmaster.engines.registry import engine_named
from refmaster.errors import SettingsError
from refmaster.settings.document import Document, Problem, problems_error, read_document
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model, settings_from, validate_document
from refmaster.settings.output import OutputSettings
from refmaster.settings.targets import delivery_target

Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Aspect = Literal["tone", "level", "width"]
LevelAnchor = Literal["loud_sections", "max_short_term", "integrated"]

# Files that a folder may hold besides its mixes are left alone by their names' ends.
MIX_SUFFIXES = frozenset(
    {".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".caf", ".flac", ".au"}
    | {".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".alac", ".wma", ".wv", ".ape"}
)
# What fields of `match` are called where they come from the command line.
MATCH_NAMES = {
    "target_lufs": "--lufs",
    "ceiling_dbtp": "--ceiling",
    "max_reduction_db": "--max-reduction",
    "strength": "--strength",
}
# What of `match` acts without a reference.
ACTS_ALONE = frozenset({"target_lufs", "ceiling_dbtp", "max_reduction_db", "phase", "engine"})


class AlbumTrack(Model):
    """One track, in the album's order."""

    file: str = Field(min_length=1, description="the mix; relative paths are relative to this file")
    title: str | None = Field(default=None, min_length=1, description="null: the file's name")
    engineer: str | None = Field(default=None, min_length=1, description="who mixed it; null: not known")
    anchor: bool = Field(
        default=False, description="the album follows this track's engineer, not the mean of all"
    )
    keep: tuple[Aspect, ...] = Field(default=(), description="what of the mix stays: tone, level, width")
    level_db: float = Field(
        default=0.0, ge=-24.0, le=24.0, description="dB; louder in the album on purpose, beside all else"
    )
    strength: Percent | None = Field(
        default=None, description="percent of its engineer's offset; null: as engineers.strength"
    )


class AlbumReference(Model):
    """A recording, or a saved profile, that the album as a whole is brought toward."""

    file: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0.0, description="relative")


class EngineerSettings(Model):
    """How far the engineers' habits are removed."""

    strength: Percent = Field(default=100.0, description="percent of each engineer's predicted offset")
    anchor: str | None = Field(
        default=None, min_length=1, description="an engineer to follow; null: the mean"
    )
    max_tone_db: float = Field(default=3.0, ge=0.0, le=12.0, description="dB; most that tone is moved")
    max_level_db: float = Field(default=6.0, ge=0.0, le=24.0, description="dB; most that level is moved")
    width: bool = Field(
        default=False,
        description="also move each engineer's width; off, since songs' widths differ far more",
    )


class LevelSettings(Model):
    """How the tracks' levels are set against each other."""

    anchor: LevelAnchor = Field(
        default="loud_sections",
        description="what is compared: loud_sections (top of the loudness range), max_short_term, integrated",
    )
    distance: Percent = Field(
        default=100.0, description="percent of the songs' own distance in level that is kept"
    )


class AlbumOutput(OutputSettings):
    """The written files."""

    format: Literal["wav", "flac", "aiff", "caf"] = Field(
        default="wav", description="container of the masters"
    )


class AlbumSettings(Model):
    """album.yaml."""

    version: int = Field(ge=1, le=1)
    title: str | None = Field(default=None, min_length=1)
    tracks: tuple[AlbumTrack, ...]
    references: tuple[AlbumReference, ...] = Field(
        default=(), description="the album as a whole is brought toward them, by one curve for all tracks"
    )
    target: str | None = Field(default=None, description="a delivery target, such as spotify: sets match")
    match: MatchSettings = Field(
        default=MatchSettings(), description="toward the references, and how loud the album is"
    )
    engineers: EngineerSettings = Field(default=EngineerSettings())
    levels: LevelSettings = Field(default=LevelSettings())
    output: AlbumOutput = Field(default=AlbumOutput())

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
    def titles(self) -> list[str]:
        """Each track's title; the file's name without its end where none is given."""
        return [t.title or path.stem for t, path in zip(self.settings.tracks, self.paths, strict=True)]

    @property
    def anchor(self) -> str | None:
        """The engineer to follow, as `effects.engineer_names` calls them; None: the mean of all."""
        for i, track in enumerate(self.settings.tracks):
            if track.anchor:
                return track.engineer or f"(track {i + 1})"
        return self.settings.engineers.anchor

    def problem(self, track: int, message: str) -> Problem:
        """Return a problem of one track's file, at its place in album.yaml."""
        if self.document is None:
            return Problem(track + 1, 1, str(self.paths[track]), message)
        return self.document.problem(("tracks", track, "file"), message)


def load_album(path: str | Path, **overrides: Any) -> Album:
    """Read album.yaml, or take a folder's mixes in the natural order of their names.

    Parameters
    ----------
    path : str or Path
        A YAML file or a folder.
    overrides : optional
        ``references`` (pairs of path and weight), ``target``, and fields of `MatchSettings`, which stand for
        those of the file.

    Raises
    ------
    SettingsError
        Naming every problem as ``file:line:column: key.path: message``.
    """
    path = Path(path)
    if path.is_dir():
        return _with_target(_album_of_folder(path), overrides)
    document = read_document(path)
    folder = path.parent
    settings = _with_prior_path(validate_document(AlbumSettings, document), folder)
    album = Album(
        name=str(path),
        settings=settings,
        paths=tuple(folder / track.file for track in settings.tracks),
        references=tuple((folder / r.file, r.weight) for r in settings.references),
        document=document,
    )
    problems = [*_anchor_problems(album), *_idle_keys(album, bool(overrides.get("references")))]
    if problems:
        raise problems_error(album.name, problems)
    return _with_target(album, overrides)


def _with_prior_path(settings: AlbumSettings, folder: Path) -> AlbumSettings:
    """Return the settings with the prior's path, relative to album.yaml until now, from where we are."""
    if settings.match.prior is None:
        return settings
    match = settings.match.model_copy(update={"prior": str(folder / settings.match.prior)})
    return settings.model_copy(update={"match": match})


def _album_of_folder(folder: Path) -> Album:
    files = sorted(
        (f for f in folder.iterdir() if f.suffix.lower() in MIX_SUFFIXES and not f.name.startswith(".")),
        key=lambda f: _natural(f.name),
    )
    if not files:
        raise SettingsError(f"{folder}: expected mixes (.wav, .flac, ...) in this folder, found none")
    tracks = tuple(AlbumTrack(file=f.name) for f in files)
    settings = AlbumSettings(version=1, title=folder.resolve().name or None, tracks=tracks)
    return Album(name=str(folder), settings=settings, paths=tuple(files), references=())


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which ``2 b`` comes before ``10 a``."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def _with_target(album: Album, overrides: dict[str, Any]) -> Album:
    """Fill the delivery target and the overrides into `match`."""
    given = {k: v for k, v in overrides.items() if v is not None and k not in ("references", "target")}
    settings = album.settings
    values = {k: getattr(settings.match, k) for k in settings.match.model_fields_set}
    name = overrides.get("target") or settings.target
    if name is not None:
        target = delivery_target(name)
        from_target = {"ceiling_dbtp": target.true_peak_dbtp, "target_lufs": target.integrated_lufs}
        own = values if overrides.get("target") is None else {}
        values = {**values, **{k: v for k, v in from_target.items() if k not in own}}
    match = settings_from(MatchSettings, {**values, **given}, names=MATCH_NAMES)
    if not engine_named(match.engine).matches_albums:
        message = "an album is matched as a whole, which only refmaster's own engine does"
        if album.document is None or "engine" in given:
            raise SettingsError(f"{album.name}: engine {match.engine}: {message}")
        raise problems_error(album.name, [album.document.problem(("match", "engine"), message)])
    references: Sequence[tuple[Path, float]] = overrides.get("references") or album.references
    return Album(
        name=album.name,
        settings=settings.model_copy(update={"match": match}),
        paths=album.paths,
        references=tuple(references),
        document=album.document,
    )


def _anchor_problems(album: Album) -> list[Problem]:
    document, settings = album.document, album.settings
    if document is None:
        return []
    problems = []
    anchors = [i for i, track in enumerate(settings.tracks) if track.anchor]
    for i in anchors[1:]:
        message = f"the album has one anchor, and track {anchors[0] + 1} is it already"
        problems.append(document.problem(("tracks", i, "anchor"), message))
    named = settings.engineers.anchor
    if named is not None:
        path = ("engineers", "anchor")
        if named not in album.engineers:
            known = ", ".join(sorted({e for e in album.engineers if e})) or "none"
            problems.append(document.problem(path, f"no track is by {named!r}; engineers: {known}"))
        if anchors:
            message = f"the album has one anchor, and track {anchors[0] + 1} is it already"
            problems.append(document.problem(path, message))
    return problems


def _idle_keys(album: Album, more_references: bool) -> list[Problem]:
    """Return a problem for every key that would be accepted and not acted on."""
    document, settings = album.document, album.settings
    if document is None:
        return []
    problems = []
    if not settings.references and not more_references:
        for key in sorted(settings.match.model_fields_set - ACTS_ALONE):
            message = "acts toward references, and there are none"
            problems.append(document.problem(("match", key), message, at_key=True))
    if settings.target is not None:
        path = ("target",)
        try:
            delivery_target(settings.target)
        except SettingsError as error:
            problems.append(document.problem(path, str(error)))
        if settings.match.target_lufs is not None:
            problems.append(document.problem(path, "contradicts match.target_lufs; drop one of them"))
    return problems
