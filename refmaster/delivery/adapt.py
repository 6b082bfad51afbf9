"""Adapt a plan to a delivery target: the format of the file, the ceiling, and the loudness to reach.

Touches no audio: the level is left to the render where the target needs another one.
"""

from __future__ import annotations

from pathlib import Path

from refmaster.io.formats import bit_depth_of, container_name
from refmaster.io.source import AudioFormat
from refmaster.plan import Level, LimiterStage, MasteringPlan, Output, Tone
from refmaster.settings.targets import DeliveryTarget

# Dither adds a step or two of the word length: this keeps samples below a limit of theirs at 16 bit.
SAMPLE_MARGIN_DB = 0.1
LOSSY_CONTAINERS = ("mp3", "ogg", "opus", "m4a")


def adapted_plan(plan: MasteringPlan, target: DeliveryTarget, mix: AudioFormat) -> MasteringPlan:
    """Return a plan as a target needs it.

    Parameters
    ----------
    plan : MasteringPlan
        Restated: without reasons and promises that no longer hold.
    target : DeliveryTarget
        Its loudness, where it has one, replaces the plan's.
    mix : AudioFormat
        Decides the word length where the plan does not.
    """
    lufs = target.integrated_lufs if target.integrated_lufs is not None else plan.level.lufs
    promised = lufs if lufs is not None else plan.promise.integrated_lufs
    ceiling = _ceiling(plan, target, promised)
    level, limited_by = plan.level, plan.promise.limited_by
    if target.integrated_lufs is not None:
        level, limited_by = Level(why=f"for {target.name}", lufs=target.integrated_lufs), None
    promise = plan.promise.model_copy(
        update={"integrated_lufs": promised, "true_peak_dbtp": ceiling, "limited_by": limited_by}
    )
    return plan.model_copy(
        update={
            "requested": plan.requested.model_copy(update={"ceiling_dbtp": ceiling}),
            "tone": _tone(plan.tone, target),
            "level": level,
            "limiter": _limiter(plan.limiter, target, ceiling),
            "output": _output(plan.output, target, mix),
            "promise": promise,
        }
    )


def delivered_path(folder: Path, song: str, target: DeliveryTarget, mix: AudioFormat) -> Path:
    """Return the name of the file for a target: in the mix's container where it may be, else the first."""
    name = target.file_name.format(song=song, target=target.name, ext=f".{_container(target, mix)}")
    return folder / name


def _container(target: DeliveryTarget, mix: AudioFormat) -> str:
    own = container_name(mix.container, mix.subtype)
    return own if own in target.containers and not mix.lossy else target.containers[0]


def _ceiling(plan: MasteringPlan, target: DeliveryTarget, promised_lufs: float | None) -> float:
    """Return the highest true peak that plan and target allow, in dBTP."""
    limits = [plan.promise.true_peak_dbtp, target.true_peak_limit_dbtp(promised_lufs)]
    if target.sample_peak_dbfs is not None:
        limits.append(target.sample_peak_dbfs - SAMPLE_MARGIN_DB)
    return min(limit for limit in limits if limit is not None)


def _tone(tone: Tone, target: DeliveryTarget) -> Tone:
    if target.mono_below_hz is None:
        return tone
    return tone.model_copy(update={"mono_below_hz": max(target.mono_below_hz, tone.mono_below_hz or 0.0)})


def _limiter(limiter: LimiterStage, target: DeliveryTarget, ceiling_dbtp: float) -> LimiterStage:
    if not target.limiter:
        return limiter.model_copy(update={"enabled": False, "why": f"off: {target.name} wants none"})
    if not limiter.enabled or limiter.ceiling_dbtp <= ceiling_dbtp:
        return limiter
    why = f"holds {ceiling_dbtp:g} dBTP for {target.name}; only peaks above it are touched"
    return limiter.model_copy(update={"ceiling_dbtp": ceiling_dbtp, "why": why})


def _output(output: Output, target: DeliveryTarget, mix: AudioFormat) -> Output:
    """Return what is written: rate and word length as the plan or the mix has them, where they may be."""
    rate, depth = output.sample_rate_hz, output.bit_depth
    if target.sample_rates_hz and rate not in target.sample_rates_hz:
        rate = target.sample_rates_hz[0]
    if target.bit_depths and (depth or bit_depth_of(mix.subtype)) not in target.bit_depths:
        depth = target.bit_depths[0]
    return output.model_copy(
        update={
            "sample_rate_hz": rate,
            "bit_depth": None if _container(target, mix) in LOSSY_CONTAINERS else depth,
            "codecs": tuple(dict.fromkeys((*output.codecs, *target.codecs))),
        }
    )
