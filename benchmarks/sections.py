"""Loud and quiet parts that were mastered differently, hidden and found again, with and without sections.

Run it from the checkout; the tables are Markdown::

    python benchmarks/sections.py --music FOLDER [--quick] [--choose]

The material is half a finished track (its first and third quarter). Where the track has hardly any contrast
of its own, passages of 12 s are turned down in turn, as verses are. A random mix engineer hides it: the same
everywhere (the control), or with another shelf and bell in the loud parts only, moved in and out over 2 s. It
is mastered to -30 LUFS (so that no limiter acts) and the written file is read by an independent judge, loud
and quiet parts apart. References are the other half of the track, or another song of its album. No track is
mastered with a prior that was learned from itself, its album or its artist.

With ``--choose`` nothing is mastered: the constants of `refmaster/matching/sections.py` are tried on the
profiles of mixes and references, chosen on one half of the groups and judged on the other.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile as sf
from evidence import MIX_PEAK, TARGET_LUFS, Corpus, Samples, biquad, engineer_sections
from judge import THIRDS_HZ, read, rms_difference_db, third_octaves_db, with_energy
from numpy.typing import NDArray
from runs import table

from refmaster.engines.peer import match_with_peer
from refmaster.mastering import master_file
from refmaster.matching import sections
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.plan import MasteringPlan
from refmaster.profile.measure import measure
from refmaster.settings.match import MatchSettings
from refmaster.units import db_to_amplitude

TRIED_ODDS, TRIED_CONTENT = (0.0, -3.0, -6.0, -9.0, -12.0), (1.0, 2.0, 4.0)
CONTROL_AT_MOST = 1.01
JOIN_S = 0.05
QUARTER_S = 24.0
PASSAGE_S, TURNED_DOWN_DB, RAMP_S = 12.0, -9.0, 1.0
OWN_CONTRAST_DB = 6.0
AUTOMATION_S = 2.0
LEVEL_S, STEP_S = 3.0, 0.1
LEAST_PART_S = 8.0
Marks = NDArray[np.bool_]


@dataclass
class Case:
    """A hidden half, the mix it was made into, and what to master it against.

    `parts` are names and frames; `original` and `aim` the third octaves, in dB, of the original's parts and
    of those of the reference that are long enough.
    """

    track: str
    group: str
    parts: list[tuple[str, Marks]]
    original: dict[str, Samples]
    aim: dict[str, Samples]
    mix: Path
    reference: Path
    errors: dict[str, float] = field(default_factory=dict)
    distances: dict[str, float] = field(default_factory=dict)
    applied: dict[str, bool] = field(default_factory=dict)


def halves(samples: Samples, rate: int) -> list[Samples]:
    """Return the first and third quarter, and the second and fourth, of at most `QUARTER_S` each."""
    quarters = [quarter[: round(QUARTER_S * rate)] for quarter in np.array_split(samples, 4)]
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


def marks(samples: Samples, rate: int) -> list[tuple[str, Marks]]:
    """Return the frames of the loud and of the quiet parts, what is within 1.5 dB of the middle left out."""
    levels, step = levels_db(samples, rate)
    middle, _ = middle_db(levels)
    levels = np.repeat(levels, step)
    levels = np.concatenate([levels, np.full(len(samples) - len(levels), levels[-1])])
    quiet = (levels < middle - 1.5) & (levels > levels.max() - 30.0)
    return [("loud", levels > middle + 1.5), ("quiet", quiet)]


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
    """Write the mix of a track and its reference, "half" or a song's name; None where a part is too short."""
    samples, rate = stereo(corpus.files[name])
    half = int(engineers.integers(2))
    original = with_contrast(halves(samples, rate)[half], rate)
    mixed = hidden(original, rate, engineers, in_loud_parts=in_loud_parts)
    if reference == "half":
        other, other_rate = with_contrast(halves(samples, rate)[1 - half], rate), rate
    else:
        other, other_rate = stereo(corpus.files[reference])
        other = with_contrast(halves(other, other_rate)[half], other_rate)
    parts = marks(original, rate)
    if min(frames.sum() for _, frames in parts) < LEAST_PART_S * rate:
        return None
    place = f"{Path(name).stem}-{len(list(corpus.work.iterdir()))}"
    paths = corpus.work / f"{place}-mix.wav", corpus.work / f"{place}-reference.wav"
    sf.write(paths[0], mixed, rate, "FLOAT")
    sf.write(paths[1], other, other_rate, "FLOAT")
    return Case(
        track=name,
        group=corpus.groups[name],
        parts=parts,
        original={part: part_levels(original, rate, frames) for part, frames in parts},
        aim={
            part: part_levels(other, other_rate, frames)
            for part, frames in marks(other, other_rate)
            if frames.sum() > LEAST_PART_S * other_rate
        },
        mix=paths[0],
        reference=paths[1],
    )


def part_levels(samples: Samples, rate: int, part: Marks) -> Samples:
    """Return the third-octave levels of the mid in the marked frames, in dB."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], part, [False]]).astype(np.int8)))
    mid = samples.mean(axis=1)[:, None]
    pieces = [mid[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > rate]
    return third_octaves_db(joined(pieces, rate)[:, 0], rate)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    parser.add_argument(
        "--peer-runs", type=int, default=6, help="cases of each kind that matchering gets too"
    )
    parser.add_argument("--quick", action="store_true", help="a few cases of each")
    parser.add_argument("--choose", action="store_true", help="try the constants instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        corpus = Corpus(options.music, Path(folder))
        engineers = np.random.default_rng(options.seed)
        names = list(corpus.files)[:: 5 if options.quick else 1]
        if options.choose:
            print(choice_table(corpus, names, engineers))
            return
        for reference in ("the other half of the same master", "another song of the album"):
            for in_loud_parts in (True, False):
                cases = []
                for name in names:
                    others = ["half"] if "half" in reference else corpus.siblings(name)
                    if others:
                        other = str(engineers.choice(others))
                        cases.append(make_case(corpus, name, other, engineers, in_loud_parts=in_loud_parts))
                kept = [case for case in cases if case is not None]
                followed = "half" not in reference and not in_loud_parts
                strengths = ("balanced", "full") if followed else ("balanced",)
                master_cases(kept, corpus, strengths, 1 if options.quick else options.peer_runs)
                kind = "more in the loud parts" if in_loud_parts else "the same everywhere (control)"
                print(recovery_table(f"{reference}; {kind}", kept), "\n", flush=True)
                if followed:
                    print(distance_table(kept), "\n", flush=True)


def master_cases(cases: Sequence[Case], corpus: Corpus, strengths: Sequence[str], peer_runs: int) -> None:
    """Master every case with one curve and with sections; evenly spread ones also by matchering."""
    chosen = set(np.linspace(0, len(cases) - 1, min(peer_runs, len(cases))).round().astype(int).tolist())
    output = corpus.work / "master.wav"
    for number, case in enumerate(cases):
        print(f"{case.track}", file=sys.stderr, flush=True)
        score(case, "no EQ", case.mix)
        for strength in strengths:
            settings = MatchSettings(
                strength=strength, sections=True, target_lufs=TARGET_LUFS, prior=corpus.prior(case.group)
            )
            plan = master_file(case.mix, case.reference, output, settings, overwrite=True).plan
            score(case, f"{strength}, sections", output)
            case.applied[f"{strength}, sections"] = bool(plan.sections.kinds)
            if plan.sections.kinds:  # else the very same master
                settings = settings.model_copy(update={"sections": False})
                master_file(case.mix, case.reference, output, settings, overwrite=True)
            score(case, strength, output)
        if number in chosen:
            match_with_peer(case.mix, case.reference, output, limiter=False, subtype="FLOAT")
            score(case, "matchering", output)
        case.mix.unlink()


def score(case: Case, name: str, path: Path) -> None:
    """Note what a written file's parts are off the original's, and off the reference's."""
    samples, rate = read(path)
    errors, distances = [], []
    for part, frames in case.parts:
        found, original = part_levels(samples, rate, frames), case.original[part]
        errors.append(rms_difference_db(found, original, with_energy(original)))
        if part in case.aim:
            mask = with_energy(original, case.aim[part])
            distances.append(rms_difference_db(found, case.aim[part], mask))
    case.errors[name] = float(np.mean(errors))
    if distances:
        case.distances[name] = float(np.mean(distances))


def recovery_table(title: str, cases: Sequence[Case]) -> str:
    """Return the errors to the hidden originals, and each with sections against without on the same cases."""
    rows = []
    for name in dict.fromkeys(name for case in cases for name in case.errors):
        own = [case for case in cases if name in case.errors]
        error = np.array([case.errors[name] for case in own])
        applied = [case for case in own if case.applied.get(name)]
        plain = name.removesuffix(", sections")
        ratios = ["-", "-", "-"]
        if plain != name:
            ratios = [f"{len(applied)}", ratio(own, name, plain), ratio(applied, name, plain)]
        tenth = f"{np.percentile(error, 90):.2f}"
        rows.append([name, str(len(own)), f"{error.mean():.2f}", tenth, *ratios])
    header = [title, "cases", "error per part, dB RMS", "one case in ten above"]
    return table([*header, "applied in", "ratio to one curve", "ratio where applied"], sorted(rows))


def ratio(cases: Sequence[Case], name: str, plain: str) -> str:
    """Return the ratio of two mean errors over cases."""
    if not cases:
        return "-"
    return f"{np.mean([c.errors[name] for c in cases]) / np.mean([c.errors[plain] for c in cases]):.3f}"


def distance_table(cases: Sequence[Case]) -> str:
    """Return how far loud parts are from the reference's loud parts, and quiet ones from its quiet ones."""
    rows = []
    for name in dict.fromkeys(name for case in cases for name in case.distances):
        found = [case.distances[name] for case in cases if name in case.distances]
        rows.append([name, str(len(found)), f"{np.mean(found):.2f}", f"{np.percentile(found, 90):.2f}"])
    header = ["part to the reference's part of its kind", "cases", "distance, dB RMS", "one in ten above"]
    return table(header, sorted(rows))


def choice_table(corpus: Corpus, names: Sequence[str], engineers: np.random.Generator) -> str:
    """Return the errors that each pair of constants gives, and those of the pair chosen on other groups."""
    groups = sorted(set(corpus.groups.values()))
    tried = list(itertools.product(TRIED_ODDS, TRIED_CONTENT))
    errors: dict[tuple[bool, bool], list[list[float]]] = {}  # of a fold and kind: one curve, then each pair
    for name, in_loud_parts in itertools.product(names, (True, False)):
        case = make_case(corpus, name, "half", engineers, in_loud_parts=in_loud_parts)
        if case is not None:
            fold = groups.index(case.group) % 2 == 0
            errors.setdefault((fold, in_loud_parts), []).append(tried_errors(case, corpus, tried))
            case.mix.unlink()
            case.reference.unlink()
    mean = {key: np.mean(found, axis=0) for key, found in errors.items()}
    both = {kind: np.mean([*errors[True, kind], *errors[False, kind]], axis=0) for kind in (True, False)}
    rows = [
        [
            f"{odds:g}",
            f"{content:g}",
            f"{both[True][i] / both[True][0]:.3f}",
            f"{both[False][i] / both[False][0]:.3f}",
        ]
        for i, (odds, content) in enumerate(tried, start=1)
    ]
    for fold in (True, False):
        fair = [
            i
            for i in range(1, len(tried) + 1)
            if mean[fold, False][i] <= CONTROL_AT_MOST * mean[fold, False][0]
        ]
        best = min(fair or [len(tried)], key=lambda i: mean[fold, True][i])
        odds, content = tried[best - 1]
        found = [mean[not fold, kind][best] / mean[not fold, kind][0] for kind in (True, False)]
        rows.append([f"{odds:g}, of the other groups", f"{content:g}", *(f"{value:.3f}" for value in found)])
    return table(["PRIOR_LOG_ODDS", "PART_CONTENT", "ratio to one curve, loud parts", "control"], rows)


def tried_errors(case: Case, corpus: Corpus, tried: Sequence[tuple[float, float]]) -> list[float]:
    """Return the error of one curve and of sections by each pair of constants, on levels."""
    mix, reference = measure(case.mix, identify=False), measure(case.reference, identify=False)
    samples, rate = read(case.mix)
    levels = {part: part_levels(samples, rate, frames) for part, frames in case.parts}
    settings = MatchSettings(sections=True, prior=corpus.prior(case.group))

    def error(plan: MasteringPlan, *, with_sections: bool) -> float:
        found = []
        for part, original in case.original.items():
            kinds = {kind.name: kind.mid for kind in plan.sections.kinds if with_sections}
            curve = curve_at(plan.tone.mid, THIRDS_HZ) + curve_at(kinds.get(part, ()), THIRDS_HZ)
            found.append(rms_difference_db(levels[part] + curve, original, with_energy(original)))
        return float(np.mean(found))

    errors = []
    for odds, content in tried:
        with (
            mock.patch.object(sections, "PRIOR_LOG_ODDS", odds),
            mock.patch.object(sections, "PART_CONTENT", content),
        ):
            plan = derive_plan(mix, [(reference, 1.0)], settings)
        errors.append(error(plan, with_sections=True))
    return [error(plan, with_sections=False), *errors]


if __name__ == "__main__":
    main()
