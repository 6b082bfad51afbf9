"""What identifies the content of a file or an object, and whether it is still the same.

A file is unchanged where its size, times and inode are those that were noted; where they differ, its SHA-256
decides. Times are only ever compared for being equal, so a clock that was set back or forth does no harm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refmaster.batch import storage
from refmaster.errors import RefmasterError
from refmaster.profile.cache import content_sha256

Identity = dict[str, Any]
_STAT = ("size", "mtime_ns", "ctime_ns", "inode")


def stat_identity(path: Path) -> Identity | None:
    """Return size, times and inode of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }


def identify(location: str) -> Identity | None:
    """Return the identity, as it is now, of a file (with its hash) or an object; None where there is none."""
    if storage.is_url(location):
        return storage.object_facts(location, from_listing=False)
    found = stat_identity(Path(location))
    return None if found is None else {**found, "sha256": content_sha256(Path(location))}


def unchanged(location: str, noted: Identity) -> tuple[bool, Identity | None]:
    """Tell whether a location still holds what was noted.

    Returns
    -------
    same : bool
    fresh : dict or None
        What to note instead, where times moved but the content did not.
    """
    if storage.is_url(location):
        return storage.object_facts(location) == {k: noted.get(k) for k in ("size", "etag")}, None
    found = stat_identity(Path(location))
    if found is None:
        return False, None
    if all(found[name] == noted.get(name) for name in _STAT):
        return True, None
    if found["size"] != noted.get("size"):
        return False, None
    try:
        digest = content_sha256(Path(location))
    except RefmasterError:
        return False, None
    return digest == noted.get("sha256"), {**found, "sha256": digest}


def exists(location: str) -> bool:
    """Tell whether there is a file or an object."""
    if storage.is_url(location):
        return storage.object_facts(location) is not None
    return Path(location).is_file()
