"""What preflight finds: faults made on purpose, finished records as they are, and what it costs.

Run it from the checkout, on a folder of finished recordings and raw mixes (``rawmix`` in the name); tables
are Markdown. Each kind of fault is put into two raw mixes; the contrasts of check/tone.py were learned on
finished records only. Those of tone are judged against finished songs and against the mix before the fault.
Warnings on finished records are told again by other means (SciPy), as far as there are such::

    python benchmarks/preflight.py --music FOLDER
    python benchmarks/preflight.py --music FOLDER --learn    (the contrasts of check/tone.py, album by album)
    python benchmarks/preflight.py --music FOLDER --swapped
    python benchmarks/preflight.py --music FOLDER --cost
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from judge import long_true_peak_dbtp
from numpy.typing import NDArray
from preflight_faults import Kind, Samples, Where, excerpt, kinds
from runs import alternate, python, run, table
from scipy.signal import butter, sosfiltfilt

from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_mix
from refmaster.check.swapped import SWAPPED_BELOW, strongest_correlation
from refmaster.check.tone import BOOMY, HARSH, MUDDY, Contrast, contrast_db
from refmaster.io.source import ArraySource
from refmaster.meters.balance import BalanceMeter
from refmaster.meters.tops import TopMeter
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile

NEAR_S = 0.15
OF_TONE = {"mix_boomy", "mix_muddy", "mix_harsh"}
REGIONS = {"boomy": BOOMY, "muddy": MUDDY, "harsh": HARSH}


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--learn", action="store_true", help="the contrasts of check/tone.py")
    parser.add_argument("--swapped", action="store_true", help="how swapped channels are told")
    parser.add_argument("--cost", action="store_true", help="CPU against refmaster measure")
    asked = parser.parse_args()
    files = [f for f in sorted(asked.music.iterdir()) if f.suffix in {".flac", ".ogg", ".mp3", ".wav"}]
    mixes = [f for f in files if "rawmix" in f.name and "_stem_" not in f.name]
    finished = [f for f in files if "rawmix" not in f.name]
    if asked.learn:
        learn(finished, albums(asked.music))
    elif asked.swapped:
        swapped(files)
    elif asked.cost:
        cost(mixes[0])
    else:
        faults(mixes)
        clean(finished)


def faults(mixes: list[Path]) -> None:
    """Print a row for each made fault: whether it was found where it is, and what else was said."""
    loaded: dict[Path, tuple[Samples, int, set[str]]] = {}
    rows: list[list[str]] = []
    found_count = 0
    for number, kind in enumerate(kinds()):
        for host in (mixes[number % len(mixes)], mixes[(number + 3) % len(mixes)]):
            if host not in loaded:
                samples, rate = sf.read(host, dtype="float64", always_2d=True)
                piece = excerpt(samples, rate)
                loaded[host] = piece, rate, {f.code for f in inspect_mix(profile_of(piece, rate))}
            piece, rate, before = loaded[host]
            rows.append(fault_row(kind, host, piece, rate, before))
            if kind.code in OF_TONE:
                rows.append(fault_row(kind, host, piece, rate, set(), against=profile_of(piece, rate)))
            found_count = sum(row[3] == "yes" for row in rows)
    print(table(["fault", "host", "code", "found in its place", "said", "besides"], rows))
    print(f"\n{found_count} of {len(rows)} found\n")


def fault_row(
    kind: Kind, host: Path, piece: Samples, rate: int, before: set[str], *, against: Profile | None = None
) -> list[str]:
    """Return the row of one fault in one host."""
    samples, where = kind.make(piece, rate)
    findings = inspect_mix(profile_of(samples, rate), [] if against is None else [against])
    its = [f for f in findings if f.code == kind.code]
    found = "no" if not its or kind.code in before else "yes" if in_place(its[0], where) else "elsewhere"
    besides = sorted({f.code for f in findings} - before - {kind.code})
    name = kind.name if against is None else f"{kind.name}, against the mix without"
    return [name, host.stem, kind.code, found, its[0].message if its else "", ", ".join(besides)]


def profile_of(samples: Samples, rate: int) -> Profile:
    """Return the profile of samples, as 24-bit audio."""
    rounded = (np.round(np.asarray(samples) * 2**23) / 2**23).astype(np.float32)
    return measure(ArraySource(rounded, rate, name="made"), identify=False, faults=True)


def in_place(finding: Finding, where: Where) -> bool:
    """Return whether a finding names the times, the band and the channel of a fault."""
    times = all(any(t - 1.6 < s < t + NEAR_S for t in finding.times_s) for s in where.times_s)
    band = where.band_hz is None or (
        finding.band_hz is not None
        and finding.band_hz[0] < where.band_hz[1]
        and finding.band_hz[1] > where.band_hz[0]
    )
    return times and band and (where.channel is None or finding.channel == where.channel)


def clean(finished: list[Path]) -> None:
    """Print every warning on finished records, told again by other means."""
    rows, false = [], 0
    for file in finished:
        for finding in inspect_mix(measure(file, identify=False, faults=True)):
            if finding.severity != "warning":
                continue
            samples, rate = sf.read(file, dtype="float64", always_2d=True)
            again, true = told_again(finding, samples, rate)
            false += not true
            rows.append([file.stem, finding.message, again, "true" if true else "false"])
    print(table(["record", "warning", "by other means", ""], rows))
    print(f"\n{len(rows)} warnings on {len(finished)} records, {false} of them false")


def told_again(finding: Finding, samples: Samples, rate: int) -> tuple[str, bool]:
    """Return what SciPy and NumPy read of what a warning says, and whether that bears it out."""
    peak = float(np.abs(samples).max())
    if finding.code == "mix_over":
        level = long_true_peak_dbtp(samples)
        return f"Fourier interpolation: {level:+.2f} dBTP", level > 0.0
    if finding.code == "mix_cut_head":
        ratio = 20 * np.log10(np.abs(samples[0]).max() / peak)
        return f"first sample {ratio:.0f} dB below the peak", ratio > -40.0
    if finding.code == "mix_cut_tail":
        last, before = (np.abs(x).max() for x in (samples[-rate // 20 :], samples[-rate // 2 : -rate // 20]))
        fall = 20 * np.log10(last / before)
        under = 20 * np.log10(last / peak)
        return f"last 50 ms {fall:.0f} dB under those before, {under:.0f} dB under the peak", fall > -20.0
    if finding.code == "mix_mono_loss" and finding.band_hz is not None:
        band = sosfiltfilt(butter(3, finding.band_hz, "bandpass", fs=rate, output="sos"), samples, axis=0)
        loss = 10 * np.log10(np.mean(band**2) / np.mean(band.mean(axis=1) ** 2))
        return f"Butterworth band: {loss:.1f} dB lost", loss > 5.0
    if finding.code == "mix_limited":
        hops = np.abs(samples[: len(samples) // 512 * 512]).max(axis=1).reshape(-1, 512).max(axis=1)
        high = np.sort(hops)[::-1][: max(1, len(hops) // 50)]
        spread = 20 * np.log10(high[0] / high[-1])
        return (
            f"the highest 2 % of 512-sample peaks lie within {spread:.1f} dB",
            spread < 1.5,
        )  # raw mixes have 2.3 dB and more
    return "not told again", False


def albums(folder: Path) -> dict[str, str]:
    """Return the album of each file, its own name where there is none."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        return {row["file"]: row["album"] or row["file"] for row in csv.DictReader(file)}


def learn(finished: list[Path], album_of: dict[str, str]) -> None:
    """Print each region's contrast over finished songs, and the worst deviation of albums left out."""
    profiles: dict[str, Profile] = {f.name: measure(f, identify=False) for f in finished}
    rows = [learned_row(name, region, profiles, album_of) for name, region in REGIONS.items()]
    print(table(["region", "songs", "mean dB", "sd dB", "worst song, sd, its album left out"], rows))


def learned_row(
    name: str, region: Contrast, profiles: dict[str, Profile], album_of: dict[str, str]
) -> list[str]:
    """Return the row of one region."""
    found = {file: contrast_db(profile, region) for file, profile in profiles.items()}
    known = {file: value for file, value in found.items() if value is not None}
    worst = -np.inf
    for file, value in known.items():
        others = [v for f, v in known.items() if album_of[f] != album_of[file]]
        worst = max(worst, (value - np.mean(others)) / np.std(others, ddof=1))
    values = np.array(list(known.values()))
    return [name, str(len(values)), f"{values.mean():.1f}", f"{values.std(ddof=1):.1f}", f"{worst:.1f}"]


def swapped(files: list[Path]) -> None:
    """Print how balances correlate: of other songs, and of recordings with themselves, swapped."""
    own: dict[Path, NDArray[np.float64]] = {}
    again: list[float] = []
    for file in files:
        samples, rate = sf.read(file, dtype="float64", always_2d=True)
        own[file] = balance(samples, rate)
        late = np.tanh(2.0 * samples[round(7.33 * rate) :])[:, ::-1] * [0.9, 1.0]
        again.append(strongest_correlation(own[file], balance(late, rate)))
    pairs = [
        (one, other)
        for number, one in enumerate(files)
        for other in files[number + 1 :]
        if not ("Francium" in one.name and "Francium" in other.name)  # a mix and its stems
    ]
    others = [strongest_correlation(own[one], own[other]) for one, other in pairs]
    rows = [
        [name, str(len(values)), f"{min(values):.2f}", f"{np.median(values):.2f}", f"{max(values):.2f}", told]
        for name, values in (("of other songs", others), ("of themselves, swapped", again))
        for told in [str(sum(value < SWAPPED_BELOW for value in values))]
    ]
    print(table(["balances", "pairs", "lowest", "median", "highest", "called swapped"], rows))


def balance(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the balance of samples over time."""
    meter = BalanceMeter()
    tops = TopMeter(rate, 2, watcher=meter.watch)
    tops.update(samples)
    tops.result()
    return np.array(meter.result())


def cost(mix: Path) -> None:
    """Print the CPU of ``check`` and ``measure`` on four minutes, run in turn."""
    with tempfile.TemporaryDirectory() as folder:
        samples, rate = sf.read(mix, dtype="float32", always_2d=True)
        whole = np.tile(samples, (-(-240 * rate // len(samples)), 1))[: 240 * rate]
        path = Path(folder) / "mix.wav"
        sf.write(path, whole, rate, "PCM_24")
        measuring, checking = alternate(
            [
                # The verb looks for faults as well: its profile can stand wherever a mix can.
                lambda: run(python("import sys, refmaster; refmaster.measure(sys.argv[1])", str(path))),
                lambda: run(
                    [sys.executable, "-m", "refmaster", "check", str(path), "--quiet", "--no-cache"],
                    accepted=(0, 1),
                ),
            ],
            3,
        )
    rows = [
        [name, f"{c.cpu_s:.2f}", f"{c.wall_s:.2f}", f"{c.peak_mb:.0f}"]
        for name, c in (("measure, without faults", measuring), ("check", checking))
    ]
    print(table(["4 minutes, 24 bit", "CPU s", "wall s", "MB"], rows))
    print(f"\nCPU of check over measure: {checking.cpu_s / measuring.cpu_s:.2f}")


if __name__ == "__main__":
    main()
