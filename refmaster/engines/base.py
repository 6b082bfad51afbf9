"""The interface of every engine, and refmaster's own.

An engine decides whose tone curves a plan holds. Level, limiter, promises and the written file are the same
whichever engine is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that asking an engine what it needs, as the planning of a batch does, imports no NumPy
    from refmaster._types import Progress
    from refmaster.check.findings import Finding
    from refmaster.io.source import AudioSource
    from refmaster.plan import MasteringPlan
    from refmaster.profile.model import Profile
    from refmaster.profile.obtain import Recording
    from refmaster.settings.aspects import ServedAspects


class Engine:
    """refmaster's own engine: it matches from profiles, and its curves are those of the derived plan.

    Attributes
    ----------
    label : str
        What a comparison calls a master made with its curves.
    needs_recordings : bool
        Whether it listens to the reference recordings: a saved profile is not enough then.
    matches_albums : bool
        Whether it can bring an album as a whole toward references.
    tone_is_corrected : bool
        Whether its curves may be corrected for what the limiter moved.
    """

    label = "refmaster"
    needs_recordings = False
    matches_albums = True
    tone_is_corrected = True

    def check(
        self,
        references: Sequence[Recording],
        mix: AudioSource | None = None,
        aspects: Sequence[ServedAspects] = (),
    ) -> None:
        """Refuse references, and the mix where it is known already, that the engine cannot match.

        `aspects` is what each reference serves; by default each serves all.

        Raises
        ------
        AudioError, SettingsError
        """

    def with_curves(
        self,
        plan: MasteringPlan,
        _mix: AudioSource,
        _references: Sequence[Recording],
        _progress: Progress | None,
        /,
    ) -> MasteringPlan:
        """Return a derived plan, its level not solved yet, with the engine's curves."""
        return plan

    def findings(self, findings: Sequence[Finding], _plan: MasteringPlan, _mix: Profile, /) -> list[Finding]:
        """Return a master's findings as they hold for this engine, with those about the engine itself."""
        return list(findings)
