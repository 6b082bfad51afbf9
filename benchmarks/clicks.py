"""Clicks put into music: how many are found, what is found where there is none, and what a repair leaves.

Run it from the checkout, on a folder of recordings with a ``manifest.csv`` (columns ``file``, ``title``,
``album``); the tables are Markdown::

    python benchmarks/clicks.py --music FOLDER
    python benchmarks/clicks.py --music FOLDER --choose

With ``--choose``, the constants are chosen anew for each album or artist, on all others: the most clicks
found with at most one false alarm in 5 minutes. What they then give on the one left out is added up. The
first look's constants were set by hand. A chiptune is made here, of pulse waves, a stepped triangle and
noise; it has a row of its own and is in no sum.

Clicks are, in turn, impulses of 1 to 3 samples, decaying bursts (of noise or a sine) of 4 to 40, and offsets
of 4 to 40 that hold or decay; each in one channel and at least 200 ms from the next. Their highest sample
stands 6 to 24 dB over the local level: the root mean square of that channel, without the click, over the 20
ms about its beginning. Where that is below -60 dBFS no click is put.

Most free music is decoded from lossy files, which end below half their sample rate: prediction is easier
there. So all is done again on every second sample, without a filter: what was above is folded back, and the
band is full.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from runs import table

import refmaster.meters.clicks as meter
from refmaster.dsp.clicks import GapFiller
from refmaster.units import db_to_amplitude, power_to_db

SHAPES = ("impulse", "burst", "offset")
HEIGHTS_DB = (6.0, 24.0)
HEIGHT_CLASSES_DB = (6.0, 9.0, 15.0, 24.0)
APART_S = 0.2
LOCAL_S = 0.010  # on either side
QUIETEST = 1e-3
BLOCK_FRAMES = 65536
# What ``--choose`` tries: isolation in dB, more of it for each millisecond, and least height in dB.
CHOICES = tuple(product((11.0, 14.0, 17.0), (4.0, 8.0, 12.0), (3.0, 6.0)))
MOST_FALSE_ALARMS = 1.0  # in 5 minutes

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Click:
    """A click that was put into music."""

    start: int
    frames: int
    channel: int
    height_db: float
    shape: str


@dataclass(frozen=True)
class Piece:
    """A recording, and whose it is."""

    name: str
    group: str
    samples: Samples
    rate: int


@dataclass
class Outcome:
    """The figures of one piece, or of several."""

    name: str
    group: str
    minutes: float = 0.0
    false_alarms: list[str] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    power: list[tuple[float, float]] = field(default_factory=list)  # of found clicks, and what repair leaves

    @property
    def alarms_in_5_minutes(self) -> float:
        return 5 * len(self.false_alarms) / self.minutes


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--music", type=Path, required=True, help="a folder of recordings and their manifest.csv"
    )
    parser.add_argument("--clicks", type=int, default=200, help="clicks in all, spread over the recordings")
    parser.add_argument("--rounds", type=int, default=5, help="how often, each time with other clicks")
    parser.add_argument("--choose", action="store_true", help="choose the constants, leaving one group out")
    options = parser.parse_args()
    with (options.music / "manifest.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for folded in (False, True):
        print(f"\n{'Every second sample (full band)' if folded else 'Music as it is'}\n")
        if options.choose:
            print_choice([tried(piece, 20, 1) for piece in recordings(options.music, rows, folded)])
            continue
        count = round(options.clicks / len(rows))
        found = [
            outcome_of(piece, count, options.rounds) for piece in recordings(options.music, rows, folded)
        ]
        made = as_wanted("chiptune (made)", "", chiptune(44100, 90.0), 44100, folded)
        print_figures(found, outcome_of(made, count, options.rounds))


def recordings(music: Path, rows: Sequence[dict[str, str]], folded: bool) -> Iterator[Piece]:
    """Yield the recordings of the manifest."""
    for row in rows:
        samples, rate = sf.read(music / row["file"], dtype="float32", always_2d=True)
        group = row["album"] or row["title"].partition(" - ")[0]
        yield as_wanted(Path(row["file"]).stem, group, samples, rate, folded)


def as_wanted(name: str, group: str, samples: Samples, rate: int, folded: bool) -> Piece:
    """Return a piece, as it is or every second sample of it."""
    step = 2 if folded else 1
    return Piece(name, group, np.asfortranarray(samples[::step]), rate // step)


def outcome_of(piece: Piece, clicks: int, rounds: int) -> Outcome:
    """Return what the meter finds in a piece as it is, and in so many rounds with so many clicks."""
    alarms = [
        f"{start / piece.rate:.2f} s ({height:.0f} dB)"
        for start, _, _, height in found_in(piece.samples, piece.rate)
    ]
    outcome = Outcome(piece.name, piece.group, len(piece.samples) / piece.rate / 60, alarms)
    for turn in range(rounds):
        seed = [turn, *piece.name.encode()]
        add_round(outcome, piece.samples, piece.rate, clicks, np.random.default_rng(seed))
    return outcome


def tried(piece: Piece, clicks: int, rounds: int) -> list[Outcome]:
    """Return the outcomes of a piece with each choice of constants."""
    outcomes = []
    for choice in CHOICES:
        meter.ISOLATION_DB, meter.ISOLATION_DB_PER_MS, meter.HEIGHT_DB = choice
        outcomes.append(outcome_of(piece, clicks, rounds))
    return outcomes


def chiptune(rate: int, seconds: float) -> Samples:
    """Return two pulse waves, a stepped triangle and noise, with volumes in 16 steps, unfiltered."""
    rng = np.random.default_rng(1)
    tick = rate // 60
    ticks = round(seconds * 60)
    scale = np.array([0, 3, 5, 7, 10])
    left, right = np.zeros((2, ticks * tick))
    phase = np.zeros(3)
    notes, noise = np.zeros(3), np.zeros(tick)
    for at in range(ticks):
        if at % 8 == 0:
            octaves = np.array([60, 48, 36]) + 12 * rng.integers(0, 2, 3)
            notes = 440.0 * 2.0 ** ((octaves + rng.choice(scale, 3) - 69) / 12)
        vibrato = 1.0 + 0.005 * np.sin(at / 3.0)
        position = phase[:, None] + (notes * vibrato / rate)[:, None] * np.arange(1, tick + 1)
        phase = position[:, -1] % 1.0
        volume = max(0, 15 - at % 8 * 2) / 15
        duty = (0.125, 0.25, 0.5)[at // 240 % 3]
        lead = volume * np.where(position[0] % 1.0 < duty, 1.0, -1.0)
        second = np.where(position[1] % 1.0 < 0.25, 1.0, -1.0) * (at // 8 % 4 != 3)
        bass = np.round(15 * np.abs(2 * (position[2] % 1.0) - 1)) / 7.5 - 1
        noise = rng.choice((-1.0, 1.0), tick) * max(0, 15 - at % 16 * 4) / 15
        here = slice(at * tick, (at + 1) * tick)
        left[here] = 0.15 * lead + 0.06 * second + 0.15 * bass + 0.1 * noise
        right[here] = 0.06 * lead + 0.15 * second + 0.15 * bass + 0.1 * noise
    return np.asfortranarray(np.column_stack([left, right]), np.float32)


def add_round(outcome: Outcome, samples: Samples, rate: int, count: int, rng: np.random.Generator) -> None:
    """Put clicks into a piece, find them and repair what was found."""
    clicked, clicks = with_clicks(samples, rate, count, rng)
    rows = found_in(clicked, rate)
    filler = GapFiller(samples.shape[1], [row[:3] for row in rows])
    repaired = np.concatenate([filler.push(clicked), filler.flush()])
    for click in clicks:
        end = click.start + click.frames
        hits = [
            (start, start + frames)
            for start, frames, channel, _ in rows
            if channel == click.channel and start < end + 2 and start + frames > click.start - 2
        ]
        outcome.clicks.append(click)
        outcome.found.append(bool(hits))
        if hits:
            place = slice(min(click.start, hits[0][0]), max(end, hits[-1][1]))
            clean = samples[place, click.channel].astype(float)
            outcome.power.append(
                (
                    float(np.sum((clicked[place, click.channel] - clean) ** 2)),
                    float(np.sum((repaired[place, click.channel] - clean) ** 2)),
                )
            )


def with_clicks(
    samples: Samples, rate: int, count: int, rng: np.random.Generator
) -> tuple[Samples, list[Click]]:
    """Return the music with clicks, and these."""
    clicked = samples.copy(order="F")
    clicks: list[Click] = []
    half = round(LOCAL_S * rate)
    while len(clicks) < count:
        at, channel = (
            int(rng.integers(rate // 4, len(samples) - rate // 4)),
            int(rng.integers(samples.shape[1])),
        )
        level = float(np.sqrt(np.mean(samples[at - half : at + half, channel].astype(float) ** 2)))
        if level < QUIETEST or any(abs(at - click.start) < APART_S * rate for click in clicks):
            continue
        shape = SHAPES[len(clicks) % len(SHAPES)]
        frames = int(rng.integers(1, 4) if shape == "impulse" else rng.integers(4, 41))
        height_db = float(rng.uniform(*HEIGHTS_DB))
        wave = shaped(shape, frames, rng)
        clicked[at : at + frames, channel] += (wave * level * db_to_amplitude(height_db)).astype(np.float32)
        clicks.append(Click(at, frames, channel, height_db, shape))
    return clicked, clicks


def shaped(shape: str, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a click whose largest sample is 1 or -1."""
    time = np.arange(frames)
    if shape == "impulse":
        wave = rng.choice((-1.0, 1.0)) ** time
    elif shape == "burst":
        sine = np.sin(2 * np.pi * (rng.uniform(0.03, 0.45) * time + rng.uniform()))
        wave = np.exp(-3 * time / frames) * (rng.standard_normal(frames) if rng.random() < 0.5 else sine)
    else:
        wave = np.exp(-rng.choice((0.0, 2.0)) * time / frames)
    return np.asarray(rng.choice((-1.0, 1.0)) * wave / np.abs(wave).max())


def found_in(samples: Samples, rate: int) -> tuple[tuple[int, int, int, float], ...]:
    """Return the rows of the click meter."""
    clicks = meter.ClickMeter(rate, samples.shape[1])
    for start in range(0, len(samples), BLOCK_FRAMES):
        clicks.update(np.asfortranarray(samples[start : start + BLOCK_FRAMES]))
    return clicks.result().rows


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return several outcomes as one."""
    whole = Outcome("all recordings", "")
    for outcome in outcomes:
        whole.minutes += outcome.minutes
        whole.false_alarms += outcome.false_alarms
        whole.clicks += outcome.clicks
        whole.found += outcome.found
        whole.power += outcome.power
    return whole


def print_figures(found: list[Outcome], made: Outcome) -> None:
    """Print a row for each piece and one for all, and the shares by shape and height."""
    whole = together(found)
    rows = []
    for outcome in (*found, whole, made):
        alarms = f"{len(outcome.false_alarms)}: {', '.join(outcome.false_alarms[:6])}"
        if outcome is whole:
            alarms = f"{len(outcome.false_alarms)}: {outcome.alarms_in_5_minutes:.2f} in 5 minutes"
        share = f"{sum(outcome.found)} of {len(outcome.found)} ({np.mean(outcome.found):.1%})"
        rows.append(
            [
                outcome.name,
                f"{outcome.minutes:.1f}",
                alarms if outcome.false_alarms else "none",
                share,
                *repair_figures(outcome),
            ]
        )
    header = ["piece", "minutes", "found in the clean piece", "clicks found"]
    print(table([*header, "error after repair, dB: all, median", "15 dB below the click"], rows))
    classes = list(pairwise(HEIGHT_CLASSES_DB))
    shares = [[shape, *(share_found(whole, shape, low, high) for low, high in classes)] for shape in SHAPES]
    print("\n" + table(["found", *(f"{low:g} to {high:g} dB" for low, high in classes)], shares))


def repair_figures(outcome: Outcome) -> list[str]:
    """Return the error after repair against the clicks: of all, the median, and how often it is -15 dB."""
    if not outcome.power:
        return ["", ""]
    before, after = np.array(outcome.power).T
    each = power_to_db(after / before)
    together = power_to_db(float(after.sum() / before.sum()))
    return [f"{together:.1f}, {np.median(each):.1f}", f"{np.mean(each <= -15.0):.0%}"]


def share_found(outcome: Outcome, shape: str, low_db: float, high_db: float) -> str:
    """Return the share that was found of the clicks of a shape and height."""
    found = [
        was
        for click, was in zip(outcome.clicks, outcome.found, strict=True)
        if click.shape == shape and low_db <= click.height_db < high_db
    ]
    return f"{np.mean(found):.1%} of {len(found)}"


def print_choice(outcomes: list[list[Outcome]]) -> None:
    """Print what each choice gives on all recordings, and the choices of all but one group on this one."""
    by_choice = list(zip(*outcomes, strict=True))
    rows = [
        [
            *(f"{value:g}" for value in choice),
            f"{np.mean(whole.found):.1%}",
            f"{whole.alarms_in_5_minutes:.2f}",
        ]
        for choice, whole in zip(CHOICES, map(together, by_choice), strict=True)
    ]
    header = ["isolation, dB", "more, dB/ms", "least height, dB", "clicks found", "false alarms in 5 minutes"]
    print(table(header, rows))
    left_out = []
    for group in sorted({outcome.group for outcome in by_choice[0]}):
        best = chosen([[o for o in found if o.group != group] for found in by_choice])
        left_out += [o for o in by_choice[best] if o.group == group]
        print(f"\nwithout {group}: {CHOICES[best]}", end="")
    whole = together(left_out)
    print(
        f"\n\nleft out: {np.mean(whole.found):.1%} of {len(whole.found)} found, "
        f"{whole.alarms_in_5_minutes:.2f} false alarms in 5 minutes"
    )


def chosen(by_choice: list[list[Outcome]]) -> int:
    """Return the number of the choice that finds the most clicks with few enough false alarms."""
    wholes = [together(found) for found in by_choice]
    few = [n for n, whole in enumerate(wholes) if whole.alarms_in_5_minutes <= MOST_FALSE_ALARMS]
    if not few:
        return min(range(len(wholes)), key=lambda n: wholes[n].alarms_in_5_minutes)
    return max(few, key=lambda n: float(np.mean(wholes[n].found)))


if __name__ == "__main__":
    main()
