"""Findings on what is steady beneath the music: noise and hum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from refmaster.check.findings import Finding, warning
from refmaster.meters.noise import OCTAVES_HZ, Hum, HumLine, Noise
from refmaster.profile.model import Profile
from refmaster.units import db_to_power, power_to_db

# Averaged over 16 frames, steady noise has a flatness of 0.95 and more in each octave; of 28 recordings none
# that is not noise has three octaves beside each other above 0.9.
NOISE_FLATNESS = 0.9
NOISE_OCTAVES = 3
NOISE_FRAMES = 8
# Against the mix's loudness: mastering brings it up with the music.
LOUDEST_NOISE_DB, LOUDEST_HUM_DB = -45.0, -55.0
# What is no further down is not beneath the music, but part of it.
NOT_MUSIC_DB = -25.0
# A line this near to a multiple of the mains is one; the notes nearest to them are 0.9 Hz away and more.
LINE_WITHIN_HZ = 0.4
LINE_ABOVE_DB = 6.0
HUM_LINES = 2


def inspect_noise(mix: Profile) -> list[Finding]:
    """Return the findings on a mix's noise floor and hum; none where they were not measured."""
    if mix.faults is None or mix.levels.integrated_lufs is None:
        return []
    loudness = mix.levels.integrated_lufs
    return [*_noise(mix.faults.noise, loudness), *_hum(mix.faults.hum, loudness)]


def _noise(noise: Noise, loudness: float) -> Iterable[Finding]:
    first, count = _longest_run([value >= NOISE_FLATNESS for value in noise.flatness])
    if noise.frames < NOISE_FRAMES or count < NOISE_OCTAVES:
        return
    level = power_to_db(float(db_to_power(np.array(noise.octaves_dbfs[first : first + count])).sum()))
    if not LOUDEST_NOISE_DB < level - loudness < NOT_MUSIC_DB:
        return
    band = (round(OCTAVES_HZ[first] / 2**0.5), round(OCTAVES_HZ[first + count - 1] * 2**0.5))
    yield warning(
        "mix_noisy",
        f"the mix's quietest passages hold steady noise at {level:.0f} dBFS ({band[0]}-{band[1]} Hz), "
        f"{loudness - level:.0f} dB below its loudness",
        "mute tracks where they do not play, or clean the recording that hisses",
        band_hz=(float(band[0]), float(band[1])),
        value=round(level - loudness, 1),
        limit=LOUDEST_NOISE_DB,
        unit="dB against its loudness",
    )


def _longest_run(flags: Sequence[bool]) -> tuple[int, int]:
    """Return where the longest run of true values begins, and how long it is."""
    best, start = (0, 0), 0
    for place, flag in enumerate(flags):
        start = start if flag else place + 1
        best = max(best, (place + 1 - start, -start))
    return -best[1], best[0]


def _hum(hum: Hum, loudness: float) -> Iterable[Finding]:
    for mains_hz, lines in ((50.0, hum.mains_50_hz), (60.0, hum.mains_60_hz)):
        found = mains_lines(mains_hz, lines)
        level = max((line.level_dbfs for line in found), default=-np.inf)
        if level - loudness > LOUDEST_HUM_DB:
            said = ", ".join(f"{line.frequency_hz:.0f}" for line in found[:4])
            yield warning(
                "mix_hum",
                f"the mix hums at {said} Hz all through, at {level:.0f} dBFS ({mains_hz:.0f} Hz mains)",
                "look for a cable, an amplifier or a recording that hums; filter it there",
                band_hz=(found[0].frequency_hz, found[-1].frequency_hz),
                value=round(level - loudness, 1),
                limit=LOUDEST_HUM_DB,
                unit="dB against its loudness",
            )
            return


def mains_lines(mains_hz: float, lines: Sequence[HumLine]) -> list[HumLine]:
    """Return the lines that are multiples of the mains: two and more, one of them low."""
    near = {
        number: line
        for number, line in enumerate(lines, 1)
        if abs(line.frequency_hz - number * mains_hz) <= LINE_WITHIN_HZ and line.above_db >= LINE_ABOVE_DB
    }
    return list(near.values()) if len(near) >= HUM_LINES and near.keys() & {1, 2} else []
