"""The level of a delivery without a limiter: as loud as asked, as far as its peaks allow."""

from __future__ import annotations

import math
from typing import NamedTuple

from refmaster._types import Progress
from refmaster.io.source import AudioSource, counted
from refmaster.meters.loudness import LoudnessMeter
from refmaster.meters.true_peak import TruePeakMeter
from refmaster.plan import Level, MasteringPlan
from refmaster.rendering.loop import Rendered, RenderLoop
from refmaster.rendering.renderer import KeptBlocks, Renderer
from refmaster.threads import prefetched

# Dither and the rounding of measurements move a peak by less.
PEAK_MARGIN_DB = 0.01


class _Unlimited(NamedTuple):
    """The signal that enters the level stage."""

    integrated_lufs: float | None
    true_peak_dbtp: float


def rendered_unlimited(
    source: AudioSource, plan: MasteringPlan, loop: RenderLoop, progress: Progress | None, kept: KeptBlocks
) -> Rendered:
    """Render a plan whose limiter is off, its gain lowered as far as the promised true peak needs it.

    Parameters
    ----------
    source : AudioSource
        The mix.
    plan : MasteringPlan
        Its level asks for a loudness or states a gain; its promise says what peaks stay below.
    loop : RenderLoop
        Writes the file.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    kept : KeptBlocks
        Keeps the signal for the render; shared with the loop.
    """
    plan = _held(plan, _measured(source, plan, progress, kept))
    done = loop.once(plan)
    peak, limit = done.master.levels.true_peak_dbtp, plan.promise.true_peak_dbtp
    if peak is None or peak <= limit:
        return done
    gain = round(plan.level.solved_db - (peak - limit) - PEAK_MARGIN_DB, 3) + 0.0
    plan = plan.model_copy(update={"level": plan.level.model_copy(update={"gain_db": gain})})
    return loop.once(plan)


def _held(plan: MasteringPlan, heard: _Unlimited) -> MasteringPlan:
    """Return the plan with the gain that its loudness asks for, or the highest that its peaks allow.

    Where the peaks forbid a loudness, none is promised.
    """
    limit, lufs = plan.promise.true_peak_dbtp, plan.level.lufs
    most = limit - PEAK_MARGIN_DB - heard.true_peak_dbtp
    wanted = plan.level.gain_db
    if wanted is None:
        wanted = 0.0 if lufs is None or heard.integrated_lufs is None else lufs - heard.integrated_lufs
    gain = round(math.floor(min(wanted, most) * 1000.0) / 1000.0, 3) + 0.0
    if wanted <= most:
        why = f"brings the mix to {lufs:.1f} LUFS without a limiter" if lufs is not None else plan.level.why
    else:
        why = (
            f"without a limiter: the most that keeps peaks below {limit:g} dBTP; the level asked for is "
            f"{wanted - most:.1f} dB higher"
        )
    level = Level(why=why, gain_db=gain)
    promised = lufs if wanted <= most else None
    promise = plan.promise.model_copy(update={"integrated_lufs": promised, "limited_by": None})
    return plan.model_copy(update={"level": level, "promise": promise})


def _measured(
    source: AudioSource, plan: MasteringPlan, progress: Progress | None, kept: KeptBlocks
) -> _Unlimited:
    rate, channels = plan.output.sample_rate_hz, source.format.channels
    loudness, peak = LoudnessMeter(rate, channels), TruePeakMeter(rate, channels)
    total = round(plan.mix.frames * rate / plan.mix.sample_rate_hz)
    blocks = prefetched(Renderer(plan, source, kept).equalized_blocks())
    for block in counted(blocks, "measuring the peaks", total, progress):
        loudness.update(block)
        peak.update(block)
    return _Unlimited(loudness.result().integrated_lufs, peak.result().true_peak_dbtp)
