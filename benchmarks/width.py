"""The overall side-to-mid ratio: how much of a difference is mastering, and where a side is residue.

Run it from the checkout; the tables are Markdown::

    python benchmarks/width.py --music FOLDER [--only likely]

The first table says how the ratio differs between the halves of a master and between songs. In the second,
each track's side is hidden behind a random gain (amplitude 0.6 to 1.3, as the mix engineers of `evidence.py`
have it), against its other half and against another song, of its album where it has one, and the gain is
estimated twice: by the evidence in the bands, taken together, as `evidence` applies it, and by a posterior of
the ratio alone, whose variances are those of the first table and whose two hypotheses (shared material or
not) are weighed as in the bands. Nothing is learned from a track's own album or artist.

The third table, for which ffmpeg is needed, says what lossy codecs leave of a narrow side: the ratio of
the coded file, and its side's level over the error that was made in it (below 6 dB the side is mostly noise).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import Samples, finished_recordings, groups_of
from judge import read
from runs import table

from refmaster.matching.features import MatchFeatures, match_features
from refmaster.matching.learn import Track, fit_prior, halves_of, match_residuals
from refmaster.matching.likely import likely_gains
from refmaster.profile.cache import cached_profile
from refmaster.settings.match import DEFAULT_MAX_WIDTH_DB
from refmaster.units import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db

# Standard deviation of the hidden gains in dB: 0.6 to 1.3 as an amplitude.
HIDDEN_SD_DB = 1.95
CODECS = {
    "MP3, 128 kbit/s": ("libmp3lame", "128k", "mp3"),
    "AAC, 128 kbit/s": ("aac", "128k", "m4a"),
    "Vorbis, 128 kbit/s": ("libvorbis", "128k", "ogg"),
    "Opus, 96 kbit/s": ("libopus", "96k", "opus"),
}
NARROW_DB = (-12.0, -20.0, -25.0, -30.0, -35.0, -np.inf)


@dataclass(frozen=True)
class Estimate:
    """A hidden gain of the side in dB, and what is known about it."""

    same: bool
    album: str
    gain_db: float
    difference_db: float
    bands_db: float
    near_weight: float


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--rounds", type=int, default=2, help="gains that each track is hidden behind")
    parser.add_argument("--seed", type=int, default=3, help="of the gains")
    parser.add_argument("--coded", type=int, default=4, help="recordings that are coded")
    parser.add_argument("--only", choices=["likely", "residue"], help="one part alone")
    options = parser.parse_args()
    files = finished_recordings(options.music)
    if options.only in (None, "likely"):
        groups = groups_of(files, options.music / "manifest.csv")
        tracks = [Track(profile=cached_profile(file), album=groups[file.name]) for file in files]
        print(differences_table(tracks), "\n", flush=True)
        found = estimates(tracks, options.rounds, np.random.default_rng(options.seed))
        print(estimates_table(found, tracks), "\n", flush=True)
    if options.only in (None, "residue"):
        print(residue_table(files[:: max(1, len(files) // options.coded)][: options.coded]), flush=True)


def ratio_db(features: MatchFeatures) -> float:
    """Return the whole side over the whole mid of a recording's segments."""
    assert features.width is not None
    mid = db_to_power(features.mid.segments_db)
    return power_to_db(float((mid * db_to_power(features.width.segments_db)).sum() / mid.sum()))


def differences(tracks: Sequence[Track], leave_out: str | None = None) -> dict[str, Samples]:
    """Return how the ratio differs between halves, songs of an album, and other songs, in dB."""
    kept = [(track.album, match_features(track.profile)) for track in tracks if track.album != leave_out]
    ratios = [(album, ratio_db(features)) for album, features in kept]
    halves = [halves_of(features) for _, features in kept]
    pairs = [(a, b) for i, a in enumerate(ratios) for b in ratios[:i]]
    return {
        "halves of a master": np.array([ratio_db(h[0]) - ratio_db(h[1]) for h in halves if h]),
        "songs of an album": np.array([a[1] - b[1] for a, b in pairs if a[0] == b[0]]),
        "other songs": np.array([a[1] - b[1] for a, b in pairs if a[0] != b[0]]),
    }


def differences_table(tracks: Sequence[Track]) -> str:
    """Return how the ratio differs."""
    rows = [
        [name, str(len(found)), f"{rms(found):.2f}", f"{1.48 * np.median(np.abs(found)):.2f}"]
        for name, found in differences(tracks).items()
    ]
    return table(["side to mid differs between", "pairs", "RMS, dB", "robust, dB"], rows)


def estimates(tracks: Sequence[Track], rounds: int, chooser: np.random.Generator) -> list[Estimate]:
    """Hide every track's side behind random gains, and estimate them from the bands."""
    features, residuals = [match_features(track.profile) for track in tracks], match_residuals(tracks)
    priors = {
        album: fit_prior(tracks, residuals, leave_out=album) for album in {track.album for track in tracks}
    }
    found = []
    for _ in range(rounds):
        for number, (track, whole) in enumerate(zip(tracks, features, strict=True)):
            halves = halves_of(whole)
            others = [i for i in range(len(tracks)) if i != number]
            others = [i for i in others if tracks[i].album == track.album] or others
            first, other = int(chooser.integers(2)), features[chooser.choice(others)]
            cases = [(True, halves[first], halves[1 - first])] if halves else []
            for same, original, reference in [*cases, (False, whole, other)]:
                gain = amplitude_to_db(chooser.uniform(0.6, 1.3))
                assert original.width is not None
                width = replace(
                    original.width,
                    long_term_db=original.width.long_term_db + gain,
                    segments_db=original.width.segments_db + gain,
                )
                mix = replace(original, width=width)
                likely = likely_gains(mix, [(reference, 1.0)], priors[track.album])
                if likely.mid is None or likely.width is None:
                    continue
                moved = np.clip(likely.width.gain_db, -DEFAULT_MAX_WIDTH_DB, DEFAULT_MAX_WIDTH_DB)
                side = db_to_power(mix.mid.segments_db + width.segments_db).sum(axis=0)
                found.append(
                    Estimate(
                        same=same,
                        album=track.album,
                        gain_db=-gain,
                        difference_db=ratio_db(reference) - ratio_db(mix),
                        bands_db=power_to_db(float(side @ db_to_power(moved) / side.sum())),
                        near_weight=likely.mid.near_weight,
                    )
                )
    return found


def estimates_table(found: Sequence[Estimate], tracks: Sequence[Track]) -> str:
    """Return the errors of the estimates, and of the whole difference and most of it."""
    learned = {album: differences(tracks, album) for album in {case.album for case in found}}
    rows = []
    for same, name in ((True, "the other half"), (False, "another song")):
        cases = [case for case in found if case.same == same]
        gain, difference, bands, near = np.array(
            [[c.gain_db, c.difference_db, c.bands_db, c.near_weight] for c in cases]
        ).T
        half, song = (
            np.array([rms(learned[case.album][kind]) ** 2 for case in cases])
            for kind in ("halves of a master", "other songs")
        )
        variance = HIDDEN_SD_DB**2
        share = near * variance / (variance + half) + (1.0 - near) * variance / (variance + song)
        tried = (0.0 * gain, bands, share * difference, 0.8 * difference, difference)
        rows.append([name, str(len(cases)), *(f"{rms(gain - estimate):.2f}" for estimate in tried)])
    header = ["error of the side's gain, dB RMS", "cases", "no change", "evidence in the bands"]
    return table([*header, "posterior of the ratio", "0.8 of the difference", "the difference"], rows)


def rms(values: Samples) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def residue_table(files: Sequence[Path], seconds: float = 5.0) -> str:
    """Return what codecs leave of a side that is narrow as a whole."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        for wanted in NARROW_DB:
            row = ["mono" if np.isinf(wanted) else f"{wanted:.0f}"]
            for codec in CODECS:
                read_back = [narrow_and_coded(file, wanted, codec, work, seconds) for file in files]
                ratio, over_error = np.median(read_back, axis=0)
                row.append(f"{ratio:.0f} ({over_error:.0f})")
            rows.append(row)
    header = [f"side to mid, dB, medians of {len(files)} recordings"]
    return table([*header, *(f"{codec}: coded (over its error)" for codec in CODECS)], rows)


def narrow_and_coded(
    file: Path, wanted_db: float, codec: str, work: Path, seconds: float
) -> tuple[float, float]:
    """Return side to mid of a coded file in dB, and its side over the error in it."""
    samples, rate = read(file)
    start, frames = len(samples) // 2, round(seconds * rate)
    samples = samples[start : start + frames]
    mid, side = samples.mean(axis=1), (samples[:, 0] - samples[:, -1]) / 2
    side = side * db_to_amplitude(wanted_db) * np.sqrt(np.mean(mid**2) / np.mean(side**2))
    narrow = np.column_stack([mid + side, mid - side])
    peak = 2.0 * np.abs(narrow).max()
    encoder, bits, suffix = CODECS[codec]
    plain, coded, back = work / "plain.wav", work / f"coded.{suffix}", work / "back.wav"
    sf.write(plain, narrow / peak, rate, "PCM_24")
    quiet = ["ffmpeg", "-v", "error", "-y", "-i"]
    subprocess.run([*quiet, str(plain), "-c:a", encoder, "-b:a", bits, str(coded)], check=True)
    subprocess.run([*quiet, str(coded), "-ar", str(rate), "-c:a", "pcm_f32le", str(back)], check=True)
    decoded = read(back)[0][: len(side)] * peak
    its_mid, its_side = decoded.mean(axis=1), (decoded[:, 0] - decoded[:, 1]) / 2
    error = its_side - side[: len(its_side)]
    energies = (np.mean(v**2) + 1e-20 for v in (its_side, its_mid, error))
    level, mid_level, error_level = (float(power_to_db(e)) for e in energies)
    return level - mid_level, level - error_level


if __name__ == "__main__":
    main()
