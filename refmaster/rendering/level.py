"""The level stage: the gain into the limiter that meets the promised loudness, or what forbids it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from refmaster._types import Array32, Progress
from refmaster.io.source import AudioSource, counted
from refmaster.matching.derive import follows_reference
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.plan import Level, MasteringPlan
from refmaster.rendering.drive import DriveAnalyzer, DriveSolution
from refmaster.rendering.renderer import KeptBlocks, Renderer, limiter_settings
from refmaster.settings.match import MatchSettings
from refmaster.threads import prefetched


class Bounds(TypedDict):
    """Bounds of the limiting; None where there is none of the kind."""

    max_reduction_db: float | None
    max_noise_to_mask_db: float | None


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
    total = round(plan.repaired_frames * rate / plan.mix.sample_rate_hz)
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
    solution = analyzer.solve(
        target, limiter_settings(plan), **bounds_of(plan.requested, plan.serving("loudness"))
    )
    why = _why(solution, target, plan.requested.max_reduction_db)
    if follows_reference(plan.requested, plan.references) and not plan.serving("loudness"):
        why = f"no reference serves loudness: the mix keeps its own; {why}"
    level = Level(
        why=why,
        gain_db=round(solution.found.gain_db, 3) + 0.0,
        noise_to_mask_db=rounded_ratio(solution.found.noise_to_mask_db),
    )
    promise = plan.promise.model_copy(update={"limited_by": solution.limited_by})
    return plan.model_copy(update={"level": level, "promise": promise}), solution.slope_lu_per_db


def bounds_of(requested: MatchSettings, references: Sequence[object]) -> Bounds:
    """Return what bounds the limiting: what is heard of it, unless a loudness is asked for at any price."""
    stays_clean = follows_reference(requested, references) and requested.loudness is True
    return {
        "max_reduction_db": requested.max_reduction_db,
        "max_noise_to_mask_db": CLEAN_NOISE_TO_MASK_DB if stays_clean else None,
    }


def rounded_ratio(noise_to_mask_db: float) -> float | None:
    """Return a noise-to-mask ratio as a plan keeps it; None where there is no noise."""
    return round(noise_to_mask_db, 1) + 0.0 if np.isfinite(noise_to_mask_db) else None


def cost_in_words(solution: DriveSolution, target: float) -> str:
    """Return what the loudness that was asked would cost, or what the most would be."""
    full = solution.full
    heard = "with no noise to be heard"
    if np.isfinite(full.noise_to_mask_db):
        heard = f"at a noise-to-mask ratio of {full.noise_to_mask_db:.1f} dB"
    if solution.meets_target:
        return f"{target:.1f} LUFS would cost {full.max_reduction_db:.1f} dB of limiting {heard}"
    return f"of {target:.1f} LUFS at most {full.lufs:.1f} would be had {heard}"


def _why(solution: DriveSolution, target: float, limit: float | None) -> str:
    if solution.limited_by == "max_reduction":
        return f"{cost_in_words(solution, target)}; stopped at the allowed {limit:g} dB (--max-reduction)"
    if solution.limited_by == "audibility":
        return f"{cost_in_words(solution, target)}; stopped where limiting is still clean"
    if solution.limited_by == "saturation":
        return (
            f"more gain hardly makes this mix louder: {target:.1f} LUFS is out of reach, and the next dB of "
            f"gain would bring {solution.slope_lu_per_db:.2f} LU"
        )
    reduction = solution.found.max_reduction_db
    if reduction < 0.05:
        return f"brings the mix to {target:.1f} LUFS without limiting"
    return f"brings the mix to {target:.1f} LUFS with at most {reduction:.1f} dB of limiting"
