"""Files by path and objects by URL: the few things a batch does with either.

URLs go through fsspec (extra ``cluster``): ``s3://bucket/song.wav``, ``gs://...``, ``sftp://...``.
Credentials and endpoints are the storage's own business: environment variables, or fsspec's configuration.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import time
from pathlib import Path
from typing import Any

from refmaster.errors import AudioError, InputError, OutputError

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory")
TRANSFER_TRIES = 3


def is_url(location: str) -> bool:
    """Tell a URL from a path."""
    return _URL.match(location) is not None


def join(folder: str, name: str) -> str:
    """Return `name` below a folder or URL."""
    return f"{folder.rstrip('/')}/{name}" if is_url(folder) else str(Path(folder) / name)


def base_name(location: str) -> str:
    """Return the last part of a path or URL."""
    return location.rstrip("/").rsplit("/", 1)[-1] if is_url(location) else Path(location).name


@functools.cache
def _file_system(protocol: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise InputError(
            f"{protocol}:// needs the cluster extra; install it with: pip install 'refmaster[cluster]'"
        ) from None
    try:
        return fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise InputError(f"{protocol}:// cannot be used: {error}") from error


def _opened(url: str) -> tuple[Any, str]:
    system = _file_system(url.split("://", 1)[0].lower())
    return system, str(system._strip_protocol(url))  # noqa: SLF001 - the documented hook of fsspec


_listed: set[str] = set()


def forget_listings() -> None:
    """Look at the storage afresh."""
    _listed.clear()
    if _file_system.cache_info().currsize:
        import fsspec

        for system in list(fsspec.AbstractFileSystem._cache.values()):  # noqa: SLF001
            system.invalidate_cache()
        _file_system.cache_clear()


def object_facts(url: str, *, from_listing: bool = True) -> dict[str, Any] | None:
    """Return size and ETag (or time) of an object, None where there is none.

    From a listing, folders are asked for once until `forget_listings`: right for planning thousands of jobs.
    Otherwise the object itself is asked for, as it is now.
    """
    system, path = _opened(url)
    parent = path.rpartition("/")[0]
    if not from_listing:
        system.invalidate_cache(parent)
        _listed.discard(parent)
    elif parent not in _listed:
        with contextlib.suppress(FileNotFoundError):
            system.ls(parent, detail=True)  # one request for a thousand objects; `info` then reads its cache
        _listed.add(parent)
    try:
        found = system.info(path)
    except FileNotFoundError:
        return None
    if found.get("type") != "file":
        return None
    mark = found.get("ETag") or found.get("etag") or found.get("LastModified") or found.get("mtime")
    return {"size": int(found["size"]), "etag": str(mark or found.get("created") or "")}


def find_objects(url: str) -> list[str]:
    """Return the objects that a pattern matches, or that lie directly in a folder, sorted."""
    system, path = _opened(url)
    protocol = url.split("://", 1)[0]
    try:
        if any(character in path for character in "*?["):
            names = [name for name in system.glob(path) if not name.endswith("/")]
        else:
            names = [entry["name"] for entry in system.ls(path, detail=True) if entry["type"] == "file"]
    except FileNotFoundError:
        return []
    return sorted(
        f"{protocol}://{name.lstrip('/') if protocol in _OBJECT_STORES else name}" for name in names
    )


def download(url: str, path: Path) -> None:
    """Copy an object to a file.

    Raises
    ------
    AudioError
        It is missing, or could not be read in several tries.
    """
    system, remote = _opened(url)
    failure: Exception | None = None
    for attempt in range(TRANSFER_TRIES):
        try:
            system.get_file(remote, str(path))
        except FileNotFoundError:
            raise AudioError(f"{url}: no such object") from None
        except _errors() as error:
            failure = error
            time.sleep(0.5 * attempt)
        else:
            return
    raise AudioError(f"{url}: could not be read in {TRANSFER_TRIES} tries: {failure}") from failure


def upload(path: Path, url: str) -> None:
    """Copy a file to an object, which appears complete or not at all.

    Raises
    ------
    OutputError
        It could not be written in several tries.
    """
    system, remote = _opened(url)
    protocol = url.split("://", 1)[0].lower()
    # An object store shows an object when its upload is complete; elsewhere a move does that.
    first = remote if protocol in _OBJECT_STORES else f"{remote}.refmaster-part"
    failure: Exception | None = None
    for attempt in range(TRANSFER_TRIES):
        try:
            if first != remote:
                system.makedirs(remote.rpartition("/")[0], exist_ok=True)
            system.put_file(str(path), first)
            if first != remote:
                system.mv(first, remote)
        except _errors() as error:
            failure = error
            time.sleep(0.5 * attempt)
        else:
            return
    raise OutputError(f"{url}: could not be written in {TRANSFER_TRIES} tries: {failure}") from failure


def copy_text(path: Path, location: str) -> None:
    """Copy a small file to a path or URL."""
    if is_url(location):
        upload(path, location)
    else:
        Path(location).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, location)


def _errors() -> tuple[type[Exception], ...]:
    """Return what a failed transfer raises; botocore has a tree of its own."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)
