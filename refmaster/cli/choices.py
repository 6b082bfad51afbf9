"""The names that options take, for their help and for completion in the shell.

Help and completion must appear at once, so nothing heavy is imported; a test holds these names against the
settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

ENGINES = ("refmaster", "matchering")
STRENGTHS = ("evidence", "balanced", "full")
LOUDNESSES = ("clean", "full")
PHASES = ("linear", "minimum")
REPAIRS = ("dc", "clicks", "overs", "trim", "all", "none")
CURVE_FORMATS = ("impulse", "graphiceq", "rew", "bands", "moves")
CURVE_PARTS = ("mid", "side")
BIT_DEPTHS = ("16", "24", "32f", "64f")
# Stands in a help text for the names of the delivery targets, which are read when the help is shown.
TARGET_NAMES = "{targets}"


def target_names() -> list[str]:
    """Return the names of the delivery targets."""
    from refmaster.settings.folders import target_paths

    return list(target_paths())


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a function that completes the beginning of one of the names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def with_names(help_text: str) -> str:
    """Return a help text with the names of the delivery targets in their place."""
    if TARGET_NAMES not in help_text:
        return help_text
    return help_text.replace(TARGET_NAMES, ", ".join(target_names()))
