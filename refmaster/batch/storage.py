"""Files by path and objects by URL: the few things a batch does with either.

Facts identify the content. A file is unchanged where its size, times and inode are those that were noted;
where they differ, its SHA-256 decides. Times are only compared for being equal, so a clock that was set does
no harm.

URLs go through fsspec (extra ``cluster``): ``s3://bucket/song.wav``, ``gs://...``, ``sftp://...``.
Credentials and endpoints are the storage's own business: environment variables, or fsspec's configuration.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refmaster.errors import AudioError, InputError, OutputError, RefmasterError
from refmaster.profile.cache import content_sha256

Facts = dict[str, Any]

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory")
TRANSFER_TRIES = 3


def is_url(location: str) -> bool:
    """Return whether a location is a URL."""
    return _URL.match(location) is not None


def is_pattern(location: str) -> bool:
    """Return whether a location is a pattern for several."""
    return any(character in location for character in "*?[")


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


def object_facts(url: str, *, from_listing: bool = True) -> Facts | None:
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


def file_facts(path: Path) -> Facts | None:
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


def glance(location: str) -> Facts | None:
    """Return the facts of a file (without its hash) or an object as it is now; None where there is none."""
    if is_url(location):
        return object_facts(location, from_listing=False)
    return file_facts(Path(location))


def identify(location: str) -> Facts | None:
    """Return the facts of a file (with its hash) or an object as it is now; None where there is none."""
    found = glance(location)
    if found is None or is_url(location):
        return found
    return {**found, "sha256": content_sha256(Path(location))}


def refreshed(location: str, noted: Facts) -> Facts | None:
    """Return the facts to note from now on where the content is still the one noted, None where it is not."""
    if is_url(location):
        same = object_facts(location) == {name: noted.get(name) for name in ("size", "etag")}
        return noted if same else None
    found = file_facts(Path(location))
    if found is None or found["size"] != noted.get("size"):
        return None
    if all(value == noted.get(name) for name, value in found.items()):
        return noted
    try:
        same = content_sha256(Path(location)) == noted.get("sha256")
    except RefmasterError:
        return None
    return {**noted, "location": location, **found} if same else None


def exists(location: str) -> bool:
    """Return whether there is a file or an object."""
    return object_facts(location) is not None if is_url(location) else Path(location).is_file()


def is_found(location: str) -> bool:
    """Return whether there is a file or an object, of a file system that can be asked."""
    try:
        return exists(location)
    except InputError:
        return False


def find_objects(url: str) -> list[str]:
    """Return the objects that a pattern matches, or that lie directly in a folder, sorted."""
    system, path = _opened(url)
    protocol = url.split("://", 1)[0]
    try:
        if is_pattern(path):
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
    _transfer(lambda: system.get_file(remote, str(path)), f"{url}: could not be read", AudioError)


def upload(path: Path, url: str) -> None:
    """Copy a file to an object, which appears complete or not at all.

    Raises
    ------
    OutputError
        It could not be written in several tries.
    """
    system, remote = _opened(url)

    def put() -> None:
        # An object store shows an object when its upload is complete; elsewhere a move does that.
        if url.split("://", 1)[0].lower() in _OBJECT_STORES:
            system.put_file(str(path), remote)
            return
        system.makedirs(remote.rpartition("/")[0], exist_ok=True)
        system.put_file(str(path), f"{remote}.refmaster-part")
        system.mv(f"{remote}.refmaster-part", remote)

    _transfer(put, f"{url}: could not be written", OutputError)


def _transfer(transfer: Callable[[], object], failed: str, error_type: type[InputError]) -> None:
    """Make a transfer in several tries; one that finds nothing at all fails at once."""
    errors: tuple[type[Exception], ...] = (OSError,)
    with contextlib.suppress(ImportError):  # it has a tree of its own
        from botocore.exceptions import BotoCoreError, ClientError

        errors = (OSError, BotoCoreError, ClientError)
    for attempt in range(1, TRANSFER_TRIES + 1):
        try:
            transfer()
            return
        except FileNotFoundError as error:
            raise error_type(f"{failed}: no such object or bucket: {error}") from None
        except errors as error:
            if attempt == TRANSFER_TRIES:
                raise error_type(f"{failed} in {attempt} tries: {error}") from error
            time.sleep(0.5 * attempt)
