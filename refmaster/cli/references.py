"""References as options name them: ``ASPECT=FILE:WEIGHT``, and folders, of which the best serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmaster.errors import SettingsError
from refmaster.io.suffixes import is_url
from refmaster.settings.aspects import ASPECTS, AskedReference, checked_aspects

if TYPE_CHECKING:
    from refmaster._types import Progress
    from refmaster.batch.staging import Staging
    from refmaster.comparison.suggest import Suggestions
    from refmaster.settings.match import MatchSettings
    from refmaster.settings.stems import Stems

Reference = AskedReference[str]


def parse_references(references: list[str]) -> list[Reference]:
    """Split ``ASPECT,ASPECT=FILE:WEIGHT``; a path that exists as it stands has no aspect and no weight.

    Raises
    ------
    SettingsError
        What stands before ``=`` is no aspect, and there is no such file.
    """
    return [_parsed(text) for text in references]


def _parsed(text: str) -> Reference:
    plain = _weighted(text)
    said, equals, rest = text.partition("=")
    if not equals or is_url(text) or _is_there(plain.recording):
        return plain
    names = said.split(",")
    if not set(names) <= set(ASPECTS):
        raise SettingsError(
            f"--reference {text}: no such file, and before = expected what it serves ({', '.join(ASPECTS)}), "
            f"found {said!r}"
        )
    if not rest:
        raise SettingsError(f"--reference {text}: expected a file after =, found none")
    return _weighted(rest)._replace(aspects=checked_aspects(names))


def _weighted(text: str) -> Reference:
    head, colon, tail = text.rpartition(":")
    weight = _number(tail) if colon and head and not _is_there(text) else None
    return AskedReference(text) if weight is None else AskedReference(head, weight)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False


def inputs_of(mixes: list[str], references: list[Reference], settings: MatchSettings) -> list[str]:
    """Return the files that a match reads."""
    prior = [] if settings.prior is None else [settings.prior]
    return [*mixes, *(r.recording for r in references if not _is_folder(r.recording)), *prior]


def _is_folder(path: str) -> bool:
    return not is_url(path) and _is_there(path) and Path(path).is_dir()


def refuse_folders(references: list[Reference]) -> None:
    """Refuse folders of references where many mixes are mastered: each would have references of its own."""
    for reference in references:
        if _is_folder(reference.recording):
            raise SettingsError(
                f"--reference {reference.recording}: from a folder references are chosen for one MIX and one "
                "master, found several or a folder of masters; refmaster suggest MIX FOLDER names them: give "
                "those"
            )


def fetched_references(
    references: list[Reference],
    mix: Path | Stems,
    settings: MatchSettings,
    staging: Staging,
    progress: Progress | None,
    *,
    use_cache: bool,
) -> tuple[list[AskedReference[Any]], list[str]]:
    """Return the references as files of this machine, and what is to be told of those that were chosen.

    Of a folder the recordings and profiles that serve best together stand in its place, each with its weight
    and its aspects.

    Raises
    ------
    InputError
        A reference cannot be read, is a folder elsewhere, or holds nothing that can be a reference.
    """
    found: list[AskedReference[Any]] = []
    told: list[str] = []
    for reference in references:
        name = reference.recording
        if is_url(name) and name.endswith("/"):
            raise SettingsError(
                f"--reference {name}: expected a recording, found a folder; only a folder of this machine is "
                "searched for references"
            )
        if not _is_folder(name):
            found.append(AskedReference(staging.fetched(name), reference.weight, reference.aspects))
            continue
        if not isinstance(mix, Path):
            raise SettingsError(
                f"--reference {name}: a folder is searched for a MIX, found stems; export their sum, and "
                "refmaster suggest MIX FOLDER names the references: give those"
            )
        from refmaster.comparison.suggest import suggest_references

        suggested = suggest_references(
            mix,
            [name],
            prior=settings.prior,
            ceiling_dbtp=settings.ceiling_dbtp,
            use_cache=use_cache,
            progress=progress,
        )
        found += [
            AskedReference(Path(chosen.file), reference.weight, reference.aspects)
            for chosen in suggested.together
        ]
        told += _told(suggested, name)
    return found, told


def _told(suggested: Suggestions, folder: str) -> list[str]:
    count = len(suggested.ranked)
    return [
        f"reference {r.profile.name}, of {count} in {folder}: {suggested.why(r)}" for r in suggested.together
    ]
