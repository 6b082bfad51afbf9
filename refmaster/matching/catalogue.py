"""Learn a prior from folders of finished music: find the recordings, measure each once, compare them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.errors import AudioError, SettingsError
from refmaster.io.recordings import recordings_in
from refmaster.matching.content_prior import Prior
from refmaster.matching.learn import Track, fit_prior, match_residuals
from refmaster.profile.cache import cached_profile
from refmaster.profile.model import Profile

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
        Which recordings were left out, and why.

    Raises
    ------
    InputError
        Nothing, or too little, to learn from.
    SettingsError
        The CSV cannot be read as one, or a saved profile is broken.
    """
    files = recordings_in(paths)
    names = _album_names(files, albums)
    tracks, notes = [], []
    for number, file in enumerate(files):
        if progress is not None:
            progress(f"measuring {file.name}", number, len(files))
        try:
            profile = cached_profile(file)
        except AudioError as error:
            notes.append(f"left out: {error}")
            continue
        reason = _unusable(profile)
        if reason:
            notes.append(f"left out: {file}: {reason}")
        else:
            tracks.append(Track(profile=profile, album=names[file]))
    return fit_prior(tracks, match_residuals(tracks, progress)), notes


def _album_names(files: Sequence[Path], albums: Path | None) -> dict[Path, str]:
    """Return each recording's album."""
    if albums is not None:
        listed = _listed_albums(albums)
        return {file: listed.get(file.name) or listed.get(str(file)) or file.name for file in files}
    folders = {file: file.resolve().parent for file in files}
    single = len(set(folders.values())) == 1
    return {file: file.name if single else folder.name for file, folder in folders.items()}


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
