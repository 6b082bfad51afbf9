"""A master, and what there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refmaster.check.codecs import DecodedLevels
from refmaster.check.findings import Finding, kept_promises
from refmaster.dsp.dynamics import BandActivity
from refmaster.dsp.limiter import LimiterActivity
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.settings.summary import Summarized, measured


@dataclass(frozen=True, kw_only=True, repr=False)
class MasterResult(Summarized):
    """A master: what was asked and what was achieved.

    Attributes
    ----------
    plan : MasteringPlan
        Renders to the same bytes again.
    mix, master : Profile
        Before, and after as measured on what was written.
    references : tuple of Profile
    findings : tuple of Finding
    limiter : LimiterActivity or None
        The limiter's gain reduction; None where it is off.
    dynamics : tuple of BandActivity
        What each band of the dynamics stage did; empty where it is off.
    output : Path or str or None
        The URL of what was stored there; None for an array.
    renders : int
        How often the audio was rendered until every promise was met (or could not be).
    decoded : tuple of DecodedLevels
        Levels of the master decoded from each of the plan's lossy codecs.
    """

    plan: MasteringPlan
    mix: Profile
    master: Profile
    references: tuple[Profile, ...]
    findings: tuple[Finding, ...]
    limiter: LimiterActivity | None
    dynamics: tuple[BandActivity, ...]
    output: Path | str | None
    renders: int
    decoded: tuple[DecodedLevels, ...] = ()

    @property
    def kept_promises(self) -> bool:
        """Whether no finding is a broken promise."""
        return kept_promises(self.findings)

    def summary(self) -> list[tuple[str, str]]:
        """Return what was made of what, how loud it is, and whether the promises were kept."""

        def levels(profile: Profile) -> str:
            found = profile.levels
            lufs, dbtp = found.integrated_lufs, found.true_peak_dbtp
            return f"{profile.name}, {measured(lufs, 'LUFS')}, {measured(dbtp, 'dBTP', decimals=2)}"

        broken = [str(f) for f in self.findings if f.severity == "broken_promise"]
        return [
            ("mix", levels(self.mix)),
            ("references", "; ".join(levels(reference) for reference in self.references) or "none"),
            ("master", levels(self.master)),
            ("output", str(self.output or "no file was kept")),
            *([("repair", self.plan.repair.why)] if self.plan.repair.why else []),
            ("tone", self.plan.tone.why),
            ("dynamics", self.plan.dynamics.why or "off"),
            ("level", self.plan.level.in_words()),
            ("promises", f"broken: {'; '.join(broken)}" if broken else "kept"),
            ("findings", str(len(self.findings))),
        ]
