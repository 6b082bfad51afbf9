"""Clicks put into music: how many are found, what is found where there is none, and what a repair leaves of them.

Run it from the checkout, on a folder of recordings with a ``manifest.csv`` (columns ``file``, ``title``, ``album``);
the tables are Markdown::

    python benchmarks/clicks.py --music FOLDER
    python benchmarks/clicks.py --music FOLDER --choose

The constants were chosen on the albums and artists of `CHOSEN_ON`, with ``--choose``; the figures leave these out.
A chiptune is made here, of pulse waves, a stepped triangle and noise.

Clicks are impulses of 1 to 3 samples, decaying bursts (of noise or a sine) of 4 to 40, and offsets of 4 to 40 that hold or
decay, in turn; each in one channel and at least 200 ms from the next. Their highest sample stands 6 to 24 dB over the local
level, which is the root mean square of that channel over the 20 ms around the click's beginning, before it is added. Where that is
below -60 dBFS no click is put.

Most free music is decoded from lossy files, which end below half their sample rate: prediction is easier there. So all is done
again on every second sample, without a filter: what was above is folded back, and the band is full.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from runs import table

import refmaster.meters.clicks as meter
from refmaster.dsp.clicks import GapFiller
from refmaster.units import db_to_amplitude, power_to_db

CHOSEN_ON = ("Valyria Tear OST", "lofi Compilation (TAD)", "Tim Beek", "Juan Linietsky")
SHAPES = ("impulse", "burst", "offset")
HEIGHTS_DB = (6.0, 24.0)
HEIGHT_CLASSES_DB = (6.0, 9.0, 15.0, 24.0)
APART_S = 0.2
LOCAL_S = 0.010  # on either side
QUIETEST = 1e-3
BLOCK_FRAMES = 65536
# What ``--choose`` tries.
ISOLATIONS_DB = (9.0, 11.0, 13.0, 15.0, 17.0)
LEAST_HEIGHTS_DB = (-6.0, 0.0, 3.0)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Click:
    """A click that was put into music."""

    start: int
    frames: int
    channel: int
    height_db: float
    shape: str


@dataclass
class Outcome:
    """The figures of one piece."""

    name: str
    minutes: float
    false_alarms: list[str]
    clicks: list[Click] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    power: list[tuple[float, float]] = field(
        default_factory=list
    )  # of found clicks, and of the error after repair


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--music", type=Path, required=True, help="a folder of recordings and their manifest.csv"
    )
    parser.add_argument("--clicks", type=int, default=200, help="clicks in all, spread over the pieces")
    parser.add_argument("--rounds", type=int, default=5, help="how often, each time with other clicks")
    parser.add_argument(
        "--choose", action="store_true", help="try other constants, on what the figures leave out"
    )
    arguments = parser.parse_args()
    for folded in (False, True):
        print(f"\n{'Every second sample (full band)' if folded else 'Music as it is'}\n")
        if arguments.choose:
            print_choice(arguments.music, folded, arguments.clicks, arguments.rounds)
        else:
            print_figures(list(outcomes(arguments.music, False, folded, arguments.clicks, arguments.rounds)))


def outcomes(music: Path, choosing: bool, folded: bool, clicks: int, rounds: int) -> Iterator[Outcome]:
    """Yield what comes of each piece."""
    files = list(pieces(music, choosing))
    for number, (name, samples, rate) in enumerate(loaded(files)):
        if folded:
            samples, rate = np.asfortranarray(samples[::2]), rate // 2
        clean = found_in(samples, rate)
        outcome = Outcome(
            name,
            len(samples) / rate / 60,
            [f"{start / rate:.2f} s ({height:.0f} dB)" for start, _, _, height in clean],
        )
        pieces_in_all = len(files) + 1
        for turn in range(rounds):
            count = clicks * (number + 1) // pieces_in_all - clicks * number // pieces_in_all
            add_round(outcome, samples, rate, count, np.random.default_rng([number, turn, folded]))
        yield outcome


def pieces(music: Path, choosing: bool) -> Iterator[Path]:
    """Yield the files of the albums and artists for choosing, or the others."""
    with (music / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            group = row["album"] or row["title"].partition(" - ")[0]
            if (group in CHOSEN_ON) == choosing:
                yield music / row["file"]


def loaded(files: list[Path]) -> Iterator[tuple[str, Samples, int]]:
    """Yield name, samples and rate of each file, and a chiptune."""
    for path in files:
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
        yield path.stem, np.asfortranarray(samples), rate
    yield "chiptune (made)", chiptune(44100, 90.0), 44100


def chiptune(rate: int, seconds: float) -> Samples:
    """Return two pulse waves, a stepped triangle and noise on the beat, with volumes in 16 steps and no filter."""
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


def print_figures(found: list[Outcome]) -> None:
    """Print a row for each piece, one for all, and the shares by shape and height."""
    minutes = sum(outcome.minutes for outcome in found)
    alarms = sum(len(outcome.false_alarms) for outcome in found)
    everything = Outcome("all", minutes, [f"{5 * alarms / minutes:.2f} in 5 minutes"] if alarms else [])
    for outcome in found:
        everything.clicks += outcome.clicks
        everything.found += outcome.found
        everything.power += outcome.power
    rows = [
        [
            outcome.name,
            f"{outcome.minutes:.1f}",
            "none"
            if not outcome.false_alarms
            else f"{len(outcome.false_alarms)}: {', '.join(outcome.false_alarms[:8])}",
            f"{sum(outcome.found)} of {len(outcome.found)}",
            *repair_figures(outcome),
        ]
        for outcome in found
    ]
    rows.append(
        ["all", f"{minutes:.1f}", f"{alarms} ({5 * alarms / minutes:.2f} in 5 minutes)"]
        + [f"{sum(everything.found)} of {len(everything.found)} ({np.mean(everything.found):.1%})"]
        + repair_figures(everything)
    )
    header = [
        "piece",
        "minutes",
        "found in the clean piece",
        "clicks found",
        "error after repair, dB: all, median",
    ]
    print(table([*header, "15 dB below the click"], rows))
    classes = list(zip(HEIGHT_CLASSES_DB, HEIGHT_CLASSES_DB[1:], strict=False))
    shares = [
        [shape, *(share_found(everything, shape, low, high) for low, high in classes)] for shape in SHAPES
    ]
    print("\n" + table(["found", *(f"{low:g} to {high:g} dB" for low, high in classes)], shares))


def repair_figures(outcome: Outcome) -> list[str]:
    """Return the error after repair against the clicks: of all together, the median, and how often 15 dB are reached."""
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


def print_choice(music: Path, folded: bool, clicks: int, rounds: int) -> None:
    """Print what other constants would give on the music for choosing."""
    rows = []
    for isolation_db, height_db in product(ISOLATIONS_DB, LEAST_HEIGHTS_DB):
        meter.ISOLATION_DB, meter.HEIGHT_DB = isolation_db, height_db
        found = list(outcomes(music, True, folded, clicks, rounds))
        minutes = sum(outcome.minutes for outcome in found)
        alarms = sum(len(outcome.false_alarms) for outcome in found)
        hits = np.concatenate([outcome.found for outcome in found])
        rows.append(
            [f"{isolation_db:g}", f"{height_db:g}", f"{hits.mean():.1%}", f"{5 * alarms / minutes:.2f}"]
        )
    print(table(["isolation, dB", "least height, dB", "clicks found", "false alarms in 5 minutes"], rows))


if __name__ == "__main__":
    main()
