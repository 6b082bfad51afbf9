"""Find the recordings that files and folders name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from refmaster.errors import InputError
from refmaster.io.suffixes import is_recording


def recordings_in(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings that `paths` name, each once, sorted by path.

    A folder is searched to its depth for the suffixes of recordings; a file counts whatever its suffix.

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no recording.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.rglob("*") if is_recording(p) and p.is_file()]
            if not inside:
                raise InputError(f"{path}: expected recordings in this folder, found none")
        elif path.is_file():
            inside = [path]
        else:
            raise InputError(f"{path}: expected a folder or a recording, found nothing there")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return sorted(found.values())
