"""Verify a release: every file as it was written, and an image that a plant can take."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from refmaster.errors import AudioError, SettingsError
from refmaster.io.digest import sha256_of
from refmaster.release.ddp_reader import read_ddp
from refmaster.release.place import DDP, RECORD_NAME


def is_release_record(path: str | Path) -> bool:
    """Return whether a path is that of a release's record, or the folder that holds one."""
    path = Path(path)
    return (path / RECORD_NAME).is_file() if path.is_dir() else path.name == RECORD_NAME


def verify_release(path: str | Path) -> list[str]:
    """Return what is not as it was written, in words; empty for a release that stands.

    Parameters
    ----------
    path : str or Path
        ``release.json``, or the folder that holds it.

    Raises
    ------
    SettingsError
        It is no record of a release.
    """
    record = Path(path) / RECORD_NAME if Path(path).is_dir() else Path(path)
    folder, problems = record.parent, []
    for name, digest in _files_of(record).items():
        if not (folder / name).is_file():
            problems.append(f"{name}: is missing")
        elif sha256_of(folder / name) != digest:
            problems.append(f"{name}: was changed since it was released")
    if (folder / DDP).is_dir():
        try:
            problems += [f"{DDP}: {problem}" for problem in read_ddp(folder / DDP).problems]
        except AudioError as error:
            problems.append(str(error))
    return problems


def _files_of(record: Path) -> dict[str, str]:
    """Return the files that a record lists, with their SHA-256; none can lie outside of its folder."""
    try:
        data: Any = json.loads(record.read_text("utf-8"))
        files = data["files"]
        listed = {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{record}: expected the record of a release (JSON with files): {error}"
        ) from error
    for name in listed:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "\\" in name:
            raise SettingsError(f"{record}: expected files in its own folder, found {name!r}")
    return listed
