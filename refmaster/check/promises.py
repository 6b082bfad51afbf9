"""Checks of a plan, and of the written master against what its plan promised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refmaster.check.findings import Finding, broken, info, warning
from refmaster.matching.curves import POINTS_PER_OCTAVE, curve_at
from refmaster.matching.derive import follows_reference
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.plan import MasteringPlan
from refmaster.profile.bands import JUDGED_HIGH_HZ, JUDGED_LOW_HZ
from refmaster.profile.model import Profile

# A larger move is a matter of the mix, not of mastering.
MIXING_MOVE_DB = 6.0
# Mean squared distance to the other references, relative to how songs differ.
ODD_ABOVE = 2.0


def judge_master(
    plan: MasteringPlan, master: Profile, *, expected_frames: int, gain_stands: bool = False
) -> list[Finding]:
    """Return the promises that a written master did not keep.

    Parameters
    ----------
    plan : MasteringPlan
        Its `promise` and `output` state what was promised.
    master : Profile
        As measured on the written file.
    expected_frames : int
        The mix's length at the plan's sample rate.
    gain_stands : bool
        Whether the gain was taken from the plan as it is, not solved for this mix.
    """
    findings = _loudness(plan, master, gain_stands=gain_stands) + _audible(plan) + _peak(plan, master)
    rate, channels = plan.output.sample_rate_hz, plan.mix.channels
    found = master.source
    if (found.sample_rate_hz, found.channels) != (rate, channels):
        findings.append(
            broken(
                "format_changed",
                f"expected {channels} channel(s) at {rate} Hz, the file has {found.channels} at "
                f"{found.sample_rate_hz} Hz",
            )
        )
    if found.frames != expected_frames:
        findings.append(
            broken("length_changed", f"expected {expected_frames} frames, the file has {found.frames}")
        )
    return findings


def judge_edits(plan: MasteringPlan, master: Profile) -> list[Finding]:
    """Return what the edits of a plan changed in its promises.

    Parameters
    ----------
    plan : MasteringPlan
        As it was read: `restated` is what it promises now.
    master : Profile
        As measured on the written file.
    """
    findings, asked, now = [], plan.promise, plan.restated().promise
    lufs, reached = asked.integrated_lufs, master.levels.integrated_lufs
    if now.integrated_lufs is None and lufs is not None and reached is not None:
        off = reached - lufs
        if abs(off) > asked.tolerance_lu:
            findings.append(
                info(
                    "loudness_edited",
                    f"the plan was edited: {reached:.2f} LUFS came out, {off:+.2f} LU from the {lufs:.1f} "
                    "LUFS that it was derived for",
                    f"to have a loudness met, write level: {{lufs: {lufs:.1f}}} in place of the gain",
                )
            )
    if now.true_peak_dbtp > asked.true_peak_dbtp:
        findings.append(
            info(
                "ceiling_raised",
                f"the plan's limiter was set to {now.true_peak_dbtp:g} dBTP: the master is held to that, not "
                f"to the {asked.true_peak_dbtp:g} dBTP of the plan's promise",
            )
        )
    return findings


def _loudness(plan: MasteringPlan, master: Profile, *, gain_stands: bool) -> list[Finding]:
    promise, reached = plan.promise, master.levels.integrated_lufs
    if promise.integrated_lufs is None:
        return []
    if reached is None:
        return [broken("loudness_unmeasured", "the master is silent: its loudness cannot be measured")]
    missed = reached - promise.integrated_lufs
    if abs(missed) <= promise.tolerance_lu:
        return []
    if missed < 0.0 and promise.limited_by and follows_reference(plan.requested, plan.references):
        message = f"{reached:.2f} LUFS reached of the reference's {promise.integrated_lufs:.1f} LUFS"
        further = "--loudness full goes that far" if promise.limited_by == "audibility" else ""
        return [warning("loudness_short", f"{message}; {plan.level.why}", further)]
    message = f"{promise.integrated_lufs:.1f} LUFS was asked, {reached:.2f} LUFS reached ({missed:+.2f} LU)"
    if missed < 0.0 and promise.limited_by == "max_reduction":
        return [broken("loudness_limited", f"{message}; {plan.level.why}")]
    if missed < 0.0 and promise.limited_by == "saturation":
        return [broken("loudness_saturated", f"{message}; {plan.level.why}")]
    solved = f"with level: {{lufs: {promise.integrated_lufs:.1f}}} in the plan it is solved for this mix"
    advice = f"the plan's gain stands as it is; {solved}" if gain_stands else ""
    return [broken("loudness_missed", message, advice)]


def _audible(plan: MasteringPlan) -> list[Finding]:
    ratio = plan.level.noise_to_mask_db
    if ratio is None or ratio <= CLEAN_NOISE_TO_MASK_DB:
        return []
    return [
        warning(
            "limiting_audible",
            f"so much limiting is likely to be heard: its noise-to-mask ratio is {ratio:.1f} dB, and up to "
            f"{CLEAN_NOISE_TO_MASK_DB:g} dB counts as clean",
            "ask for less loudness",
        )
    ]


def _peak(plan: MasteringPlan, master: Profile) -> list[Finding]:
    ceiling, reached = plan.promise.true_peak_dbtp, master.levels.true_peak_dbtp
    if reached is None or reached <= ceiling:
        return []
    message = f"true peak is {reached:.2f} dBTP, {reached - ceiling:.2f} dB over the ceiling of {ceiling:g}"
    if not plan.limiter.enabled:
        return [broken("ceiling_exceeded", message, "the plan's limiter is off; enable it")]
    if master.source.lossy:
        message = f"{message}: the lossy codec added it"
        advice = "lower --ceiling (in a plan limiter.ceiling_dbtp) by that much"
        return [broken("ceiling_exceeded", message, advice)]
    if plan.limiter.ceiling_dbtp > ceiling:
        advice = f"the plan's limiter is set to {plan.limiter.ceiling_dbtp:g} dBTP; lower it"
        return [broken("ceiling_exceeded", message, advice)]
    return [broken("ceiling_exceeded", message)]


def judge_moves(plan: MasteringPlan) -> list[Finding]:
    """Return a finding for each region that is moved, or wanted, by more than mastering should do."""
    findings = []
    for region in plan.tone.regions:
        place = f"{region.name} ({region.low_hz:.0f}-{region.high_hz:.0f} Hz)"
        if abs(region.applied_db) > MIXING_MOVE_DB:
            findings.append(_mixing_problem(place, region.applied_db))
        elif abs(region.difference_db) > MIXING_MOVE_DB:
            findings.append(
                info(
                    "far_reference",
                    f"the reference differs by {region.difference_db:+.1f} dB in {place}: "
                    f"{region.applied_db:+.1f} dB is applied",
                )
            )
    if not any(finding.code == "mixing_problem" for finding in findings):
        findings.extend(_narrower_move(plan.tone.mid))
    return findings + _sections(plan)


def _sections(plan: MasteringPlan) -> list[Finding]:
    """Return why sections that were asked for are not used, or which of them move the mix too far."""
    sections, tone = plan.sections, plan.tone.mid
    if sections.is_at_rest:
        wanted = plan.requested.sections and "sections" not in plan.edited
        return [info("sections_not_applied", sections.why)] if wanted else []
    findings = []
    for kind in sections.kinds:
        added = curve_at(kind.mid, np.array([hz for hz, _ in tone]))
        summed = tuple((hz, gain + more) for (hz, gain), more in zip(tone, added, strict=True))
        findings += _narrower_move(summed or kind.mid, where=f"in its {kind.name} parts ")
    return findings[:1] if not _narrower_move(tone) else []


def _narrower_move(curve: Sequence[tuple[float, float]], where: str = "") -> list[Finding]:
    """Return a finding where an octave across two regions is moved by more than mastering should do."""
    points = [(hz, gain) for hz, gain in curve if JUDGED_LOW_HZ <= hz <= JUDGED_HIGH_HZ]
    if len(points) < POINTS_PER_OCTAVE:
        return []
    gains = np.array([gain for _, gain in points])
    octaves = np.convolve(gains - gains.mean(), np.ones(POINTS_PER_OCTAVE) / POINTS_PER_OCTAVE, mode="valid")
    worst = int(np.abs(octaves).argmax())
    move, hz = float(octaves[worst]), points[worst + POINTS_PER_OCTAVE // 2][0]
    if abs(move) <= MIXING_MOVE_DB:
        return []
    return [_mixing_problem(f"{where}around {hz:.0f} Hz", move, span=" over an octave")]


def _mixing_problem(place: str, move_db: float, *, span: str = "") -> Finding:
    verb = "lacks" if move_db > 0.0 else "has too much"
    return warning(
        "mixing_problem",
        f"the mix {verb} {place}: {move_db:+.1f} dB{span} is more than mastering should do",
        "ask for a new mix, or for a smaller --strength",
    )


def judge_references(plan: MasteringPlan) -> list[Finding]:
    """Return the findings on several references: the best for the mix, and one unlike the others."""
    known = [(r.fit, Path(r.file).name) for r in plan.references if r.fit is not None]
    if len(known) < 2:
        return []
    best = max(known)[1]
    inside = sum(low <= 0.0 <= high for _, low, high in plan.tone.corridor)
    findings = [
        info(
            "best_reference",
            f"of {len(known)} references {best} fits the mix best; the mix lies within their corridor in "
            f"{inside} of {len(plan.tone.corridor)} third octaves",
        )
    ]
    odd = [(r.oddness, Path(r.file).name) for r in plan.references if r.oddness is not None]
    if odd and max(odd)[0] > ODD_ABOVE:
        oddness, name = max(odd)
        findings.append(
            info(
                "odd_reference",
                f"{name} is unlike the other references ({oddness:.1f} times as songs differ)",
                "leave it out, or give it a smaller weight",
            )
        )
    return findings
