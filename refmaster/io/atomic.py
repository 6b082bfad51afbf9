"""Files that appear complete or not at all.

A file gets its name only when `AtomicFile.commit` is called; until then an existing file stays as it was. On
Linux the new file has no name before that (O_TMPFILE), so that even a killed process leaves nothing behind.
Elsewhere it is a hidden ``.<name>.refmaster-<pid>-<random>.part`` beside its final place, locked while its
writer lives: the next run for the same destination removes those that nobody has locked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from refmaster.errors import OutputError

_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS}
_NO_LINK = {errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EXDEV, errno.ENOENT, errno.ENOSYS}


class AtomicFile:
    """A file in the making; see `atomic_destination`.

    Attributes
    ----------
    path : Path
        Where to write and read it until the commit, as often as needed. It may be a name under ``/proc``
        without a suffix: open it with a stated format, and do not resolve it.
    """

    def __init__(self, final_path: Path, *, overwrite: bool) -> None:
        self._final_path = final_path
        self._overwrite = overwrite
        # A symbolic link stays a link: what it points to is replaced.
        self._target = Path(os.path.realpath(final_path))
        self._temporary: Path | None = None  # its hidden name, while it has one
        descriptor = self._open_unnamed()
        self._unnamed = descriptor is not None
        if descriptor is None:
            self._temporary, descriptor = self._open_named()
            self.path = self._temporary
        else:
            self.path = Path(f"/proc/{os.getpid()}/fd/{descriptor}")
        self._descriptor = descriptor

    def commit(self) -> None:
        """Write the file through to the disk and give it its name.

        Raises
        ------
        OutputError
            If the disk is full, or a file has appeared at the destination and may not be replaced.
        """
        try:
            os.fsync(self._descriptor)
            self._move()
            self._sync_directory()
        except FileExistsError as error:
            raise OutputError(_exists(self._final_path)) from error
        except OSError as error:
            raise output_error(self._final_path, error) from error

    def discard(self) -> None:
        """Close the file, and remove it if it was not committed."""
        if self._descriptor < 0:
            return
        if self._temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()
        os.close(self._descriptor)
        self._descriptor = -1

    def _open_unnamed(self) -> int | None:
        flag = getattr(os, "O_TMPFILE", 0)
        if not flag or not Path(f"/proc/{os.getpid()}/fd").is_dir():
            return None
        try:
            descriptor = os.open(self._target.parent, flag | os.O_RDWR, 0o666)
        except OSError as error:
            if error.errno in _NO_TMPFILE:
                return None
            raise
        _lock(descriptor)  # for the moment in which it has a temporary name
        return descriptor

    def _open_named(self) -> tuple[Path, int]:
        while True:
            path = self._temporary_name()
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            descriptor = os.open(path, flags, 0o666)
            _lock(descriptor)
            if path.exists():  # another run may have taken it for a leftover before it was locked
                return path, descriptor
            os.close(descriptor)

    def _temporary_name(self) -> Path:
        return self._target.parent / f"{_prefix(self._target)}{os.getpid()}-{secrets.token_hex(4)}.part"

    def _move(self) -> None:
        if not self._overwrite:
            self._link(self._target)  # fails if there is a file by now: nothing is ever replaced unasked
            return
        if self._temporary is None:
            name = self._temporary_name()
            self._temporary = name  # known before it exists, so that it is removed whatever happens
            self._link(name)
        self._temporary.replace(self._target)
        self._temporary = None

    def _link(self, name: Path) -> None:
        """Give the file a name that no file has."""
        if self._unnamed:
            self._link_unnamed(name)
            return
        try:
            name.hardlink_to(self.path)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if name.exists():
                raise FileExistsError(errno.EEXIST, "exists", str(name)) from error
            self.path.replace(name)
            self._temporary = None

    def _link_unnamed(self, name: Path) -> None:
        directory = os.open(name.parent, os.O_RDONLY)
        try:  # a directory descriptor makes Python call linkat, which alone can name an unnamed file
            os.link(self.path, name.name, dst_dir_fd=directory, follow_symlinks=True)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            with self.path.open("rb") as source, name.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
        finally:
            os.close(directory)

    def _sync_directory(self) -> None:
        if os.name == "nt":
            return
        directory = os.open(self._target.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some file systems cannot; the file itself is safe
                os.fsync(directory)
        finally:
            os.close(directory)


@contextlib.contextmanager
def atomic_destination(
    path: str | Path, *, overwrite: bool, inputs: Sequence[str | Path] = ()
) -> Iterator[AtomicFile]:
    """Prepare a destination that appears complete or not at all.

    Parameters
    ----------
    path : str or Path
        The destination.
    overwrite : bool
        Whether a file that is there already may be replaced, at the commit.
    inputs : sequence of str or Path
        Files that must not be written over, under whatever name.

    Yields
    ------
    AtomicFile
        Write to its ``path``, then call ``commit``. Without that, and after any exception, the destination is
        as it was before.

    Raises
    ------
    OutputError
        If the destination exists and may not be replaced, is an input, or cannot be written.
    """
    path = Path(path)
    check_destination(path, overwrite=overwrite, inputs=inputs)
    try:
        _remove_leftovers(Path(os.path.realpath(path)))
        making = AtomicFile(path, overwrite=overwrite)
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield making
    finally:
        making.discard()


def check_destination(path: str | Path, *, overwrite: bool, inputs: Sequence[str | Path] = ()) -> None:
    """Raise what `atomic_destination` would raise before anything is written: to fail before long work.

    Raises
    ------
    OutputError
        As for `atomic_destination`.
    """
    path = Path(path)
    try:
        for source in inputs:
            if path.exists() and Path(source).exists() and path.samefile(source):
                raise OutputError(f"{path}: is the input {source} itself; choose another name for the output")
        if path.is_dir():
            raise OutputError(f"{path}: is a directory; expected the name of a file in it")
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is not a regular file; expected a file that can be replaced")
        if path.exists() and not overwrite:
            raise OutputError(_exists(path))
        parent = Path(os.path.realpath(path)).parent
        if not parent.is_dir():
            found = "is not a directory" if parent.exists() else "does not exist"
            raise OutputError(f"{path}: the directory {parent} {found}; create it first")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: the directory {parent} may not be written to (permission denied)")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise OutputError(f"{path}: cannot be used as a destination: {error}") from error


def check_destinations(
    paths: Iterable[str | Path], *, overwrite: bool, inputs: Sequence[str | Path] = ()
) -> None:
    """Check all that a job writes as `check_destination` does, and that no two of them are one file.

    Raises
    ------
    OutputError
        As for `check_destination`, and if an output is another output under whatever name.
    """
    taken: dict[tuple[object, ...], str | Path] = {}
    for path in paths:
        check_destination(path, overwrite=overwrite, inputs=inputs)
        for key in file_keys(path):
            other = taken.setdefault(key, path)
            if other is not path:
                raise OutputError(
                    f"{path}: is the output {other} as well; choose another name for one of them"
                )


def file_keys(
    path: str | Path, folders: dict[str, tuple[object, ...]] | None = None
) -> list[tuple[object, ...]]:
    """Return what two names of one file have in common, be it there already or not.

    Two names are of one file if they share one of these: its device and inode, once it exists, and its place,
    the folder (by device and inode) with the name as file systems that fold case and accents take it.
    `folders` keeps what is known of folders from call to call.
    """
    text = os.fspath(path)
    found = _facts(text, follow=False)
    if found is not None and stat.S_ISLNK(found.st_mode):
        text = os.path.realpath(text)
        found = _facts(text)
    folder, name = os.path.split(text)
    folders = {} if folders is None else folders
    if folder not in folders:
        there = _facts(folder or ".")
        folders[folder] = (os.path.realpath(folder),) if there is None else (there.st_dev, there.st_ino)
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    place = (*folders[folder], name.casefold())
    return [place] if found is None else [place, (found.st_dev, found.st_ino)]


def _facts(path: str, *, follow: bool = True) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - Path's takes twice the time
    except (OSError, ValueError):
        return None


def write_text(path: str | Path, text: str, *, overwrite: bool, inputs: Sequence[str | Path] = ()) -> None:
    """Write a text file (UTF-8, line ends as they are), complete or not at all.

    Raises
    ------
    OutputError
        As for `atomic_destination`, and if the disk is full.
    """
    with atomic_destination(path, overwrite=overwrite, inputs=inputs) as making:
        try:
            making.path.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise output_error(Path(path), error) from error
        making.commit()


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the `OutputError` for an error of the operating system while writing to `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: the disk is full ({error.strerror}); free some space or write elsewhere")
    if error.errno == errno.EFBIG:
        return OutputError(f"{path}: too large for this file system or its limits ({error.strerror})")
    return OutputError(f"{path}: cannot be written: {error.strerror or error}")


def _exists(path: Path) -> str:
    return f"{path}: exists already; use overwrite=True to replace it or choose another name"


def _prefix(target: Path) -> str:
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}.refmaster-"


def _lock(descriptor: int) -> bool:
    """Lock a file for as long as it is open; False if another process has it, or it cannot be locked."""
    from filelock import has_fcntl, lock_descriptor  # here, because not every command writes a file

    if not has_fcntl:  # the locks of Windows would also keep the writer's other handles from writing
        return False
    with contextlib.suppress(OSError):
        return lock_descriptor(descriptor, blocking=False)
    return False


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary files of killed runs for this destination: nobody holds their lock."""
    for leftover in target.parent.iterdir():
        if not (leftover.name.startswith(_prefix(target)) and leftover.suffix == ".part"):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor):
                    leftover.unlink()
            finally:
                os.close(descriptor)
