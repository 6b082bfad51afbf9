"""The main job against matchering: match, promises, limiter, speed and memory, all engines in one run.

Run it from the checkout; the tables are Markdown::

    python benchmarks/main_job.py [--music FOLDER] [--second-render] [--long-hours 3]

Without a folder the shipped excerpts are used, tiled to four minutes for the speed table. A folder's files
are paired at random, with a fixed seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import limiters
import numpy as np
import soundfile as sf
import soxr
from judge import Reading, judge, rms_difference_db, with_energy
from runs import Cost, alternate, python, run, table

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
PEER = (
    "import sys; from pathlib import Path; from refmaster.engines.peer import match_with_peer; "
    "match_with_peer(*map(Path, sys.argv[1:4]), limiter=True)"
)
# The command line with a change to how a track is mastered.
CHANGED = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the command line has it, before NumPy is imported
from refmaster.cli.main import run
{change}
sys.argv[0] = "refmaster"
run()
"""
# A correction after the first render that changes nothing: it renders once more.
ONCE_MORE = CHANGED.format(
    change="""
from refmaster.rendering import loop

corrections, correct = iter([True]), loop.corrected_level
loop.corrected_level = lambda plan, *rest: plan if next(corrections, False) else correct(plan, *rest)
"""
)
# Every plan has this dynamics stage, whatever was derived: it acts all the time, and moves too little for
# another render to correct the tone.
WITH_DYNAMICS = CHANGED.format(
    change="""
from refmaster import mastering
from refmaster.settings.dynamics import Dynamics
from refmaster.settings.dynamics import DynamicsBand

shape = dict(ratio=1.5, knee_db=6, attack_ms=50, release_ms=200, max_change_db=0.3, parallel=1, makeup_db=0)
bands = tuple(DynamicsBand(threshold_db=level, **shape) for level in {levels})
stage = {{"dynamics": Dynamics(why="", crossover_hz={crossover_hz}, bands=bands)}}
derive = mastering.derive_plan
mastering.derive_plan = lambda *given, **named: derive(*given, **named).model_copy(update=stage)
"""
)
DYNAMICS = {
    "none": {"levels": (), "crossover_hz": ()},
    "of a single band": {"levels": (-40.0,), "crossover_hz": ()},
    "in three bands": {"levels": (-40.0, -40.0, -50.0), "crossover_hz": (150.0, 2500.0)},
}
REFMASTER = [sys.executable, "-m", "refmaster"]


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, help="a folder of recordings; the shipped excerpts otherwise")
    parser.add_argument("--pairs", type=int, default=8, help="pairs of mix and reference to match")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine for the speed table")
    parser.add_argument(
        "--second-render", action="store_true", help="also measure a master that needs one more render"
    )
    parser.add_argument("--dynamics", action="store_true", help="also measure what the dynamics stage costs")
    parser.add_argument("--long-hours", type=float, default=0.0, help="also measure a file of this length")
    parser.add_argument("--only", choices=["match", "limiter", "cost"], help="one table alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        pairs = make_pairs(options.music, options.pairs, work)
        if options.only in (None, "match"):
            print(match_table(pairs, work), "\n", flush=True)
        if options.only in (None, "limiter"):
            print(limiters.distortion_table(), "\n", flush=True)
            print(limiters.music_table([mix for mix, _ in pairs]), "\n", flush=True)
        if options.only in (None, "cost"):
            wanted = {
                "second_render": options.second_render,
                "dynamics": options.dynamics,
                "long_hours": options.long_hours,
            }
            print(cost_table(pairs[0], work, options.rounds, **wanted), flush=True)


def make_pairs(music: Path | None, count: int, work: Path) -> list[tuple[Path, Path]]:
    """Return pairs of mix and reference as 44.1 kHz stereo WAV, the only rate that matchering works at."""
    if music is None:
        mixes = [FIXTURES / "example/mix.flac", *sorted((FIXTURES / "album").glob("*.flac"))]
        references = [FIXTURES / "example/reference.flac", *sorted((FIXTURES / "music").glob("*.flac"))]
    else:
        files = [f for f in sorted(music.iterdir()) if f.suffix in {".flac", ".ogg", ".mp3", ".wav"}]
        files = [f for f in files if "_stem_" not in f.name]
        mixes = [f for f in files if "rawmix" in f.name] or files
        references = [f for f in files if f not in mixes] or files
    chooser = random.Random(1)
    pairs = [(mix, reference) for mix in mixes for reference in references if mix != reference]
    chosen = chooser.sample(pairs, min(count, len(pairs)))
    return [(as_cd_rate(mix, work), as_cd_rate(reference, work)) for mix, reference in chosen]


def as_cd_rate(path: Path, work: Path) -> Path:
    """Return `path` as a 24-bit WAV at 44.1 kHz."""
    target = work / f"{path.stem}.wav"
    if not target.exists():
        samples, rate = sf.read(path, always_2d=True)
        if rate != 44100:
            samples = soxr.resample(samples, rate, 44100, quality="VHQ")
        sf.write(target, np.clip(samples, -1.0, 1.0 - 2**-23), 44100, "PCM_24")
    return target


def ours(*options: str, command: Sequence[str] = REFMASTER) -> Callable[[Path, Path, Path], Cost]:
    """Return an engine that runs ``refmaster master`` with `options`, measuring every file anew."""

    def engine(mix: Path, reference: Path, output: Path) -> Cost:
        files = [str(mix), "-r", str(reference), "-o", str(output)]
        fixed = ["--overwrite", "--quiet", "--no-cache"]
        return run([*command, "master", *files, *fixed, *options], accepted=(0, 1))

    return engine


def peer(mix: Path, reference: Path, output: Path) -> Cost:
    """Run matchering as its users do, 24 bit, with its own limiter."""
    return run(python(PEER, str(mix), str(reference), str(output)))


def match_table(pairs: list[tuple[Path, Path]], work: Path) -> str:
    """Return what each engine reached on every pair, read by the independent judge."""
    engines = {
        "refmaster --strength full": ours("--strength", "full", "--loudness", "full"),
        "matchering": peer,
    }
    rows: dict[str, list[list[float]]] = {name: [] for name in engines}
    for mix, reference in pairs:
        wanted = judge(reference)
        for name, engine in engines.items():
            output = work / "master.wav"
            engine(mix, reference, output)
            rows[name].append(deviations(judge(output), wanted, judge(mix)))
    shown = []
    for name, found in rows.items():
        tone, loudness, peak, long_peak = np.array(found).T
        shown.append(
            [
                name,
                f"{tone.mean():.2f} ({tone.max():.2f})",
                f"{np.abs(loudness).mean():.2f} ({np.abs(loudness).max():.2f})",
                f"{peak.max():+.2f}",
                f"{long_peak.max():+.2f}",
            ]
        )
    header = ["engine", "tone to reference, dB RMS, mean (worst)", "loudness off, LU, mean (worst)"]
    return table([*header, "worst true peak, libebur128, dBTP", "the same, Fourier, dBTP"], shown)


def deviations(master: Reading, reference: Reading, mix: Reading) -> list[float]:
    """Return tone RMS in dB, loudness error in LU, true peaks in dBTP."""
    mask = with_energy(mix.mid_db, reference.mid_db)
    return [
        rms_difference_db(master.mid_db, reference.mid_db, mask),
        master.integrated_lufs - reference.integrated_lufs,
        master.true_peak_dbtp,
        master.true_peak_long_dbtp,
    ]


def cost_table(
    pair: tuple[Path, Path],
    work: Path,
    rounds: int,
    *,
    second_render: bool,
    dynamics: bool,
    long_hours: float,
) -> str:
    """Return wall time, CPU time and peak memory of whole processes on four minutes."""
    mix, reference = (tiled(path, 240.0, work) for path in pair)
    engines = {"refmaster, 4 min": ours(), "matchering, 4 min": peer}
    if second_render:
        engines["refmaster, 4 min, rendered once more"] = ours(command=python(ONCE_MORE))
    for name, stage in DYNAMICS.items() if dynamics else ():
        engines[f"refmaster, 4 min, dynamics {name}"] = ours(command=python(WITH_DYNAMICS.format(**stage)))
    output = work / "master.wav"
    jobs = [lambda engine=engine: engine(mix, reference, output) for engine in engines.values()]
    costs = alternate(jobs, rounds)
    rows = [
        [name, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_mb:.0f}"]
        for name, cost in zip(engines, costs, strict=True)
    ]
    mine, its = costs[:2]
    ratios = mine.wall_s / its.wall_s, mine.cpu_s / its.cpu_s, mine.peak_mb / its.peak_mb
    rows.insert(2, ["ratio", *(f"{ratio:.2f}" for ratio in ratios)])
    if long_hours:
        long_mix = tiled(mix, long_hours * 3600, work)
        cost = ours()(long_mix, reference, output)
        rows.append(
            [f"refmaster, {long_hours:g} h", f"{cost.wall_s:.0f}", f"{cost.cpu_s:.0f}", f"{cost.peak_mb:.0f}"]
        )
    return table(["job", "wall s", "CPU s", "peak MB"], rows)


def tiled(path: Path, seconds: float, work: Path) -> Path:
    """Return `path` repeated until it lasts `seconds`, as 24-bit WAV or RF64."""
    samples, rate = sf.read(path, always_2d=True)
    target = work / f"{path.stem}-{seconds:.0f}s.wav"
    frames = round(seconds * rate)
    container = "RF64" if frames * samples.shape[1] * 3 > 2**31 else "WAV"
    with sf.SoundFile(target, "w", rate, samples.shape[1], "PCM_24", format=container) as file:
        while frames > 0:
            file.write(samples[:frames])
            frames -= len(samples)
    return target


if __name__ == "__main__":
    main()
