"""File names as text: for a screen, and for documents.

A file name may hold nearly any bytes. Some are no UTF-8 (Python lets surrogates stand for them); others move
the cursor of a terminal, end a line or turn the direction of writing.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from refmaster.errors import InputError

_UNSAFE = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def shown(text: str) -> str:
    """Return text with an escape for all that a screen might act on, but for line feeds.

    The escapes (four hexadecimal digits) are those of JSON as well.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shown_line(text: str) -> str:
    """Return text as `shown` does, its line feeds escaped too."""
    return shown(text).replace("\n", "\\n")


def is_text(name: str) -> bool:
    """Return whether a file name is UTF-8 text, so that a YAML or JSON file can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(paths: Iterable[str | Path], folder: str | Path = "") -> None:
    """Refuse files that no document in `folder` can name by their path relative to it.

    Raises
    ------
    InputError
        Naming the first whose name is not UTF-8 text.
    """
    for path in paths:
        names = [os.fspath(path)]
        with contextlib.suppress(ValueError):  # another drive
            names.append(os.path.relpath(path, folder or "."))
        if not all(map(is_text, names)):
            raise InputError(
                f"{shown_line(names[0])}: is not named in UTF-8, so that no plan, profile or album can name "
                "it; rename it, or its folder"
            )
