"""Codec safety: what lossy codecs add to masters at -9 LUFS, and what it costs to keep it below the ceiling.

    python benchmarks/codecs.py --music FOLDER --songs 'rawmix_*.flac'
    python benchmarks/codecs.py --music FOLDER --songs '*.ogg' --coders

Each song (an excerpt of it) is mastered to -9 LUFS and -1 dBTP twice: with a fixed ceiling, and made safe
for all codecs. Both masters are encoded and decoded; libebur128 and Fourier interpolation read the true
peaks, not refmaster's meter. With ``--others`` the encoders of an ffmpeg on the PATH encode them too, which
refmaster did not hear. ``--coders`` compares the searches of ffmpeg's AAC encoder instead.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from judge import ebur128_true_peak_dbtp, long_true_peak_dbtp, loudness_lufs
from runs import table

from refmaster import MatchSettings, master_file
from refmaster.io import codecs as io_codecs
from refmaster.io.open import open_audio
from refmaster.io.pyav import PyavAacWriter
from refmaster.rendering import codec_safety
from refmaster.settings.codecs import Codec

CODECS = ("mp3:128", "mp3:192", "mp3:320", "vorbis:q5", "opus:96", "aac:128", "aac:256")
LUFS, CEILING_DBTP = -9.0, -1.0
_FFMPEG = {"mp3": "libmp3lame", "vorbis": "libvorbis", "opus": "libopus", "aac": "aac"}
_SUFFIX = {"mp3": "mp3", "vorbis": "ogg", "opus": "opus", "aac": "m4a"}
_SEARCHES = {
    "twoloop (ffmpeg's default)": {"aac_coder": "twoloop"},
    "fast": {"aac_coder": "fast"},
    "fast, no intensity stereo": {"aac_coder": "fast", "aac_is": "0"},
}
Samples = np.ndarray[Any, np.dtype[np.float64]]


def excerpts(folder: Path, pattern: str, seconds: float, into: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and a file of each song: `seconds` from its middle, 6 dB down."""
    for song in sorted(folder.glob(pattern)):
        if "_stem_" in song.name:
            continue
        held = sf.info(song)
        frames = min(round(seconds * held.samplerate), held.frames)
        samples, rate = sf.read(song, start=(held.frames - frames) // 2, frames=frames, always_2d=True)
        sf.write(into / "mix.wav", samples / 2, rate, "PCM_24")
        yield song.stem, into / "mix.wav"


class CountedRuns:
    """Masters of one mix, with the CPU time and the runs of encoders that each took."""

    def __init__(self) -> None:
        self.encoded = 0

    def master(self, mix: Path, output: Path, codecs: tuple[str, ...]) -> tuple[Any, float]:
        """Return the result of a master and its CPU time in s; `encoded` counts on."""
        decode = io_codecs.decoded

        def counted(*arguments: Any) -> Any:
            self.encoded += 1
            return decode(*arguments)

        codec_safety.decoded = counted
        started = time.process_time()
        settings = MatchSettings(target_lufs=LUFS, ceiling_dbtp=CEILING_DBTP)
        result = master_file(mix, [], output, settings, codecs=codecs, overwrite=True)
        codec_safety.decoded = decode
        return result, time.process_time() - started


def excess_db(master: Path, codec: str, folder: Path) -> tuple[float, float]:
    """Return how far a decoded master is over the ceiling, by libebur128 and by Fourier interpolation."""
    source = io_codecs.decoded(open_audio(master), Codec.parse(codec), folder)
    samples = np.concatenate(list(source.blocks())).astype(np.float64)
    peak = ebur128_true_peak_dbtp(samples, source.format.sample_rate_hz)
    return peak - CEILING_DBTP, long_true_peak_dbtp(samples) - CEILING_DBTP


def excess_by_ffmpeg_db(master: Path, codec: str, folder: Path) -> float:
    """Return the excess by libebur128 where ffmpeg's own libraries encode and decode."""
    kind, _, rate = codec.partition(":")
    quality = ["-q:a", rate[1:]] if kind == "vorbis" else ["-b:a", f"{rate}k"]
    resampled = ["-af", "aresample=48000:resampler=soxr"] if kind == "opus" else []
    encoded = folder / f"other.{_SUFFIX[kind]}"
    start = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i"]
    subprocess.run(
        [*start, str(master), *resampled, "-c:a", _FFMPEG[kind], *quality, str(encoded)], check=True
    )
    subprocess.run([*start, str(encoded), "-c:a", "pcm_f32le", str(folder / "other.wav")], check=True)
    samples, hz = sf.read(folder / "other.wav", always_2d=True)
    return ebur128_true_peak_dbtp(samples, hz) - CEILING_DBTP


def compare(music: Path, pattern: str, seconds: float, *, others: bool) -> None:
    """Print the excess of each codec with a fixed ceiling and with a safe one, and its cost."""
    found: dict[str, dict[str, list[float]]] = {c: {} for c in CODECS}
    costs: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name, contextlib.suppress(KeyboardInterrupt):
        folder = Path(name)
        for song, mix in excerpts(music, pattern, seconds, folder):
            runs = CountedRuns()
            fixed, fixed_s = runs.master(mix, folder / "fixed.wav", ())
            safe, safe_s = runs.master(mix, folder / "safe.wav", CODECS)
            for codec in CODECS:
                for kind in ("fixed", "safe"):
                    short, fourier = excess_db(folder / f"{kind}.wav", codec, folder)
                    found[codec].setdefault(kind, []).append(short)
                    found[codec].setdefault(f"{kind} Fourier", []).append(fourier)
                    if others:
                        other = excess_by_ffmpeg_db(folder / f"{kind}.wav", codec, folder)
                        found[codec].setdefault(f"{kind} others", []).append(other)
            samples, rate = sf.read(folder / "safe.wav", always_2d=True)
            costs.append(
                [
                    song[:30],
                    f"{safe.plan.limiter.ceiling_dbtp:.2f}",
                    f"{max(found[c]['fixed'][-1] for c in CODECS):+.2f}",
                    f"{max(found[c]['safe'][-1] for c in CODECS):+.2f}",
                    f"{safe.limiter.max_gain_reduction_db - fixed.limiter.max_gain_reduction_db:.1f}",
                    f"{safe.limiter.mean_gain_reduction_db - fixed.limiter.mean_gain_reduction_db:.1f}",
                    f"{fixed.master.levels.integrated_lufs:.2f}",
                    f"{loudness_lufs(samples, rate):.2f}",
                    f"{safe.renders}",
                    f"{runs.encoded}",
                    f"{fixed_s:.1f}",
                    f"{safe_s:.1f}",
                ]
            )
            print(*costs[-1], flush=True)
    header = "song, limiter dBTP, over (fixed), over (safe), more limiting dB, on average dB, "
    header += "LUFS fixed, LUFS safe, renders, encoder runs, CPU s fixed, CPU s safe"
    print(table(header.split(", "), costs))
    columns = ["codec"]
    for kind in next(iter(found.values())):
        columns += [f"{kind}: over", "median dB", "worst dB"]
    rows = []
    for codec, kinds in found.items():
        row = [codec]
        for values in kinds.values():
            over = sum(value > 0.0 for value in values)
            row += [f"{over} of {len(values)}", f"{np.median(values):+.2f}", f"{max(values):+.2f}"]
        rows.append(row)
    print(table(columns, rows))


def noise_db(samples: Samples, decoded: Samples) -> float:
    """Return the mean over bands and time of the error against the signal, in dB (2048-point Hann frames)."""
    edges = np.geomspace(4, 1000, 25).astype(int)
    power = []
    for signal in (decoded - samples, samples):
        frames = signal[: len(signal) // 2048 * 2048, 0].reshape(-1, 2048) * np.hanning(2048)
        bins = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        power.append(np.add.reduceat(bins, edges, axis=1)[:, :-1])
    return float(10 * np.log10((power[0] + 1e-12) / (power[1] + 1e-9)).mean())


def compare_coders(music: Path, pattern: str, seconds: float) -> None:
    """Print how noisy the searches of ffmpeg's AAC encoder are, and how far single peaks stand out."""
    found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for song, mix in excerpts(music, pattern, seconds, folder):
            CountedRuns().master(mix, folder / "fixed.wav", ())
            samples, rate = sf.read(folder / "fixed.wav", always_2d=True)
            for search, options in _SEARCHES.items():
                for kbps in (128, 192, 256):
                    path = folder / "coder.m4a"
                    muxer = {"movie_timescale": str(rate)}
                    writer = PyavAacWriter(path, rate, samples.shape[1], kbps, options, muxer)
                    writer.write(samples.astype(np.float32))
                    writer.close()
                    decoded = np.concatenate(list(open_audio(path).blocks())).astype(np.float64)
                    frames = np.abs(decoded[: len(decoded) // 1024 * 1024]).max(axis=1).reshape(-1, 1024)
                    peaks = 20 * np.log10(np.sort(frames.max(axis=1)))
                    found.setdefault((search, kbps), []).append(
                        (
                            noise_db(samples, decoded),
                            peaks[-1] - CEILING_DBTP,
                            peaks[-1] - peaks[-4],
                            path.stat().st_size * 8e-3 * rate / len(samples),
                        )
                    )
            print(song, flush=True)
    rows = []
    for (search, kbps), values in sorted(found.items(), key=lambda item: item[0][1]):
        noise, over, single, rates = np.array(values).T
        rows.append(
            [
                f"{kbps} {search}",
                f"{rates.mean():.0f}",
                f"{noise.mean():.1f}",
                f"{np.median(over):+.2f}",
                f"{over.max():+.2f}",
                f"{single.mean():.2f}",
                f"{single.max():.2f}",
            ]
        )
    print(table(["kbit/s, search", "real kbit/s", "noise dB", "over: median dB", "worst dB",
                 "peak over the 4th highest frame: mean dB", "worst dB"], rows))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--songs", default="*.*")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--coders", action="store_true")
    asked = parser.parse_args()
    if asked.coders:
        compare_coders(asked.music, asked.songs, asked.seconds)
    else:
        compare(asked.music, asked.songs, asked.seconds, others=asked.others)
