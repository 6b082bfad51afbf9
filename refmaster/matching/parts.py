"""The loud and the quiet parts of a recording, by its loudness over 4 s.

The two are parted where that loudness falls into two groups with the least spread (Otsu), each with seconds
enough to be compared. What lies close to the boundary belongs to neither when spectra are compared. When it
plays is told by the profile's loudness over time; which of its segments are meant, by their own loudness,
because a profile does not say when its segments were.

References
----------
N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.features import LONGEST_SEGMENT_S
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.model import Profile
from refmaster.units import db_to_power, power_to_db, power_to_lufs

LOUD, QUIET = "loud", "quiet"
# Set by hand: a phrase is longer than this, a verse or a chorus longer still.
LEVEL_S = 4.0
LEAST_S = 8.0
# Parts that are closer are no verse and chorus: songs that were made in one level have 1 to 3.5 LU.
LEAST_CONTRAST_LU = 4.0
MARGIN_LU = 1.0
# As far below the integrated loudness nothing is heard as a part (the gate of EBU Tech 3342).
GATE_LU = 20.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The loud and the quiet parts of one recording.

    Attributes
    ----------
    segments : dict of ndarray of bool, shape (segments,)
        Which of the profile's segments are `LOUD` and which `QUIET`; those close to the boundary are neither.
    halves : dict of ndarray of bool, shape (segments,)
        The same with every segment on one side or the other.
    spans : tuple of (start s, end s, name)
        Without a gap, from 0 s to the end of the recording.
    """

    segments: dict[str, Mask]
    halves: dict[str, Mask]
    spans: tuple[tuple[float, float, str], ...]


def parts_of(profile: Profile) -> Parts | str:
    """Return the parts of a recording, or why it has only one, in words that follow its name."""
    integrated, hop_s = profile.levels.integrated_lufs, profile.series.hop_s
    momentary = np.asarray(profile.series.momentary_lufs)
    if integrated is None or not profile.evidence.segment_mid_db:
        return "is too short or too quiet to have parts"
    if profile.evidence.segment_s > LONGEST_SEGMENT_S:
        return "was measured in segments that are too long to tell its parts"
    levels = _smoothed_db(momentary, round(LEVEL_S / hop_s))
    heard = np.sort(levels[levels > integrated - GATE_LU])
    least = round(LEAST_S / hop_s)
    if len(heard) < 2 * least:
        return f"is too short for two kinds of parts of {LEAST_S:g} s each"
    threshold, contrast = _parted(heard, least)
    if contrast < LEAST_CONTRAST_LU:
        return f"has one kind of part only (its louder and quieter moments are {contrast:.1f} LU apart)"
    heard_s = len(heard) * hop_s
    own = _segment_levels(profile, heard_s)
    segments = {LOUD: own > threshold + MARGIN_LU, QUIET: own < threshold - MARGIN_LU}
    for name, inside in segments.items():
        seconds = float(inside.mean()) * heard_s
        if seconds < LEAST_S / 2:
            return f"has hardly any {name} part ({seconds:.0f} s)"
    spans = _spans(levels, threshold, hop_s, profile.source.duration_s)
    above = own > threshold
    return Parts(segments=segments, halves={LOUD: above, QUIET: ~above}, spans=spans)


def part_profile(profile: Profile, segments: Mask) -> Profile:
    """Return the profile of some segments, with the long-term spectrum moved by what they differ from all.

    Loudness and series stay those of the whole recording.
    """
    evidence, spectrum = profile.evidence, profile.spectrum
    rows, moved = {}, {}
    for name in ("mid", "side"):
        all_rows = getattr(evidence, f"segment_{name}_db")
        rows[f"segment_{name}_db"] = tuple(
            row for row, inside in zip(all_rows, segments, strict=False) if inside
        )
        if all_rows:
            found = _mean_db(np.asarray(all_rows)[segments]) - _mean_db(np.asarray(all_rows))
            hz = np.log2(spectrum.frequencies_hz)
            levels = getattr(spectrum, f"{name}_db") + np.interp(hz, np.log2(evidence.frequencies_hz), found)
            moved[f"{name}_db"] = tuple(levels.tolist())
    return profile.model_copy(
        update={
            "evidence": evidence.model_copy(update=rows),
            "spectrum": spectrum.model_copy(update=moved),
        }
    )


def power_shares(profile: Profile, parts: Parts) -> dict[str, Array]:
    """Return the share of each part in the mid's power, shape (thirds,) of the profile's segments."""
    rows = db_to_power(np.asarray(profile.evidence.segment_mid_db))
    return {name: rows[inside].sum(axis=0) / rows.sum(axis=0) for name, inside in parts.halves.items()}


def _parted(heard: Array, least: int) -> tuple[float, float]:
    """Return the level that parts sorted levels best, each side holding `least`, and the means' distance."""
    count = np.arange(least, len(heard) - least + 1)
    total = np.cumsum(heard)
    low = total[count - 1] / count
    high = (total[-1] - total[count - 1]) / (len(heard) - count)
    best = int(np.argmax(count * (len(heard) - count) * (high - low) ** 2))
    at = count[best]
    return float((heard[at - 1] + heard[at]) / 2), float(high[best] - low[best])


def _spans(
    levels: Array, threshold: float, hop_s: float, duration_s: float
) -> tuple[tuple[float, float, str], ...]:
    """Return spans that change where the level crosses the threshold on its way to the other part."""
    sure = np.flatnonzero(np.abs(levels - threshold) > MARGIN_LU)
    is_loud = levels > threshold
    turns = np.flatnonzero(np.diff(is_loud[sure].astype(np.int8)))
    bounds, names = [0.0], [LOUD if is_loud[sure[0]] else QUIET]
    for turn in turns:
        before, after = sure[turn], sure[turn + 1]
        crossing = before + 1 + int(np.argmax(is_loud[before + 1 : after + 1] == is_loud[after]))
        bounds.append(round((crossing + 2) * hop_s, 1))  # a momentary value's middle is 0.2 s after its start
        names.append(LOUD if is_loud[after] else QUIET)
    bounds.append(max(float(np.ceil(10 * duration_s) / 10), bounds[-1] + 0.1))
    return tuple((start, end, name) for start, end, name in zip(bounds, bounds[1:], names, strict=False))


def _segment_levels(profile: Profile, heard_s: float) -> Array:
    """Return the loudness around each segment in LUFS, from the third octaves."""
    evidence = profile.evidence
    power = db_to_power(np.asarray(evidence.segment_mid_db))
    if evidence.segment_side_db:  # both channels' squares are twice mid's and side's
        power = 2.0 * (power + db_to_power(np.asarray(evidence.segment_side_db)))
    rate = profile.source.sample_rate_hz
    weight = k_weighting_power_gain(np.asarray(evidence.frequencies_hz), rate)
    every_s = max(evidence.segment_s, heard_s / len(power))  # of a long recording not every segment is kept
    return _smoothed_db(power_to_lufs(power @ weight), max(1, round(LEVEL_S / every_s)))


def _smoothed_db(levels: Array, width: int) -> Array:
    """Return the mean power in dB over `width` values around each, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(db_to_power(levels))])
    at = np.arange(len(levels))
    first, last = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, len(levels))
    return np.asarray(power_to_db((total[last] - total[first]) / (last - first)))


def _mean_db(rows: Array) -> Array:
    return np.asarray(power_to_db(db_to_power(rows).mean(axis=0)))
