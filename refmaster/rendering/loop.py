"""Render, measure what was written, correct the plan, until the written file is as its plan promises."""

from __future__ import annotations

from typing import NamedTuple

from refmaster._types import Progress
from refmaster.io.source import AudioSource, counted
from refmaster.matching.correct import corrected_level, corrected_peak, corrected_tone
from refmaster.plan import MasteringPlan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.rendering.level import drive_analyzed, level_solved
from refmaster.rendering.outlets import Outlet
from refmaster.rendering.renderer import KeptBlocks, Renderer

# Each attempt costs a whole render; the first is right in most cases, the second in nearly all.
MAX_ATTEMPTS = 4


class Rendered(NamedTuple):
    """A complete file that has not got its name yet, and the plan that it was rendered by."""

    plan: MasteringPlan
    master: Profile
    renderer: Renderer
    renders: int


def rendered_until_met(
    source: AudioSource,
    mix: Profile,
    plan: MasteringPlan,
    outlet: Outlet,
    progress: Progress | None,
    *,
    slope_lu_per_db: float | None,
    corrects_tone: bool,
    kept: KeptBlocks | None = None,
) -> Rendered:
    """Solve the level, render, measure and correct until what is written keeps the plan's promise.

    Parameters
    ----------
    source : AudioSource
        The mix.
    mix : Profile
        Its measurements, after its repair.
    plan : MasteringPlan
        Its promise says what is to be met.
    outlet : Outlet
        Takes every attempt; the last one is its file.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    slope_lu_per_db : float or None
        How much loudness a dB of gain brings, where the plan's level is solved already.
    corrects_tone : bool
        Whether the tone is corrected too, once, by what the limiter moved.
    kept : KeptBlocks, optional
        Shared with other renders of the source, which need not equalise alike.
    """
    kept = kept or KeptBlocks()
    if slope_lu_per_db is None:
        plan, slope_lu_per_db = _solve(source, plan, progress, kept)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        master, renderer = rendered_once(source, plan, outlet, progress, kept)
        if attempt == MAX_ATTEMPTS:
            break
        retoned = corrected_tone(plan, mix, master) if corrects_tone else None
        if retoned is not None:
            corrects_tone = False
            plan, slope_lu_per_db = _solve(source, retoned, progress, kept)
            continue
        again = corrected_peak(plan, master) or corrected_level(plan, master, slope_lu_per_db)
        if again is None:
            break
        plan = again
    return Rendered(plan, master, renderer, attempt)


def rendered_once(
    source: AudioSource,
    plan: MasteringPlan,
    outlet: Outlet,
    progress: Progress | None,
    kept: KeptBlocks | None = None,
) -> tuple[Profile, Renderer]:
    """Write a master and measure what was written; return that, and what rendered it."""
    renderer = Renderer(plan, source, kept)
    total = source.format.frames
    written = outlet.write(counted(renderer.blocks(), "rendering", total, progress), source, plan)
    master = measure(written, progress=progress, stage="measuring the master", identify=False)
    return master, renderer


def expected_frames(plan: MasteringPlan, mix: Profile) -> int:
    """Return the length of a master of `mix` as it was measured before its repair, in frames."""
    frames = plan.repair.frames_of(mix.source.frames)
    return round(frames * plan.output.sample_rate_hz / mix.source.sample_rate_hz)


def _solve(
    source: AudioSource, plan: MasteringPlan, progress: Progress | None, kept: KeptBlocks
) -> tuple[MasteringPlan, float]:
    """Return the plan with its level solved, and how many LU a dB of drive brings there."""
    return level_solved(plan, drive_analyzed(plan, source, progress, kept=kept))
