"""The distance of masters to other music in level, crest, width, balance and spectrum: AF, as published.

Run it from the checkout; the tables are Markdown::

    python benchmarks/features.py --music FOLDER [--pairs 24] [--seconds 24]

The feature distance (AF) is the one of ITO-Master (ISMIR 2025), which needs no weights: mean squared errors
of RMS, crest, stereo width, balance and a Bark spectrum, weighted 0.1, 0.001, 1, 1 and 0.1, and added up.
Conventions here, as in published code of it: samples are linear with full scale 1; RMS and crest (dB, sample
peak) are taken per channel, the squared errors averaged; width is the energy of L-R over that of L+R;
balance is right less left energy over their sum; the Bark spectrum is the natural logarithm of 24 triangular
bands (equal on Traunmueller's scale, 20 Hz to 20 kHz, not normalised) of the mean magnitude over time of L+R
and L-R in rectangular frames of 32768, a quarter apart, reflected at both ends. All at 44.1 kHz.

Raw mixes (files named so) are mastered against finished records, and so are finished records of other albums
and artists, `manifest.csv` telling them apart as for `evidence.py`. Both are excerpts from their middle.
Then every finished record, turned down so that no limiter acts, is mastered against itself, and the finished
songs of each album are mastered as an album; nothing must move.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from evidence import finished_recordings, groups_of
from judge import loudness_lufs, read, third_octaves_db, with_energy
from runs import table

from refmaster.album.passes import master_album
from refmaster.engines.peer import match_with_peer
from refmaster.io.recordings import recordings_in
from refmaster.mastering import master_file
from refmaster.profile.cache import cached_profile
from refmaster.settings.match import MatchSettings

RATE_HZ = 44100
# Level is a term: the limiting that the reference's loudness needs is allowed to every engine.
MAX_REDUCTION_DB = 24.0
FRAME, BARK_BANDS = 32768, 24
BARK_LOW_HZ, BARK_HIGH_HZ = 20.0, 20000.0
WEIGHTS = {"RMS": 0.1, "crest": 0.001, "width": 1.0, "balance": 1.0, "Bark": 0.1}

# Records against themselves lie so far below full scale that the ceiling does not act.
SELF_PEAK = 0.5
MOVES = ["tone, a third octave, dB", "side to mid, dB", "left over right, dB", "loudness, LU"]

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Engine = Callable[[Path, Path, Path], None]


@dataclass(frozen=True)
class Features:
    """The features of one file, by the names of `WEIGHTS`."""

    values: dict[str, Array]

    def distances(self, other: Features) -> dict[str, float]:
        """Return the weighted mean squared error of each feature."""
        return {
            name: weight * float(np.mean((self.values[name] - other.values[name]) ** 2))
            for name, weight in WEIGHTS.items()
        }


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--pairs", type=int, default=24, help="half of them have a raw mix")
    parser.add_argument("--seconds", type=float, default=24.0, help="length of the excerpts")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs")
    parser.add_argument("--no-peer", action="store_true", help="leave matchering out")
    parser.add_argument("--only", choices=["pairs", "self"], help="one table alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        if options.only in (None, "pairs"):
            pairs = [
                (excerpt(mix, work, options.seconds), excerpt(reference, work, options.seconds))
                for mix, reference in chosen_pairs(options.music, options.pairs, options.seed)
            ]
            print(pairs_table(pairs, work, with_peer=not options.no_peer), "\n", flush=True)
        if options.only in (None, "self"):
            finished = finished_recordings(options.music)
            files = {file: excerpt(file, work, options.seconds, peak=SELF_PEAK) for file in finished}
            print(self_table(list(files.values()), work), "\n", flush=True)
            groups = groups_of(finished, options.music / "manifest.csv")
            print(albums_table(files, groups, work), flush=True)


def chosen_pairs(music: Path, count: int, seed: int) -> list[tuple[Path, Path]]:
    """Return pairs of mix and reference of different groups: every mix and every reference equally often."""
    chooser = random.Random(seed)
    finished = finished_recordings(music)
    groups = groups_of(finished, music / "manifest.csv")
    raw = [f for f in recordings_in([music]) if "rawmix" in f.name and "_stem_" not in f.name]
    of_raw = count // 2 if raw else 0
    mixes = dealt(raw, of_raw, chooser) + dealt(finished, count - of_raw, chooser)
    pairs: list[tuple[Path, Path]] = []
    left: list[Path] = []
    for mix in mixes:
        left = left or chooser.sample(finished, len(finished))
        able = [f for f in left if groups[f.name] != groups.get(mix.name) and (mix, f) not in pairs]
        reference = able[0] if able else chooser.choice([f for f in finished if f != mix])
        left = [f for f in left if f != reference]
        pairs.append((mix, reference))
    return pairs


def dealt(files: Sequence[Path], count: int, chooser: random.Random) -> list[Path]:
    """Return `count` of the files in random order, each as often as the others."""
    found: list[Path] = []
    while len(found) < count:
        found += chooser.sample(files, len(files))
    return found[:count]


def excerpt(path: Path, work: Path, seconds: float, *, peak: float | None = None) -> Path:
    """Write the middle of a recording as 24-bit stereo at 44.1 kHz, at a sample peak, and return the file."""
    target = work / f"{path.stem}{'' if peak is None else '-quiet'}.wav"
    if not target.exists():
        samples, rate = read(path)
        samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
        frames = min(round(seconds * rate), len(samples))
        start = (len(samples) - frames) // 2
        samples = samples[start : start + frames]
        if rate != RATE_HZ:
            samples = soxr.resample(samples, rate, RATE_HZ, quality="VHQ")
        if peak is not None:
            samples = samples * (peak / np.abs(samples).max())
        sf.write(target, np.clip(samples, -1.0, 1.0 - 2**-23), RATE_HZ, "PCM_24")
    return target


def ours(strength: str) -> Engine:
    """Return an engine that masters with refmaster."""

    def engine(mix: Path, reference: Path, output: Path) -> None:
        settings = MatchSettings(strength=strength, max_reduction_db=MAX_REDUCTION_DB)
        master_file(mix, [cached_profile(reference)], output, settings, overwrite=True)

    return engine


def peer(mix: Path, reference: Path, output: Path) -> None:
    """Run matchering as its users do, 24 bit, with its own limiter."""
    match_with_peer(mix, reference, output, limiter=True)


def pairs_table(pairs: Sequence[tuple[Path, Path]], work: Path, *, with_peer: bool) -> str:
    """Return the distance of every engine's masters, per term and in all."""
    engines: dict[str, Engine | None] = {"nothing": None}
    engines |= {f"refmaster, {name}": ours(name) for name in ("evidence", "balanced", "full")}
    if with_peer:
        engines["matchering"] = peer
    found: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
    for mix, reference in pairs:
        wanted = features(reference)
        for name, engine in engines.items():
            output = mix
            if engine is not None:
                output = work / "output.wav"
                engine(mix, reference, output)
            found[name].append(features(output).distances(wanted))
    rows = []
    for name, distances in found.items():
        columns = [np.array([d[term] for d in distances]) for term in WEIGHTS]
        columns.append(np.sum(columns, axis=0))
        rows.append([name, *(f"{c.mean():.4f} ({np.percentile(c, 90):.4f})" for c in columns)])
    header = [f"{len(pairs)} pairs, mean (90th percentile)", *WEIGHTS, "AF"]
    return table(header, rows)


def self_table(files: Sequence[Path], work: Path) -> str:
    """Return how far records move that are mastered against themselves."""
    rows = []
    for strength in ("evidence", "balanced", "full"):
        moves = []
        for file in files:
            output = work / "output.wav"
            ours(strength)(file, file, output)
            moves.append(moves_db(output, file))
        rows.append([strength, *(f"{max(found):.3f}" for found in zip(*moves, strict=True))])
    return table([f"largest move of {len(files)} records against themselves", *MOVES], rows)


def albums_table(files: Mapping[Path, Path], groups: Mapping[str, str], work: Path) -> str:
    """Return how far finished songs move that are mastered as an album; albums of three songs and more."""
    rows = []
    for album in dict.fromkeys(groups.values()):
        songs = [path for file, path in files.items() if groups[file.name] == album]
        if len(songs) < 3:
            continue
        with tempfile.TemporaryDirectory(dir=work) as folder:
            source, masters = Path(folder) / "songs", Path(folder) / "masters"
            source.mkdir()
            for song in songs:
                shutil.copy(song, source)
            master_album(source, masters)
            moves = [moves_db(next(masters.glob(f"* {song.stem}.wav")), song) for song in songs]
        rows.append([f"{album}, {len(songs)}", *(f"{max(found):.3f}" for found in zip(*moves, strict=True))])
    return table(["largest move of finished songs as an album", *MOVES], rows)


def moves_db(output: Path, source: Path) -> tuple[float, float, float, float]:
    """Return how far a master is from its mix in tone, width, balance and loudness."""
    found, levels = [], []
    for path in (output, source):
        samples, rate = read(path)
        mid, side = samples.mean(axis=1), (samples[:, 0] - samples[:, 1]) / 2
        left, right = np.mean(samples**2, axis=0)
        width = 10 * np.log10(max(np.mean(side**2), 1e-12) / max(np.mean(mid**2), 1e-12))
        found.append([width, 10 * np.log10(left / right), loudness_lufs(samples, rate)])
        levels.append(third_octaves_db(mid, rate))
    moved = (levels[0] - levels[1])[with_energy(*levels)]
    width, balance, loudness = np.abs(np.subtract(*found)).tolist()
    return float(np.abs(moved - moved.mean()).max()), width, balance, loudness


def features(path: Path) -> Features:
    """Return the features of a stereo file at 44.1 kHz."""
    samples, _ = read(path)
    power = np.mean(samples**2, axis=0)
    rms = np.maximum(np.sqrt(power), 1e-8)
    both = samples[:, 0] + samples[:, 1], samples[:, 0] - samples[:, 1]
    width = np.mean(both[1] ** 2) / max(np.mean(both[0] ** 2), 1e-8)
    balance = (power[1] - power[0]) / max(power.sum(), 1e-8)
    return Features(
        {
            "RMS": rms,
            "crest": 20 * np.log10(np.maximum(np.abs(samples).max(axis=0), 1e-8) / rms),
            "width": np.array([width]),
            "balance": np.array([balance]),
            "Bark": np.array([bark_spectrum(signal) for signal in both]),
        }
    )


def bark_spectrum(signal: Array) -> Array:
    """Return the natural logarithm of the mean magnitude in triangular Bark bands."""
    padded = np.pad(signal, FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[:: FRAME // 4]
    magnitude = np.mean([np.abs(np.fft.rfft(frame)) for frame in frames], axis=0)
    return np.asarray(np.log(bark_filters() @ magnitude + 1e-8))


def bark_filters() -> Array:
    """Return triangles of height 1 between equal steps of Traunmueller's Bark scale, (bands, bins)."""
    low, high = (26.81 * hz / (1960.0 + hz) for hz in (BARK_LOW_HZ, BARK_HIGH_HZ))
    bark = np.linspace(low, high, BARK_BANDS + 2)
    corners = 1960.0 * bark / (26.81 - bark)
    hz = np.arange(FRAME // 2 + 1) * RATE_HZ / FRAME
    rising = (hz - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - hz) / np.diff(corners)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


if __name__ == "__main__":
    main()
