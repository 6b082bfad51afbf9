"""Which engine makes a plan's curves: refmaster's own matching, or another that is loaded only when asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.io.source import AudioSource
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.settings.match import MatchSettings


def heard_by_engine(
    settings: MatchSettings, mix: AudioSource, references: Sequence[str | Path | Profile | AudioSource]
) -> AudioSource | None:
    """Return the recording that another engine is to match; None where refmaster matches itself.

    Raises
    ------
    AudioError, SettingsError
        The engine cannot take this mix, or these references.
    """
    if settings.engine == "refmaster":
        return None
    from refmaster.engines.matchering import require_hearable

    return require_hearable(mix, references)


def with_engine(
    plan: MasteringPlan, mix: AudioSource, heard: AudioSource | None, progress: Progress | None
) -> MasteringPlan:
    """Return the plan with the curves of the engine that it asks for; see `heard_by_engine`."""
    if heard is None:
        return plan
    from refmaster.engines.matchering import planned_by_peer

    return planned_by_peer(plan, mix, heard, progress)
