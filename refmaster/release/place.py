"""The folder of a release: made beside its place, and moved there whole."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path

from refmaster.errors import OutputError
from refmaster.io.atomic import output_error

MASTERS, DDP = "Masters", "DDP"
RECORD_NAME = "release.json"
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux
_AT_FDCWD = -100


class ReleaseFolder:
    """A folder that holds either what it held before or a complete release.

    Masters that were finished before, here or in a run that was interrupted, are kept.

    Parameters
    ----------
    path : str or Path
        Where the release is to be.
    overwrite : bool
        Replace a folder that holds something else than a release.

    Raises
    ------
    OutputError
        The folder holds something else than a release, or cannot be written beside.
    """

    def __init__(self, path: str | Path, *, overwrite: bool) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - it takes ".." out, and no link
        self.making = self.path.with_name(f".{self.path.name}.making")
        if self.path.is_file():
            raise OutputError(f"{self.path}: expected a folder for the release, found a file")
        if self.path.is_dir() and any(self.path.iterdir()) and not overwrite and not self.is_release:
            raise OutputError(
                f"{self.path}: expected an empty folder or an earlier release, found other files; give "
                "another one, or --overwrite"
            )

    @property
    def is_release(self) -> bool:
        """Whether the folder holds a release."""
        return (self.path / RECORD_NAME).is_file()

    @property
    def masters(self) -> Path:
        """The folder of the masters that are being made."""
        return self.making / MASTERS

    @property
    def record(self) -> Path:
        """The file that tells what the release holds, while it is being made."""
        return self.making / RECORD_NAME

    def prepare(self) -> None:
        """Make the folder to write into, with the masters of the release that stands.

        Raises
        ------
        OutputError
            It cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.making.mkdir(exist_ok=True)
            for left in self.making.iterdir():
                if left.name != MASTERS:
                    _removed(left)
            standing = self.path / MASTERS
            if standing.is_dir() and not self.masters.exists():
                shutil.copytree(standing, self.masters, copy_function=_linked)
        except OSError as error:
            raise output_error(self.making, error) from error

    def commit(self) -> None:
        """Put the new folder in the place of the old one, and remove that.

        Raises
        ------
        OutputError
            The folders cannot be exchanged.
        """
        try:
            if not self.path.exists():
                self.making.rename(self.path)
                return
            _exchange(self.making, self.path)
        except OSError as error:
            raise output_error(self.path, error) from error
        with contextlib.suppress(OSError):  # the release stands; a later run removes what is left
            shutil.rmtree(self.making)


def _linked(source: str, target: str) -> None:
    """Copy a file as a further name of it, where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders: at once where the system can, else one after another."""
    if sys.platform == "linux":
        rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if rename is not None:
            names = os.fsencode(one), os.fsencode(other)
            if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0:
                return
    old = other.with_name(f".{other.name}.old")
    other.rename(old)
    one.rename(other)
    old.rename(one)
