"""Findings on silences, and on how a mix begins and ends."""

from __future__ import annotations

from collections.abc import Iterable

from refmaster.check.findings import Finding, warning
from refmaster.profile.model import Profile
from refmaster.units import amplitude_to_db, db_to_amplitude

# Longer than any of 20 finished records has at its head (2.6 s) and tail (4.1 s).
LONGEST_HEAD_S, LONGEST_TAIL_S = 3.0, 6.0
LONGEST_INSIDE_S = 3.0
# Against the mix's highest sample: the first sample of a wave that was cut, the last 40 ms of one.
CUT_HEAD_DB, CUT_TAIL_DB = -36.0, -30.0


def inspect_edges(mix: Profile) -> list[Finding]:
    """Return the findings on a mix's ends and silences; none where they were not measured."""
    return [*_silences(mix), *_cuts(mix)]


def _silences(mix: Profile) -> Iterable[Finding]:
    if mix.faults is None:
        return
    edges, duration_s = mix.faults.edges, mix.source.duration_s
    found = [(0.0, edges.head_silence_s, LONGEST_HEAD_S, "begins with {:.1f} s of silence")]
    found += [
        (s.start_s, s.duration_s, LONGEST_INSIDE_S, "is silent for {:.1f} s within") for s in edges.silences
    ]
    tail_from = duration_s - edges.tail_silence_s
    found.append((tail_from, edges.tail_silence_s, LONGEST_TAIL_S, "ends with {:.1f} s of silence"))
    long = [(start, length, limit, words) for start, length, limit, words in found if length > limit]
    if not long:
        return
    _, longest, limit, _ = max(long, key=lambda silence: silence[1] / silence[2])
    yield warning(
        "mix_silence",
        "the mix " + ", ".join(words.format(length) for _, length, _, words in long[:4]),
        "export it from where the music begins to where it ends, and listen for a part that is missing",
        times_s=tuple(round(start, 2) for start, *_ in long),
        value=longest,
        limit=limit,
        unit="s",
    )


def _cuts(mix: Profile) -> Iterable[Finding]:
    peak = mix.levels.sample_peak_dbfs
    if mix.faults is None or peak is None:
        return
    edges, dc = mix.faults.edges, max(abs(dc) for dc in mix.stereo.dc)
    first, tail = (_without_dc(level, dc) for level in (edges.first_sample_dbfs, edges.tail_dbfs))
    if first is not None and first - peak > CUT_HEAD_DB:
        yield warning(
            "mix_cut_head",
            f"the mix begins in the middle of a sound: its first sample is at {round(first)} dBFS",
            "export it from a little earlier",
            times_s=(0.0,),
            value=round(first - peak, 1),
            limit=CUT_HEAD_DB,
            unit="dB below the highest peak",
        )
    if tail is not None and tail - peak > CUT_TAIL_DB:
        yield warning(
            "mix_cut_tail",
            f"the mix ends in the middle of a sound: its last 40 ms reach {round(tail)} dBFS",
            "export it to the end of the last decay, or fade it out",
            times_s=(round(max(0.0, mix.source.duration_s - 0.04), 2),),
            value=round(tail - peak, 1),
            limit=CUT_TAIL_DB,
            unit="dB below the highest peak",
        )


def _without_dc(level_dbfs: float | None, dc: float) -> float | None:
    """Return the level that is left of a sample at most; None for none."""
    left = 0.0 if level_dbfs is None else db_to_amplitude(level_dbfs) - dc
    return amplitude_to_db(left) if left > 0.0 else None
