"""Findings on clicks and pops."""

from __future__ import annotations

from refmaster.check.findings import Finding, info, warning
from refmaster.dsp.clicks import MAX_GAP_FRAMES
from refmaster.meters.clicks import HEIGHT_DB
from refmaster.profile.model import Profile

_CHANNELS = ("left", "right")


def inspect_clicks(profile: Profile) -> list[Finding]:
    """Return the findings on the clicks of a recording; none where they were not looked for."""
    if profile.faults is None or not profile.faults.clicks.count:
        return []
    clicks = profile.faults.clicks
    rate = profile.source.sample_rate_hz
    times = sorted({round(start / rate, 3) for start, _, _, _ in clicks.rows})
    highest_db = max(height for _, _, _, height in clicks.rows)
    channels = {channel for _, _, channel, _ in clicks.rows}
    one = profile.source.channels == 2 and len(channels) == 1
    channel = _CHANNELS[min(channels)] if one else None
    counted = "1 click" if clicks.count == 1 else f"{clicks.count} clicks"
    unlisted = "" if len(clicks.rows) == clicks.count else f"; only the {len(clicks.rows)} highest are listed"
    findings = [
        warning(
            "clicks",
            f"{counted}{f' in the {channel} channel' if channel else ''}, the highest {highest_db:.0f} dB "
            f"over the level around it, the first listed at {times[0]:.2f} s{unlisted}",
            "listen there; ask for a mix without them, or have them filled by the repair of clicks",
            times_s=tuple(times),
            channel=channel,
            value=highest_db,
            limit=HEIGHT_DB,
            unit="dB",
        )
    ]
    too_long = [(start, frames) for start, frames, _, _ in clicks.rows if frames > MAX_GAP_FRAMES]
    if too_long:
        longest_ms = 1e3 * max(frames for _, frames in too_long) / rate
        findings.append(
            info(
                "clicks_too_long",
                f"{len(too_long)} of the clicks last longer than {MAX_GAP_FRAMES} samples (up to "
                f"{longest_ms:.1f} ms): too long to be filled from the sound around them; a repair leaves "
                "them as they are",
                "ask for a mix without them",
                times_s=tuple(sorted({round(start / rate, 3) for start, _ in too_long})),
                value=longest_ms,
                limit=1e3 * MAX_GAP_FRAMES / rate,
                unit="ms",
            )
        )
    return findings
