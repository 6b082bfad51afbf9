"""Findings on levels: headroom, clipping, peaks between samples, limiting, compression, DC."""

from __future__ import annotations

from collections.abc import Iterable

from refmaster.check.findings import Finding, info, warning
from refmaster.matching.compressed import LOW_PLR_DB, is_over_compressed
from refmaster.matching.repair import NOTABLE_DC
from refmaster.meters.tops import ClippedLevel
from refmaster.profile.model import Profile

# Mixing engineers leave 6 to 10 dB; a tenth more is rounding.
HIGHEST_PEAK_DBFS, PEAK_TOLERANCE_DB = -6.0, 0.05
# A slow wave may stay at its peak for a few samples now and then; a clipped one does so again and again.
CLIPPED_FROM_RUNS = 10
FULL_SCALE_DBTP = 0.0
# The share of peaks within 1 dB of the highest, of those within 6 dB. Raw mixes and records without audible
# limiting stay below 0.075, raw mixes limited by 5 dB and more lie above 0.11 (benchmarks/preflight.py).
LIMITED_SHARE = 0.10
LIMITED_COUNT = 50

_AGAIN = "ask for a mix that peaks between -10 and -6 dBFS"


def inspect_levels(mix: Profile) -> list[Finding]:
    """Return the findings on a mix's levels."""
    peaks = [*_peaks(mix)]
    clipped = any(finding.code == "mix_clipped" for finding in peaks)  # then peaks pile up for that reason
    return [*peaks, *_compressed(mix), *([] if clipped else _limited(mix)), *_dc(mix)]


def _peaks(mix: Profile) -> Iterable[Finding]:
    levels = mix.levels
    clipped = list(clipped_levels(mix))
    runs = flat_tops(mix)
    over = mix.faults.overs if mix.faults is not None else None
    if runs >= CLIPPED_FROM_RUNS:
        highest = max((c.level_dbfs for c in clipped), default=levels.sample_peak_dbfs)
        yield warning(
            "mix_clipped",
            f"the mix is clipped: {runs} flat tops at {highest:.1f} dBFS",
            _AGAIN,
            times_s=all_times(c.times_s for c in clipped),
            channel=channel_of({c.channel for c in clipped}, mix),
            value=float(runs),
            limit=float(CLIPPED_FROM_RUNS),
            unit="flat tops",
        )
    if over is not None and over.count and levels.true_peak_dbtp is not None:
        yield warning(
            "mix_over",
            f"the mix goes over full scale between its samples: {levels.true_peak_dbtp:+.1f} dBTP, in "
            f"{over.count} tenths of a second",
            "export it with less gain, as 24 bit or float",
            times_s=over.times_s,
            value=levels.true_peak_dbtp,
            limit=FULL_SCALE_DBTP,
            unit="dBTP",
        )
    peak = levels.sample_peak_dbfs
    if peak is not None and peak > HIGHEST_PEAK_DBFS + PEAK_TOLERANCE_DB:
        yield info(
            "mix_hot",
            f"the mix peaks at {peak:.1f} dBFS",
            "-10 to -6 dBFS is usual",
            value=peak,
            limit=HIGHEST_PEAK_DBFS,
            unit="dBFS",
        )


def flat_tops(profile: Profile) -> int:
    """Return how many flat tops a recording has where it is clipped."""
    if profile.faults is None:
        return profile.levels.clipped_runs
    return sum(level.runs for level in clipped_levels(profile))


def clipped_levels(profile: Profile) -> Iterable[ClippedLevel]:
    """Yield the levels at which a recording has flat tops again and again."""
    tops = profile.faults.tops.clipped if profile.faults is not None else ()
    return (level for level in tops if level.runs >= CLIPPED_FROM_RUNS)


def all_times(lists: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the times of several lists in order, each once."""
    return tuple(sorted({time for times in lists for time in times}))


def channel_of(channels: set[int], profile: Profile) -> str | None:
    """Return the name of the one channel of a stereo recording that is concerned; None: the whole."""
    if profile.source.channels != 2 or len(channels) != 1:
        return None
    return ("left", "right")[channels.pop()]


def _compressed(mix: Profile) -> Iterable[Finding]:
    levels = mix.levels
    if is_over_compressed(mix):
        yield warning(
            "over_compressed",
            f"the mix is compressed already: its peaks stand {levels.plr_db:.1f} dB above its loudness "
            f"(PLR), {levels.psr_db:.1f} dB where it is densest (PSR); it is not compressed any further",
            "ask for a mix without a limiter on its sum",
            value=levels.plr_db,
            limit=LOW_PLR_DB,
            unit="dB PLR",
        )


def _limited(mix: Profile) -> Iterable[Finding]:
    peaks = None if mix.faults is None else mix.faults.tops.peaks
    if peaks is None or peaks.count_at_ceiling < LIMITED_COUNT or peaks.share_at_ceiling < LIMITED_SHARE:
        return
    yield warning(
        "mix_limited",
        f"a limiter or clipper was on the mix's sum: {peaks.share_at_ceiling:.0%} of its high peaks are "
        f"within 1 dB of {peaks.ceiling_dbfs:.1f} dBFS",
        "ask for a mix without it",
        value=round(100.0 * peaks.share_at_ceiling, 1),
        limit=100.0 * LIMITED_SHARE,
        unit="% of high peaks",
    )


def _dc(mix: Profile) -> Iterable[Finding]:
    worst = max(abs(dc) for dc in mix.stereo.dc)
    if worst > NOTABLE_DC:
        yield info(
            "mix_dc",
            f"the mix carries DC of {worst:.4f} of full scale",
            "--repair dc removes it",
            channel=channel_of({n for n, dc in enumerate(mix.stereo.dc) if abs(dc) > NOTABLE_DC}, mix),
            value=worst,
            limit=NOTABLE_DC,
            unit="of full scale",
        )
