"""A mix mastered from its stems against the same job without them.

Run it from the checkout; the tables are Markdown::

    python benchmarks/stems.py --music FOLDER

The folder holds `rawmix_EVR_Francium.flac` and its stems, which sum to it. One stem goes behind a made
engineer, a shelf of 4 dB; the stems, or their sum, are mastered to -30 LUFS (so that no limiter acts), and
the written master is read by an independent judge: third octaves of the mid against the original excerpt,
level removed. References: the other half of the original mix, and the whole of it. The error of the stems is
that of what each contributes to the master: gains of shelf, stem and bus against none, third octaves,
one level removed from all of them, each band weighted by the stem's share of its power.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import TARGET_LUFS, Samples, biquad
from judge import THIRDS_HZ, read, rms_difference_db, third_octaves_db, with_energy
from runs import table

from refmaster.mastering import master_file
from refmaster.matching.curves import curve_at
from refmaster.profile.cache import cached_profile
from refmaster.rendering.result import MasterResult
from refmaster.settings.match import MatchSettings
from refmaster.settings.stems import Stems

SONG, STEMS = "rawmix_EVR_Francium", ("vox", "drums", "synth")
SHELVES = [(kind, hz, db) for kind, hz in (("low", 200.0), ("high", 3000.0)) for db in (4.0, -4.0)]
EXCERPT_S = 25.0


def main() -> None:
    """Print a table for each reference and strength."""
    from scipy.signal import sosfilt

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="the folder with the song and its stems")
    parser.add_argument("--start", type=float, nargs="+", default=[5.0, 45.0], help="of the excerpts, s")
    parser.add_argument("--strength", nargs="+", default=["evidence", "balanced"])
    parser.add_argument("--reference", nargs="+", default=["other half", "whole"])
    options = parser.parse_args()
    whole, rate = read(options.music / f"{SONG}.flac")
    stems = [read(options.music / f"{SONG}_stem_{name}.flac")[0] for name in STEMS]
    off = 10 * np.log10(np.mean((whole - sum(stems)) ** 2) / np.mean(whole**2))
    print(f"The stems sum to the mix: what differs is {off:.0f} dB of it.\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work, middle = Path(folder), len(whole) // 2
        for asked in options.reference:
            rows: dict[tuple[str, str], list[list[float]]] = {}
            for start in options.start:
                first = round(start * rate)
                part = slice(first, first + round(EXCERPT_S * rate))
                other = whole[middle:] if first < middle else whole[:middle]
                reference = work / f"reference-{asked[0]}-{start:g}.wav"
                sf.write(reference, whole if asked == "whole" else other, rate, "FLOAT")
                excerpts = [stem[part] for stem in stems]
                for number, name in enumerate(STEMS):
                    for kind, hz, db in SHELVES:
                        made = list(excerpts)
                        sections = np.array([biquad(kind, hz, db, 0.707, rate)])
                        made[number] = sosfilt(sections, made[number], axis=0)
                        for strength in options.strength:
                            found = errors(work, excerpts, made, reference, rate, strength)
                            rows.setdefault((strength, f"{name}, {kind} shelf"), []).append(found)
            for strength in options.strength:
                own = {name: np.array(values) for (s, name), values in rows.items() if s == strength}
                own["all"] = np.concatenate(list(own.values()))
                print(stem_table(f"{strength}, reference: {asked}", own), "\n", flush=True)


def errors(
    work: Path, original: list[Samples], made: list[Samples], reference: Path, rate: int, strength: str
) -> list[float]:
    """Return the errors of mix, master and master from stems, then those of the stems in the same order."""
    files = [work / f"{name}.wav" for name in STEMS]
    for file, samples in zip(files, made, strict=True):
        sf.write(file, samples, rate, "FLOAT")
    mix, output = work / "mix.wav", work / "master.wav"
    sf.write(mix, sum(made), rate, "FLOAT")
    settings = MatchSettings(strength=strength, target_lufs=TARGET_LUFS)
    wanted = third_octaves_db(sum(original).mean(axis=1), rate)
    found = [(off(mix, wanted), stems_off(original, made, rate, None))]
    for source in (mix, Stems(files)):
        result = master_file(source, cached_profile(reference), output, settings, overwrite=True)
        found.append((off(output, wanted), stems_off(original, made, rate, result)))
    return [*(mixed for mixed, _ in found), *(each for _, each in found)]


def off(path: Path, wanted: Samples) -> float:
    """Return the RMS of third octaves of a file against those wanted."""
    samples, rate = read(path)
    return rms_difference_db(third_octaves_db(samples.mean(axis=1), rate), wanted, with_energy(wanted))


def stems_off(original: list[Samples], made: list[Samples], rate: int, result: MasterResult | None) -> float:
    """Return the RMS of what each stem's contribution is off by, by its share of the power."""
    before = np.array([third_octaves_db(stem.mean(axis=1), rate) for stem in original])
    after = np.array([third_octaves_db(stem.mean(axis=1), rate) for stem in made])
    if result is not None:
        after += curve_at(result.plan.tone.mid, THIRDS_HZ)
        for number, stem in enumerate(result.plan.stems):
            after[number] += curve_at(stem.mid, THIRDS_HZ)
    power = 10 ** (before / 10)
    weights = power / power.sum(axis=0) * with_energy(10 * np.log10(power.sum(axis=0)))
    difference = after - before
    difference -= np.average(difference, weights=weights)
    return float(np.sqrt(np.average(difference**2, weights=weights)))


def stem_table(title: str, rows: dict[str, Samples]) -> str:
    """Return a table of mean errors, and of what stems leave of what the sum leaves."""
    lines = []
    for name, found in rows.items():
        mean = found.mean(axis=0)
        shown = [f"{value:.2f}" for value in mean]
        worse = f"{np.mean(found[:, 2] > found[:, 1]):.0%}"
        ratios = [f"{mean[2] / mean[1]:.2f}", f"{mean[5] / mean[4]:.2f}"]
        lines.append([name, str(len(found)), *shown[:3], ratios[0], worse, *shown[3:], ratios[1]])
    header = [title, "cases", "mix, dB", "from the sum", "from stems", "ratio", "worse with stems"]
    return table([*header, "stems: mix, dB", "from the sum", "from stems", "ratio"], lines)


if __name__ == "__main__":
    main()
