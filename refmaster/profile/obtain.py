"""Get the profile of a recording: as given, read from a saved profile, from the cache, or measured."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeAlias

from refmaster import threads
from refmaster._types import Progress
from refmaster.errors import SettingsError
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource
from refmaster.io.suffixes import is_yaml
from refmaster.profile.cache import cached_profile
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile, load_profile
from refmaster.settings.aspects import AskedReference, checked_aspects
from refmaster.settings.match import checked_weight

Recording: TypeAlias = str | Path | Profile | AudioSource
"""A path (of audio or of a saved profile), a profile, or an open source."""

PathLike: TypeAlias = str | Path
ReferenceLike: TypeAlias = (
    PathLike | Profile | tuple[PathLike | Profile, float] | AskedReference[PathLike | Profile]
)
References: TypeAlias = ReferenceLike | Sequence[ReferenceLike] | Mapping[str, "References"]

PROGRESS_EVERY_S = 0.1


def weighted_references(references: References) -> list[AskedReference[PathLike | Profile]]:
    """Return each reference with its weight, 1 where none is given, and the aspects that it serves.

    One recording of one weight, named for several aspects, is one reference.

    Raises
    ------
    SettingsError
        A weight is out of range, an aspect is unknown, or a path is that of a folder.
    """
    found: dict[object, AskedReference[PathLike | Profile]] = {}
    for number, asked in enumerate(_asked(references)):
        if not isinstance(asked.recording, Profile) and os.path.isdir(asked.recording):  # noqa: PTH112 - any text
            raise SettingsError(
                f"{asked.recording}: expected a reference recording or a saved profile, found a folder; "
                "refmaster.suggest_references (refmaster suggest) chooses from it"
            )
        key = (*recording_key(asked.recording), asked.weight) if asked.aspects else number
        before = found[key].aspects if key in found else ()
        found[key] = asked._replace(aspects=(*before, *asked.aspects))
    return [asked._replace(aspects=checked_aspects(asked.aspects)) for asked in found.values()]


def recording_key(recording: Recording) -> tuple[type, object]:
    """Return what is equal for the same recording: its path, or the object itself."""
    if isinstance(recording, str | Path):
        return Path, Path(recording)
    return type(recording), id(recording)


def _asked(references: References) -> Iterator[AskedReference[PathLike | Profile]]:
    if isinstance(references, str | Path | Profile):
        yield AskedReference(references)
    elif isinstance(references, AskedReference):
        yield AskedReference(
            references.recording, checked_weight(references.weight), checked_aspects(references.aspects)
        )
    elif isinstance(references, Mapping):
        for aspect, its in references.items():
            aspects = checked_aspects([aspect])
            if isinstance(its, Mapping):
                raise SettingsError(f"{aspect}: expected references, found a mapping")
            yield from (asked._replace(aspects=aspects) for asked in _asked(its))
    elif isinstance(references, tuple) and len(references) == 2 and isinstance(references[1], int | float):
        yield AskedReference(references[0], checked_weight(references[1]))
    else:
        for reference in references:
            yield from _asked(reference)


def profile_of(
    recording: Recording,
    progress: Progress | None = None,
    *,
    stage: str = "measuring the reference",
    use_cache: bool = False,
) -> Profile:
    """Return a recording's profile: as given, read from a saved profile, from the cache, or measured."""
    if isinstance(recording, Profile):
        return recording
    if isinstance(recording, str | Path):
        if use_cache and Path(recording).is_file():  # `open_audio` says best what else it is
            return cached_profile(recording, progress=progress, stage=stage)
        if is_yaml(recording):
            return load_profile(recording)
        recording = open_audio(recording)
    return measure(recording, progress=progress, stage=stage, faults=True)


def profiles_side_by_side(
    mix: Recording, references: Sequence[Recording], progress: Progress | None, *, use_cache: bool = False
) -> tuple[Profile, list[Profile]]:
    """Return the profiles of mix and references, the references measured in turn on a thread of their own.

    `progress` is only ever called from the calling thread.
    """
    stopped = threading.Event()
    latest: tuple[str, int, int | None] = ("measuring the reference", 0, None)

    def note(stage: str, done: int, total: int | None) -> None:
        nonlocal latest
        if stopped.is_set():
            raise CancelledError
        latest = (stage, done, total)

    def measure_references(progress: Progress | None) -> list[Profile]:
        with threads.cores_shared(2):
            return [profile_of(r, progress, use_cache=use_cache) for r in references]

    def measure_mix() -> Profile:
        return profile_of(mix, progress, stage="measuring the mix", use_cache=use_cache)

    if not threads.enabled() or all(isinstance(r, Profile) for r in references):
        return measure_mix(), measure_references(progress)
    with ThreadPoolExecutor(1, "refmaster-references") as pool:
        beside = pool.submit(measure_references, note)
        try:
            with threads.cores_shared(2):
                measured_mix = measure_mix()
            while not wait([beside], PROGRESS_EVERY_S).done:
                if progress is not None:
                    progress(*latest)
            return measured_mix, beside.result()
        finally:
            stopped.set()
