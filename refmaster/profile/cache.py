"""Profiles kept by the content of the file, so that the same recording is measured once.

An entry is found by the file's SHA-256 and by a digest of the code that measures, so neither a changed file
nor a changed meter meets an old profile. The folder is bounded: what was not used for longest goes first.
Several processes may use it at once: entries appear complete or not at all, and of two that want the same
new entry one measures while the other waits. Whatever is wrong with the folder (full, not writable,
damaged), the profile is measured as if there were none.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from refmaster._types import Progress
from refmaster.errors import AudioError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from refmaster.profile.model import Profile

MAX_BYTES = 512 * 1024 * 1024
WAIT_S = 600.0  # for another process that measures the same file; then measure it all the same
_LOCKS = 1024
_IN_MEMORY = 16
_MEASURING = ("io/*.py", "profile/*.py", "units.py", "meters/*.py", "dsp/*.py")

K = TypeVar("K")
V = TypeVar("V")


def default_folder() -> Path:
    """Return the folder that is used where none is named: ``$REFMASTER_CACHE`` or the user's cache folder."""
    named = os.environ.get("REFMASTER_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "refmaster" / "profiles"


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
        The file cannot be read.
    """
    path = Path(path)
    key = f"{content_sha256(path)}-{measuring_digest()}{path.suffix.lower()}"
    profile = _memory.get(key)
    if profile is None:
        profile = _from_folder(folder or default_folder(), key, path, progress, stage)
        _memory.put(key, profile)
    if profile.source.file == str(path) or path.suffix.lower() in (".yaml", ".yml"):
        return profile
    return profile.model_copy(update={"source": profile.source.model_copy(update={"file": str(path)})})


def content_sha256(path: Path) -> str:
    """Return a file's SHA-256; a file that has not changed since is not read again by this process.

    Raises
    ------
    AudioError
        The file cannot be read.
    """
    from refmaster.io.sink import sha256_of

    try:
        found = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    seen = (str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    digest = _hashes.get(seen)
    if digest is None:
        digest = sha256_of(path)
        _hashes.put(seen, digest)
    return digest


@functools.cache
def measuring_digest() -> str:
    """Return a digest of the code that decides what a profile holds."""
    digest = hashlib.sha256()
    home = Path(__file__).parents[1]
    for pattern in _MEASURING:
        for file in sorted(home.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class _Recent(Generic[K, V]):
    """The few values used last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key]

    def put(self, key: K, value: V) -> None:
        self._held[key] = value
        while len(self._held) > self._limit:
            self._held.popitem(last=False)


_memory: _Recent[str, Profile] = _Recent(_IN_MEMORY)
_hashes: _Recent[tuple[str, int, int, int, int], str] = _Recent(4096)


def _from_folder(folder: Path, key: str, path: Path, progress: Progress | None, stage: str) -> Profile:
    entry = folder / f"{key}.json"
    profile = _load(entry)
    if profile is not None:
        return profile
    with _one_at_a_time(folder, key, entry):
        profile = _load(entry)
        if profile is None:
            profile = _measured(path, progress, stage)
            _store(entry, profile)
    return profile


def _measured(path: Path, progress: Progress | None, stage: str) -> Profile:
    from refmaster.io.open import open_audio
    from refmaster.profile.measure import measure
    from refmaster.profile.model import is_profile_path, load_profile

    if is_profile_path(path):
        return load_profile(path)
    profile = measure(open_audio(path), progress=progress, stage=stage, identify=False)
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
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        return
    if int(entry.name[:2], 16) % 16 == 0:  # now and then; any process may do it at any time
        trim(entry.parent)


def trim(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Remove the entries that were not used for longest until the folder holds at most `max_bytes`."""
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


@contextlib.contextmanager
def _one_at_a_time(folder: Path, key: str, entry: Path) -> Iterator[None]:
    """Let one process measure while others wait for its entry; the lock of a killed process is gone."""
    descriptor = None
    if fcntl is not None:
        with contextlib.suppress(OSError):
            (folder / "locks").mkdir(parents=True, exist_ok=True)
            name = folder / "locks" / f"{int(key[:8], 16) % _LOCKS:04d}"
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
    if descriptor is None:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        until = time.monotonic() + WAIT_S
        while not _locked(descriptor) and time.monotonic() < until and not entry.exists():
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
