"""The names that options take, for their help and for completion in the shell.

Help and completion must appear at once, so nothing heavy is imported; a test holds these names against the
settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

ENGINES = ("refmaster", "matchering")
STRENGTHS = ("evidence", "balanced", "full")
LOUDNESSES = ("clean", "full")
PHASES = ("linear", "minimum")
CURVE_FORMATS = ("impulse", "graphiceq", "rew", "bands", "moves")
CURVE_PARTS = ("mid", "side")
BIT_DEPTHS = ("16", "24", "32f", "64f")
# Stands in a help text for the names of the delivery targets, which are read when the help is shown.
TARGET_NAMES = "{targets}"


def target_names() -> list[str]:
    """Return the names of the delivery targets."""
    import refmaster.settings
    from refmaster.settings.document import read_document

    table = read_document(Path(refmaster.settings.__path__[0]) / "targets.yaml").data
    return list(table["targets"])


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
