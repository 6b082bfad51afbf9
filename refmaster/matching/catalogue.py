"""Learn a prior from folders of finished music: find the recordings, measure each once, compare them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.errors import AudioError, InputError, SettingsError
from refmaster.io.open import open_audio
from refmaster.matching.learn import Track, learn_prior
from refmaster.matching.prior import Prior
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile, is_profile_path, load_profile

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".caf", ".flac", ".mp3", ".ogg"}
    | {".oga", ".opus", ".m4a", ".aac", ".wma", ".wv"}
)
# Below this rate the treble that is learned does not exist.
LOWEST_RATE_HZ = 32000


def learn_files(
    paths: Sequence[Path], *, albums: Path | None = None, progress: Progress | None = None
) -> tuple[Prior, list[str]]:
    """Learn a prior from recordings.

    Parameters
    ----------
    paths : sequence of Path
        Recordings, saved profiles, and folders of recordings, which are searched to their depth.
    albums : Path, optional
        CSV with the columns `file` and `album`. Otherwise a folder is an album, unless all recordings lie in
        one folder: then each stands for itself, as do those whose album the CSV leaves empty.
    progress : callable, optional
        Called as ``progress(stage, done, in_all)``.

    Returns
    -------
    prior : Prior
    notes : list of str
        What was left out, and why.

    Raises
    ------
    InputError
        Nothing, or too little, to learn from.
    SettingsError
        The CSV is none, or a saved profile is broken.
    """
    files = recordings_in(paths)
    names = album_names(files, albums)
    tracks, notes = [], []
    for number, file in enumerate(files):
        if progress is not None:
            progress(f"measuring {file.name}", number, len(files))
        try:
            profile = load_profile(file) if is_profile_path(file) else measure(open_audio(file))
        except AudioError as error:
            notes.append(f"left out: {error}")
            continue
        reason = _unusable(profile)
        if reason:
            notes.append(f"left out: {file}: {reason}")
            continue
        tracks.append(Track(profile=profile, album=names[file]))
    return learn_prior(tracks, progress), notes


def recordings_in(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings that `paths` name, each once, sorted by path."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file()]
            if not inside:
                raise InputError(f"{path}: expected recordings in this folder, found none")
        elif path.is_file():
            inside = [path]
        else:
            raise InputError(f"{path}: expected a folder or a recording, found nothing there")
        for file in inside:
            if not file.name.startswith("."):
                found.setdefault(file.resolve(), file)
    return sorted(found.values())


def album_names(files: Sequence[Path], albums: Path | None) -> dict[Path, str]:
    """Return each recording's album."""
    if albums is not None:
        listed = _listed_albums(albums)
        return {file: listed.get(file.name) or listed.get(str(file)) or file.name for file in files}
    folders = {file.resolve().parent for file in files}
    if len(folders) == 1:
        return {file: file.name for file in files}
    return {file: file.resolve().parent.name for file in files}


def _listed_albums(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"file", "album"} - set(reader.fieldnames or ())
            if missing:
                raise SettingsError(
                    f"{path}:1:1: expected the columns file and album, found none named "
                    f"{' and '.join(sorted(missing))}"
                )
            return {row["file"]: row["album"] or "" for row in reader if row["file"]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path}: cannot be read as CSV: {error}") from error


def _unusable(profile: Profile) -> str:
    if profile.is_silent or profile.levels.integrated_lufs is None:
        return "it is silent or too short"
    if profile.source.sample_rate_hz < LOWEST_RATE_HZ:
        return f"its {profile.source.sample_rate_hz} Hz leave out the treble"
    return ""
