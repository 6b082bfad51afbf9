"""Render, measure what was written, correct the plan, until the written file is as its plan promises."""

from __future__ import annotations

from typing import NamedTuple

from refmaster._types import Progress
from refmaster.io.source import AudioSource, counted
from refmaster.matching.correct import corrected_level, corrected_peak, corrected_tone
from refmaster.plan import MasteringPlan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.rendering.drive import DriveAnalyzer
from refmaster.rendering.level import drive_analyzed, level_solved
from refmaster.rendering.outlets import Outlet
from refmaster.rendering.renderer import KeptBlocks, Renderer

# Each attempt costs a whole render; the first is right in most cases, the second in nearly all.
MAX_ATTEMPTS = 4


class Rendered(NamedTuple):
    """A complete file that has not got its name yet, and the plan that it was rendered by."""

    plan: MasteringPlan
    written: AudioSource
    master: Profile
    renderer: Renderer
    renders: int


class RenderLoop:
    """Renders of one mix to one outlet, which share what they can.

    Parameters
    ----------
    source : AudioSource
        The mix.
    mix : Profile
        Its measurements, after its repair.
    outlet : Outlet
        Takes every attempt; the last one is its file.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    kept : KeptBlocks, optional
        Shared with other renders of the source, which need not equalise alike.
    """

    def __init__(
        self,
        source: AudioSource,
        mix: Profile,
        outlet: Outlet,
        progress: Progress | None,
        kept: KeptBlocks | None = None,
    ) -> None:
        self._source = source
        self._mix = mix
        self._outlet = outlet
        self._progress = progress
        self._kept = kept or KeptBlocks()
        self._renders = 0
        self._analyzed: tuple[object, DriveAnalyzer] | None = None

    def solved(self, plan: MasteringPlan, *, again: bool = False) -> tuple[MasteringPlan, float]:
        """Return the plan with its level solved, and how many LU a dB of drive brings there.

        With `again` the analysis is kept for the next plan that differs in level and limiter alone.
        """
        stages = Renderer(plan, self._source).stages
        if self._analyzed is not None and self._analyzed[0] == stages:
            return level_solved(plan, self._analyzed[1])
        analyzer = drive_analyzed(plan, self._source, self._progress, kept=self._kept)
        self._analyzed = (stages, analyzer) if again else None
        return level_solved(plan, analyzer)

    def until_met(
        self, plan: MasteringPlan, slope_lu_per_db: float | None, *, corrects_tone: bool
    ) -> Rendered:
        """Solve the level, render, measure and correct until what is written keeps the plan's promise.

        A lossy file's peaks are left to `refmaster.rendering.codec_safety`.

        Parameters
        ----------
        plan : MasteringPlan
            Its promise says what is to be met.
        slope_lu_per_db : float or None
            How much loudness a dB of gain brings, where the plan's level is solved already.
        corrects_tone : bool
            Whether the tone is corrected too, once, by what the limiter moved.
        """
        if slope_lu_per_db is None:
            plan, slope_lu_per_db = self.solved(plan)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            done = self.once(plan)
            master = done.master
            if attempt == MAX_ATTEMPTS:
                break
            retoned = corrected_tone(plan, self._mix, master) if corrects_tone else None
            if retoned is not None:
                corrects_tone = False
                plan, slope_lu_per_db = self.solved(retoned)
                continue
            again = None if master.source.lossy else corrected_peak(plan, master)
            again = again or corrected_level(plan, master, slope_lu_per_db)
            if again is None:
                break
            plan = again
        return done

    def once(self, plan: MasteringPlan) -> Rendered:
        """Write a master by a plan as it stands, and measure what was written."""
        renderer = Renderer(plan, self._source, self._kept)
        blocks = counted(renderer.blocks(), "rendering", self._source.format.frames, self._progress)
        written = self._outlet.write(blocks, self._source, plan)
        master = measure(written, progress=self._progress, stage="measuring the master", identify=False)
        self._renders += 1
        return Rendered(plan, written, master, renderer, self._renders)


def expected_frames(plan: MasteringPlan, mix: Profile) -> int:
    """Return the length of a master of `mix` as it was measured before its repair, in frames."""
    frames = plan.repair.frames_of(mix.source.frames)
    return round(frames * plan.output.sample_rate_hz / mix.source.sample_rate_hz)
