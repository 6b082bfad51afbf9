"""Limiters against each other: distortion on tones, and residuals on music at equal loudness and ceiling.

Every limiter is a function of (frames, channels) samples and a drive in dB. Nothing here is refmaster's but
the limiter under test: loudness and true peak are read by the judge's meters.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from judge import Array, ebur128_true_peak_dbtp, long_true_peak_dbtp, loudness_lufs, read
from runs import table
from scipy.optimize import brentq

RATE_HZ = 44100
TARGETS_LUFS, CEILING_DBTP = (-9.7, -7.0), -1.0
TONES_HZ = ((50.0,), (100.0, 1000.0), (60.0, 7000.0))
REDUCTION_DB = 6.0
MAX_DRIVE_DB = 30.0
PIECES, PIECE_S = 6, 10.0
LOUDNESS_WITHIN_LU = 0.03

Limit = Callable[[Array, float], Array]


def ours(samples: Array, drive_db: float) -> Array:
    """Limit with refmaster's defaults."""
    from refmaster.dsp.limiter import Limiter
    from refmaster.settings.limiter import LimiterSettings

    settings = LimiterSettings(ceiling_dbtp=CEILING_DBTP)
    limiter = Limiter(RATE_HZ, samples.shape[1], settings, gain_db=drive_db)
    return np.concatenate([limiter.push(samples), limiter.flush()])


def matcherings(samples: Array, drive_db: float) -> Array:
    """Limit with matchering's limiter and its defaults (44.1 kHz, sample peak 0.998)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from matchering import Config
        from matchering.limiter import limit

        return np.asarray(limit(samples * 10 ** (drive_db / 20), Config()))


def pedalboards(threshold_db: float) -> Limit:
    """Return pedalboard's Limiter (JUCE's: two compressors and a clipper at full scale).

    It makes up for its threshold and 3.75 dB more: near 0 dB its first compressor does the work, lower down
    its clipper does.
    """

    def limit(samples: Array, drive_db: float) -> Array:
        import pedalboard

        driven = (samples * 10 ** (drive_db / 20)).T.astype(np.float32)
        limiter = pedalboard.Limiter(threshold_db=threshold_db)
        return np.asarray(limiter(driven, RATE_HZ), dtype=np.float64).T

    return limit


def pedalboards_brickwall(samples: Array, drive_db: float) -> Array:
    """Limit with pedalboard's newer BrickwallLimiter, true-peak detection on; it makes up for its latency."""
    import pedalboard

    driven = (samples * 10 ** (drive_db / 20)).T.astype(np.float32)
    limiter = pedalboard.BrickwallLimiter(ceiling_db=CEILING_DBTP, true_peak=True)
    return np.asarray(limiter(driven, RATE_HZ), dtype=np.float64).T


def ffmpegs(samples: Array, drive_db: float) -> Array:
    """Limit with FFmpeg's alimiter and its times, without its own level; it makes up for its latency."""
    raw = ["-f", "f64le", "-ar", str(RATE_HZ), "-ac", str(samples.shape[1])]
    limiter = f"volume={drive_db}dB,alimiter=limit={10 ** (CEILING_DBTP / 20)}:level=0:latency=1"
    command = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-af", limiter, *raw, "-"]
    sent = np.ascontiguousarray(samples, dtype="<f8").tobytes()
    done = subprocess.run(command, input=sent, stdout=subprocess.PIPE, check=True)
    out = np.frombuffer(done.stdout, "<f8").reshape(-1, samples.shape[1])
    return np.pad(out, ((0, max(0, len(samples) - len(out))), (0, 0)))[: len(samples)]


def with_ffmpeg(limiters: dict[str, Limit]) -> dict[str, Limit]:
    """Add FFmpeg's limiter where there is one."""
    return limiters | {"ffmpeg alimiter": ffmpegs} if shutil.which("ffmpeg") else limiters


def missing() -> str:
    """Return which of the other limiters are not there, in words."""
    absent = [] if importlib.util.find_spec("pedalboard") else ["pedalboard"]
    absent += [] if shutil.which("ffmpeg") else ["ffmpeg"]
    return f"\nNot installed here, so not measured: {', '.join(absent)}." if absent else ""


def with_pedalboard(limiters: dict[str, Limit], threshold_db: float) -> dict[str, Limit]:
    """Add pedalboard's limiters: the second only where the installed version has it."""
    if importlib.util.find_spec("pedalboard") is None:
        return limiters
    import pedalboard

    limiters[f"pedalboard Limiter ({threshold_db:g} dB)"] = pedalboards(threshold_db)
    if hasattr(pedalboard, "BrickwallLimiter"):
        limiters["pedalboard BrickwallLimiter"] = pedalboards_brickwall
    return limiters


def distortion_table() -> str:
    """Return THD+N and IMD in dB of steady tones at 6 dB of limiting."""
    limiters: dict[str, Limit] = {"refmaster": ours, "matchering": matcherings}
    # Of the thresholds 0, -3, -6 and -10 dB this is where it distorts least.
    limiters = with_pedalboard(limiters, threshold_db=-3.0)
    rows = [
        [name, *(f"{distortion_db(limit, tones):.0f}" for tones in TONES_HZ)]
        for name, limit in limiters.items()
    ]
    header = [f"{REDUCTION_DB:g} dB of limiting, THD+N or IMD, dB"]
    return table([*header, *(" + ".join(f"{f:g} Hz" for f in tones) for tones in TONES_HZ)], rows)


def distortion_db(limit: Limit, tones_hz: tuple[float, ...]) -> float:
    """Return all that is not the tones, in dB re the tones, where the tones are turned down by 6 dB."""
    seconds, judged_s = 12, 2
    time = np.arange(seconds * RATE_HZ) / RATE_HZ
    parts = [f(2 * np.pi * hz * time) for hz in tones_hz for f in (np.sin, np.cos)]
    signal = sum(parts[::2]) / len(tones_hz)
    stereo = np.column_stack([signal, signal])
    late = slice(-(judged_s + 1) * RATE_HZ, -RATE_HZ)
    basis = np.column_stack([part[late] for part in parts])

    def tones_and_rest(drive_db: float) -> tuple[Array, Array]:
        out = limit(stereo, drive_db)[late, 0]
        weights = np.linalg.lstsq(basis, out, rcond=None)[0]
        return basis @ weights, out - basis @ weights

    quiet = tones_and_rest(-60.0)[0].std() * 1e3

    def excess_db(drive_db: float) -> float:
        gain = tones_and_rest(drive_db)[0].std() / (quiet * 10 ** (drive_db / 20))
        return float(-20 * np.log10(gain)) - REDUCTION_DB

    drive = brentq(excess_db, -20.0, MAX_DRIVE_DB, xtol=1e-3)
    kept, rest = tones_and_rest(float(drive))
    return float(20 * np.log10(max(rest.std(), 1e-16) / kept.std()))


@dataclass(frozen=True, kw_only=True)
class MusicResult:
    """One limiter on one piece: residuals in dB, and the loudness where the target was out of reach."""

    residual_db: float
    weighted_db: float
    noise_to_mask_db: float
    lufs: float
    target_lufs: float

    @property
    def reached(self) -> bool:
        """Whether the target loudness was reached."""
        return abs(self.lufs - self.target_lufs) <= 2 * LOUDNESS_WITHIN_LU

    @property
    def shortfall(self) -> str:
        """How far it got, in words."""
        return f"gets to {self.lufs:.1f} LUFS only"


def music_table(paths: Iterable[Path]) -> str:
    """Return the residuals at each loudness and -1 dBTP, a row per piece and limiter, means and worst."""
    pieces = {path.stem: loudest_part(path) for path in list(dict.fromkeys(paths))[:PIECES]}
    return "\n\n".join(table_at(lufs, pieces) for lufs in TARGETS_LUFS) + missing()


def table_at(target_lufs: float, pieces: dict[str, Array]) -> str:
    """Return the residuals of all limiters at one loudness."""
    limiters: dict[str, Limit] = {"refmaster": ours, "matchering": matcherings}
    # Of the same thresholds this leaves the smallest residuals: by its clipper, which the mask shows.
    limiters = with_ffmpeg(with_pedalboard(limiters, threshold_db=-6.0))
    rows: list[list[str]] = []
    found: dict[str, list[MusicResult]] = {name: [] for name in limiters}
    for piece, samples in pieces.items():
        for name, limit in limiters.items():
            result = on_music(limit, samples, target_lufs)
            found[name].append(result)
            rows.append([piece, name, *shown(result), "" if result.reached else result.shortfall])
    for name, results in found.items():
        rows += mean_rows(name, results, found["refmaster"])
    header = [f"{target_lufs:g} LUFS, {CEILING_DBTP:g} dBTP", "limiter", "residual, dB", "K-weighted, dB"]
    return table([*header, "noise to mask, dB", ""], rows)


def mean_rows(name: str, results: list[MusicResult], ours_too: list[MusicResult]) -> list[list[str]]:
    """Return mean and worst over the pieces that a limiter got there on, and refmaster's on the same ones."""
    both = [(its, own) for its, own in zip(results, ours_too, strict=True) if its.reached and own.reached]
    if not both:
        return [["mean", name, "-", "-", "-", "never got there"]]
    rows = []
    for kind, of in (("mean", mean_of), ("worst", worst_of)):
        mine = shown(of([own for _, own in both]))
        note = f"{len(both)} of {len(results)} pieces" + (
            "" if name == "refmaster" else f"; refmaster there: {', '.join(mine)}"
        )
        rows.append([kind, name, *shown(of([its for its, _ in both])), note])
    return rows


def mean_of(results: list[MusicResult]) -> MusicResult:
    """Return the mean of every measure."""
    return over(np.mean, results)


def worst_of(results: list[MusicResult]) -> MusicResult:
    """Return the highest of every measure."""
    return over(np.max, results)


def over(pool: Callable[[list[float]], Any], results: list[MusicResult]) -> MusicResult:
    """Return every measure, pooled over the pieces."""
    names = [field.name for field in fields(MusicResult)]
    return MusicResult(**{name: float(pool([getattr(r, name) for r in results])) for name in names})


def shown(result: MusicResult) -> list[str]:
    """Return the three residuals as text."""
    return [f"{v:.1f}" for v in (result.residual_db, result.weighted_db, result.noise_to_mask_db)]


def loudest_part(path: Path) -> Array:
    """Return the loudest piece of a 44.1 kHz recording, stereo, at -20 LUFS."""
    samples, rate = read(path)
    if rate != RATE_HZ:
        raise ValueError(f"{path}: expected {RATE_HZ} Hz, found {rate}")
    frames = min(len(samples), round(PIECE_S * rate))
    energy = np.concatenate([[0.0], np.cumsum((samples**2).sum(axis=1))])
    start = int(np.argmax(energy[frames::rate] - energy[:-frames:rate])) * rate
    part = samples[start : start + frames]
    return part * 10 ** ((-20.0 - loudness_lufs(part, rate)) / 20)


def on_music(limit: Limit, samples: Array, target_lufs: float) -> MusicResult:
    """Drive a limiter until its output, scaled to the ceiling, has the target loudness."""

    def mastered(drive_db: float) -> Array:
        out = limit(samples, drive_db)
        peak = max(ebur128_true_peak_dbtp(out, RATE_HZ), long_true_peak_dbtp(out, factor=4))
        return out * 10 ** ((CEILING_DBTP - peak) / 20)

    # The target less what the piece has, and 1 dB for the limiter; then secants, kept within the bracket.
    # Where even the largest drive does not get there, the loudest try is the answer.
    low, high, drive = 0.0, MAX_DRIVE_DB, target_lufs + 20.0 + 1.0
    tries: list[tuple[float, Array]] = []
    for count in range(9):
        out = mastered(drive)
        lufs = loudness_lufs(out, RATE_HZ)
        tries.append((lufs, out))
        if abs(lufs - target_lufs) <= LOUDNESS_WITHIN_LU or high - low < 0.02:
            break
        low, high = (drive, high) if lufs < target_lufs else (low, drive)
        guess = drive + 1.3 * (target_lufs - lufs)
        drive = guess if low < guess < high and count < 4 else (low + high) / 2
    lufs, out = min(tries, key=lambda found: abs(found[0] - target_lufs))
    gain = np.vdot(samples, out) / np.vdot(samples, samples)
    clean = gain * samples
    rest = out - clean
    weighted_rest, weighted = k_weighted(rest), k_weighted(out)
    return MusicResult(
        residual_db=10 * np.log10(np.sum(rest**2) / np.sum(out**2)),
        weighted_db=10 * np.log10(np.sum(weighted_rest**2) / np.sum(weighted**2)),
        noise_to_mask_db=noise_to_mask_db(clean.mean(axis=1), rest.mean(axis=1)),
        lufs=lufs,
        target_lufs=target_lufs,
    )


def k_weighted(samples: Array) -> Array:
    """Return samples through the K-weighting of BS.1770, by pyloudnorm's filters."""
    from pyloudnorm.iirfilter import IIRfilter

    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, RATE_HZ, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, RATE_HZ, "high_pass_DeMan")
    return np.column_stack([high_pass.apply_filter(shelf.apply_filter(c)) for c in samples.T])


def noise_to_mask_db(signal: Array, noise: Array, rate_hz: int = RATE_HZ) -> float:
    """Return the noise-to-mask ratio in dB, after ITU-R BS.1387 in outline.

    Half-Bark bands of 2048-point Hann frames; each masks upwards by 10 and downwards by 27 dB per Bark and
    3 dB (from 12 Bark on a quarter of a dB per Bark) below itself. The ratio is averaged over bands and
    frames as power.
    """
    size, hop = 2048, 1024
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    bark = 7.0 * np.arcsinh(hz / 650.0)
    bands = np.floor(bark * 2).astype(int)
    count = int(bands[hz < 18000.0].max()) + 1
    fold = (bands[None, :] == np.arange(count)[:, None]).astype(float)

    def band_power(x: Array) -> Array:
        frames = np.lib.stride_tricks.sliding_window_view(x, size)[::hop] * np.hanning(size)
        return np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ fold.T

    centers = (np.arange(count) + 0.5) / 2
    distance = centers[:, None] - centers[None, :]
    spread_db = np.where(distance >= 0, -10.0 * distance, 27.0 * distance)
    offset_db = np.maximum(3.0, 0.25 * centers)
    masked = band_power(signal) @ (10 ** (spread_db / 10)).T * 10 ** (-offset_db / 10)
    loud = masked.sum(axis=1) > 1e-6 * masked.sum(axis=1).max()
    filled = fold.sum(axis=1) > 0
    ratio = band_power(noise)[loud][:, filled] / masked[loud][:, filled]
    return float(10 * np.log10(ratio.mean()))
