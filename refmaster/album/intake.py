"""Take an album's mixes in: every problem is found and named before anything is rendered."""

from __future__ import annotations

from pathlib import Path

from refmaster._types import Progress
from refmaster.album.features import TrackFeatures, features_of
from refmaster.album.request import Album
from refmaster.check.preflight import require_stereo, require_usable
from refmaster.errors import AudioError, InputError, OutputError
from refmaster.io.formats import output_format_for
from refmaster.io.open import open_audio
from refmaster.profile.cache import cached_profile, content_sha256
from refmaster.profile.model import Profile, is_profile_path
from refmaster.settings.document import Problem, problems_error


def take_in(
    album: Album, outputs: list[str], progress: Progress | None = None
) -> tuple[list[TrackFeatures], list[tuple[Profile, float]]]:
    """Measure the mixes and the references, each once.

    Parameters
    ----------
    album : Album
        As asked.
    outputs : list of str
        The masters' names: what cannot be written so is a problem as well.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Returns
    -------
    features : list of TrackFeatures
    references : list of (Profile, weight)

    Raises
    ------
    InputError
        Naming everything that is missing, unreadable, silent, doubled or of a kind that cannot be mastered.
    """
    problems = _at_the_door(album, outputs)
    _complain(album, problems)
    features = []
    for i, path in enumerate(album.paths):
        stage = f"measuring {i + 1} of {len(album.paths)}"
        try:
            profile = cached_profile(path, progress=progress, stage=stage)
            require_usable(profile, "mix")
            features.append(features_of(profile))
        except AudioError as error:
            problems.append(album.problem(i, str(error)))
    references = []
    for i, (path, weight) in enumerate(album.references):
        try:
            profile = cached_profile(path, progress=progress, stage="measuring the reference")
            require_usable(profile, "reference")
            references.append((profile, weight))
        except InputError as error:
            problems.append(_of_reference(album, i, path, str(error)))
    _complain(album, problems)
    return features, references


def _at_the_door(album: Album, outputs: list[str]) -> list[Problem]:
    """Return what can be told without measuring."""
    problems = []
    seen: dict[str, int] = {}
    output = album.settings.output
    for i, path in enumerate(album.paths):
        try:
            source = open_audio(path)
            require_stereo(source)
            output_format_for(
                outputs[i], source.format, bit_depth=output.bit_depth, sample_rate_hz=output.sample_rate_hz
            )
            first = seen.setdefault(content_sha256(path), i)
            if first != i:
                problems.append(
                    album.problem(i, f"{path}: is the same recording as track {first + 1}; name it once")
                )
        except (AudioError, OutputError) as error:
            problems.append(album.problem(i, str(error)))
    for i, (path, _) in enumerate(album.references):
        if is_profile_path(path):
            continue
        try:
            open_audio(path)
        except AudioError as error:
            problems.append(_of_reference(album, i, path, str(error)))
    return problems


def _of_reference(album: Album, number: int, path: Path, message: str) -> Problem:
    place = ("references", number, "file")
    if album.document is None or place not in album.document.value_marks:
        return Problem(1000 + number, 1, str(path), message)
    return album.document.problem(place, message)


def _complain(album: Album, problems: list[Problem]) -> None:
    if not problems:
        return
    if album.document is None:
        raise InputError("\n".join(p.message for p in sorted(problems, key=lambda p: p.line)))
    raise problems_error(album.name, problems)
