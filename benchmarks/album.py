"""Albums by several engineers: how much of the engineers is taken back, and what it costs.

Run it from the checkout; the tables are Markdown::

    python benchmarks/album.py --music FOLDER [--quick] [--only tone|files|cost]

Albums are made of real recordings with random engineers whose work is known (shelves, bells, width, level).
Most tables are made on features; one on written files, read by an independent judge. The folder needs at
least 18 recordings; a `manifest.csv` in it (columns file, album, genre) names the records and their genres.
Albums are drawn from all finished recordings together, from the electronic ones, from the others, and from
each record of 6 or 7 songs. Priors are always learned without the songs that are tried, and where all of
them are of one kind, from the other kind only. Without a folder only the table on written files is made, of
the shipped excerpts, with the shipped prior: which was learned from these recordings, among others.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: a second thread only waits

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile as sf
from album_prior import learn_album_prior, recordings
from album_simulation import (
    SMALLER,
    SPLITS,
    Case,
    CaseErrors,
    Engineer,
    Pool,
    Song,
    cases,
    solve,
    tone_error,
)
from judge import read, third_octaves_db
from main_job import tiled
from runs import run, table

from refmaster._types import Array
from refmaster.album.effect_models import AlbumPrior, shipped_album_prior
from refmaster.album.passes import master_album

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
# Words of genres that are played by machines.
ELECTRONIC = ("electro", "synth", "house", "hip-hop", "dance")
EXCERPT_S = 40.0
TRACK_S = 240.0


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, help="a folder of recordings")
    parser.add_argument("--seeds", type=int, default=40, help="albums for each cell of the tables")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="4 seeds, one written album, no cost table")
    parser.add_argument("--only", choices=["tone", "files", "cost"], help="one part alone")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + (4 if options.quick else options.seeds))
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        if options.music is not None and options.only in (None, "tone"):
            songs = [Song(f) for f in recordings(options.music)]
            pools = pools_of(songs, options.music / "manifest.csv")
            print(recovery_tables(pools, seeds), "\n", flush=True)
            print(undisturbed_table(pools, list(seeds)[:6]), "\n", flush=True)
        if options.only in (None, "files"):
            print(files_table(options.music, work, 1 if options.quick else 6), "\n", flush=True)
        if options.only in (None, "cost") and not options.quick:
            print(cost_table(options.music, work), flush=True)


def pools_of(songs: Sequence[Song], manifest: Path) -> dict[str, Pool]:
    """Return what albums are drawn from, with what their priors are learned from."""
    finished = [s for s in songs if "rawmix" not in s.path.name]
    pools = {"pooled": Pool(finished, songs)}
    if not manifest.exists():
        return pools
    with manifest.open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    albums: dict[str, list[Song]] = {}
    kinds: dict[bool, list[Song]] = {True: [], False: []}
    for song in (lifted(s) for s in songs):
        row = rows[song.path.name]
        albums.setdefault(row["album"] or song.path.stem, []).append(song)
    for found in albums.values():  # a record is of the kind that most of its songs are of
        electronic = [any(w in rows[s.path.name]["genre"].lower() for w in ELECTRONIC) for s in found]
        kind = 2 * sum(electronic) > len(found)
        kinds[kind] += found
    for kind, name in ((True, "electronic"), (False, "not electronic")):
        if min(len(kinds[True]), len(kinds[False])) >= max(map(sum, SPLITS.values())):
            pools[name] = Pool(kinds[kind], kinds[not kind])
    for name, found in albums.items():
        if len(found) in SMALLER:
            pools[name] = Pool(found, kinds[found[0] not in kinds[True]])
    return pools


def lifted(song: Song) -> Song:
    """Return a raw mix with its peak at 0 dBTP: its own level was nobody's choice."""
    return song.lifted(-song.features.true_peak_dbtp) if "rawmix" in song.path.name else song


def recovery_tables(pools: dict[str, Pool], seeds: Sequence[int]) -> str:
    """Return tone, level and width after against before, for each split, and the naive alternatives."""
    found = {
        (name, split): [solve(case) for case in cases(pool, split, seeds)]
        for name, pool in pools.items()
        for split in SPLITS
    }
    tone = ["refmaster", "engineers' means removed", "every track to the mean"]
    level = ["refmaster", "engineers' means removed", "all equally loud"]
    covered = np.mean([o.covered for outcomes in found.values() for o in outcomes])
    return "\n\n".join(
        [
            "Between-track tone error to the undisturbed album, after / before: mean over albums, and in "
            "brackets the share of albums that became worse, and the worst",
            _ratios(found, pools, "tone", tone),
            f"Share of the engineers' third octaves within the stated deviation: {covered:.0%}",
            "Relative loud-section levels, error after / before",
            _ratios(found, pools, "level", level),
            "Width, error after / before, were it corrected (it is not, unless asked)",
            _ratios(found, pools, "width", ["refmaster"]),
        ]
    )


def _ratios(
    found: dict[tuple[str, str], list[CaseErrors]],
    pools: dict[str, Pool],
    kind: str,
    methods: list[str],
) -> str:
    rows = []
    for method in methods:
        for pool in [*pools, "all"]:
            cells, everything = [], []
            for split in SPLITS:
                errors = [
                    (getattr(o, kind)["before"], getattr(o, kind)[method])
                    for (name, s), outcomes in found.items()
                    if s == split and pool in (name, "all")
                    for o in outcomes
                ]
                everything.append(np.array(errors))
                cells.append(_cell(everything[-1]))
            labelled = np.concatenate(everything[:3])
            rows.append([method, pool, *cells, _cell(labelled), _cell(np.concatenate(everything))])
    return table(["method", "albums of", *SPLITS, "several songs each", "all"], rows)


def _cell(errors: Array) -> str:
    """Return the mean of the ratios, the share of albums that became worse, and the worst ratio."""
    ratios = errors[:, 1] / errors[:, 0]
    return f"{ratios.mean():.2f} ({np.mean(ratios > 1):.0%}, {ratios.max():.2f})"


def undisturbed_table(pools: dict[str, Pool], seeds: Sequence[int]) -> str:
    """Return what happens to albums that nobody disturbed."""
    rows = []
    for kind in ("nobody named", "one engineer", "one name for each song", "wrong names (4/4/4)"):
        split = "4/4/4" if "wrong" in kind or kind == "one engineer" else "1x6"
        for name, pool in pools.items():
            outcomes = []
            for case in cases(pool, split, seeds):
                calm = replace(case, engineers=[Engineer.none()] * len(case.engineers))
                if kind == "nobody named":
                    calm = replace(calm, named=False)
                if kind == "one engineer":
                    calm = replace(calm, who=[0] * len(case.who))
                outcomes.append(solve(calm))
            moved = [o.largest_tone_db for o in outcomes]
            kept = np.mean([o.order_kept for o in outcomes])
            rows.append([kind, name, f"{np.mean(moved):.2f} ({max(moved):.2f})", f"{kept:.0%}"])
    header = ["undisturbed album, labelled", "albums of", "most moved track, tone dB RMS, mean (worst)"]
    return table([*header, "order of loudness kept"], rows)


def files_table(music: Path | None, work: Path, count: int) -> str:
    """Return the same on written files: mixes made, mastered and read back by an independent judge."""
    rows = []
    for seed in range(count):
        for split, (case, excerpts) in written_cases(music, work, seed).items():
            mixes = [work / f"{i:02d} mix.wav" for i in range(len(excerpts))]
            for path, excerpt, w in zip(mixes, excerpts, case.who, strict=True):
                write_mix(excerpt, case.engineers[w], path)
            tracks = [
                f"  - {{file: '{p.name}', engineer: e{w}}}" for p, w in zip(mixes, case.who, strict=True)
            ]
            text = "\n".join(["version: 1", "match: {target_lufs: -18}", "tracks:", *tracks])
            (work / "album.yaml").write_text(text)
            result = master_album(work / "album.yaml", work / f"out{seed}", prior=case.prior)
            masters = [t.output for t in result.tracks]
            errors = [judged(paths, excerpts) for paths in (mixes, masters)]
            pooled = pooled_error(masters, -18.0)
            (tone, level), (tone_after, level_after) = errors
            rows.append(
                [
                    split,
                    f"{tone:.2f} > {tone_after:.2f} ({tone_after / tone:.2f})",
                    f"{level:.2f} > {level_after:.2f} ({level_after / level:.2f})",
                    f"{pooled:+.2f}",
                    "yes" if result.kept_promises else "no",
                ]
            )
    header = ["album of written files", "tone error, dB RMS", "level error, dB", "pooled loudness off, LU"]
    return table([*header, "promises kept"], rows)


def written_cases(
    music: Path | None, work: Path, seed: int
) -> dict[str, tuple[Case, list[tuple[Array, int]]]]:
    """Return albums of excerpts, with their engineers."""
    random = np.random.default_rng(seed)
    if music is None:
        files = [*sorted((FIXTURES / "album").glob("*.flac")), *sorted((FIXTURES / "music").glob("*.flac"))]
        pools = {"shipped": [*files, FIXTURES / "example/reference.flac"]}
    else:
        songs = [Song(f) for f in recordings(music)]
        found = pools_of(songs, music / "manifest.csv")
        pools = {name: [s.path for s in pool.songs] for name, pool in found.items() if " " not in name}
    name, files = list(pools.items())[seed % len(pools)]
    chosen = [files[i] for i in random.permutation(len(files))[: min(len(files), 7)]]
    prior = prior_of(music, chosen if name == "pooled" else files)
    sizes = (3, 2, 1) if len(chosen) == 6 else (4, 2, 1)
    who = [number for number, size in enumerate(sizes) for _ in range(size)]
    case = Case([], [Engineer.draw(random) for _ in sizes], who, prior)
    excerpts = []
    for path in chosen:
        samples, rate = read(path)
        samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
        excerpts.append((around_the_peak(samples, rate) * 0.35, rate))
    return {f"{name} {'/'.join(map(str, sizes))}": (case, excerpts)}


def around_the_peak(samples: Array, rate: int) -> Array:
    """Return the excerpt that holds the highest sample: level and peak belong together in the model."""
    length = round(EXCERPT_S * rate)
    start = int(np.abs(samples).max(axis=1).argmax()) - length // 2
    start = max(0, min(start, len(samples) - length))
    return samples[start : start + length]


def prior_of(music: Path | None, chosen: Sequence[Path]) -> AlbumPrior:
    """Return the prior learned without the chosen recordings; the shipped one for the shipped excerpts."""
    if music is None:
        return shipped_album_prior()
    rest = [Song(f) for f in recordings(music) if f not in chosen]
    return learn_album_prior([s.features for s in rest], [s.path.stem for s in rest])


def write_mix(excerpt: tuple[Array, int], engineer: Engineer, path: Path) -> None:
    """Write what an engineer would have delivered."""
    samples, rate = excerpt
    hz = np.fft.rfftfreq(2 * len(samples), 1 / rate)
    gain = 10 ** ((engineer.gain_db(np.maximum(hz, 1.0)) + engineer.level_db) / 20)
    heard = np.fft.irfft(np.fft.rfft(samples, 2 * len(samples), axis=0) * gain[:, None], axis=0)
    heard = heard[: len(samples)]
    mid, side = heard.mean(axis=1), (heard[:, 0] - heard[:, 1]) / 2 * engineer.width
    sf.write(path, np.column_stack([mid + side, mid - side]), rate, "FLOAT")


def judged(paths: Sequence[Path], originals: Sequence[tuple[Array, int]]) -> tuple[float, float]:
    """Return the errors of tone and of relative loud-section levels against the undisturbed album."""
    moved, levels = [], []
    for path, (samples, rate) in zip(paths, originals, strict=True):
        now, _ = read(path)
        pairs = [third_octaves_db(x.mean(axis=1), rate) for x in (now, samples)]
        moved.append(pairs[0] - pairs[1])
        levels.append(loud_lufs(now, rate) - loud_lufs(samples, rate))
    return tone_error(np.array(moved)), float(np.std(levels))


def loud_lufs(samples: Array, rate: int) -> float:
    """Return the 95th percentile of short-term loudness by libebur128, from 20 LU below its mean."""
    import pyebur128

    state = pyebur128.R128State(samples.shape[1], rate, pyebur128.MeasurementMode.MODE_S)
    step, found = rate // 10, []
    for start in range(0, len(samples) - step, step):
        piece = np.ascontiguousarray(samples[start : start + step])
        state.add_frames(piece.ravel(), len(piece))
        if start >= 3 * rate:
            found.append(pyebur128.get_loudness_shortterm(state))
    power = 10 ** (np.array(found) / 10)
    return float(10 * np.log10(np.percentile(power[power > power.mean() / 100], 95)))


def pooled_error(paths: Sequence[Path], asked_lufs: float) -> float:
    """Return how far the loudness of all files as one is off, by libebur128."""
    import pyebur128

    states = []
    for path in paths:
        samples, rate = read(path)
        state = pyebur128.R128State(samples.shape[1], rate, pyebur128.MeasurementMode.MODE_I)
        state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
        states.append(state)
    return float(pyebur128.get_loudness_global_multiple(states)) - asked_lufs


def cost_table(music: Path | None, work: Path) -> str:
    """Return what an album of ten 4-minute tracks costs, against ten single masters in processes."""
    files = recordings(music) if music is not None else sorted((FIXTURES / "album").glob("*.flac"))
    tracks = [tiled(files[i % len(files)], TRACK_S + i, work) for i in range(10)]
    reference = tiled(files[-1], TRACK_S - 1, work)
    os.environ["REFMASTER_CACHE"] = str(work / "cache")
    command = [sys.executable, "-m", "refmaster"]
    rows = []
    for count in (3, 10):
        listed = [f"  - {{file: '{p.name}', engineer: e{i % 3}}}" for i, p in enumerate(tracks[:count])]
        (work / "cost.yaml").write_text("\n".join(["version: 1", "tracks:", *listed]))
        target = ["-o", str(work / f"cost{count}"), "--lufs", "-14", "--max-reduction", "20", "-q"]
        for name, more in (("", []), (", toward a reference", ["-r", str(reference), "--overwrite"])):
            os.environ["REFMASTER_CACHE"] = str(work / f"cache{count}{len(more)}")
            cost = run([*command, "album", str(work / "cost.yaml"), *target, *more], accepted=(0, 1))
            rows.append([f"album of {count}{name}", cost.cpu_s, cost.wall_s, cost.peak_mb])
    single = ["-o", str(work / "single.wav"), "--lufs", "-14", "--max-reduction", "20", "-q", "--overwrite"]
    singles = [
        run(
            [*command, "master", str(path), "-r", str(reference), *single],
            accepted=(0, 1),
        )
        for path in tracks
    ]
    total = sum(cost.cpu_s for cost in singles)
    walls = sum(cost.wall_s for cost in singles)
    rows.append(["ten single masters", total, walls, max(cost.peak_mb for cost in singles)])
    shown = [
        [str(n), f"{cpu:.1f}", f"{wall:.1f}", f"{mb:.0f}", f"{cpu / total:.2f}"] for n, cpu, wall, mb in rows
    ]
    return table(["job, tracks of 4 minutes", "CPU s", "wall s", "peak MB", "CPU / ten singles"], shown)


if __name__ == "__main__":
    main()
