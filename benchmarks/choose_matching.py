"""Choose the constants that tell mastering from song content, out of sample, on a folder of finished music.

Run it from the checkout; the tables are Markdown::

    python benchmarks/choose_matching.py --music FOLDER [--engineers 3]

Every track is hidden behind random mix engineers (those of `evidence.py`, applied to its measured third
octaves), once against its own other half and once against another song, and the hidden gain is estimated with
a prior learned without the track's album or artist. Each constant is varied around its shipped value, the
others kept. Stated are the error of the estimated gain, dB RMS over the learned third octaves with level
removed, and the log likelihood per band of the held-out differences. Nothing is changed: what is shipped was
set by hand, and a value that is better in both columns here is one to think about.

Expected is a folder of ten and more recordings; a `manifest.csv` names the albums as for `evidence.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
from evidence import Samples, engineer_sections, finished_recordings, groups_of
from runs import table

from refmaster.matching import content_prior, learn, likely, posterior
from refmaster.matching.content_prior import Prior
from refmaster.matching.features import MatchFeatures, match_features
from refmaster.matching.learn import Residual, Track, fit_prior, match_residuals
from refmaster.profile.bands import LEARNED_THIRDS, THIRDS_HZ
from refmaster.profile.cache import cached_profile

RATE_HZ = 48000


@dataclass(frozen=True)
class Case:
    """A hidden track and its reference; `gain_db` at THIRDS_HZ is what mastering would have to do."""

    album: str
    same: bool
    mix: MatchFeatures
    reference: MatchFeatures
    gain_db: Samples


CHOICES: dict[tuple[ModuleType, str], Sequence[float]] = {
    (content_prior, "GAIN_SD_DB"): (0.6, 0.9, 1.5, 2.0),
    (content_prior, "GAIN_OCTAVES"): (0.6, 0.8, 1.5, 2.0),
    (content_prior, "SHELF_SD_DB"): (0.0, 1.0, 3.0, 4.0),
    (content_prior, "MISSED_SD_DB"): (0.0, 2.0, 6.0),
    (content_prior, "MISSED_OCTAVES"): (1.0, 1.5, 3.0),
    (posterior, "DETAIL_VARIANCE_DB2"): (1.0, 4.0, 8.0),
    (posterior, "TEMPERATURE"): (0.1, 0.5, 1.0),
    (posterior, "JOINT_TEMPERATURE"): (0.5, 2.0, 4.0),
    (posterior, "NEAR_NOISE_DB2"): (0.005, 0.05, 0.2),
    (posterior, "FAR_NOISE_DB2"): (0.1, 1.0, 3.0),
    (posterior, "QUALITY_HALF_DB2"): (3.0, 4.0, 5.0, 6.0),
    (posterior, "QUALITY_POWER"): (2.0, 4.0, 16.0),
    (learn, "SHRINK"): (0.25, 0.75, 1.0),
    (learn, "NEAR_FLOOR"): (0.01, 0.2),
    (learn, "FAR_FLOOR_DB2"): (0.3, 3.0),
}
"""The values that each constant is tried at, besides the shipped one."""


def main() -> None:
    """Print a table per constant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--engineers", type=int, default=3, help="mixes that each track is hidden in")
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    options = parser.parse_args()
    files = finished_recordings(options.music)
    groups = groups_of(files, options.music / "manifest.csv")
    tracks = [Track(profile=cached_profile(file), album=groups[file.name]) for file in files]
    residuals = match_residuals(tracks)
    cases = hidden_cases(tracks, options.engineers, np.random.default_rng(options.seed))
    shipped = scores(cases, tracks, residuals)
    print(f"{len(tracks)} tracks, {len(set(groups.values()))} groups", flush=True)
    for same, reference in ((True, "the other half"), (False, "another song")):
        error = np.mean([level_free_rms(case.gain_db) for case in cases if case.same == same])
        print(f"error of no EQ, {reference} as reference: {error:.2f} dB")
    header = ["error, other half", "error, another song", "log likelihood, half", "another song"]
    for (module, name), others in CHOICES.items():
        value = getattr(module, name)
        found = {value: shipped}
        for other in others:
            with mock.patch.object(module, name, other):
                found[other] = scores(cases, tracks, residuals)
        rows = []
        for tried in sorted(found):
            mark = " (shipped)" if tried == value else ""
            rows.append([f"{tried:g}{mark}", *(f"{score:.3f}" for score in found[tried])])
        print(f"\n{table([name, *header], rows)}", flush=True)


def hidden_cases(tracks: Sequence[Track], rounds: int, engineers: np.random.Generator) -> list[Case]:
    """Hide each track: a half of it against the other half, the whole against a song of its album or any."""
    features = [match_features(track.profile) for track in tracks]
    cases = []
    for _ in range(rounds):
        for number, (track, whole) in enumerate(zip(tracks, features, strict=True)):
            halves = learn.halves_of(whole)
            if halves:
                first = int(engineers.integers(2))
                cases.append(hidden(track, halves[first], halves[1 - first], engineers, same=True))
            others = [i for i in range(len(tracks)) if i != number]
            others = [i for i in others if tracks[i].album == track.album] or others
            cases.append(hidden(track, whole, features[engineers.choice(others)], engineers, same=False))
    return cases


def hidden(
    track: Track,
    original: MatchFeatures,
    reference: MatchFeatures,
    engineers: np.random.Generator,
    *,
    same: bool,
) -> Case:
    """Return a case: the original behind a random mix engineer."""
    from scipy.signal import sosfreqz

    _, response = sosfreqz(engineer_sections(RATE_HZ, engineers), THIRDS_HZ, fs=RATE_HZ)
    moved = 20.0 * np.log10(np.abs(response))
    mid = original.mid
    mid = replace(mid, long_term_db=mid.long_term_db + moved, segments_db=mid.segments_db + moved)
    return Case(track.album, same, replace(original, mid=mid), reference, -moved)


def scores(
    cases: Sequence[Case], tracks: Sequence[Track], residuals: Sequence[Residual]
) -> tuple[float, float, float, float]:
    """Return the mean error in dB and the mean log likelihood per band, each of halves and of other songs."""
    priors: dict[str, Prior] = {}  # learned without an album
    errors: dict[bool, list[float]] = {True: [], False: []}
    fits: dict[bool, list[float]] = {True: [], False: []}
    for case in cases:
        if case.album not in priors:
            priors[case.album] = fit_prior(tracks, residuals, leave_out=case.album)
        with mock.patch.object(likely, "likely_gain", wraps=posterior.likely_gain) as asked:
            found = likely.likely_gains(case.mix, [(case.reference, 1.0)], priors[case.album])
        if found.mid is not None:
            differences, model = asked.call_args_list[0].args  # those of the mid
            errors[case.same].append(level_free_rms(found.mid.gain_db - case.gain_db))
            fit = posterior.log_likelihoods(differences, model)[0] / differences.known.sum()
            fits[case.same].append(float(fit))
    same, other = (float(np.mean(errors[s])) for s in (True, False))
    return same, other, float(np.mean(fits[True])), float(np.mean(fits[False]))


def level_free_rms(values: Samples) -> float:
    """Return the RMS over the learned third octaves, their mean removed."""
    return float(values[LEARNED_THIRDS].std())


if __name__ == "__main__":
    main()
