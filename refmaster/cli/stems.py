"""A mix on the command line: files, or in their place the stems that sum to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.batch.staging import Staging
    from refmaster.settings.stems import Stems


def require_one_kind(mixes: list[str], stems: list[str]) -> None:
    """Refuse mixes beside stems, and neither.

    Raises
    ------
    SettingsError
        Both were given, or nothing was.
    """
    if mixes and stems:
        raise SettingsError(
            f"--stem: expected stems or a MIX, found both ({len(stems)} stems, {mixes[0]}); leave out the "
            "MIX: it is the sum of its stems"
        )
    if not mixes and not stems:
        raise SettingsError(
            "MIX: expected a mix, or --stem for each stem that it is the sum of; found neither"
        )


def fetched_mix(mixes: list[str], stems: list[str], staging: Staging) -> Path | Stems:
    """Return the mix, or its stems, as files of this machine."""
    if not stems:
        return staging.fetched(mixes[0])
    from refmaster.settings.stems import Stems

    return Stems([staging.fetched(stem) for stem in stems])
