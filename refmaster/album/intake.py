"""Take an album's mixes in: every problem is found and named before anything is rendered."""

from __future__ import annotations

from refmaster._types import Progress
from refmaster.album.features import TrackFeatures, track_features
from refmaster.album.request import Album
from refmaster.check.preflight import require_supported, require_usable
from refmaster.errors import AudioError, InputError, OutputError
from refmaster.io.formats import output_format_for
from refmaster.io.open import open_audio
from refmaster.io.suffixes import is_yaml
from refmaster.matching.derive import WeightedProfile
from refmaster.profile.cache import cached_profile, content_sha256
from refmaster.settings.document import KeyPath

Problems = list[tuple[KeyPath, str]]


def take_in(
    album: Album, outputs: list[str], progress: Progress | None = None
) -> tuple[list[TrackFeatures], list[WeightedProfile]]:
    """Measure the mixes and the references, each once.

    Parameters
    ----------
    album : Album
        As asked.
    outputs : list of str
        The masters' names; a mix that cannot be written so is a problem as well.
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
    problems = _unmeasured_problems(album, outputs)
    if problems:
        raise album.problems_error(problems)
    features = []
    for i, path in enumerate(album.paths):
        stage = f"measuring {i + 1} of {len(album.paths)}"
        try:
            profile = cached_profile(path, progress=progress, stage=stage)
            require_usable(profile, "mix")
            features.append(track_features(profile))
        except AudioError as error:
            problems.append((("tracks", i, "file"), str(error)))
    references = []
    for i, (path, weight) in enumerate(album.references):
        try:
            profile = cached_profile(path, progress=progress, stage="measuring the reference")
            require_usable(profile, "reference")
            references.append((profile, weight))
        except InputError as error:
            problems.append((_reference_key(album, i), str(error)))
    if problems:
        raise album.problems_error(problems)
    return features, references


def _unmeasured_problems(album: Album, outputs: list[str]) -> Problems:
    """Return the problems that show without measuring."""
    problems: Problems = []
    seen: dict[str, int] = {}
    output = album.settings.output
    for i, path in enumerate(album.paths):
        try:
            source = open_audio(path)
            require_supported(source)
            output_format_for(
                outputs[i], source.format, bit_depth=output.bit_depth, sample_rate_hz=output.sample_rate_hz
            )
            first = seen.setdefault(content_sha256(path), i)
            if first != i:
                raise AudioError(f"{path}: is the same recording as track {first + 1}; name it once")
        except (AudioError, OutputError) as error:
            problems.append((("tracks", i, "file"), str(error)))
    for i, (path, _) in enumerate(album.references):
        try:
            if not is_yaml(path):
                open_audio(path)
        except AudioError as error:
            problems.append((_reference_key(album, i), str(error)))
    return problems


def _reference_key(album: Album, number: int) -> KeyPath:
    """Return a reference's key in album.yaml; none where it was given as an option."""
    return ("references", number, "file") if album.settings.references else ()
