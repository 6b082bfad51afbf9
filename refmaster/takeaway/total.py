"""The equalizer of a plan as a whole: what mid and side are raised and cut by, whatever makes it up.

Everything that is taken away is read off here, so that a part of the equalizer that is added to plans has to
be added in one place.
"""

from __future__ import annotations

import numpy as np

from refmaster._types import Array
from refmaster.matching.curves import curve_at
from refmaster.plan import MasteringPlan, Tone
from refmaster.settings.curve import CurvePart

_FLAT_HZ = 1000.0  # the one point of a curve that is 0 dB throughout


def total_gain_db(tone: Tone, part: CurvePart, frequencies_hz: Array) -> Array:
    """Return the gain of the mid or of the side in dB at `frequencies_hz`."""
    return curve_at(tone.mid if part == "mid" else tone.side, frequencies_hz)


def corners_hz(tone: Tone) -> Array:
    """Return the frequencies between which both gains are linear over log frequency, rising, at least one."""
    corners = sorted({hz for hz, _ in (*tone.mid, *tone.side)})
    return np.array(corners or [_FLAT_HZ])


def has_one_curve(plan: MasteringPlan) -> bool:
    """Whether one curve says all: the mix is mono, or mid and side have the same."""
    if plan.mix.channels == 1:
        return True
    at = corners_hz(plan.tone)
    mid, side = (total_gain_db(plan.tone, part, at) for part in ("mid", "side"))
    return np.array_equal(mid, side)


def left_out(plan: MasteringPlan) -> tuple[str, ...]:
    """Return what the plan does besides its equalizer, a phrase for each stage."""
    stages = []
    if plan.balance.left_over_right_db != 0.0:
        stages.append(f"balance {plan.balance.left_over_right_db:+.2f} dB, left over right")
    if not plan.dynamics.is_at_rest:
        stages.append("dynamics")
    if plan.level.gain_db != 0.0:
        stages.append(f"gain {plan.level.gain_db:+.2f} dB")
    if plan.limiter.enabled:
        stages.append(f"limiter at {plan.limiter.ceiling_dbtp:g} dBTP")
    return tuple(stages)
