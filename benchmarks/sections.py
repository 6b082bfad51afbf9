"""Loud and quiet parts that were mastered differently, hidden and found again, with and without sections.

Run it from the checkout; the tables are Markdown::

    python benchmarks/sections.py --music FOLDER [--quick] [--choose]

The material is half a finished track (its first and third quarter). Where the track has hardly any contrast
of its own, passages of 12 s are turned down in turn, as verses are. A random mix engineer hides it: the same
everywhere (the control), or with another shelf and bell in the loud parts only, moved in and out over 2 s. It
is mastered to -30 LUFS (so that no limiter acts) and the written file is read by an independent judge, loud
and quiet parts apart. References are the other half of the track, or another song of its album. No track is
mastered with a prior that was learned from itself, its album or its artist.

With ``--choose`` nothing is written: the constants of `refmaster/matching/sections.py` are tried on the
profiles, chosen on one half of the groups and judged on the other.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import MIX_PEAK, TARGET_LUFS, Corpus, Samples, biquad, engineer_sections
from judge import read, rms_difference_db, third_octaves_db, with_energy
from numpy.typing import NDArray
from runs import table

from refmaster.engines.peer import match_with_peer
from refmaster.mastering import master_file
from refmaster.profile.cache import cached_profile
from refmaster.settings.match import MatchSettings
from refmaster.units import db_to_amplitude

JOIN_S = 0.05
PASSAGE_S, TURNED_DOWN_DB, RAMP_S = 12.0, -9.0, 1.0
OWN_CONTRAST_DB = 6.0
AUTOMATION_S = 2.0
LEVEL_S, STEP_S = 3.0, 0.1
LEAST_PART_S = 8.0
Marks = NDArray[np.bool_]


@dataclass
class Case:
    """A hidden half, the mix it was made into, and what to master it against."""

    track: str
    group: str
    original: Samples
    rate: int
    loud: Marks
    quiet: Marks
    mix: Path
    reference: Path
    errors: dict[str, float] = field(default_factory=dict)
    applied: bool = False


def halves(samples: Samples, rate: int) -> list[Samples]:
    """Return the first and third quarter, and the second and fourth."""
    quarters = np.array_split(samples, 4)
    return [joined([quarters[0], quarters[2]], rate), joined([quarters[1], quarters[3]], rate)]


def joined(pieces: Sequence[Samples], rate: int) -> Samples:
    """Return pieces end to end, each faded in and out against clicks."""
    count = round(JOIN_S * rate)
    ramp = np.linspace(0.0, 1.0, count)[:, None]
    done = []
    for piece in pieces:
        faded = piece.copy()
        faded[:count] *= ramp
        faded[-count:] *= ramp[::-1]
        done.append(faded)
    return np.concatenate(done)


def levels_db(samples: Samples, rate: int) -> tuple[Samples, int]:
    """Return the level over `LEVEL_S` around every `STEP_S`, dB, and the step in frames."""
    step = round(STEP_S * rate)
    steps = len(samples) // step
    power = (samples[: steps * step] ** 2).mean(axis=1).reshape(steps, step).mean(axis=1)
    width = round(LEVEL_S / STEP_S)
    return 10 * np.log10(np.convolve(power, np.ones(width) / width, mode="same") + 1e-12), step


def middle_db(levels: Samples) -> tuple[float, float]:
    """Return the level between loud and quiet parts, and how far these are apart."""
    heard = levels[levels > levels.max() - 30.0]
    low, high = np.percentile(heard, [15, 85])
    return float((low + high) / 2), float(high - low)


def with_contrast(samples: Samples, rate: int) -> Samples:
    """Return samples with quiet passages: their own, or every second one turned down."""
    if middle_db(levels_db(samples, rate)[0])[1] >= OWN_CONTRAST_DB:
        return samples
    time = np.arange(len(samples)) / rate
    place = np.abs((time / PASSAGE_S) % 2.0 - 1.0)  # 1 in the middle of a loud passage
    share = np.clip((place - 0.5) * PASSAGE_S / RAMP_S + 0.5, 0.0, 1.0)
    return samples * db_to_amplitude(TURNED_DOWN_DB * (1.0 - share))[:, None]


def marks(samples: Samples, rate: int) -> tuple[Marks, Marks]:
    """Return the frames of the loud and of the quiet parts, what is within 1.5 dB of the middle left out."""
    levels, step = levels_db(samples, rate)
    middle, _ = middle_db(levels)
    levels = np.repeat(levels, step)
    levels = np.concatenate([levels, np.full(len(samples) - len(levels), levels[-1])])
    return levels > middle + 1.5, (levels < middle - 1.5) & (levels > levels.max() - 30.0)


def hidden(samples: Samples, rate: int, engineers: np.random.Generator, *, in_loud_parts: bool) -> Samples:
    """Return samples behind a random engineer, who does more in the loud parts if `in_loud_parts`."""
    from scipy.signal import sosfilt

    everywhere = engineer_sections(rate, engineers)
    width = engineers.uniform(0.6, 1.3)
    kind = ("low", "high")[int(engineers.integers(2))]
    hz = float(np.exp(engineers.uniform(*np.log((80, 300) if kind == "low" else (2500, 8000)))))
    shelf = biquad(kind, hz, engineers.choice([-1, 1]) * engineers.uniform(3, 6), 0.707, rate)
    hz = float(np.exp(engineers.uniform(*np.log((300, 4000)))))
    bell = biquad("bell", hz, engineers.choice([-1, 1]) * engineers.uniform(1, 4), 0.8, rate)
    mixed = sosfilt(everywhere, samples, axis=0)
    if in_loud_parts:
        levels, step = levels_db(samples, rate)
        share = (levels > middle_db(levels)[0]).astype(float)
        count = round(AUTOMATION_S / STEP_S)
        share = np.convolve(np.pad(share, count, mode="edge"), np.ones(count) / count, mode="same")
        share = share[count:-count]
        frames = np.interp(np.arange(len(samples)), (np.arange(len(share)) + 0.5) * step, share)[:, None]
        mixed = mixed + frames * (sosfilt(np.array([shelf, bell]), mixed, axis=0) - mixed)
    mid, side = mixed.mean(axis=1), (mixed[:, 0] - mixed[:, 1]) / 2 * width
    mixed = np.column_stack([mid + side, mid - side])
    return mixed * (MIX_PEAK / np.abs(mixed).max())


def stereo(path: Path) -> tuple[Samples, int]:
    """Return a recording as stereo samples, and its rate."""
    samples, rate = read(path)
    return (np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples), rate


def make_case(
    corpus: Corpus, name: str, reference: str, engineers: np.random.Generator, *, in_loud_parts: bool
) -> Case | None:
    """Write the mix of a track and its reference ("half", or another song's name); None without both parts."""
    samples, rate = stereo(corpus.files[name])
    half = int(engineers.integers(2))
    original = with_contrast(halves(samples, rate)[half], rate)
    mixed = hidden(original, rate, engineers, in_loud_parts=in_loud_parts)
    if reference == "half":
        other, other_rate = with_contrast(halves(samples, rate)[1 - half], rate), rate
    else:
        other, other_rate = stereo(corpus.files[reference])
        other = with_contrast(other, other_rate)
    loud, quiet = marks(original, rate)
    if min(loud.sum(), quiet.sum()) < LEAST_PART_S * rate:
        return None
    place = f"{Path(name).stem}-{len(list(corpus.work.iterdir()))}"
    paths = corpus.work / f"{place}-mix.wav", corpus.work / f"{place}-reference.wav"
    sf.write(paths[0], mixed, rate, "FLOAT")
    sf.write(paths[1], other, other_rate, "FLOAT")
    return Case(
        track=name,
        group=corpus.groups[name],
        original=original,
        rate=rate,
        loud=loud,
        quiet=quiet,
        mix=paths[0],
        reference=paths[1],
    )


def part_levels(samples: Samples, rate: int, part: Marks) -> Samples:
    """Return the third-octave levels of the mid in the marked frames, in dB."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], part, [False]]).astype(np.int8)))
    mid = samples.mean(axis=1)[:, None]
    pieces = [mid[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > rate]
    return third_octaves_db(joined(pieces, rate)[:, 0], rate)
