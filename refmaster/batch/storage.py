"""Files by path and objects by URL: the few things a batch does with either.

Facts identify the content. A file is unchanged where its size, times and inode are those that were noted;
where they differ, its SHA-256 decides. Times are only compared for being equal, so a clock that was set does
no harm.

URLs go through fsspec (extra ``cluster``): ``s3://bucket/song.wav``, ``gs://...``, ``sftp://...``,
``https://...``. Credentials and endpoints are the storage's own business: environment variables, or fsspec's
configuration. A storage that does not answer, or not to these credentials, is bad input: `StorageError`.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from refmaster.errors import AudioError, InputError, OutputError, RefmasterError
from refmaster.io.suffixes import is_url
from refmaster.profile.cache import content_sha256

Facts = dict[str, Any]

_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory")
_ADVICE = {
    "s3": "credentials and endpoint are those of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
    "AWS_ENDPOINT_URL, ...)",
}
_ADVICE["s3a"] = _ADVICE["s3"]
TRANSFER_TRIES = 3


class StorageError(InputError):
    """A storage that does not answer, or refuses to."""


def is_pattern(location: str) -> bool:
    """Return whether a location is a pattern for several."""
    # The question mark of a web address begins its query.
    return any(character in location for character in ("*[" if _is_web(location) else "*?["))


def join(folder: str, name: str) -> str:
    """Return `name` below a folder or URL."""
    return f"{folder.rstrip('/')}/{name}" if is_url(folder) else str(Path(folder) / name)


def base_name(location: str) -> str:
    """Return the last part of a path or URL, without a web address's query."""
    if not is_url(location):
        return Path(location).name
    path = urlsplit(location).path if _is_web(location) else location
    return path.rstrip("/").rsplit("/", 1)[-1]


def protocol_of(url: str) -> str:
    """Return what a URL begins with, in lower case: ``s3``."""
    return url.split("://", 1)[0].lower()


def _is_web(location: str) -> bool:
    return protocol_of(location) in ("http", "https")


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
    with _asking(url):  # some connect at once
        system = _file_system(protocol_of(url))
        return system, str(system._strip_protocol(url))  # noqa: SLF001 - the documented hook of fsspec


_listed: set[str] = set()
_refused: dict[str, str] = {}  # what a storage said that does not answer, so that it is asked once


def forget_listings() -> None:
    """Look at the storage afresh."""
    _listed.clear()
    _refused.clear()
    if _file_system.cache_info().currsize:
        import fsspec

        for system in list(fsspec.AbstractFileSystem._cache.values()):  # noqa: SLF001
            system.invalidate_cache()
        _file_system.cache_clear()


@contextlib.contextmanager
def _asking(url: str) -> Iterator[None]:
    """Raise `StorageError` for whatever goes wrong with a storage but a missing object.

    One that did not answer is not asked again before `forget_listings`: each question takes seconds.
    """
    storage = "/".join(url.split("/", 3)[:3])  # protocol with host or bucket
    if storage in _refused:
        raise StorageError(f"{url}: {_refused[storage]}")
    try:
        yield
    except (FileNotFoundError, MemoryError, RefmasterError):
        raise
    except PermissionError as error:
        raise StorageError(f"{url}: the storage refuses: {_said(error, url)}") from error
    except Exception as error:
        if _web_status(error) is not None:  # an answer, on this object only
            raise StorageError(f"{url}: the storage refuses: {_said(error, url)}") from error
        _refused[storage] = f"the storage cannot be asked: {_said(error, url)}"
        raise StorageError(f"{url}: {_refused[storage]}") from error


def _web_status(error: BaseException | None) -> int | None:
    """Return the status with which a web server answered, None where it did not."""
    return getattr(error, "status", None)


def _said(error: Exception, url: str) -> str:
    """Return what a storage's exception says, in one line, with what to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"\?[^\s\"']*", "", text)  # the query of the request
    advice = _ADVICE.get(protocol_of(url))
    return f"{text}; {advice}" if advice else text


def object_facts(url: str, *, from_listing: bool = True) -> Facts | None:
    """Return size and ETag (or time) of an object, None where there is none.

    From a listing, folders are asked for once until `forget_listings`: right for planning thousands of jobs.
    Otherwise the object itself is asked for, as it is now.

    Raises
    ------
    StorageError
        The storage does not answer, or refuses to.
    """
    system, path = _opened(url)
    parent = path.rpartition("/")[0]
    with _asking(url):
        if not from_listing:
            system.invalidate_cache(parent)
            _listed.discard(parent)
        elif parent not in _listed and protocol_of(url) in _OBJECT_STORES:
            with contextlib.suppress(FileNotFoundError, PermissionError):  # one may read, but not list
                system.ls(parent, detail=True)  # one request for a thousand; `info` then reads its cache
            _listed.add(parent)
        try:
            found = system.info(path)
        except FileNotFoundError as error:
            # For web addresses fsspec says so of everything that went wrong.
            if _is_web(url) and error.__cause__ and _web_status(error.__cause__) not in (404, 410):
                raise error.__cause__ from None
            return None
    if found.get("type") != "file":
        return None
    marks = (found.get(n) for n in ("ETag", "etag", "LastModified", "Last-Modified", "mtime", "created"))
    return {"size": int(found["size"] or 0), "etag": str(next(filter(None, marks), ""))}


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


def find_objects(url: str) -> list[str]:
    """Return the objects that a pattern matches, or that lie directly in a folder, sorted."""
    system, path = _opened(url)
    protocol = protocol_of(url)
    with _asking(url):
        try:
            if is_pattern(url):
                names = [name for name in system.glob(path) if not name.endswith("/")]
            else:
                names = [entry["name"] for entry in system.ls(path, detail=True) if entry["type"] == "file"]
        except FileNotFoundError:
            return []
    if protocol in _OBJECT_STORES:
        names = [name.lstrip("/") for name in names]
    return sorted(name if is_url(name) else f"{protocol}://{name}" for name in names)


def download(url: str, path: Path) -> None:
    """Copy an object to a file.

    Raises
    ------
    AudioError
        It is missing, or could not be read in several tries.
    """
    system, remote = _opened(url)
    _transfer(lambda: system.get_file(remote, str(path)), url, "could not be read", AudioError)


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
        if protocol_of(url) in _OBJECT_STORES:
            system.put_file(str(path), remote)
            return
        system.makedirs(remote.rpartition("/")[0], exist_ok=True)
        system.put_file(str(path), f"{remote}.refmaster-part")
        system.mv(f"{remote}.refmaster-part", remote)

    _transfer(put, url, "could not be written", OutputError)


def _transfer(transfer: Callable[[], object], url: str, failed: str, error_type: type[InputError]) -> None:
    """Make a transfer in several tries; one that finds nothing or may not fails at once."""
    for attempt in range(1, TRANSFER_TRIES + 1):
        try:
            transfer()
            return
        except FileNotFoundError as error:
            raise error_type(f"{url}: {failed}: no such object or bucket: {error}") from None
        except MemoryError:
            raise
        except Exception as error:
            refused = isinstance(error, PermissionError) or "Credentials" in type(error).__name__
            if refused or attempt == TRANSFER_TRIES:
                tries = "" if attempt == 1 else f" in {attempt} tries"
                raise error_type(f"{url}: {failed}{tries}: {_said(error, url)}") from error
            time.sleep(0.5 * attempt)
