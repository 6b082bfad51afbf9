"""Findings on the repair of a mix: what it does and where, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable

from refmaster.check.findings import Finding, info, warning
from refmaster.matching.repair import clicks_left_alone
from refmaster.plan import MasteringPlan
from refmaster.profile.faults import Faults
from refmaster.settings.repair import LONGEST_OVER_FRAMES, Repair

MAX_TIMES = 100


def judge_repair(plan: MasteringPlan, faults: Faults | None = None) -> list[Finding]:
    """Return what a plan's repair does to the mix, and which of its faults are too long for it.

    Parameters
    ----------
    plan : MasteringPlan
        Its `repair`.
    faults : Faults, optional
        The mix's, where they are known; without them nothing is said of what is left.
    """
    repair, rate = plan.repair, plan.mix.sample_rate_hz
    findings = _clicks(repair, rate) + _overs(repair, faults)
    if any(repair.dc):
        offsets = ", ".join(f"{offset:+.4f}" for offset in repair.dc)
        findings.append(
            info(
                "repaired_dc",
                f"a constant offset (DC) of {offsets} of full scale is removed",
                value=max(repair.dc, key=abs),
                unit="of full scale",
            )
        )
    if repair.start_frame or repair.end_frame is not None:
        end = plan.mix.frames if repair.end_frame is None else repair.end_frame
        head_s, tail_s = repair.start_frame / rate, (plan.mix.frames - end) / rate
        findings.append(
            info(
                "repaired_trim",
                f"{head_s:.2f} s are cut at the start and {tail_s:.2f} s at the end",
                "markers of the mix, if it has any, are copied where they stood: check them"
                if head_s > 0.0
                else "",
                times_s=(0.0,) * (head_s > 0.0) + (round(end / rate, 3),) * (tail_s > 0.0),
            )
        )
    if faults is not None:
        findings += _left(plan, faults)
    return findings


def still_there(findings: Iterable[Finding], repair: Repair) -> list[Finding]:
    """Return the findings on a mix without those that its repair mends altogether."""
    mended = {"clicks": bool(repair.clicks), "mix_dc": any(repair.dc)}
    return [finding for finding in findings if not mended.get(finding.code, False)]


def _clicks(repair: Repair, sample_rate_hz: int) -> list[Finding]:
    if not repair.clicks:
        return []
    times = tuple(round(start / sample_rate_hz, 3) for start, _, _ in repair.clicks)
    count = len(repair.clicks)
    return [
        info(
            "repaired_clicks",
            (
                "1 click is filled from the sound around it"
                if count == 1
                else f"{count} clicks are filled from the sound around them"
            ),
            "a row of repair.clicks in the plan that is music can be deleted",
            times_s=tuple(sorted(times))[:MAX_TIMES],
            value=count,
            unit="clicks",
        )
    ]


def _overs(repair: Repair, faults: Faults | None) -> list[Finding]:
    if not repair.overs:
        return []
    cut = () if faults is None else faults.repairable.cut
    times = sorted({time for level in cut for time in level.times_s})
    tops = sum(level.tops - level.long_tops for level in cut)
    return [
        info(
            "repaired_overs",
            f"clipped tops of up to {repair.longest_over_frames} samples are restored beyond the level that "
            "they were clipped at",
            times_s=tuple(times[:MAX_TIMES]),
            value=tops or None,
            unit="tops" if tops else "",
        )
    ]


def _left(plan: MasteringPlan, faults: Faults) -> list[Finding]:
    """Return warnings of what was to be repaired and is not."""
    asked, findings = plan.requested.repair, []
    left = clicks_left_alone(faults) if asked.clicks else 0
    if left > 0:
        findings.append(
            warning(
                "clicks_not_repaired",
                f"clicks that are not repaired, since they are too long or beyond the list: {left}",
                "repair them in an audio editor, or ask for a clean mix",
                value=left,
                limit=0,
                unit="clicks",
            )
        )
    long_tops = sum(cut.long_tops for cut in faults.repairable.cut) if asked.overs else 0
    if long_tops:
        findings.append(
            warning(
                "overs_not_repaired",
                f"clipped tops longer than {LONGEST_OVER_FRAMES} samples stay as they are: {long_tops}",
                "ask for a mix that peaks between -10 and -6 dBFS",
                value=long_tops,
                limit=0,
                unit="tops",
            )
        )
    return findings
