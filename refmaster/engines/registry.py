"""The engines by name: the one place that turns a setting into an engine."""

from __future__ import annotations

from refmaster.engines.base import Engine
from refmaster.engines.matchering import MatcheringEngine
from refmaster.settings.match import EngineName

_ENGINES: dict[EngineName, Engine] = {"refmaster": Engine(), "matchering": MatcheringEngine()}


def engine_named(name: EngineName) -> Engine:
    """Return the engine that a setting names."""
    return _ENGINES[name]
