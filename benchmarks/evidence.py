"""Mastering told from content: finished tracks hidden behind a random mix engineer, and found again.

Run it from the checkout; the tables are Markdown::

    python benchmarks/evidence.py --music FOLDER [--quick]

Each track is hidden behind random shelves, bells and width, written as a mix with its peak at -8 dBFS,
mastered to -30 LUFS (so that no limiter acts) and read back from the written file by an independent judge.
References are the other half of the track, another song of its album, or three. No track is mastered with a
prior that was learned from itself, its album or its artist. A folder needs at least ten finished recordings;
a `manifest.csv` in it (columns file, album, title "Artist - Title") names the albums. Raw mixes and stems,
files named so, are left out.
"""

from __future__ import annotations

import argparse
import csv
import functools
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from judge import (
    THIRDS_HZ,
    octave_smoothed,
    read,
    rms_difference_db,
    third_octaves_db,
    with_energy,
)
from runs import table

from refmaster.engines.peer import match_with_peer
from refmaster.io.recordings import recordings_in
from refmaster.mastering import master_file
from refmaster.matching.derive import derive_plan
from refmaster.matching.learn import Residual, Track, fit_prior, match_residuals
from refmaster.profile.cache import cached_profile
from refmaster.settings.emit import emit_model
from refmaster.settings.match import MatchSettings
from refmaster.units import db_to_amplitude

MIX_PEAK = db_to_amplitude(-8.0)
TARGET_LUFS = -30.0
BROAD_MOVE_DB = 6.0
Samples = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Levels = tuple[Samples, Samples]  # mid and side in dB per third octave


@dataclass
class Case:
    """A hidden track, the mix it was made into, and what to master it against."""

    track: str
    group: str
    original: Levels
    mix: Path
    references: list[Path]
    errors: dict[str, float] = field(default_factory=dict)
    side_errors: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    moves: dict[str, float] = field(default_factory=dict)
    unsaid: int = 0


class Corpus:
    """Finished tracks as WAV files, their profiles, and priors learned without one group."""

    def __init__(self, music: Path, work: Path) -> None:
        self.work = work
        files = finished_recordings(music)
        self.groups = groups_of(files, music / "manifest.csv")
        self.files = {f.name: f for f in files}
        self.tracks = [Track(profile=cached_profile(f), album=self.groups[f.name]) for f in files]
        self.residuals: list[Residual] = match_residuals(self.tracks)

    def prior(self, group: str) -> str:
        """Return the file of a prior learned without `group`."""
        path = self.work / f"prior-{sorted(set(self.groups.values())).index(group)}.yaml"
        if not path.exists():
            path.write_text(emit_model(fit_prior(self.tracks, self.residuals, leave_out=group)))
        return str(path)

    def siblings(self, name: str) -> list[str]:
        """Return the other tracks of its album."""
        return [other for other in self.files if other != name and self.groups[other] == self.groups[name]]


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument(
        "--peer-runs", type=int, default=6, help="cases of each table that matchering gets too"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    parser.add_argument("--engineers", type=int, default=1, help="mixes that each track is hidden in")
    parser.add_argument("--quick", action="store_true", help="a few cases of each")
    options = parser.parse_args()
    peer_runs = 1 if options.quick else options.peer_runs
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        corpus = Corpus(options.music, Path(folder))
        engineers = np.random.default_rng(options.seed)
        names = list(corpus.files)
        several = [name for name in names if corpus.siblings(name)]
        rounds = range(options.engineers)
        same = [
            same_case(corpus, name, (half + k) % 2, engineers)
            for k in rounds
            for half, name in enumerate(names)
        ]
        albums = [song_case(corpus, name, engineers) for _ in rounds for name in several]
        if options.quick:
            same, albums = same[::4], albums[::3]
        print(f"{len(names)} tracks, {len(set(corpus.groups.values()))} groups\n", flush=True)
        master_cases(same, peer_runs, corpus, ("evidence", "balanced"))
        print(recovery_table("the other half of the same master", same), "\n", flush=True)
        one = [fresh(case, case.references[:1]) for case in albums]
        master_cases(one, peer_runs, corpus, ("evidence", "balanced", "full"))
        print(recovery_table("another song of the album", one), "\n", flush=True)
        three = [fresh(case, case.references) for case in albums]
        pairs = [pair for pair in zip(one, three, strict=True) if len(pair[1].references) == 3]
        three = [case for _, case in pairs]
        master_cases(three, 0, corpus, ("evidence", "balanced"))
        for single, case in pairs:
            case.errors["evidence, the first of them"] = single.errors["evidence"]
        print(recovery_table("three other songs of the album", three), "\n", flush=True)
        print(broad_table([*one, *three]), "\n", flush=True)
        print(time_table(corpus, same[0], three[0]), flush=True)


def finished_recordings(music: Path) -> list[Path]:
    """Return the recordings of a folder, without raw mixes and stems."""
    return [f for f in recordings_in([music]) if "rawmix" not in f.name and "_stem_" not in f.name]


def groups_of(files: Sequence[Path], manifest: Path) -> dict[str, str]:
    """Return each file's album, or its artist where it has none, or its own name."""
    groups = {f.name: f.name for f in files}
    if manifest.exists():
        with manifest.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                artist = row["title"].partition(" - ")[0] if " - " in row["title"] else ""
                groups[row["file"]] = row["album"] or artist or row["file"]
    return {f.name: groups[f.name] for f in files}


def same_case(corpus: Corpus, name: str, half: int, engineers: np.random.Generator) -> Case:
    """Hide one half of a track; the other half is the reference."""
    samples, rate = read(corpus.files[name])
    middle = len(samples) // 2
    parts = (samples[:middle], samples[middle:])
    stem = Path(name).stem
    reference = corpus.work / f"{stem}-reference.wav"
    sf.write(reference, parts[1 - half], rate, "FLOAT")
    return hidden(corpus, name, parts[half], rate, [reference], engineers)


def song_case(corpus: Corpus, name: str, engineers: np.random.Generator) -> Case:
    """Hide a track; up to three others of its album are the references."""
    samples, rate = read(corpus.files[name])
    siblings = corpus.siblings(name)
    chosen = engineers.permutation(siblings)[: 3 if len(siblings) >= 3 else 1]
    return hidden(corpus, name, samples, rate, [corpus.files[other] for other in chosen], engineers)


def fresh(case: Case, references: list[Path]) -> Case:
    """Return the same mix with other references and no scores."""
    return Case(
        track=case.track, group=case.group, original=case.original, mix=case.mix, references=references
    )


def hidden(
    corpus: Corpus,
    name: str,
    samples: Samples,
    rate: int,
    references: list[Path],
    engineers: np.random.Generator,
) -> Case:
    """Write the mix: shelves within 5 dB, two bells within 4 dB, width 0.6 to 1.3, peak -8 dBFS."""
    from scipy.signal import sosfilt

    if samples.shape[1] == 1:
        samples = np.repeat(samples, 2, axis=1)
    mixed = sosfilt(engineer_sections(rate, engineers), samples, axis=0)
    mid, side = mixed.mean(axis=1), (mixed[:, 0] - mixed[:, 1]) / 2 * engineers.uniform(0.6, 1.3)
    mixed = np.column_stack([mid + side, mid - side])
    mix = corpus.work / f"{Path(name).stem}-mix-{len(list(corpus.work.iterdir()))}.wav"
    sf.write(mix, mixed * (MIX_PEAK / np.abs(mixed).max()), rate, "FLOAT")
    original = levels_of(samples, rate)
    return Case(track=name, group=corpus.groups[name], original=original, mix=mix, references=references)


def engineer_sections(rate: int, engineers: np.random.Generator) -> Samples:
    """Return the biquads of a random mix engineer (Audio EQ Cookbook shelves and bells)."""

    def between(low: float, high: float) -> float:
        return float(np.exp(engineers.uniform(np.log(low), np.log(high))))

    moves = [
        ("low", between(60, 300), engineers.uniform(-5, 5), 0.707),
        ("high", between(2500, 10000), engineers.uniform(-5, 5), 0.707),
    ]
    moves += [("bell", between(150, 6000), engineers.uniform(-4, 4), between(0.5, 2)) for _ in range(2)]
    return np.array([biquad(kind, hz, gain, q, rate) for kind, hz, gain, q in moves])


def biquad(kind: str, frequency_hz: float, gain_db: float, q: float, rate: int) -> list[float]:
    """Return one section as SciPy's second-order sections take it."""
    a = 10 ** (gain_db / 40)
    w = 2 * np.pi * frequency_hz / rate
    cos, alpha = np.cos(w), np.sin(w) / (2 * q)
    if kind == "bell":
        b = [1 + alpha * a, -2 * cos, 1 - alpha * a]
        d = [1 + alpha / a, -2 * cos, 1 - alpha / a]
    else:
        sign, root = (1.0 if kind == "low" else -1.0), 2 * np.sqrt(a) * alpha
        plus, minus = (a + 1) - sign * (a - 1) * cos, (a + 1) + sign * (a - 1) * cos
        b = [a * (plus + root), 2 * sign * a * ((a - 1) - sign * (a + 1) * cos), a * (plus - root)]
        d = [minus + root, -2 * sign * ((a - 1) + sign * (a + 1) * cos), minus - root]
    return [value / d[0] for value in (*b, *d)]


def levels_of(samples: Samples, rate: int) -> Levels:
    """Return third-octave levels of mid and side in dB."""
    mid = samples.mean(axis=1)
    return third_octaves_db(mid, rate), third_octaves_db((samples[:, 0] - samples[:, -1]) / 2, rate)


def master_cases(cases: list[Case], peer_runs: int, corpus: Corpus, strengths: Sequence[str]) -> None:
    """Master every case; evenly spread ones also by matchering, in the same turn."""
    chosen = set(np.linspace(0, len(cases) - 1, min(peer_runs, len(cases))).round().astype(int).tolist())
    for number, case in enumerate(cases):
        score(case, "no EQ", case.mix)
        for strength in strengths:
            score(case, strength, master(case, corpus, strength))
        if number in chosen:
            output = corpus.work / "peer.wav"
            match_with_peer(case.mix, case.references[0], output, limiter=False, subtype="FLOAT")
            score(case, "matchering", output)


def master(case: Case, corpus: Corpus, strength: str) -> Path:
    """Return a written master."""
    output = corpus.work / "master.wav"
    settings = MatchSettings(strength=strength, target_lufs=TARGET_LUFS, prior=corpus.prior(case.group))
    profiles = [cached_profile(path) for path in case.references]
    result = master_file(case.mix, profiles, output, settings, overwrite=True)
    if strength == "balanced":
        large = largest_move(levels_of(*read(output)), known_levels(case.mix))
        said = any(finding.code == "mixing_problem" for finding in result.findings)
        case.unsaid += large > BROAD_MOVE_DB and not said
    return output


@functools.cache
def known_levels(path: Path) -> Levels:
    """Return the levels of a file that stays as it is."""
    return levels_of(*read(path))


def score(case: Case, name: str, path: Path) -> None:
    """Read a written file and note what it is off by."""
    mid, side = levels_of(*read(path))
    mix = known_levels(case.mix)
    references = [known_levels(reference)[0] for reference in case.references]
    mask = with_energy(case.original[0])
    case.errors[name] = rms_difference_db(mid, case.original[0], mask)
    width = case.original[1] - case.original[0]
    wide = mask & (width > -30.0) & (THIRDS_HZ > 200.0)
    if wide.any():
        case.side_errors[name] = float(np.sqrt(np.mean(((side - mid) - width)[wide] ** 2)))
    mask = with_energy(case.original[0], *references)
    wanted = np.mean([reference - reference[mask].mean() for reference in references], axis=0)
    before = broad_distance(wanted, mix[0], mask)
    case.gone[name] = 1.0 - broad_distance(wanted, mid, mask) / before
    case.moves[name] = largest_move((mid, side), mix)


def broad_distance(
    wanted: Samples, mid: Samples, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> float:
    """Return the RMS of the octave-smoothed difference in dB, level removed."""
    smoothed = octave_smoothed(wanted - mid, mask)
    return rms_difference_db(smoothed, np.zeros(len(smoothed)), mask)


def largest_move(after: Levels, before: Levels) -> float:
    """Return the largest octave-wide move of the mid in dB, level removed."""
    mask = with_energy(before[0])
    difference = after[0] - before[0]
    return float(np.abs(octave_smoothed(difference - difference[mask].mean(), mask)[mask]).max())


def recovery_table(reference: str, cases: Sequence[Case]) -> str:
    """Return errors to the hidden originals; each engine against no EQ on the very cases it had."""
    names = list(dict.fromkeys(name for case in cases for name in case.errors))
    rows = []
    for name in names:
        own = [case for case in cases if name in case.errors]
        error = np.array([case.errors[name] for case in own])
        plain = np.array([case.errors["no EQ"] for case in own])
        sided = [case for case in own if name in case.side_errors]
        side = np.mean([case.side_errors[name] for case in sided]) if sided else np.nan
        side_plain = np.mean([case.side_errors["no EQ"] for case in sided]) if sided else np.nan
        rows.append(
            [
                name,
                str(len(own)),
                f"{error.mean():.2f}",
                f"{plain.mean():.2f}",
                f"{error.mean() / plain.mean():.2f}",
                f"{np.mean(error > plain + 1e-9):.0%}",
                f"{side:.2f}" if sided else "-",
                f"{side / side_plain:.2f}" if sided else "-",
            ]
        )
    header = [
        f"reference: {reference}",
        "cases",
        "error, dB RMS",
        "no EQ on these",
        "ratio",
        "worse than no EQ",
    ]
    return table([*header, "side-to-mid error, dB", "ratio"], rows)


def broad_table(cases: Sequence[Case]) -> str:
    """Return how much of the octave-smoothed difference to other songs is gone in the written files."""
    rows = []
    for name in dict.fromkeys(name for case in cases for name in case.gone):
        gone = [case.gone[name] for case in cases if name in case.gone]
        moves = [case.moves[name] for case in cases if name in case.moves]
        unsaid = str(sum(case.unsaid for case in cases)) if name == "balanced" else "-"
        rows.append(
            [
                name,
                str(len(gone)),
                f"{np.mean(gone):.0%} ({np.min(gone):.0%})",
                f"{np.median(moves):.1f} ({np.max(moves):.1f})",
                unsaid,
            ]
        )
    header = ["other songs", "cases", "broad difference gone, mean (least)"]
    return table(
        [*header, "largest broad move, dB, median (most)", "moves above 6 dB without a finding"], rows
    )


def time_table(corpus: Corpus, one: Case, several: Case) -> str:
    """Return CPU time of deriving, profiles in hand, prior read afresh."""
    rows = []
    for name, case in (("1 reference", one), (f"{len(several.references)} references", several)):
        mix = cached_profile(case.mix)
        references = [(cached_profile(path), 1.0) for path in case.references]
        settings = MatchSettings(prior=corpus.prior(case.group))
        found = []
        for _ in range(5):
            started = time.process_time()
            derive_plan(mix, references, settings)
            found.append(time.process_time() - started)
        rows.append([name, f"{1000 * statistics.median(found):.0f}"])
    return table(["deriving the plan", "CPU ms"], rows)


if __name__ == "__main__":
    main()
