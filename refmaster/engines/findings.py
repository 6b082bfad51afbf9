"""What a person should know where another engine made the curves: its limits, and where it goes far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster.check.findings import Finding, info, warning
from refmaster.matching.curves import curve_at
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile

PEER_RATE_HZ = 44100
# refmaster does not follow these; matchering does, so the finding must not say otherwise.
NOT_FOLLOWED = {
    "reference_mono": "matchering follows it and takes the width away",
    "reference_low_passed": "matchering follows it and takes the treble away",
}
FAR_SIDE_DB = 12.0


def engine_findings(findings: Sequence[Finding], plan: MasteringPlan, mix: Profile) -> list[Finding]:
    """Return the findings as they hold for the plan's engine, with those about the engine itself."""
    if plan.requested.engine == "refmaster":
        return list(findings)
    told = [_as_it_is(finding) for finding in findings]
    told.append(
        info(
            "engine_matchering",
            "matchering made the curves; level, limiter and checks are refmaster's",
            "it follows the whole difference to the reference, what is song in it included",
        )
    )
    rate = mix.source.sample_rate_hz
    if rate != PEER_RATE_HZ:
        held = "; above 21.6 kHz they hold their last gain" if rate > PEER_RATE_HZ else ""
        told.append(
            info(
                "engine_rate",
                f"matchering works at {PEER_RATE_HZ} Hz: its curves were made on a copy at that rate{held}",
                "the master was rendered from the mix itself",
            )
        )
    if mix.source.channels == 1:
        told.append(info("engine_mono", "matchering works in stereo: of its curves only the mid's is used"))
    return [*told, *_far_side(plan)]


def _as_it_is(finding: Finding) -> Finding:
    followed = NOT_FOLLOWED.get(finding.code)
    if followed is None:
        return finding
    message = finding.message.rpartition(":")[0]
    return warning(finding.code, f"{message}, and {followed}", "use the engine refmaster")


def _far_side(plan: MasteringPlan) -> list[Finding]:
    """Tell where the side is raised or lowered against the mid by more than an image bears."""
    if not plan.tone.side:
        return []
    frequencies = np.array([f for f, _ in plan.tone.side])
    width = np.array([g for _, g in plan.tone.side]) - curve_at(plan.tone.mid, frequencies)
    worst = int(np.argmax(np.abs(width)))
    if abs(width[worst]) <= FAR_SIDE_DB:
        return []
    return [
        warning(
            "engine_width",
            f"matchering moves side against mid by {width[worst]:+.0f} dB at {frequencies[worst]:.0f} Hz",
            "check the master in mono, or use the engine refmaster",
        )
    ]
