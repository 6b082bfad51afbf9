"""Choose the constants that tell the dynamics of mastering from content, out of sample, on finished music.

Run it from the checkout; the tables are Markdown::

    python benchmarks/choose_dynamics.py --music FOLDER

Every track's measured levels are hidden behind engineers who compress or expand what lies above a random
quantile, or leave it alone; once a half of the track against its other half, and once the track against
another song, of its album where it has one. The slope is estimated with a prior learned without the track's
album or artist, and applied to the levels. Each constant is varied around its shipped value, the others kept.
Stated is the error of the spread (95th less 50th percentile) to the original in dB, before in brackets, where
an engineer was at work and where none was, and how far `evidence` moves for another song (mean size of the
slope, a base-2 logarithm).
Nothing is changed: what is shipped was set by hand in view of this and of the masters of `dynamics.py`.

Expected is a folder of ten and more recordings; a `manifest.csv` names the albums as for `evidence.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
from evidence import Samples, finished_recordings, groups_of
from runs import table

from refmaster.dsp.dynamics import static_change_db
from refmaster.matching import learn, level_spread
from refmaster.matching.content_prior import load_prior, slope_model
from refmaster.matching.features import match_features
from refmaster.matching.learn import Residual, Track, fit_prior, match_residuals
from refmaster.matching.level_spread import band_at, level_summary, likely_slope, summarized
from refmaster.matching.likely import likely_gains
from refmaster.meters.loudness import momentary_spread_lu
from refmaster.profile.cache import cached_profile

PER_DB = (-0.5, 0.0, 1.0)
CHOICES: dict[tuple[ModuleType, str], Sequence[float]] = {
    (level_spread, "UNTOUCHED_SHARE"): (0.0, 0.2, 0.6),
    (level_spread, "SLOPE_SD"): (0.4, 0.5, 1.0),
    (level_spread, "KNEE_DB"): (2.0, 6.0, 10.0),
    (learn, "SPREAD_SHRINK"): (0.0, 0.6),
    (learn, "SPREAD_FLOOR"): (0.005, 0.01, 0.04, 0.08),
}
"""The values that each constant is tried at, besides the shipped one."""


@dataclass(frozen=True)
class LevelCase:
    """The levels of a hidden recording, of the original and of its reference."""

    album: str
    per_db: float
    mix: Samples
    original: Samples
    reference: Samples
    shared: float


def main() -> None:
    """Print a table per constant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--engineers", type=int, default=2, help="of each kind, per track")
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    options = parser.parse_args()
    files = finished_recordings(options.music)
    groups = groups_of(files, options.music / "manifest.csv")
    tracks = [Track(profile=cached_profile(file), album=groups[file.name]) for file in files]
    residuals = match_residuals(tracks)
    random = np.random.default_rng(options.seed)
    halves, songs = [], []
    for number in range(len(tracks)):
        for _ in range(options.engineers):
            halves += half_cases(tracks[number], random)
            songs += song_cases(tracks, number, random)
    print(f"{len(tracks)} tracks, {len(halves)} and {len(songs)} cases", flush=True)
    header = ["other half: error, worked on", "left alone", "another song: error, worked on", "left alone"]
    header = [*header, "slope there"]
    shipped = scores(halves, songs, tracks, residuals)
    for (module, name), others in CHOICES.items():
        value = getattr(module, name)
        found = {value: shipped}
        for other in others:
            with mock.patch.object(module, name, other):
                found[other] = scores(halves, songs, tracks, residuals)
        rows = [
            [f"{tried:g}{' (shipped)' if tried == value else ''}", *found[tried]] for tried in sorted(found)
        ]
        print(f"\n{table([name, *header], rows)}", flush=True)


def half_cases(track: Track, random: np.random.Generator) -> list[LevelCase]:
    """Hide a half of a track behind each engineer; the other half is the reference."""
    series, features = track.profile.series.momentary_lufs, match_features(track.profile)
    first = int(random.integers(2))
    parts = [summarized(part) for part in (series[: len(series) // 2], series[len(series) // 2 :])]
    halves = learn.halves_of(features)
    original, reference = parts[first], parts[1 - first]
    if original is None or reference is None or not halves:
        return []
    match = likely_gains(halves[first], [(halves[1 - first], 1.0)], load_prior())
    return hidden(track.album, original, reference, match.shared[0], random)


def song_cases(tracks: Sequence[Track], number: int, random: np.random.Generator) -> list[LevelCase]:
    """Hide a track behind each engineer; another song is the reference."""
    track = tracks[number]
    others = [i for i in range(len(tracks)) if i != number]
    others = [i for i in others if tracks[i].album == track.album] or others
    other = tracks[random.choice(others)]
    original, reference = level_summary(track.profile), level_summary(other.profile)
    if original is None or reference is None:
        return []
    features = [(match_features(other.profile), 1.0)]
    match = likely_gains(match_features(track.profile), features, load_prior())
    return hidden(track.album, original, reference, match.shared[0], random)


def hidden(
    album: str, original: Samples, reference: Samples, shared: float, random: np.random.Generator
) -> list[LevelCase]:
    """Return a case per engineer."""
    over = np.maximum(original - np.quantile(original, random.uniform(0.45, 0.7)), 0.0)
    return [
        LevelCase(album, per_db, original + np.clip(per_db * over, -6.0, 6.0), original, reference, shared)
        for per_db in PER_DB
    ]


def scores(
    halves: Sequence[LevelCase],
    songs: Sequence[LevelCase],
    tracks: Sequence[Track],
    residuals: Sequence[Residual],
) -> list[str]:
    """Return the cells of a row: errors after (before) for halves and for songs, and the songs' slope."""
    albums = {case.album for case in (*halves, *songs)}
    models = {album: slope_model(fit_prior(tracks, residuals, leave_out=album)) for album in sorted(albums)}
    cells, slopes = [], []
    for cases in (halves, songs):
        rows, slopes = [], []
        for case in cases:
            found = likely_slope(case.mix, [(case.reference, 1.0, case.shared)], models[case.album])
            slope = float(np.clip(found.likely, -1.0, 0.585))
            band = band_at(case.mix, slope)
            after = momentary_spread_lu(case.mix + static_change_db(case.mix, band))
            wanted = momentary_spread_lu(case.original)
            rows.append(
                (case.per_db != 0.0, abs(after - wanted), abs(momentary_spread_lu(case.mix) - wanted))
            )
            slopes.append(abs(slope))
        for worked_on in (True, False):
            chosen = np.array([row[1:] for row in rows if row[0] == worked_on])
            cells.append(f"{chosen[:, 0].mean():.3f} ({chosen[:, 1].mean():.3f})")
    return [*cells, f"{np.mean(slopes):.3f}"]


if __name__ == "__main__":
    main()
