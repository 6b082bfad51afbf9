"""Clipped tops restored: how much nearer to the music before it was clipped.

Run it from the checkout, on a folder of recordings with a ``manifest.csv`` (columns ``file``, ``title``,
``album``); the tables are Markdown::

    python benchmarks/declip.py --music FOLDER
    python benchmarks/declip.py --music FOLDER --choose

An excerpt of each recording is scaled so that its highest peak is 1, 2 or 3 dB above a level, and clipped
there. The error is summed over the clipped samples, before and after; a median is over recordings, and a
recording without a clipped top of the kind has no say. ``--choose`` tries other constants on every second
album or artist, by name; the figures are of the others. "Level found" says in how many the meter finds by
itself at which level tops are cut, where there are ten and more of two samples and more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import groups_of
from judge import Array
from runs import table

from refmaster.dsp import declip
from refmaster.io.recordings import recordings_in
from refmaster.meters.repairable import FLAT, RepairableMeter
from refmaster.settings.repair import LONGEST_OVER_FRAMES

LEVEL = 0.5
CLIPPED_BY_DB = (1.0, 2.0, 3.0)
EXCERPT_S = 10.0
# Upper ends of the classes of runs, in frames.
LENGTHS = (2, 4, 8, 16, 32, 64, 128)
TOPS_TO_FIND = 10
# What ``--choose`` tries beside the values that are used, one at a time.
OTHERS: dict[str, tuple[int, ...]] = {
    "ORDER": (16, 64),
    "CONTEXT_FRAMES": (256, 1024),
    "ROUNDS": (2, 5),
}


@dataclass(frozen=True)
class Run:
    """A run of clipped samples: its length, and its squared error before and after."""

    frames: int
    before: float
    after: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--choose", action="store_true")
    asked = parser.parse_args()
    files = [file for file in recordings_in([asked.music]) if "_stem_" not in file.name]
    groups = groups_of(files, asked.music / "manifest.csv")
    chosen_on = sorted(set(groups.values()))[::2]
    excerpts = [excerpt(file) for file in files if (groups[file.name] in chosen_on) == asked.choose]
    print(f"{len(excerpts)} recordings, {EXCERPT_S:g} s of each\n")
    print(
        choice_table(excerpts)
        if asked.choose
        else "\n\n".join([depth_table(excerpts), length_table(excerpts)])
    )


def excerpt(path: Path) -> tuple[Array, int]:
    """Return samples from the middle of a recording, their peak 1, and the rate in Hz."""
    info = sf.info(path)
    frames = min(info.frames, round(EXCERPT_S * info.samplerate))
    samples, rate = sf.read(path, start=(info.frames - frames) // 2, frames=frames, always_2d=True)
    return samples / np.abs(samples).max(), rate


def clipped_by(samples: Array, db: float) -> tuple[Array, Array]:
    """Return samples whose peak is so far above `LEVEL`, and the same clipped there."""
    scaled = samples * LEVEL * 10 ** (db / 20)
    return scaled, np.clip(scaled, -LEVEL, LEVEL)


def restored_runs(samples: Array, db: float, longest: int) -> list[Run]:
    """Return every run of clipped samples, after all of at most `longest` frames were restored."""
    scaled, cut = clipped_by(samples, db)
    channels = samples.shape[1]
    levels = [(channel, sign * LEVEL) for channel in range(channels) for sign in (1.0, -1.0)]
    kernel = declip.Declipper(channels, levels, longest)
    found = np.concatenate([kernel.push(cut), kernel.flush()])
    runs = []
    for channel in range(channels):
        at_level = np.abs(scaled[:, channel]) >= LEVEL
        edges = np.flatnonzero(np.diff(at_level, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges.tolist():
            errors = [np.sum((other - scaled)[start:end, channel] ** 2) for other in (cut, found)]
            runs.append(Run(end - start, *map(float, errors)))
    return runs


def improvement_db(runs: Sequence[Run]) -> float:
    """Return by how much the summed error fell, at most 60 dB."""
    before, after = (sum(getattr(run, name) for run in runs) for name in ("before", "after"))
    return float(10 * np.log10(before / max(after, 1e-6 * before)))


def improvements(each: Sequence[Sequence[Run]], shortest: int, longest: int) -> list[float]:
    """Return the improvement of each recording over its runs from one length to another."""
    chosen = [[run for run in runs if shortest <= run.frames <= longest] for runs in each]
    return [improvement_db(runs) for runs in chosen if sum(run.before for run in runs) > 0.0]


def depth_table(excerpts: Sequence[tuple[Array, int]]) -> str:
    """Return the improvement by how far music was clipped, with the defaults."""
    rows = []
    for db in CLIPPED_BY_DB:
        each = [restored_runs(samples, db, LONGEST_OVER_FRAMES) for samples, _ in excerpts]
        gains = improvements(each, 1, LONGEST_OVER_FRAMES)
        short = [run for runs in each for run in runs if run.frames <= LONGEST_OVER_FRAMES]
        worse = float(np.mean([run.after > run.before for run in short]))
        long = sum(len(runs) for runs in each) - len(short)
        rows.append(
            [
                f"{db:g}",
                f"{len(gains)}",
                f"{len(short)}, {long} left",
                f"{np.median(gains):.1f}",
                f"{min(gains):.1f}",
                f"{worse:.1%}",
                levels_found(excerpts, db),
            ]
        )
    header = (
        "clipped by dB",
        "recordings",
        "runs",
        "median dB",
        "worst dB",
        "runs made worse",
        "level found",
    )
    return table(header, rows)


def length_table(excerpts: Sequence[tuple[Array, int]]) -> str:
    """Return the improvement by the length of runs, the longest ones restored as well."""
    each = [restored_runs(samples, CLIPPED_BY_DB[-1], LENGTHS[-1]) for samples, _ in excerpts]
    rows, shortest = [], 1
    for longest in LENGTHS:
        gains = improvements(each, shortest, longest)
        rows.append(
            [f"{shortest}-{longest}", f"{len(gains)}", f"{np.median(gains):.1f}", f"{min(gains):.1f}"]
        )
        shortest = longest + 1
    return table(("samples", "recordings", "median dB", "worst dB"), rows)


def levels_found(excerpts: Sequence[tuple[Array, int]], db: float) -> str:
    """Return in how many recordings with enough tops the meter finds the level of one side at least."""
    found = tried = 0
    for samples, rate in excerpts:
        _, cut = clipped_by(samples, db)
        at_level = np.abs(cut) >= LEVEL
        if np.count_nonzero(at_level[1:] & at_level[:-1] & ~np.roll(at_level, 1, axis=0)[:-1]) < TOPS_TO_FIND:
            continue
        meter = RepairableMeter(rate, cut.shape[1])
        meter.update(np.asfortranarray(cut))
        tried += 1
        found += any(abs(abs(tops.level) - LEVEL) <= 2 * FLAT for tops in meter.result().cut)
    return f"{found} of {tried}"


def choice_table(excerpts: Sequence[tuple[Array, int]]) -> str:
    """Return the improvement for each choice of the constants, over all depths of clipping."""
    used = {name: getattr(declip, name) for name in OTHERS}
    tried = [used, *(used | {name: value} for name, values in OTHERS.items() for value in values)]
    rows = []
    for values in tried:
        for name, value in values.items():
            setattr(declip, name, value)
        each = [
            [restored_runs(samples, db, LONGEST_OVER_FRAMES) for samples, _ in excerpts]
            for db in CLIPPED_BY_DB
        ]
        gains = [gain for runs in each for gain in improvements(runs, 1, LONGEST_OVER_FRAMES)]
        found = (np.median(gains), np.mean(np.minimum(gains, 20.0)), min(gains))
        rows.append([*map(str, values.values()), *(f"{value:.1f}" for value in found)])
    header = (*used, "median dB", "mean of at most 20 dB", "worst dB")
    return table(header, rows)


if __name__ == "__main__":
    main()
