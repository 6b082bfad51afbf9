"""Whether a written master kept its promises, judged on the profile of the written file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from refmaster.check.findings import Finding, broken, info, warning
from refmaster.matching.curves import POINTS_PER_OCTAVE
from refmaster.plan import MasteringPlan
from refmaster.profile.bands import JUDGED_HIGH_HZ, JUDGED_LOW_HZ
from refmaster.profile.model import Profile

MIXING_MOVE_DB = 6.0
MIN_TO_COMPARE = 2
# Mean squared distance to the other references, over how songs differ.
ODD_ABOVE = 2.0


def judge_master(plan: MasteringPlan, master: Profile, *, expected_frames: int) -> list[Finding]:
    """Return what the written file failed to keep, and what its loudness cost."""
    findings = _loudness(plan, master) + _peak(plan, master)
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


def _loudness(plan: MasteringPlan, master: Profile) -> list[Finding]:
    promise, reached = plan.promise, master.levels.integrated_lufs
    if promise.integrated_lufs is None:
        return []
    if reached is None:
        return [broken("loudness_unmeasured", "the master is silent: its loudness cannot be measured")]
    missed = reached - promise.integrated_lufs
    if abs(missed) <= promise.tolerance_lu:
        return []
    message = f"{promise.integrated_lufs:.1f} LUFS was asked, {reached:.2f} LUFS reached ({missed:+.2f} LU)"
    if promise.limited_by == "max_reduction":
        return [broken("loudness_limited", f"{message}; {plan.level.why}")]
    if promise.limited_by == "saturation":
        return [broken("loudness_saturated", f"{message}; {plan.level.why}")]
    return [
        broken(
            "loudness_missed", message, "derive the plan again if level or tone were edited, or edit the gain"
        )
    ]


def _peak(plan: MasteringPlan, master: Profile) -> list[Finding]:
    reached = master.levels.true_peak_dbtp
    if reached is None or reached <= plan.promise.true_peak_dbtp:
        return []
    over = reached - plan.promise.true_peak_dbtp
    message = (
        f"true peak is {reached:.2f} dBTP, {over:.2f} dB over the ceiling of {plan.promise.true_peak_dbtp:g}"
    )
    if master.source.lossy:
        return [
            broken("ceiling_exceeded", f"{message}: the lossy codec added it", "lower --ceiling by that much")
        ]
    advice = "" if plan.limiter.enabled else "the plan's limiter is off; enable it"
    return [broken("ceiling_exceeded", message, advice)]


def judge_moves(plan: MasteringPlan) -> list[Finding]:
    """Return a finding for every region that is moved by more than mastering can honestly do."""
    findings = []
    for region in plan.tone.regions:
        if abs(region.applied_db) > MIXING_MOVE_DB:
            lacking = "lacks" if region.applied_db > 0 else "has too much of"
            findings.append(
                warning(
                    "mixing_problem",
                    f"the mix {lacking} {region.name} ({region.low_hz:.0f}-{region.high_hz:.0f} Hz): "
                    f"{region.applied_db:+.1f} dB is more than mastering should do",
                    "ask for a new mix, or for a smaller --strength",
                )
            )
        elif abs(region.difference_db) > MIXING_MOVE_DB:
            findings.append(
                info(
                    "far_reference",
                    f"the reference differs by {region.difference_db:+.1f} dB in {region.name} "
                    f"({region.low_hz:.0f}-{region.high_hz:.0f} Hz): {region.applied_db:+.1f} dB is applied",
                )
            )
    if not any(finding.code == "mixing_problem" for finding in findings):
        findings.extend(_narrower_move(plan))
    return findings


def _narrower_move(plan: MasteringPlan) -> list[Finding]:
    """Return a finding where an octave is moved by more than its whole region is."""
    points = [(hz, gain) for hz, gain in plan.tone.mid if JUDGED_LOW_HZ <= hz <= JUDGED_HIGH_HZ]
    if len(points) < POINTS_PER_OCTAVE:
        return []
    gains = np.array([gain for _, gain in points])
    octaves = np.convolve(gains - gains.mean(), np.ones(POINTS_PER_OCTAVE) / POINTS_PER_OCTAVE, mode="valid")
    place = int(np.abs(octaves).argmax())
    move, hz = float(octaves[place]), points[place + POINTS_PER_OCTAVE // 2][0]
    if abs(move) <= MIXING_MOVE_DB:
        return []
    lacking = "lacks" if move > 0 else "has too much"
    return [
        warning(
            "mixing_problem",
            f"the mix {lacking} around {hz:.0f} Hz: {move:+.1f} dB over an octave is more than mastering "
            "should do",
            "ask for a new mix, or for a smaller --strength",
        )
    ]


def judge_references(plan: MasteringPlan) -> list[Finding]:
    """Return which of several references fits the mix best, and which is unlike the others."""
    known = [(r.fit, Path(r.file).name) for r in plan.references if r.fit is not None]
    if len(known) < MIN_TO_COMPARE:
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
