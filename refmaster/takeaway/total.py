"""The equalizer of a plan as a whole: what mid and side are raised and cut by, whatever makes it up.

Everything that is taken away is read off here, so that a part of the equalizer that is added to plans has to
be added in one place.
"""

from __future__ import annotations

from refmaster.dsp.curves import Points, with_mono_below, with_moves
from refmaster.plan import MasteringPlan, Tone
from refmaster.settings.takeaway import CurvePart

_FLAT: Points = ((1000.0, 0.0),)


def total_points(tone: Tone, part: CurvePart, sample_rate_hz: int) -> Points:
    """Return the gain of mid or side as a render at `sample_rate_hz` has it, in one point or more."""
    own = tone.mid if part == "mid" else tone.side
    moves = [move for move in tone.moves if move.acts_on(part)]
    points = with_moves(own, moves, sample_rate_hz / 2)
    if part == "side":
        points = with_mono_below(points, tone.mono_below_hz, sample_rate_hz / 2)
    return points or _FLAT


def has_one_curve(plan: MasteringPlan) -> bool:
    """Whether one curve says all: the mix is mono, or mid and side have the same."""
    tone = plan.tone
    moves = any(move.on != "both" and move.db for move in tone.moves)
    differs = moves or tone.mono_below_hz is not None or any(gain for _, gain in tone.width)
    return plan.mix.channels == 1 or not differs


def without_mono_filter(plan: MasteringPlan) -> MasteringPlan:
    """Return the plan for forms that hold no filter as steep as the one that removes the side."""
    return plan.model_copy(update={"tone": plan.tone.model_copy(update={"mono_below_hz": None})})


def left_out(plan: MasteringPlan, *, mono_filter: bool) -> tuple[str, ...]:
    """Return what the plan does besides its equalizer, a phrase for each stage.

    `mono_filter` says whether the filter that removes the side below a frequency is left out as well.
    """
    stages = []
    if mono_filter and plan.tone.mono_below_hz is not None:
        stages.append(f"mono below {plan.tone.mono_below_hz:g} Hz")
    if not plan.sections.is_at_rest:
        playing = dict.fromkeys(name for _, _, name in plan.sections.spans)
        stages.append(f"what sections add ({', '.join(playing)})")
    if plan.balance.left_over_right_db != 0.0:
        stages.append(f"balance {plan.balance.left_over_right_db:+.2f} dB, left over right")
    if not plan.dynamics.is_at_rest:
        stages.append("dynamics")
    if plan.level.gain_db is None:
        stages.append(f"gain to {plan.level.lufs:g} LUFS")
    elif plan.level.gain_db != 0.0:
        stages.append(f"gain {plan.level.gain_db:+.2f} dB")
    if plan.limiter.enabled:
        stages.append(f"limiter at {plan.limiter.ceiling_dbtp:g} dBTP")
    return tuple(stages)
