"""The aspects of a master that a reference may serve: tone, width, balance, dynamics, loudness.

A reference without aspects serves all. Nothing heavy is imported here: the command line needs the names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Literal, NamedTuple, TypeVar, get_args

from refmaster.errors import SettingsError

ServedAspect = Literal["tone", "width", "balance", "dynamics", "loudness"]
ServedAspects = tuple[ServedAspect, ...]
ASPECTS: ServedAspects = get_args(ServedAspect)

RecordingT = TypeVar("RecordingT", covariant=True)


class AskedReference(NamedTuple, Generic[RecordingT]):
    """A reference as it is asked for: a recording, its weight, and the aspects that it serves (none: all)."""

    recording: RecordingT
    weight: float = 1.0
    aspects: ServedAspects = ()


def serves(aspects: ServedAspects, aspect: ServedAspect) -> bool:
    """Return whether a reference with these aspects serves one of them."""
    return not aspects or aspect in aspects


def checked_aspects(names: Iterable[str]) -> ServedAspects:
    """Return aspects in their usual order; none where all are named, which says the same.

    Raises
    ------
    SettingsError
        A name is no aspect.
    """
    named = tuple(names)
    unknown = [name for name in named if name not in ASPECTS]
    if unknown:
        raise SettingsError(f"expected what a reference serves, {', '.join(ASPECTS)}; found {unknown[0]!r}")
    found = tuple(aspect for aspect in ASPECTS if aspect in named)
    return () if found == ASPECTS else found


def unserved(aspect: str) -> str:
    """Return why an aspect that no reference serves is not matched."""
    return f"no reference serves {aspect}: not matched"
