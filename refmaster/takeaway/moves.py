"""A plan whose curves are replaced by a few moves: shelves and bells that a person can turn."""

from __future__ import annotations

from typing import Literal

from refmaster.dsp.curves import curve_at
from refmaster.errors import SettingsError
from refmaster.plan import MasteringPlan, Tone
from refmaster.profile.bands import BANDS_HZ, judged
from refmaster.settings.moves import MAX_MOVES, MAX_MOVES_DB, ToneMove
from refmaster.settings.takeaway import CurvePart
from refmaster.takeaway.bands import BandFit, fit_bands
from refmaster.takeaway.total import has_one_curve, total_points, without_mono_filter

# Moves are analogue shapes. So are the cookbook's biquads at a rate that no audible frequency comes near.
_ANALOGUE_RATE_HZ = 1 << 24


def with_fitted_moves(plan: MasteringPlan, count: int) -> tuple[MasteringPlan, dict[CurvePart, BandFit]]:
    """Return a plan with moves in place of its curves, and how far mid and side are from these.

    Parameters
    ----------
    plan : MasteringPlan
        Its curves of mid and width, and its moves, are all replaced; a mono filter stays.
    count : int
        Moves that mid and side share; as many again for the side alone, where it has a curve of its own.

    Raises
    ------
    SettingsError
        A plan cannot hold so many moves, or such large ones.
    """
    bare = without_mono_filter(plan)
    has_one = has_one_curve(bare)
    _require_at_most(MAX_MOVES, count if has_one else 2 * count, "moves")
    rate = plan.output.sample_rate_hz
    mid, side = (curve_at(total_points(bare.tone, part, rate), BANDS_HZ) for part in ("mid", "side"))
    fits: dict[CurvePart, BandFit] = {"mid": fit_bands(mid, count, _ANALOGUE_RATE_HZ)}
    moves = _moves(fits["mid"], "both")
    if not has_one:
        fits["side"] = fit_bands(side - mid, count, _ANALOGUE_RATE_HZ)
        moves += _moves(fits["side"], "side")
    _require_at_most(MAX_MOVES_DB, sum(abs(move.db) for move in moves), "dB of moves in all")
    why = f"{len(moves)} moves fitted to the curve"
    tone = plan.tone.model_copy(update={"mid": (), "width": (), "moves": moves, "why": why})
    found = {part: _with_errors(fit, tone, plan, part) for part, fit in fits.items()}
    return plan.model_copy(update={"tone": tone}).as_derived("tone"), found


def _require_at_most(most: float, found: float, things: str) -> None:
    if found > most:
        raise SettingsError(
            f"a plan holds at most {most:g} {things}, found {found:.0f}; fit fewer bands, or take the curve "
            "away as a text"
        )


def _moves(fit: BandFit, on: Literal["both", "side"]) -> tuple[ToneMove, ...]:
    return tuple(ToneMove(hz=b.hz, db=b.gain_db, q=b.q, kind=b.kind, on=on) for b in fit.bands)


def _with_errors(fit: BandFit, tone: Tone, plan: MasteringPlan, part: CurvePart) -> BandFit:
    """Return a fit with the errors of a part as a whole: the side has the shared moves as well."""
    rate = plan.output.sample_rate_hz
    at = BANDS_HZ[judged(BANDS_HZ) & (BANDS_HZ / rate < 0.5)]
    after, before = (curve_at(total_points(t, part, rate), at) for t in (tone, plan.tone))
    return BandFit.of(fit.bands, after - before)
