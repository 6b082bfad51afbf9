"""Try the constants that share a tone error out to stems, on sums of other music than stems.py is run on.

Run it from the checkout; the table is Markdown::

    python benchmarks/choose_stems.py --music FOLDER

Real stems are scarce, so three recordings of different albums are summed, a minute of each, at levels that an
engineer's faders might have. One of them goes behind a shelf of 4 dB in the first 25 s of the sum; the
reference is the rest of the untouched sum, or the whole of it. The error is that of what each recording
contributes: gains of shelf, stem and bus against none, third octaves, one level removed from all of them,
each band weighted by its share of the power. Each constant is varied around its shipped value, the others
kept. Nothing is changed: what is shipped was set by hand, and this says what other values would have given.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
from evidence import Samples, biquad, finished_recordings, groups_of
from judge import THIRDS_HZ, read, third_octaves_db, with_energy
from runs import table

from refmaster.io.source import ArraySource
from refmaster.matching import stems
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.matching.stems import derive_stems
from refmaster.profile.bands import THIRDS_HZ as BUS_HZ
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.rendering.stem_sum import StemSum
from refmaster.settings.match import MatchSettings

CHOICES: dict[tuple[ModuleType, str], Sequence[float]] = {
    (stems, "STEM_SD_DB"): (0.5, 2.0),
    (stems, "STEM_OCTAVES"): (1.0, 2.5),
    (stems, "STEM_SHELF_SD_DB"): (1.25, 4.0),
    (stems, "INDEPENDENT_SHARE"): (0.1, 0.5),
    (stems, "MAX_STEM_GAIN_DB"): (3.0, 6.0),
}
"""The values that each constant is tried at, besides the shipped one."""

RATE_HZ = 44100
MINUTE, EXCERPT = 60 * RATE_HZ, 25 * RATE_HZ
FADERS_DB = (0.0, -3.0, -6.0)
SETTINGS = MatchSettings(strength="evidence")


@dataclass(frozen=True)
class SumCase:
    """A sum with one part behind a shelf, and what it is matched to."""

    powers: Samples
    mix: Profile
    references: dict[str, Profile]
    levels_db: Samples  # of each part in third octaves, untouched
    shelf_db: Samples  # on each part


def main() -> None:
    """Print what each value of each constant leaves of the error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--sums", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    files = [path for path in finished_recordings(options.music) if "rawmix" not in path.name]
    albums = groups_of(files, options.music / "manifest.csv")
    cases = [made_case(files, albums, generator) for _ in range(options.sums)]
    header = ["constant", "value", "other part: error left", "worse", "whole: error left", "worse"]
    rows = [["without stems", "", *left_of(cases, error=sum_error)], ["as shipped", "", *left_of(cases)]]
    for (module, name), values in CHOICES.items():
        shipped = getattr(module, name)
        for value in values:
            with mock.patch.object(module, name, value):
                rows.append([f"`{name}` ({shipped:g})", f"{value:g}", *left_of(cases)])
    print(table(header, rows))


def made_case(files: list[Path], albums: dict[str, str], generator: np.random.Generator) -> SumCase:
    """Sum three recordings of different albums and put one behind a shelf."""
    chosen: list[Path] = []
    for number in generator.permutation(len(files)):
        if albums[files[number].name] not in {albums[path.name] for path in chosen} and len(chosen) < 3:
            chosen.append(files[number])
    parts = [
        minute_of(path) * 0.05 * 10 ** (fader / 20) for path, fader in zip(chosen, FADERS_DB, strict=True)
    ]
    number = int(generator.integers(3))
    kind, hz = (("low", 200.0), ("high", 3000.0))[int(generator.integers(2))]
    section = np.array([biquad(kind, hz, float(generator.choice([4.0, -4.0])), 0.707, RATE_HZ)])
    return behind_shelf(parts, number, section)


def behind_shelf(parts: list[Samples], number: int, section: Samples) -> SumCase:
    """Put one part of the excerpt behind a shelf, and measure everything."""
    from scipy.signal import sosfilt, sosfreqz

    made = [part[:EXCERPT] for part in parts]
    made[number] = sosfilt(section, made[number], axis=0)
    source = StemSum([ArraySource(part.astype(np.float32), RATE_HZ) for part in made])
    whole = sum(parts).astype(np.float32)
    shelf = np.zeros((len(parts), len(THIRDS_HZ)))
    response = sosfreqz(section, worN=THIRDS_HZ, fs=RATE_HZ)[1]
    shelf[number] = 20 * np.log10(np.abs(response))
    return SumCase(
        powers=source.measured(),
        mix=measure(source),
        references={
            "other part": measure(ArraySource(whole[EXCERPT:], RATE_HZ)),
            "whole": measure(ArraySource(whole, RATE_HZ)),
        },
        levels_db=np.array([third_octaves_db(part[:EXCERPT].mean(axis=1), RATE_HZ) for part in parts]),
        shelf_db=shelf,
    )


def minute_of(path: Path) -> Samples:
    """Return a minute of a recording from 10 s on, repeated where it is shorter, at an RMS of 1."""
    import soxr

    samples, rate = read(path)
    samples = samples if rate == RATE_HZ else soxr.resample(samples, rate, RATE_HZ)
    taken = np.resize(samples[10 * RATE_HZ :], (MINUTE, 2))
    return taken / np.sqrt(np.mean(taken**2))


def left_of(cases: list[SumCase], *, error: Callable[[SumCase, str], float] | None = None) -> list[str]:
    """Return the mean share of the error that is left, and how often it grew, for each reference."""
    shown = []
    for name in ("other part", "whole"):
        shares = [(error or stem_error)(case, name) / off_db(case, case.shelf_db) for case in cases]
        shown += [f"{np.mean(shares):.3f}", f"{np.mean(np.array(shares) > 1.0):.0%}"]
    return shown


def sum_error(case: SumCase, reference: str) -> float:
    """Return what is left where the same job is done without stems."""
    match = derive_plan(case.mix, [(case.references[reference], 1.0)], SETTINGS)
    return off_db(case, case.shelf_db + curve_at(match.tone.mid, THIRDS_HZ))


def stem_error(case: SumCase, reference: str) -> float:
    """Return what is left with the curves of the stems and of their sum."""
    match = derive_stems(case.powers, case.mix, [(case.references[reference], 1.0)], SETTINGS)
    off = case.shelf_db.copy()
    if match.bus is not None:
        off += np.interp(np.log(THIRDS_HZ), np.log(BUS_HZ), match.bus.gain_db)
    for number, curve in enumerate(match.curves):
        off[number] += curve_at(curve.points, THIRDS_HZ)
    return off_db(case, off)


def off_db(case: SumCase, gains_db: Samples) -> float:
    """Return the RMS of what each part's contribution is off by, one level removed."""
    power = 10 ** (case.levels_db / 10)
    weights = power / power.sum(axis=0) * with_energy(10 * np.log10(power.sum(axis=0)))
    off = gains_db - np.average(gains_db, weights=weights)
    return float(np.sqrt(np.average(off**2, weights=weights)))


if __name__ == "__main__":
    main()
