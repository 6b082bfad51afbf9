"""Loudness that people ask for: how near masters come to loud references, and how clean they stay.

`pairs` masters raw mixes against finished records as they are and limited to louder levels; `foretold` sets
the noise-to-mask ratio that refmaster predicts from excerpts beside that of the whole master; `clean` shows
the ratio of lossy codecs, from which the bound on clean limiting is taken. Loudness and true peak are read by
the judge's meters.

    python benchmarks/loudness.py --music FOLDER --work FOLDER

A folder of music names its raw mixes ``rawmix_*``. Limited references are kept in the work folder.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from judge import Array, ebur128_true_peak_dbtp, long_true_peak_dbtp, loudness_lufs, read
from limiters import noise_to_mask_db
from runs import table
from scipy.optimize import brentq

from refmaster import MatchSettings, master_file, render_file
from refmaster.meters.masking import NoiseToMask
from refmaster.plan import MasteringPlan
from refmaster.rendering.drive import DriveAnalyzer
from refmaster.settings.limiter import LimiterSettings

EXCERPT_S = 12.0
RECORDS, MIXES = 4, 6
LOUD_LUFS = (-9.5, -8.0, -6.5, None)
CEILING_DBTP = -1.0
FULL = "refmaster --loudness full"
FORETOLD_LUFS = (-12.0, -10.0, -8.0, -6.5)
FORETOLD_FROM_DB, FORETOLD_S = -25.0, 100.0
# libsndfile's compression levels with about these bit rates, in kbit/s.
CODECS = {
    "MP3": (("320", 0.0), ("224", 0.35), ("160", 0.5), ("112", 0.7), ("96", 0.8)),
    "OGG": (("224", 0.2), ("160", 0.5), ("128", 0.6), ("112", 0.7), ("96", 0.8), ("64", 1.0)),
}


@dataclass(frozen=True, kw_only=True)
class Reached:
    """One master of one pair: its loudness less the reference's, its noise to mask and its true peak."""

    engine: str
    asked_lufs: float
    missed_lu: float
    noise_to_mask_db: float
    true_peak_dbtp: float
    findings: tuple[str, ...] = ()


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--music", type=Path, required=True, help="a folder of raw mixes and finished records"
    )
    parser.add_argument("--work", type=Path, help="where references and masters are kept; a temporary folder")
    parser.add_argument("--only", choices=["pairs", "foretold", "clean"])
    parser.add_argument("--no-peer", action="store_true", help="leave matchering out")
    options = parser.parse_args()
    paths = [p for p in sorted(options.music.iterdir()) if p.suffix in {".flac", ".ogg", ".mp3", ".wav"}]
    mixes = [p for p in paths if p.stem.startswith("rawmix_") and "_stem_" not in p.stem]
    records = [p for p in paths if not p.stem.startswith("rawmix_")]
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(exist_ok=True)
        if options.only in (None, "clean"):
            print(codec_table(records), end="\n\n")
        if options.only in (None, "foretold"):
            print(foretold_table([*records, *mixes]), end="\n\n")
        if options.only in (None, "pairs"):
            print(pairs_table(mixes[:MIXES], loudest(records), work, peer=not options.no_peer))


def loudest(records: Iterable[Path]) -> list[Path]:
    """Return the loudest finished records."""
    return sorted(records, key=lambda path: -loudness_lufs(*read(path)))[:RECORDS]


def excerpt(path: Path, seconds: float = EXCERPT_S) -> tuple[Array, int]:
    """Return the middle of a recording and its rate in Hz."""
    samples, rate = read(path)
    frames = min(len(samples), round(seconds * rate))
    start = (len(samples) - frames) // 2
    return samples[start : start + frames], rate


def reference_at(record: Path, lufs: float | None, work: Path) -> Path:
    """Return the excerpt of a record, limited to a loudness; what the limiter lacks is clipped."""
    kept = work / f"{record.stem}-{'as-it-is' if lufs is None else f'{-lufs:g}'}.wav"
    if kept.exists():
        return kept
    samples, rate = excerpt(record)
    if lufs is not None and loudness_lufs(samples, rate) < lufs:
        samples = limited_to(samples, rate, lufs)[0]

        def clipped(drive_db: float) -> Array:
            return np.clip(samples * 10 ** (drive_db / 20), -0.9, 0.9)

        if loudness_lufs(samples, rate) < lufs - 0.05:
            drive = brentq(lambda d: loudness_lufs(clipped(d), rate) - lufs, 0.0, 24.0, xtol=0.01)
            samples = clipped(float(drive))
    sf.write(kept, samples, rate, "FLOAT")
    return kept


def limited_to(samples: Array, rate: int, lufs: float) -> tuple[Array, float]:
    """Return the samples as loud as refmaster's limiter makes them, and their predicted noise to mask."""
    from refmaster.dsp.limiter import Limiter

    settings = LimiterSettings(ceiling_dbtp=CEILING_DBTP)
    analyzer = DriveAnalyzer(rate, samples.shape[1])
    analyzer.update(samples)
    solution = analyzer.solve(lufs, settings)
    limiter = Limiter(rate, samples.shape[1], settings, gain_db=solution.found.gain_db)
    limited = np.concatenate([limiter.push(samples), limiter.flush()])
    return limited, solution.found.noise_to_mask_db


def pairs_table(mixes: list[Path], records: list[Path], work: Path, *, peer: bool) -> str:
    """Return how near every engine came on all pairs, by the references' loudness."""
    engines: dict[str, Callable[[Path, Path, Path], tuple[Path, Path, tuple[str, ...]]]] = {
        "refmaster": lambda *files: ours(*files, settings=MatchSettings()),
        FULL: lambda *files: ours(*files, settings=MatchSettings(loudness="full")),
    }
    if peer:
        engines["matchering"] = matcherings
    rows: list[list[str]] = []
    for lufs in LOUD_LUFS:
        found: list[Reached] = []
        for record in records:
            reference = reference_at(record, lufs, work)
            asked = loudness_lufs(*read(reference))
            for path in mixes:
                mix = reference_at(path, None, work)
                for name, engine in engines.items():
                    if name == FULL and not found[-1].findings:
                        found.append(replace(found[-1], engine=name))  # nothing held it back: the same master
                    else:
                        found.append(judged(name, asked, engine(mix, reference, work)))
                    print(path.stem, reference.stem, found[-1], file=sys.stderr, flush=True)
        for name in engines:
            its = [r for r in found if r.engine == name]
            rows.append(["as they are" if lufs is None else f"{lufs:g} LUFS", name, *summary(its)])
    header = ["references", "engine", "within 0.05 LU", "short, LU, median (worst)"]
    return table([*header, "noise to mask, dB, mean (worst)", "worst true peak, dBTP"], rows)


def summary(results: list[Reached]) -> list[str]:
    """Return the columns of one engine on all pairs."""
    short = [max(0.0, -r.missed_lu) for r in results]
    noise = [r.noise_to_mask_db for r in results]
    return [
        f"{sum(abs(r.missed_lu) <= 0.05 for r in results)} of {len(results)}",
        f"{statistics.median(short):.2f} ({max(short):.2f})",
        f"{statistics.mean(noise):.1f} ({max(noise):.1f})",
        f"{max(r.true_peak_dbtp for r in results):+.2f}",
    ]


def judged(engine: str, asked_lufs: float, made: tuple[Path, Path, tuple[str, ...]]) -> Reached:
    """Return what the judge reads off a master, and off what entered its limiter."""
    (master, rate), clean = read(made[0]), read(made[1])[0]
    gain = np.vdot(clean, master) / np.vdot(clean, clean)
    kept = gain * clean
    return Reached(
        engine=engine,
        asked_lufs=asked_lufs,
        missed_lu=loudness_lufs(master, rate) - asked_lufs,
        noise_to_mask_db=noise_to_mask_db(kept.mean(axis=1), (master - kept).mean(axis=1), rate),
        true_peak_dbtp=max(ebur128_true_peak_dbtp(master, rate), long_true_peak_dbtp(master)),
        findings=made[2],
    )


def ours(
    mix: Path, reference: Path, work: Path, *, settings: MatchSettings
) -> tuple[Path, Path, tuple[str, ...]]:
    """Master with refmaster; return the master, what entered the limiter, and the findings on loudness."""
    master, clean = work / "master.wav", work / "clean.wav"
    result = master_file(mix, reference, master, settings, overwrite=True)
    render_file(bare(result.plan), clean, overwrite=True)
    codes = ("loudness", "limiting")
    return master, clean, tuple(str(f) for f in result.findings if f.code.startswith(codes))


def bare(plan: MasteringPlan) -> MasteringPlan:
    """Return a plan without its level and its limiter."""
    off = plan.limiter.model_copy(update={"enabled": False})
    level = plan.level.model_copy(update={"gain_db": 0.0})
    return plan.model_copy(update={"limiter": off, "level": level})


def matcherings(mix: Path, reference: Path, work: Path) -> tuple[Path, Path, tuple[str, ...]]:
    """Master with matchering as its users do, and once more without its limiter."""
    import matchering

    master, clean = work / "peer.wav", work / "peer-clean.wav"
    results = [
        matchering.Result(str(master), "PCM_24"),
        matchering.Result(str(clean), "FLOAT", use_limiter=False, normalize=False),
    ]
    matchering.process(str(mix), str(reference), results)
    return master, clean, ()


def foretold_table(paths: list[Path]) -> str:
    """Return how well the ratio on excerpts foretells that of the whole master."""
    pairs: list[tuple[float, float, float]] = []
    for path in paths:
        samples, rate = excerpt(path, FORETOLD_S)
        whole = NoiseToMask(rate, samples.astype(np.float32))
        own = loudness_lufs(samples, rate)
        for lufs in FORETOLD_LUFS:
            if lufs <= own:
                continue
            limited, foretold = limited_to(samples.astype(np.float32), rate, lufs)
            gain = np.vdot(samples, limited) / np.vdot(samples, samples)
            rest = limited - gain * samples
            by_judge = noise_to_mask_db(gain * samples.mean(axis=1), rest.mean(axis=1), rate)
            pairs.append((foretold, whole.ratio_db(limited), by_judge))
    rows = []
    near = np.array([pair for pair in pairs if pair[1] > FORETOLD_FROM_DB])
    for name, column in (("the same ratio on the whole master", 1), ("the judge's ratio", 2)):
        off = near[:, 0] - near[:, column]
        correlation = np.corrcoef(near[:, 0], near[:, column])[0, 1]
        rows.append([name, str(len(near)), f"{correlation:.3f}", f"{off.mean():+.1f}", f"{off.std():.1f}"])
    return table(["predicted on excerpts against", "masters", "correlation", "mean off, dB", "std, dB"], rows)


def codec_table(paths: list[Path]) -> str:
    """Return the noise-to-mask ratio of lossy codecs."""
    rows = []
    for name, levels in CODECS.items():
        for rate_kbps, level in levels:
            found = [codec_ratio_db(path, name, level) for path in paths]
            mean, worst = statistics.mean(found), max(found)
            rows.append([name, rate_kbps, f"{mean:.1f}", f"{worst:.1f}"])
    return table(["codec", "kbit/s", "noise to mask, dB, mean", "worst"], rows)


def codec_ratio_db(path: Path, name: str, level: float) -> float:
    """Return the ratio of ten seconds through a codec whose decoder gives them back in time."""
    samples, rate = excerpt(path, 10.0)
    samples = (samples * 0.7 / np.abs(samples).max()).astype(np.float32)
    file = io.BytesIO()
    mode = {"bitrate_mode": "CONSTANT"} if name == "MP3" else {}
    sf.write(file, samples, rate, format=name, compression_level=level, **mode)
    file.seek(0)
    decoded = sf.read(file, dtype="float32", always_2d=True)[0][: len(samples)]
    return NoiseToMask(rate, samples).ratio_db(decoded)


if __name__ == "__main__":
    main()
