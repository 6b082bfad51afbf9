"""The level stage: the gain into the limiter that meets the promised loudness, or what forbids it."""

from __future__ import annotations

from refmaster._types import Array32, Progress
from refmaster.io.source import AudioSource, counted
from refmaster.plan import Level, MasteringPlan
from refmaster.rendering.drive import DriveAnalyzer, DriveSolution
from refmaster.rendering.renderer import KeptBlocks, Renderer, limiter_settings
from refmaster.threads import prefetched


def drive_analyzed(
    plan: MasteringPlan,
    source: AudioSource,
    progress: Progress | None,
    *,
    kept: KeptBlocks | None = None,
    stage: str = "solving the level",
) -> DriveAnalyzer:
    """Return the analysis of the signal that will enter the limiter, ready to be solved.

    Parameters
    ----------
    plan : MasteringPlan
        Its stages up to the level.
    source : AudioSource
        The plan's mix.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    kept : KeptBlocks, optional
        Keeps the signal and its quick peaks for the render that follows.
    stage : str
        Name of this work for the progress.
    """
    renderer = Renderer(plan, source, kept)
    rate, channels = plan.output.sample_rate_hz, source.format.channels
    total = round(plan.mix.frames * rate / plan.mix.sample_rate_hz)
    peaks: list[Array32] = []
    keeps_peaks = kept is not None and kept.has_room_for(total * channels)
    analyzer = DriveAnalyzer(rate, channels, on_peaks=peaks.append if keeps_peaks else None)
    for block in counted(prefetched(renderer.equalized_blocks()), stage, total, progress):
        analyzer.update(block)
    analyzer.finish()
    if kept is not None and keeps_peaks:
        kept.keep_peaks(renderer.stages, peaks)
    return analyzer


def level_solved(plan: MasteringPlan, analyzer: DriveAnalyzer) -> tuple[MasteringPlan, float]:
    """Return the plan with its gain solved, and the slope there in LU per dB of gain."""
    target = plan.promise.integrated_lufs
    if target is None:
        return plan, 1.0
    limit = plan.requested.max_reduction_db
    solution = analyzer.solve(target, limiter_settings(plan), max_reduction_db=limit)
    level = Level(why=_why(solution, target, limit), gain_db=round(solution.gain_db, 3) + 0.0)
    promise = plan.promise.model_copy(update={"limited_by": solution.limited_by})
    return plan.model_copy(update={"level": level, "promise": promise}), solution.slope_lu_per_db


def _why(solution: DriveSolution, target: float, limit: float) -> str:
    if solution.limited_by == "max_reduction":
        return (
            f"{target:.1f} LUFS would cost {solution.cost_db:.1f} dB of limiting; stopped at the allowed "
            f"{limit:g} dB (--max-reduction)"
        )
    if solution.limited_by == "saturation":
        return (
            f"more gain hardly makes this mix louder: {target:.1f} LUFS is out of reach, and the next dB of "
            f"gain would bring {solution.slope_lu_per_db:.2f} LU"
        )
    reduction = solution.predicted_max_reduction_db
    if reduction < 0.05:
        return f"brings the mix to {target:.1f} LUFS without limiting"
    return f"brings the mix to {target:.1f} LUFS with at most {reduction:.1f} dB of limiting"
