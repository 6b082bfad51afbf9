"""A file for every delivery target from one plan, read by ffmpeg's ebur128 and by libebur128.

``python benchmarks/targets.py --music FOLDER [--songs 6] [--seconds 40] [--loud -9]``

Each song is mastered against another of the folder (or to a loudness, with ``--loud``), delivered for every
target, and each written file is read by two meters that are not refmaster's. ffmpeg tells loudness and peaks
to 0.1, so its true peak may read up to 0.05 dB too high.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import judge
import soundfile as sf
from runs import table

import refmaster
from refmaster.settings.target_files import delivery_targets
from refmaster.settings.targets import DeliveryTarget

AUDIO = {".wav", ".flac", ".aiff", ".mp3", ".ogg", ".m4a", ".opus"}


def excerpt(path: Path, folder: Path, seconds: float) -> Path:
    """Write the middle of a recording as 24 bit, at its own rate."""
    with sf.SoundFile(path) as file:
        frames = min(round(seconds * file.samplerate), file.frames)
        file.seek((file.frames - frames) // 2)
        samples, rate = file.read(frames, always_2d=True), file.samplerate
    cut = folder / f"{path.stem}.wav"
    sf.write(cut, samples[:, :2], rate, "PCM_24")
    return cut


def ffmpeg_reading(path: Path) -> tuple[float, float]:
    """Return integrated loudness in LUFS and true peak in dBTP by ffmpeg's ebur128."""
    done = subprocess.run(
        ["ffmpeg", "-nostats", "-i", str(path), "-filter_complex", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    summary = done.stderr[done.stderr.rindex("Summary:") :]
    values = [re.search(rf"{name}:\s+(-?[\d.]+|-inf)", summary) for name in ("I", "Peak")]
    loudness, peak = (float(value[1]) for value in values if value)
    return loudness, peak


def judged(result: refmaster.MasterResult, target: DeliveryTarget) -> dict[str, float | None]:
    """Return how far a file is from its target: the loudness off, and peaks over the limit."""
    path = Path(str(result.output))
    samples, rate = judge.read(path)
    lufs, peak = ffmpeg_reading(path)
    asked, limit = result.plan.promise.integrated_lufs, target.ceiling_dbtp
    kept = asked is not None and result.plan.promise.limited_by is None
    return {
        "libebur128 LU": abs(judge.loudness_lufs(samples, rate) - asked) if kept and asked else None,
        "ffmpeg LU": abs(lufs - asked) if kept and asked else None,
        "libebur128 dB": judge.ebur128_true_peak_dbtp(samples, rate) - limit,
        "ffmpeg dB": peak - limit,
        "longest filter dB": judge.long_true_peak_dbtp(samples) - limit,
        "not kept": float(not result.kept_promises),
    }


def main() -> None:
    """Print the worst of each target over the songs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--songs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--loud", type=float, default=None, help="LUFS to master to, in place of a reference")
    parser.add_argument(
        "--codecs", action="store_true", help="also hold the ceiling behind each target's codecs"
    )
    arguments = parser.parse_args()
    songs = sorted(path for path in arguments.music.rglob("*") if path.suffix.lower() in AUDIO)
    songs = songs[:: max(1, len(songs) // arguments.songs)][: arguments.songs]
    targets = list(delivery_targets().values())
    if not arguments.codecs:
        targets = [target.model_copy(update={"codecs": ()}) for target in targets]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cuts = [excerpt(song, folder, arguments.seconds) for song in songs]
        for number, mix in enumerate(cuts):
            reference = [] if arguments.loud is not None else cuts[number - 1]
            settings = refmaster.MatchSettings(target_lufs=arguments.loud)
            derived = refmaster.plan_file(mix, reference, settings)
            for target, result in zip(targets, refmaster.deliver(derived, targets, folder), strict=True):
                for name, value in judged(result, target).items():
                    if value is not None:
                        found[target.name][name].append(value)
                Path(str(result.output)).unlink()
    columns = ("libebur128 LU", "ffmpeg LU", "libebur128 dB", "ffmpeg dB", "longest filter dB")
    rows = [
        [
            name,
            *(f"{max(values[column]):+.3f}" if values[column] else "-" for column in columns),
            f"{sum(values['not kept']):.0f} of {len(values['not kept'])}",
        ]
        for name, values in found.items()
    ]
    print(f"{len(songs)} songs, {arguments.seconds:g} s; worst of each target: LU off, dB over the limit")
    print(table(["target", *columns, "promises not kept"], rows))


if __name__ == "__main__":
    main()
