"""Findings on what listeners of lossy codecs get of a master."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refmaster.check.findings import Finding, broken, info
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.settings.codecs import Codec

LOUDNESS_DIFFERENCE_LU = 0.1
"""The decoded loudness may differ from the master's by so much before it is told."""


@dataclass(frozen=True, kw_only=True)
class DecodedLevels:
    """Levels of a master as a codec's decoder gives it back.

    Attributes
    ----------
    codec : Codec
    true_peak_dbtp : float or None
        None for silence, as all levels.
    usual_peak_dbtp : float or None
        True peak without the highest few pieces of 100 ms, in which encoders may leave single peaks.
    integrated_lufs : float or None
        None also for less than 0.4 s.
    """

    codec: Codec
    true_peak_dbtp: float | None
    usual_peak_dbtp: float | None
    integrated_lufs: float | None


@dataclass(frozen=True, kw_only=True)
class LoweredCeiling:
    """A limiter's ceiling that was lowered for the sake of lossy codecs, and its cost.

    Attributes
    ----------
    before_dbtp, after_dbtp : float
        The limiter's ceiling.
    over_db : float
        How far the worst decoded file was over its ceiling before.
    worst : str
        The codec of that file; "the file itself" where the master is lossy.
    more_limiting_db : float
        By how much the deepest gain reduction grew.
    quieter_lu : float
        Loudness that was lost, where a bound of the limiting forbade to keep it.
    """

    before_dbtp: float
    after_dbtp: float
    over_db: float
    worst: str
    more_limiting_db: float
    quieter_lu: float


def judge_decoded(
    plan: MasteringPlan,
    master: Profile,
    decoded: Sequence[DecodedLevels],
    lowered: LoweredCeiling | None = None,
) -> list[Finding]:
    """Return the findings on a master decoded from lossy codecs.

    Parameters
    ----------
    plan : MasteringPlan
        Its promise states the ceiling.
    master : Profile
        As measured on the written file.
    decoded : sequence of DecodedLevels
        Of each codec that was asked for.
    lowered : LoweredCeiling, optional
        What was done about peaks over the ceiling.
    """
    findings = [] if lowered is None else [_lowered(lowered)]
    for levels in decoded:
        findings += _peak(plan, levels) + _loudness(master, levels)
    return findings


def _lowered(lowered: LoweredCeiling) -> Finding:
    quieter = f" and {lowered.quieter_lu:.1f} LU of loudness" if lowered.quieter_lu >= 0.05 else ""
    return info(
        "codec_ceiling",
        f"the limiter is set to {lowered.after_dbtp:.2f} instead of {lowered.before_dbtp:.2f} dBTP, because "
        f"{lowered.worst} was {lowered.over_db:.2f} dB over the ceiling; it cost "
        f"{max(lowered.more_limiting_db, 0.0):.1f} dB more limiting at most{quieter}",
        value=lowered.after_dbtp,
        limit=lowered.before_dbtp,
        unit="dBTP",
    )


def _peak(plan: MasteringPlan, levels: DecodedLevels) -> list[Finding]:
    ceiling, reached = plan.promise.true_peak_dbtp, levels.true_peak_dbtp
    if reached is None or reached <= ceiling:
        return []
    advice = (
        f"render the plan with --codec {levels.codec}, which lowers its limiter.ceiling_dbtp; where that was "
        "done, ask for less loudness or a higher bit rate"
    )
    if not plan.limiter.enabled:
        advice = "the plan's limiter is off; enable it"
    return [
        broken(
            "codec_over",
            f"decoded from {levels.codec} the true peak is {reached:.2f} dBTP, {reached - ceiling:.2f} dB "
            f"over the ceiling of {ceiling:g}",
            advice,
            value=reached,
            limit=ceiling,
            unit="dBTP",
        )
    ]


def _loudness(master: Profile, levels: DecodedLevels) -> list[Finding]:
    own, reached = master.levels.integrated_lufs, levels.integrated_lufs
    if own is None or reached is None or abs(reached - own) <= LOUDNESS_DIFFERENCE_LU:
        return []
    return [
        info(
            "codec_loudness",
            f"decoded from {levels.codec} it has {reached:.2f} LUFS, {reached - own:+.2f} LU from the master",
            value=reached,
            limit=own,
            unit="LUFS",
        )
    ]
