"""Everything that is wrong in one or several jobs files, collected with its place, to be said at once."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refmaster.batch import storage
from refmaster.errors import InputError, SettingsError
from refmaster.io.suffixes import is_url
from refmaster.settings.document import Document, KeyPath, Problem, problems_error
from refmaster.settings.model import checked_names

_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True)
class Place:
    """A part of a document, such as one job: key paths are relative to it, paths of files to its document."""

    document: Document
    prefix: KeyPath = ()

    @property
    def label(self) -> str:
        """``jobs.yaml:14:5: jobs[2]``."""
        if self.document.data is None:  # no file: what the command line asks for
            return self.document.name
        found = self.document.problem(self.prefix, "")
        return f"{self.document.name}:{found.line}:{found.column}: {found.key_path}"


class Problems:
    """All that is wrong."""

    def __init__(self) -> None:
        self._found: dict[str, dict[Problem, None]] = {}
        self._rows: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._found or self._rows)

    def add(self, place: Place, path: KeyPath, message: str) -> None:
        """Add a problem at a key path below a place."""
        if place.document.data is None:
            self.add_row(message)
            return
        self.extend(place.document.name, [place.document.problem((*place.prefix, *path), message)])

    @contextlib.contextmanager
    def noting(self, place: Place, path: KeyPath) -> Iterator[None]:
        """Note an `InputError` at a key path; of a storage that does not answer, nothing more is asked."""
        try:
            yield
        except InputError as error:
            self.add(place, path, str(error))
            if isinstance(error, storage.StorageError):
                self.check()

    def extend(self, name: str, problems: Iterable[Problem]) -> None:
        """Add problems of a file; one that is known already (through an alias, say) stays one."""
        self._found.setdefault(name, {}).update(dict.fromkeys(problems))

    def add_row(self, row: str) -> None:
        """Add a line that is complete in itself."""
        self._rows.append(row)

    def rows(self) -> list[str]:
        """Return one line for each problem."""
        rows = list(self._rows)
        for name, problems in self._found.items():
            rows.extend(str(problems_error(name, list(problems))).splitlines())
        return rows

    def check(self) -> None:
        """Raise SettingsError with all of them, if there are any."""
        if self:
            raise SettingsError("\n".join(self.rows()))


def advice(name: str, known: Iterable[str], listed: str = "known") -> str:
    """Return which known name was probably meant, else all of them, after the word `listed`."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"{listed}: {', '.join(known)}"


def absolute(text: str, place: Place, key: KeyPath, problems: Problems) -> str:
    """Return a path made absolute (relative to its file), with variables replaced; URLs keep their form.

    Where a variable is not set, or a name too long, that is noted and an empty string returned.
    """
    missing = []

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1] or match[2] or ""
        if name not in os.environ:
            missing.append(name)
        return os.environ.get(name, "")

    path = _VARIABLE.sub(value, text).removeprefix("file://")
    for name in missing:
        problems.add(place, key, f"the environment variable {name!r} is not set")
    if missing or is_url(path):
        return "" if missing else path
    path = os.path.expanduser(path)  # noqa: PTH111 - text, as it was written
    try:
        checked_names(path)
    except ValueError as error:
        problems.add(place, key, str(error))
        return ""
    return os.path.normpath(Path(place.document.name).absolute().parent / path)


def numbered(name: str, value: Any) -> list[tuple[KeyPath, Any]]:
    """Return a field's items with their key paths, whether it holds one, several or none."""
    if isinstance(value, tuple):
        return [((name, number), item) for number, item in enumerate(value)]
    return [] if value is None else [((name,), value)]
