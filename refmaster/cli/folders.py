"""Make the folders that outputs go to; those of a run that fails are removed again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from refmaster.errors import OutputError


@contextlib.contextmanager
def folders_made(*folders: Path | None) -> Iterator[None]:
    """Make folders that do not exist; where the block fails, remove those of them that are still empty."""
    made: list[Path] = []
    try:
        for folder in folders:
            if folder is not None:
                _make(folder, made)
        yield
    except BaseException:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _make(folder: Path, made: list[Path]) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        try:
            path.mkdir()
        except FileExistsError:  # by another process, meanwhile
            continue
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{folder}: this folder cannot be made: {reason}") from error
        made.append(path)
