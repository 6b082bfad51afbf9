"""The version of a profile: a digest of the source files that measuring depends on.

They are found by following the package's imports in the text of its modules, from where measuring begins;
imports within functions and for type checking count too. So a module that measuring begins to import
belongs to the digest by itself. The root's `__init__` is left out: it names everything.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
ENTRANCES = ("profile.measure", "io.open")

_IMPORT = re.compile(
    r"^[ \t]*(?:from refmaster((?:\.\w+)*) import (\([^)]*\)|[^\n]*)|import refmaster\.([\w.]+))",
    re.MULTILINE,
)


@functools.cache
def measuring_digest(package: Path = PACKAGE) -> str:
    """Return a digest of the code that decides what a profile holds."""
    digest = hashlib.sha256()
    for name, content in sorted(measuring_sources(package).items()):
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def measuring_sources(package: Path) -> dict[str, bytes]:
    """Return the files that measuring depends on, found in a package's folder: path within it, content."""
    found: dict[str, bytes] = {}
    waiting, seen = list(ENTRANCES), set(ENTRANCES)
    while waiting:
        for name in _files_of(package, waiting.pop()):
            if name not in found:
                found[name] = (package / name).read_bytes()
                fresh = _imported(found[name].decode()) - seen
                seen |= fresh
                waiting += fresh
    return found


def _files_of(package: Path, dotted: str) -> list[str]:
    """Return the files that importing a dotted name runs; its last part may name a function of a module."""
    found: list[str] = []
    folder = ""
    for part in dotted.split("."):
        if (package / folder / f"{part}.py").is_file():
            return [*found, f"{folder}{part}.py"]
        folder = f"{folder}{part}/"
        if not (package / folder / "__init__.py").is_file():
            break
        found.append(f"{folder}__init__.py")
    return found


def _imported(text: str) -> set[str]:
    """Return the dotted names below the package that a source imports, with the names after `import`."""
    found = set()
    for origin, names, module in _IMPORT.findall(text):
        found |= {module} if module else {f"{origin}.{name}"[1:] for name in re.findall(r"\w+", names)}
    return found
