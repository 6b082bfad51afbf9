"""The engines by name: the one place that turns a setting into an engine."""

from __future__ import annotations

from collections.abc import Callable

from refmaster.engines.base import Engine
from refmaster.settings.match import EngineName


def _matchering() -> Engine:
    from refmaster.engines.matchering import MatcheringEngine

    return MatcheringEngine()


_ENGINES: dict[EngineName, Callable[[], Engine]] = {"refmaster": Engine, "matchering": _matchering}


def engine_named(name: EngineName) -> Engine:
    """Return the engine that a setting names."""
    return _ENGINES[name]()
