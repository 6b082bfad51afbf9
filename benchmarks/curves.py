"""Take-away curves: bands against the derived curve, texts read back, impulse responses against renders.

Run it from the checkout; the tables are Markdown::

    python benchmarks/curves.py --music FOLDER [--references 4] [--choose]

Recordings of the folder (raw mixes too, stems not) are matched with some finished ones, and the curves of the
plans are taken away as `refmaster curve` writes them. Bands are judged by SciPy's response of the cookbook's
biquads, read from the written text. Impulse responses are convolved with the music by SciPy in float64, and
by FFmpeg's afir where it is on the path, and compared with a render without balance, gain and limiter.
`--choose` prints what the constants of the fit were set from, with every second recording as mix; the tables
have the others.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile as sf
from evidence import biquad, finished_recordings
from runs import table
from scipy.signal import fftconvolve, sosfreqz

from refmaster import MasteringPlan, MatchSettings, export_curve, render_file
from refmaster.dsp.curves import curve_at
from refmaster.io.recordings import recordings_in
from refmaster.matching.derive import derive_plan
from refmaster.profile.cache import cached_profile
from refmaster.takeaway import bands
from refmaster.takeaway.reading import read_curves
from refmaster.takeaway.total import total_points

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
GRID_HZ = np.geomspace(40.0, 16000.0, 400)
STRENGTHS = ("evidence", "balanced", "full")
COUNTS = (4, 6, 8, 12)
PARTS = ("mid", "side")
EXCERPT_S = 20.0


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--references", type=int, default=4, help="finished recordings for each mix")
    parser.add_argument("--renders", type=int, default=3, help="pairs whose impulse responses are convolved")
    parser.add_argument("--choose", action="store_true", help="try the constants of the fit instead")
    options = parser.parse_args()
    pairs = list(pairs_of(options.music, options.references, first=1 if options.choose else 0))
    if options.choose:
        print(choice_table(pairs), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        print(f"{len(pairs)} pairs, {len({mix for mix, _ in pairs})} mixes\n")
        print(bands_table(pairs, work), "\n", flush=True)
        print(texts_table(pairs, work), "\n", flush=True)
        print(impulse_table(pairs[:: -(-len(pairs) // options.renders)], work), flush=True)


def pairs_of(music: Path, references: int, *, first: int) -> Iterator[tuple[Path, Path]]:
    """Yield every second recording with finished ones, evenly chosen and never itself."""
    finished = finished_recordings(music)
    mixes = [f for f in recordings_in([music]) if "_stem_" not in f.name]
    for number, mix in list(enumerate(mixes))[first::2]:
        others = [f for f in finished if f != mix]
        for k in range(references):
            yield mix, others[(number + k * len(others) // references) % len(others)]


def plan_of(pair: tuple[Path, Path], strength: str) -> MasteringPlan:
    """Return the plan of a pair; its level is not solved, which no curve needs."""
    mix, reference = map(cached_profile, pair)
    return derive_plan(mix, [(reference, 1.0)], MatchSettings(strength=strength))


def curve_of(plan: MasteringPlan, part: str) -> Array:
    """Return the derived curve of the mid or of the side in dB at `GRID_HZ`."""
    return curve_at(total_points(plan.tone, part, plan.output.sample_rate_hz), GRID_HZ)


def bands_table(pairs: Sequence[tuple[Path, Path]], work: Path) -> str:
    """Return how far parametric bands are from the curves."""
    rows = []
    for strength in STRENGTHS:
        for count in COUNTS if strength == "balanced" else (8,):
            errors: dict[str, list[Array]] = {part: [] for part in PARTS}
            for pair, part in itertools.product(pairs, PARTS):
                plan = plan_of(pair, strength)
                if part == "side" and plan.mix.channels == 1:
                    continue
                text = work / "bands.txt"
                export_curve(plan, text, bands=count, part=part, overwrite=True)
                wanted = curve_of(plan, part)
                rate = plan.output.sample_rate_hz
                errors[part].append(response_db(text.read_text(), rate) - wanted)
            for part, found in errors.items():
                rms = np.sqrt(np.mean(np.square(found), axis=1))
                numbers = (f"{rms.mean():.3f}", f"{np.median(rms):.3f}", f"{rms.max():.2f}")
                largest = f"{np.abs(found).max():.2f}"
                rows.append([strength, str(count), part, str(len(found)), *numbers, largest])
    header = ["strength", "bands", "curve", "curves", "dB RMS, mean", "median", "worst", "largest error, dB"]
    return table(header, rows)


def response_db(text: str, rate: int) -> Array:
    """Return the gain in dB at `GRID_HZ` of Equalizer APO's filters, as the Audio EQ Cookbook has them."""
    kinds = {"PK": "bell", "LSC": "low", "HSC": "high"}
    pattern = r"ON +(\w+) +Fc +(\S+) Hz +Gain +(\S+) dB +Q +(\S+)"
    total = np.zeros(len(GRID_HZ))
    for kind, *numbers in re.findall(pattern, text):
        section = np.array([biquad(kinds[kind], *map(float, numbers), rate)])
        total += 20 * np.log10(np.abs(sosfreqz(section, GRID_HZ, fs=rate)[1]))
    return total


def texts_table(pairs: Sequence[tuple[Path, Path]], work: Path) -> str:
    """Return the largest difference between curves and what is read back from their texts."""
    rows = []
    for strength in STRENGTHS:
        largest = {"graphiceq": 0.0, "rew": 0.0}
        for pair, kind, part in itertools.product(pairs, largest, PARTS):
            plan = plan_of(pair, strength)
            if part == "side" and plan.mix.channels == 1:
                continue
            text = work / "curve.txt"
            export_curve(plan, text, format=kind, part=part, overwrite=True)
            read = read_curves(text, sample_rate_hz=plan.output.sample_rate_hz)[part]
            difference = curve_at(read, GRID_HZ) - curve_of(plan, part)
            largest[kind] = max(largest[kind], float(np.abs(difference).max()))
        rows.append([strength, *(f"{value:.4f}" for value in largest.values())])
    return table(["text read back, largest error in dB", "GraphicEQ", "REW table"], rows)


def impulse_table(pairs: Sequence[tuple[Path, Path]], work: Path) -> str:
    """Return what is left of a render after the impulse response's convolution is taken off, in dB."""
    rows = []
    for pair, phase in itertools.product(pairs, ("linear", "minimum")):
        plan = plan_of(pair, "balanced")
        excerpt, render, impulse = work / "excerpt.wav", work / "render.wav", work / "impulse.wav"
        samples, rate = sf.read(pair[0], frames=int(EXCERPT_S * plan.mix.sample_rate_hz), always_2d=True)
        sf.write(excerpt, samples, rate, "DOUBLE")
        render_file(equalizer_alone(plan, len(samples), phase), render, mix=excerpt, overwrite=True)
        written = export_curve(plan, impulse, phase=phase, overwrite=True)
        wanted = sf.read(render, always_2d=True)[0]
        late = written.delay_frames or 0
        row = [f"{pair[0].stem} / {pair[1].stem}", phase, str(len(written.channels))]
        row.append(f"{residual_db(scipy_convolved(samples, impulse)[late:], wanted):.1f}")
        if shutil.which("ffmpeg") and len(written.channels) == 4:
            row.append(f"{residual_db(ffmpeg_convolved(excerpt, impulse, work, late)[late:], wanted):.1f}")
        else:
            row.append("-")
        rows.append(row)
    return table(["impulse response against the render", "phase", "channels", "SciPy, dB", "afir, dB"], rows)


def equalizer_alone(plan: MasteringPlan, frames: int, phase: str) -> MasteringPlan:
    """Return a plan with nothing but its equalizer, for so many frames."""
    return plan.model_copy(
        update={
            "mix": plan.mix.model_copy(update={"frames": frames}),
            "tone": plan.tone.model_copy(update={"phase": phase}),
            "balance": plan.balance.model_copy(update={"left_over_right_db": 0.0}),
            "level": plan.level.model_copy(update={"gain_db": 0.0}),
            "limiter": plan.limiter.model_copy(update={"enabled": False}),
            "output": plan.output.model_copy(update={"bit_depth": "64f"}),
        }
    )


def scipy_convolved(samples: Array, impulse: Path) -> Array:
    """Convolve with an impulse response of one, two or four channels."""
    response = sf.read(impulse, always_2d=True)[0].T
    if len(response) < 4:
        return np.column_stack([fftconvolve(c, r) for c, r in zip(samples.T, response, strict=True)])
    left, right = samples.T
    ll, lr, rl, rr = response
    return np.column_stack(
        [fftconvolve(left, ll) + fftconvolve(right, rl), fftconvolve(left, lr) + fftconvolve(right, rr)]
    )


def ffmpeg_convolved(excerpt: Path, impulse: Path, work: Path, late: int) -> Array:
    """Convolve with a true-stereo impulse response by FFmpeg, the own and the crossed channels apart.

    afir has a gain of its own in some versions (2 in FFmpeg 5.1): that of a unit impulse is divided out.
    """
    afir = "afir=gtype=none:precision=double"
    graph = (
        f"[0:a]apad=pad_len={late + 65536},asplit[straight][in];[in]pan=stereo|c0=c1|c1=c0[crossed];"
        "[1:a]asplit[a][b];[a]pan=stereo|c0=c0|c1=c3[own];[b]pan=stereo|c0=c2|c1=c1[across];"
        f"[straight][own]{afir}[x];[crossed][across]{afir}[y];[x][y]amix=inputs=2:normalize=0"
    )
    output, unit = work / "afir.wav", work / "unit.wav"
    response, rate = sf.read(impulse, always_2d=True)
    sf.write(unit, np.eye(len(response), 1) * [1.0, 0.0, 0.0, 1.0], rate, "FLOAT")

    def convolved(by: Path) -> Array:
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(excerpt), "-i", str(by)]
        subprocess.run([*command, "-filter_complex", graph, "-c:a", "pcm_f64le", str(output)], check=True)
        return sf.read(output, always_2d=True)[0]

    samples = sf.read(excerpt, always_2d=True)[0]
    gain = np.vdot(convolved(unit)[: len(samples)], samples) / np.vdot(samples, samples)
    return convolved(impulse) / gain


def residual_db(found: Array, wanted: Array) -> float:
    """Return the power of the difference against that of the render, in dB."""
    found = found[: len(wanted)]
    wanted = wanted[: len(found)]
    return float(10 * np.log10(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))


def choice_table(pairs: Sequence[tuple[Path, Path]]) -> str:
    """Return errors and gains of 8 bands by the constants of the fit."""
    rows = []
    curves = []
    for pair in pairs:
        plan = plan_of(pair, "balanced")
        curves.append((curve_at(plan.tone.mid, bands.BANDS_HZ), plan.output.sample_rate_hz))
    for cost, weight in itertools.product((0.0, 0.05, 0.1, 0.2), (0.1, 0.3, 1.0)):
        bands._GAIN_COST, bands._UNJUDGED_WEIGHT = cost, weight
        inside, outside, gains = [], [], []
        for curve, rate in curves:
            fit = bands.fit_bands(curve, 8, rate)
            reached = bands.BANDS_HZ / rate < 0.45
            hz = bands.BANDS_HZ[reached]
            error = bands.band_gains_db(fit.bands, hz, rate).sum(axis=0) - curve[reached]
            beyond = (hz < 40.0) | (hz > 16000.0)
            inside.append(fit.rms_error_db)
            outside.append(np.sqrt(np.mean(error[beyond] ** 2)))
            gains.append(max(abs(band.gain_db) for band in fit.bands))
        values = (np.mean(inside), max(inside), np.mean(outside), np.mean(gains))
        rows.append([f"{cost:g}", f"{weight:g}", *(f"{value:.3f}" for value in values)])
    header = ["gain cost", "weight outside", "dB RMS, mean", "worst", "outside, dB RMS", "largest gain, dB"]
    return table(header, rows)


if __name__ == "__main__":
    main()
