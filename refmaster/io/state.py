"""Whether a file is still the one it was: each pass over a recording opens it anew, by its path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from refmaster.errors import AudioError


@dataclass(frozen=True)
class FileState:
    """A file at one moment, by what changes when it is written to or replaced.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.
    facts : tuple of int
        Device, inode, size in bytes, and time of the last change in ns.
    """

    path: Path
    name: str
    facts: tuple[int, int, int, int]

    @classmethod
    def of(cls, path: Path, name: str) -> Self:
        """Return the state of a file as it is now.

        Raises
        ------
        AudioError
            There is no such file, or it may not be looked at.
        """
        return cls(path, name, _facts(path, name))

    def check(self) -> None:
        """Raise AudioError if the file was changed, replaced or removed since."""
        if _facts(self.path, self.name) != self.facts:
            raise AudioError(
                f"{self.name}: was changed or replaced while it was read; start again when it is complete"
            )


def _facts(path: Path, name: str) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror or error}") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
