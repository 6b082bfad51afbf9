"""Profiles kept by the content of the file, so that the same recording is measured once.

An entry is found by the file's SHA-256 and by a digest of the code that measures, so neither a changed file
nor a changed meter meets an old profile. The folder is bounded: the entries unused for longest go first.
Several processes may use it at once: entries appear complete or not at all, and of two that want the same
new entry one measures while the other waits. Whatever is wrong with the folder (full, not writable,
damaged), the profile is measured as if there were none.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from refmaster._types import Progress
from refmaster.errors import AudioError
from refmaster.io.state import FileState
from refmaster.io.suffixes import is_yaml
from refmaster.profile.code_digest import measuring_digest

if TYPE_CHECKING:
    from refmaster.profile.model import Profile

MAX_BYTES = 512 * 1024 * 1024
WAIT_S = 600.0  # for another process that measures the same file; then measure it all the same
_LOCKS = 1024
_IN_MEMORY = 16

_memory: OrderedDict[str, Profile] = OrderedDict()  # the one used last comes last


def default_folder() -> Path:
    """Return the folder that is used where none is named: ``$REFMASTER_CACHE`` or the user's cache folder."""
    named = os.environ.get("REFMASTER_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("refmaster", appauthor=False) / "profiles"


def cached_profile(
    path: str | Path,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
    stage: str = "measuring the mix",
) -> Profile:
    """Return the profile of a recording, or of a saved profile, measured at most once.

    Parameters
    ----------
    path : str or Path
        Audio, or a profile saved as YAML.
    folder : Path, optional
        Of the cache; `default_folder` otherwise.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)`` where it has to be measured.
    stage : str
        What the progress calls this.

    Raises
    ------
    AudioError, SettingsError
        The file cannot be read, or was changed meanwhile.
    """
    path = Path(path)
    state = FileState.of(path, str(path))
    key = _key(path)
    profile = _memory.pop(key, None) or _from_folder(folder or default_folder(), key, state, progress, stage)
    _memory[key] = profile
    if len(_memory) > _IN_MEMORY:
        _memory.popitem(last=False)
    if is_yaml(path) or profile.source.file == str(path):
        return profile
    return profile.model_copy(update={"source": profile.source.model_copy(update={"file": str(path)})})


def keep_profile(path: Path, profile: Profile) -> None:
    """Keep the profile of a file that was measured while it was made, so that it is not measured again.

    Raises
    ------
    AudioError
        The file cannot be read.
    """
    key = _key(path)
    facts = profile.source.model_copy(update={"file": str(path), "sha256": content_sha256(path)})
    entry = default_folder() / f"{key}.json"
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
    _store(entry, profile.model_copy(update={"source": facts}))


def content_sha256(path: Path) -> str:
    """Return a file's SHA-256; a file that has not changed since is not read again by this process.

    Raises
    ------
    AudioError
        The file cannot be read.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _sha256(path.absolute(), (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))


def trim(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Remove the entries unused for longest until the folder holds at most `max_bytes`."""
    entries = []
    with contextlib.suppress(OSError):
        for file in os.scandir(folder):
            with contextlib.suppress(OSError):
                if file.is_file() and file.name.endswith((".json", ".part")):
                    found = file.stat()
                    entries.append((found.st_mtime_ns, found.st_size, file.path))
    total = sum(size for _, size, _ in entries)
    for _, size, name in sorted(entries):
        if total <= max_bytes:
            return
        with contextlib.suppress(OSError):
            Path(name).unlink()
        total -= size


def _key(path: Path) -> str:
    return f"{content_sha256(path)}-{measuring_digest()}{path.suffix.lower()}"


@functools.lru_cache(4096)
def _sha256(path: Path, _facts: tuple[int, ...]) -> str:
    from refmaster.io.digest import sha256_of

    return sha256_of(path)


def _from_folder(folder: Path, key: str, state: FileState, progress: Progress | None, stage: str) -> Profile:
    entry = folder / f"{key}.json"
    profile = _load(entry)
    if profile is None:
        with _one_at_a_time(entry):
            profile = _load(entry)
            if profile is None:
                profile = _measured(state.path, progress, stage)
                state.check()  # the key's hash is of the file that was measured
                _store(entry, profile)
    return profile


def _measured(path: Path, progress: Progress | None, stage: str) -> Profile:
    from refmaster.io.open import open_audio
    from refmaster.profile.measure import measure
    from refmaster.profile.model import load_profile

    if is_yaml(path):
        return load_profile(path)
    profile = measure(open_audio(path), progress=progress, stage=stage, identify=False, faults=True)
    facts = profile.source.model_copy(update={"sha256": content_sha256(path)})
    return profile.model_copy(update={"source": facts})


def _load(entry: Path) -> Profile | None:
    from pydantic import ValidationError

    from refmaster.profile.model import Profile

    try:
        text = entry.read_bytes()
        with contextlib.suppress(OSError):
            os.utime(entry)  # the time of use decides what goes first
        return Profile.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def _store(entry: Path, profile: Profile) -> None:
    temporary = entry.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(profile.model_dump_json().encode())
        temporary.replace(entry)
    except (OSError, ValueError):  # ValueError: a file name that JSON cannot hold
        with contextlib.suppress(OSError):
            temporary.unlink()
        return
    if int(entry.name[:2], 16) % 16 == 0:  # now and then; any process may do it at any time
        trim(entry.parent)


@contextlib.contextmanager
def _one_at_a_time(entry: Path) -> Iterator[None]:
    """Let one process measure while others wait for its entry; the lock of a killed process is gone."""
    from filelock import FileLock

    place = entry.parent / "locks" / f"{int(entry.name[:8], 16) % _LOCKS:04d}"
    lock = FileLock(place, timeout=WAIT_S, poll_interval=0.02)
    with contextlib.suppress(OSError):  # no place for a lock, or waited long enough: measure all the same
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(cancel_check=entry.exists)
    try:
        yield
    finally:
        lock.release()
