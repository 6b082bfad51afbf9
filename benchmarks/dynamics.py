"""Dynamics found again: finished tracks behind a mix engineer who also compresses or expands 2:1.

Run it from the checkout; the tables are Markdown::

    python benchmarks/dynamics.py --music FOLDER [--every 4] [--loud]

Each track is hidden as in `evidence.py` (shelves, bells, width), and on top of it compressed 2:1, expanded
1:2 or left as it is: the level of 10 ms steps, smoothed with 20 ms up and 150 ms down, above a threshold at a
random quantile (0.45 to 0.7), by 6 dB at most. It is mastered to -30 LUFS, so that no limiter acts, or with
`--loud` to the reference's loudness at -1 dBTP, and read back from the written file by an independent judge
(libebur128). References are the other half of the track, or another song of its album. No track is mastered
with a prior that was learned from itself, its album or its artist.

Errors are to the hidden original: of the short-term spread (95th less 50th percentile of the gated 400 ms
levels), of crest and of loudness range. The folder is expected as for `evidence.py`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import MIX_PEAK, TARGET_LUFS, Case, Corpus, Samples, same_case, score, song_case
from judge import read
from runs import table

from refmaster.dsp.dynamics import static_change_db
from refmaster.engines.peer import match_with_peer
from refmaster.mastering import master_file
from refmaster.matching.derive import derive_plan
from refmaster.plan import MasteringPlan
from refmaster.profile.cache import cached_profile
from refmaster.profile.model import Profile
from refmaster.settings.match import MatchSettings
from refmaster.units import db_to_amplitude, power_to_db

STEP_S, RISE_S, FALL_S = 0.01, 0.02, 0.15
MOST_DB = 6.0
# What a dB above the engineer's threshold is changed by.
ENGINEERS = {"compressed": -0.5, "expanded": 1.0, "as it is": 0.0}
NOTHING = "doing nothing"
HALF, SONG = "the other half of the same master", "another song of the album"
FEATURES = ("spread", "crest", "loudness range")


@dataclass
class DynamicsCase:
    """A hidden track, with the features of the original and the errors of each engine."""

    case: Case
    engineer: str
    original: Samples
    errors: dict[str, Samples] = field(default_factory=dict)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    parser.add_argument("--every", type=int, default=1, help="take every second, third, ... track")
    parser.add_argument("--loud", action="store_true", help="at the reference's loudness, limiters at work")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        corpus = Corpus(options.music, Path(folder))
        random = np.random.default_rng(options.seed)
        names = list(corpus.files)[:: options.every]
        several = [name for name in names if corpus.siblings(name)]
        print(f"{len(names)} tracks, {len(several)} with others of their album\n", flush=True)
        print(itself_table(corpus, names), "\n", flush=True)
        for reference, chosen in ((HALF, names), (SONG, several)):
            cases = [hidden_case(corpus, name, e, reference, random) for name in chosen for e in ENGINEERS]
            for case in cases:
                master_case(case, corpus, loud=options.loud)
            both = [case for case in cases if ENGINEERS[case.engineer]]
            print(error_table(f"reference: {reference}", both), "\n", flush=True)
            for engineer in ENGINEERS:
                some = [case for case in cases if case.engineer == engineer]
                print(error_table(f"{reference}; the mix {engineer}", some), "\n", flush=True)


def hidden_case(
    corpus: Corpus, name: str, engineer: str, reference: str, random: np.random.Generator
) -> DynamicsCase:
    """Hide a track, or a half of it, behind an engineer."""
    samples, rate = read(corpus.files[name])
    if reference == HALF:
        half, middle = int(random.integers(2)), len(samples) // 2
        samples = (samples[:middle], samples[middle:])[half]
        case = same_case(corpus, name, half, random)
        kept = corpus.work / f"{case.mix.stem}-reference.wav"
        case.references = [case.references[0].rename(kept)]
    else:
        case = song_case(corpus, name, random)
        case.references = case.references[:1]
    mixed, _ = read(case.mix)
    changed = worked(mixed, rate, ENGINEERS[engineer], random.uniform(0.45, 0.7))
    sf.write(case.mix, changed * (MIX_PEAK / np.abs(changed).max()), rate, "FLOAT")
    return DynamicsCase(case=case, engineer=engineer, original=features(samples, rate))


def worked(samples: Samples, rate: int, per_db: float, quantile: float) -> Samples:
    """Return samples whose level above a threshold is changed by so much per dB."""
    size = round(rate * STEP_S)
    steps = samples[: len(samples) // size * size].reshape(-1, size * samples.shape[1])
    level = power_to_db(np.maximum(np.mean(steps**2, axis=1), 1e-12))
    rise, fall = np.exp(-STEP_S / RISE_S), np.exp(-STEP_S / FALL_S)
    smooth, last = np.empty(len(level)), level[0]
    for number, value in enumerate(level.tolist()):
        kept = rise if value > last else fall
        smooth[number] = last = kept * last + (1.0 - kept) * value
    over = np.maximum(smooth - np.quantile(smooth[smooth > -70.0], quantile), 0.0)
    gain = np.clip(per_db * over, -MOST_DB, MOST_DB)
    at = (np.arange(len(gain)) + 0.5) * size
    return samples * db_to_amplitude(np.interp(np.arange(len(samples)), at, gain))[:, None]


def features(samples: Samples, rate: int) -> Samples:
    """Return short-term spread, crest and loudness range in dB by libebur128."""
    import pyebur128

    mode = pyebur128.MeasurementMode.MODE_M | pyebur128.MeasurementMode.MODE_LRA
    meter = pyebur128.R128State(samples.shape[1], rate, mode)
    hop, found = rate // 10, []
    for start in range(0, len(samples) - hop + 1, hop):
        meter.add_frames(np.ascontiguousarray(samples[start : start + hop]).ravel(), hop)
        found.append(pyebur128.get_loudness_momentary(meter))
    levels = np.array(found[3:])  # whole windows
    levels = levels[levels > -70.0]
    levels = levels[levels > power_to_db(np.mean(10 ** (levels / 10.0))) - 10.0]
    spread = np.quantile(levels, 0.95) - np.quantile(levels, 0.5)
    crest = 20 * np.log10(np.abs(samples).max() / np.sqrt(np.mean(samples**2)))
    return np.array([spread, crest, pyebur128.get_loudness_range(meter)])


def master_case(hidden: DynamicsCase, corpus: Corpus, *, loud: bool) -> None:
    """Master a case by every engine and note what each is off by."""
    case, output = hidden.case, corpus.work / "master.wav"
    note(hidden, NOTHING, case.mix)
    prior, target = corpus.prior(case.group), None if loud else TARGET_LUFS
    references = [cached_profile(path) for path in case.references]
    for strength, dynamics in (("evidence", False), ("evidence", True), ("balanced", True)):
        settings = MatchSettings(strength=strength, target_lufs=target, prior=prior, dynamics=dynamics)
        master_file(case.mix, references, output, settings, overwrite=True)
        note(hidden, strength if dynamics else f"{strength}, no dynamics", output)
    match_with_peer(case.mix, case.references[0], output, limiter=loud, subtype="FLOAT")
    note(hidden, "matchering", output)
    case.mix.unlink()


def note(hidden: DynamicsCase, name: str, path: Path) -> None:
    """Note what a file is off by, in dynamics and in tone."""
    hidden.errors[name] = np.abs(features(*read(path)) - hidden.original)
    score(hidden.case, name, path)


def error_table(title: str, cases: Sequence[DynamicsCase]) -> str:
    """Return mean errors, what one case in ten exceeds, and ratios to doing nothing."""
    before = np.array([case.errors[NOTHING] for case in cases])
    rows = []
    for name in cases[0].errors:
        found = np.array([case.errors[name] for case in cases])
        ratios = found.mean(axis=0) / before.mean(axis=0)
        tone = np.mean([case.case.errors[name] for case in cases])
        rows.append(
            [
                name,
                *(
                    f"{mean:.2f} ({tenth:.2f}), {ratio:.2f}"
                    for mean, tenth, ratio in zip(
                        found.mean(axis=0), np.quantile(found, 0.9, axis=0), ratios, strict=True
                    )
                ),
                f"{ratios.mean():.2f}",
                f"{np.mean(found[:, 0] > before[:, 0] + 0.1):.0%}",
                f"{tone:.2f}",
            ]
        )
    columns = [f"{feature}, dB: mean (one in ten above), of doing nothing" for feature in FEATURES]
    header = [
        f"{title}; {len(cases)} cases",
        *columns,
        "mean ratio",
        "spread worse by 0.1 dB",
        "tone, dB RMS",
    ]
    return table(header, rows)


def itself_table(corpus: Corpus, names: Sequence[str]) -> str:
    """Return the largest move in dB of every track against itself."""
    rows = []
    for strength in ("evidence", "balanced", "full"):
        moves = []
        for name in names:
            profile = cached_profile(corpus.files[name])
            plan = derive_plan(profile, [(profile, 1.0)], MatchSettings(strength=strength))
            moves.append(largest_moves(plan, profile))
        rows.append([strength, *(f"{most:.2f}" for most in np.max(moves, axis=0))])
    return table(["a track against itself: largest move, dB", "tone and width", "balance", "dynamics"], rows)


def largest_moves(plan: MasteringPlan, mix: Profile) -> tuple[float, float, float]:
    """Return the largest gain of the curves, of the balance, and of the dynamics at any level of the mix."""
    levels = np.array(mix.series.momentary_lufs)
    changes = [np.abs(static_change_db(levels, band) + band.makeup_db).max() for band in plan.dynamics.bands]
    curves = [abs(gain) for _, gain in (*plan.tone.mid, *plan.tone.width)]
    return max(curves, default=0.0), abs(plan.balance.left_over_right_db), max(changes, default=0.0)


if __name__ == "__main__":
    main()
