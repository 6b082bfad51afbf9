"""Correct a plan by the measurements of the file that was written from it.

Each function returns the corrected plan, or None where nothing is worth correcting.
"""

from __future__ import annotations

import numpy as np

from refmaster.matching.curves import curve_at, tone_points
from refmaster.matching.neutral import MixLoudness, loudness_neutral
from refmaster.matching.sections import long_term_gain_db
from refmaster.matching.shape import range_window
from refmaster.plan import MasteringPlan
from refmaster.profile.bands import energy_mask, judged, smooth, smooth_power_db
from refmaster.profile.model import Profile

# Under these the written file is as good as its plan.
LOUDNESS_OFF_LU = 0.03
TONE_OFF_DB = 0.2
# What a limiter does to the tone is small; more than this is not its doing.
MAX_TONE_CORRECTION_DB = 3.0
PEAK_MARGIN_DB = 0.01
# A smaller slope, in LU per dB of gain, is not trusted.
_LEAST_SLOPE = 0.1


def corrected_level(plan: MasteringPlan, master: Profile, slope_lu_per_db: float) -> MasteringPlan | None:
    """Correct the gain by what the written loudness misses, unless a limit keeps it down."""
    target, reached = plan.promise.integrated_lufs, master.levels.integrated_lufs
    if target is None or reached is None or plan.promise.limited_by is not None:
        return None
    missed = target - reached
    if abs(missed) <= LOUDNESS_OFF_LU:
        return None
    gain = plan.level.solved_db + missed / max(slope_lu_per_db, _LEAST_SLOPE)
    level = plan.level.model_copy(update={"gain_db": round(gain, 3) + 0.0})
    return plan.model_copy(update={"level": level})


def corrected_peak(plan: MasteringPlan, master: Profile) -> MasteringPlan | None:
    """Lower the limiter's own ceiling by what the written file goes over."""
    reached = master.levels.true_peak_dbtp
    if reached is None or reached <= plan.promise.true_peak_dbtp or not plan.limiter.enabled:
        return None
    return lowered_ceiling(plan, reached - plan.promise.true_peak_dbtp + PEAK_MARGIN_DB, "as it is written")


def lowered_ceiling(plan: MasteringPlan, by_db: float, holds: str) -> MasteringPlan:
    """Lower the limiter's own ceiling, so that the file `holds` the promised one in some sense."""
    ceiling = round(plan.limiter.ceiling_dbtp - by_db, 3)
    lower = plan.promise.true_peak_dbtp - ceiling
    why = f"set {lower:.2f} dB lower, so that the file holds its ceiling {holds}"
    limiter = plan.limiter.model_copy(update={"ceiling_dbtp": ceiling, "why": why})
    return plan.model_copy(update={"limiter": limiter})


def corrected_tone(plan: MasteringPlan, mix: Profile, master: Profile) -> MasteringPlan | None:
    """Take from the curves what the limiter moved, where it moved the tone noticeably; no level is added."""
    if not plan.requested.tone or not plan.tone.mid:
        return None
    count = min(len(mix.spectrum.frequencies_hz), len(master.spectrum.frequencies_hz))
    frequencies = np.asarray(mix.spectrum.frequencies_hz[:count])
    before, reached = np.asarray(mix.spectrum.mid_db[:count]), np.asarray(master.spectrum.mid_db[:count])
    mid, width = (curve_at(points, frequencies) for points in (plan.tone.mid, plan.tone.width))
    expected = before + mid + long_term_gain_db(plan.sections, mix, frequencies)
    present = energy_mask(frequencies, before)
    counts = present & judged(frequencies)
    if not counts.any():
        return None
    moved = smooth_power_db(reached, 1 / 3) - smooth_power_db(expected, 1 / 3)
    moved -= moved[counts].mean()
    if np.sqrt(np.mean(moved[counts] ** 2)) <= TONE_OFF_DB:
        return None
    correction = -smooth(moved, present, plan.requested.smoothing_octaves)
    correction = np.clip(correction, -MAX_TONE_CORRECTION_DB, MAX_TONE_CORRECTION_DB)
    reach = present * range_window(frequencies, plan.requested)
    loudness = MixLoudness(mix, frequencies)
    corrected = loudness_neutral(
        mid + correction, width, loudness, lambda asked: mid + reach * (asked - mid), plan.requested
    )
    moved_by = "the limiter" if plan.dynamics.is_at_rest else "dynamics and limiter"
    tone = plan.tone.model_copy(
        update={
            "mid": tone_points(frequencies, corrected),
            "why": f"{plan.tone.why}; corrected for what {moved_by} moved",
        }
    )
    return plan.model_copy(update={"tone": tone})
