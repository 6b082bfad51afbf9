"""Playback translation against filtered audio, what its and vinyl's checks say of music, and the mono filter.

Run it from the checkout; the tables are Markdown::

    python benchmarks/playback.py --music FOLDER

Predicted changes of loudness (read off profiles) are compared with libebur128 on audio that was really
filtered. Of finished recordings (raw mixes and stems not) it prints the mean and standard deviation that the
files in configs/playback state, and which of them would pass the limit of `playback_loss` if it were set from
the others alone. Codes in the last table are findings without their prefix; those in brackets only explain.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from evidence import finished_recordings
from judge import loudness_lufs, read
from runs import table

from refmaster import Profile
from refmaster.check.playback import LOSS_SDS, judge_playback
from refmaster.check.vinyl import inspect_vinyl
from refmaster.dsp.curves import with_mono_below
from refmaster.dsp.fir import FirEqualizer, design_linear_phase
from refmaster.io.recordings import recordings_in
from refmaster.matching.playback import translate
from refmaster.profile.cache import cached_profile
from refmaster.rendering.playback import playback_taps
from refmaster.settings.playback import PlaybackSystem, playback_systems

RATES_HZ = (44100, 48000, 96000, 192000)
MONO_HZ = (40.0, 100.0, 150.0, 250.0, 500.0)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    options = parser.parse_args()
    print(mono_table(), flush=True)
    files = recordings_in([options.music])
    profiles = {file: cached_profile(file) for file in files}
    finished = set(finished_recordings(options.music))
    print("\n" + findings_table(profiles), flush=True)
    print("\n" + limits_table([p for f, p in profiles.items() if f in finished]), flush=True)
    print("\n" + prediction_table(profiles), flush=True)


def mono_table() -> str:
    """Return the response of the filter that removes the side below a frequency, the worst over the rates."""
    rows = []
    for cut_hz in MONO_HZ:
        half, at, above, span_ms = [], [], [], []
        for rate in RATES_HZ:
            hz, gains = zip(*with_mono_below((), cut_hz, rate / 2), strict=True)
            taps = design_linear_phase(hz, gains, rate)
            size = 1 << 20
            found = 20 * np.log10(np.abs(np.fft.rfft(taps, size)) + 1e-12)
            grid = np.fft.rfftfreq(size, 1 / rate)
            half.append(found[grid <= cut_hz / 2].max())
            at.append(found[np.argmin(np.abs(grid - cut_hz))])
            above.append(np.abs(found[grid >= 1.5 * cut_hz]).max())
            middle = (len(taps) - 1) // 2
            rest = np.cumsum(taps[:middle] ** 2) / np.sum(taps[:middle] ** 2)
            span_ms.append(1000 * (middle - np.searchsorted(rest, 0.001)) / rate)
            assert np.array_equal(taps, taps[::-1])  # symmetric: the delay that is compensated is exact
        rows.append(
            [f"{cut_hz:g}", f"{max(half):.1f}", f"{min(at):.2f}", f"{max(above):.3f}", f"{max(span_ms):.0f}"]
        )
    return table(
        ["Hz", "up to half of it, dB", "at it, dB", "from 1.5 times it, dB off", "pre-echo, ms"], rows
    )


def findings_table(profiles: dict[Path, Profile]) -> str:
    """Return what the checks of vinyl and playback say of each recording."""
    rows = []
    for file, profile in profiles.items():
        vinyl, playback = inspect_vinyl(profile), judge_playback(translate(profile))
        told = [f.code.partition("_")[2] if f.severity != "info" else f"({f.code.partition('_')[2]})"
                for f in (*vinyl, *playback)]  # fmt: skip
        rows.append([file.stem, ", ".join(told) or "-"])
    return table(["recording", "findings"], rows)


def limits_table(profiles: list[Profile]) -> str:
    """Return what each system does to the loudness of finished recordings."""
    changes = np.array([[t.change_lu for t in translate(profile)] for profile in profiles])
    rows = []
    for system, found in zip(playback_systems(), changes.T, strict=True):
        beyond = 0
        for place in range(len(found)):
            others = np.delete(found, place)
            beyond += found[place] < others.mean() - LOSS_SDS * others.std(ddof=1)
        rows.append(
            [
                system.name,
                f"{found.mean():+.1f}",
                f"{found.std(ddof=1):.1f}",
                f"{found.min():+.1f}",
                f"{found.max():+.1f}",
                f"{beyond} of {len(found)}",
            ]
        )
    return table(["system", "mean LU", "sd LU", "lowest", "highest", "beyond the limit of the others"], rows)


def prediction_table(profiles: dict[Path, Profile]) -> str:
    """Return how far predicted changes of loudness are from those of filtered audio."""
    errors = []
    for file, profile in profiles.items():
        samples, rate = read(file)
        before = loudness_lufs(samples, rate)
        errors.append(
            [
                t.change_lu - (loudness_lufs(played(samples, rate, t.system), rate) - before)
                for t in translate(profile)
            ]
        )
    found = np.array(errors)
    rows = [
        [
            system.name,
            f"{np.sqrt(np.mean(off**2)):.2f}",
            f"{np.abs(off).max():.2f}",
            f"{np.mean(np.abs(off) <= 0.2):.0%}",
        ]
        for system, off in zip(playback_systems(), found.T, strict=True)
    ]
    return table(["system", "LU RMS", "worst", "within 0.2 LU"], rows)


def played(samples: np.ndarray, rate: int, system: PlaybackSystem) -> np.ndarray:
    """Return samples as a system plays them."""
    mid, side = playback_taps(system, rate)
    stereo = samples.shape[1] == 2
    kernel = FirEqualizer(samples.shape[1], mid, side if stereo else None, delay_frames=0)
    return np.concatenate([kernel.push(samples), kernel.flush()])


if __name__ == "__main__":
    main()
