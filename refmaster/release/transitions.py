"""Transitions between the songs of a release: how level and tone jump, and what they sound like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refmaster._types import Array
from refmaster.check.findings import Finding, info
from refmaster.io.formats import output_format_for
from refmaster.io.sink import AudioSink
from refmaster.profile.bands import JUDGED_HIGH_HZ, JUDGED_LOW_HZ
from refmaster.profile.model import Profile
from refmaster.release.layout import Layout
from refmaster.release.program import Program
from refmaster.units import db_to_power, lufs_to_power, power_to_db, power_to_lufs

# A jump is told where it is larger than this. Of 182 pairs of finished songs of all genres three quarters
# jump by less than 9.1 LU and 14.8 dB.
TOLD_JUMP_LU = 9.0
TOLD_TONE_DB = 15.0
PREVIEW_S = 15.0
_EDGE_S = 10.0
_GATE_LU = 20.0


@dataclass(frozen=True, kw_only=True)
class Transition:
    """The end of one song and the beginning of the next.

    Attributes
    ----------
    song : int
        Index of the later song.
    gap_s : float
        Silence between the two; negative where they overlap.
    level_jump_lu : float or None
        Loudness of the beginning less that of the end, of what is heard in 10 s each.
    tone_jump_db : float or None
        RMS difference of their third octaves, level removed.
    """

    song: int
    gap_s: float
    level_jump_lu: float | None
    tone_jump_db: float | None


def transitions_of(masters: Sequence[Profile], layout: Layout) -> list[Transition]:
    """Return the transitions of a program, from the measurements of its songs."""
    found = []
    for number, (before, after) in enumerate(itertools.pairwise(masters), start=1):
        end, begin = _edge_lufs(before, last=True), _edge_lufs(after, last=False)
        jump = None if end is None or begin is None else round(begin - end, 2)
        found.append(
            Transition(
                song=number,
                gap_s=round(layout.gaps_s[number], 3),
                level_jump_lu=jump,
                tone_jump_db=_tone_jump(before, after),
            )
        )
    return found


def judge_transitions(transitions: Sequence[Transition], titles: Sequence[str]) -> list[Finding]:
    """Return a finding for each jump that a listener will notice; whether it is meant, they do not know."""
    findings = []
    for each in transitions:
        names = f"from {titles[each.song - 1]} to {titles[each.song]}"
        jump, tone = each.level_jump_lu, each.tone_jump_db
        if jump is not None and abs(jump) > TOLD_JUMP_LU:
            findings.append(
                info(
                    "transition_level",
                    f"{names} the level jumps by {jump:+.1f} LU",
                    "listen to it with --preview; a longer gap or level_db softens it",
                    value=jump,
                    limit=TOLD_JUMP_LU,
                    unit="LU",
                )
            )
        if tone is not None and tone > TOLD_TONE_DB:
            findings.append(
                info(
                    "transition_tone",
                    f"{names} the tone changes by {tone:.1f} dB",
                    "listen to it with --preview",
                    value=tone,
                    limit=TOLD_TONE_DB,
                    unit="dB",
                )
            )
    return findings


def write_previews(program: Program, layout: Layout, names: Sequence[str], folder: Path) -> None:
    """Write the last and first 15 s around each transition as 24-bit WAV.

    Parameters
    ----------
    program : Program
        Read once.
    layout : Layout
        Where the songs lie.
    folder : Path
        An existing folder.
    names : sequence of str
        Of the songs, as files can hold them.
    """
    rate = layout.sample_rate_hz
    spans = []
    for number, (before, after) in enumerate(itertools.pairwise(layout.songs), start=1):
        first = max(before.start, before.end - round(PREVIEW_S * rate))
        last = min(after.end, max(after.start, before.end) + round(PREVIEW_S * rate))
        path = folder / f"{number:02d} {names[number - 1]} - {names[number]}.wav"
        spans.append((first, last, path))
    made = output_format_for(folder / "preview.wav", program.format, bit_depth="24")
    open_sinks: dict[Path, AudioSink] = {}
    at = 0
    for block in program.blocks():
        for first, last, path in spans:
            start, stop = max(first, at), min(last, at + len(block))
            if start >= stop:
                continue
            if path not in open_sinks:
                open_sinks[path] = AudioSink(path, made, frames=last - first, name=str(path))
            open_sinks[path].write(block[start - at : stop - at])
            if stop == last:
                open_sinks[path].close()
        at += len(block)


def _edge_lufs(profile: Profile, *, last: bool) -> float | None:
    """Return the loudness of what is heard in the first or last 10 s, gated at 20 LU below its loudest."""
    levels = np.asarray(profile.series.momentary_lufs)
    heard = levels[levels > -70.0]
    if not len(heard):
        return None
    count = round(_EDGE_S / profile.series.hop_s)
    edge = heard[-count:] if last else heard[:count]
    edge = edge[edge > edge.max() - _GATE_LU]
    return float(power_to_lufs(float(lufs_to_power(edge).mean())))


def _tone_jump(before: Profile, after: Profile) -> float | None:
    """Return the RMS difference in dB of the third octaves at a transition, level removed."""
    end, begin = _edge_thirds(before, last=True), _edge_thirds(after, last=False)
    if end is None or begin is None:
        return None
    count = min(len(end), len(begin))
    difference = (begin[:count] - end[:count])[np.isfinite(begin[:count]) & np.isfinite(end[:count])]
    if not len(difference):
        return None
    return round(float(np.sqrt(np.mean((difference - difference.mean()) ** 2))), 2)


def _edge_thirds(profile: Profile, *, last: bool) -> Array | None:
    evidence = profile.evidence
    if not evidence.segment_mid_db:
        return None
    rows = np.array(evidence.segment_mid_db)
    count = max(1, round(_EDGE_S / evidence.segment_s))
    edge = rows[-count:] if last else rows[:count]
    hz = np.asarray(evidence.frequencies_hz)
    level = power_to_db(db_to_power(edge).mean(axis=0))
    known = (hz >= JUDGED_LOW_HZ) & (hz <= JUDGED_HIGH_HZ) & (level > level.max() - 60.0)
    return np.where(known, level, np.nan)


def named(transitions: Sequence[Transition]) -> Iterator[dict[str, float | int | None]]:
    """Yield transitions as JSON data."""
    for each in transitions:
        yield {
            "before_song": each.song + 1,
            "gap_s": each.gap_s,
            "level_jump_lu": each.level_jump_lu,
            "tone_jump_db": each.tone_jump_db,
        }
