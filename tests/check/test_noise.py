"""Findings on noise floor and hum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refmaster.check.findings import Finding
from tests.check.made_audio import RATE_HZ, Samples, mix, only, profile, song

Case = Callable[[Path], list[Finding]]


def with_pause(below: Samples) -> Samples:
    """A song that stops from 6 to 11 s, with something steady beneath it all."""
    samples = song(16.0)
    samples[6 * RATE_HZ : 11 * RATE_HZ] = 0.0
    return samples + below


def hiss(below_loudness_db: float) -> Samples:
    """A song with white noise so far below its loudness."""
    loudness = profile(with_pause(np.zeros((16 * RATE_HZ, 2)))).levels.integrated_lufs
    assert loudness is not None
    noise = np.random.default_rng(2).standard_normal((16 * RATE_HZ, 2))
    octaves = np.sqrt(
        (8000.0 * 2**0.5 - 125.0 / 2**0.5) / (RATE_HZ / 2)
    )  # what the judged octaves hold of it
    return with_pause(noise / octaves * 10 ** ((loudness - below_loudness_db) / 20))


def hum(mains_hz: float, dbfs: float, harmonics: tuple[float, ...] = (1.0, 0.5, 0.6)) -> Samples:
    """A steady hum of some harmonics."""
    time_s = np.arange(16 * RATE_HZ) / RATE_HZ
    wave = sum(a * np.sin(2 * np.pi * k * mains_hz * time_s) for k, a in enumerate(harmonics, 1))
    return np.repeat(10 ** (dbfs / 20) * np.sqrt(2) * np.asarray(wave)[:, None], 2, axis=1)


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings} - {"mix_silence"}


CASES: dict[str, tuple[Case, Case]] = {
    "mix_noisy": (lambda _: mix(hiss(44.0)), lambda _: mix(hiss(46.0))),
    "mix_hum": (
        lambda _: mix(with_pause(hum(50.0, -60.0))),
        lambda _: mix(with_pause(hum(51.0, -60.0))),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = (codes(case(tmp_path)) for case in CASES[code])
    assert provoked - near_miss == {code}


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_is_told_with_its_lines_and_level(mains_hz: float) -> None:
    found = only(mix(with_pause(hum(mains_hz, -55.0))), "mix_hum")
    assert found.band_hz == pytest.approx((mains_hz, 3 * mains_hz), abs=0.4)
    loudness = profile(with_pause(hum(mains_hz, -55.0))).levels.integrated_lufs
    assert loudness is not None
    assert found.value == pytest.approx(-55.0 - loudness, abs=1.0)
    assert f"{mains_hz:.0f} Hz mains" in found.message


def test_a_bass_is_no_hum() -> None:
    """G1 with its harmonics (49.0, 98.0, 147.0 Hz), held, and 50 Hz that comes and goes."""
    assert codes(mix(with_pause(hum(48.999, -50.0)))) == set()
    coming_and_going = hum(50.0, -50.0)
    coming_and_going[RATE_HZ : 15 * RATE_HZ] = 0.0
    assert codes(mix(with_pause(coming_and_going))) == set()


def test_the_noise_of_the_music_itself_is_no_noise_floor() -> None:
    assert mix(song()) == []


def test_noise_is_told_with_its_band_and_level() -> None:
    found = only(mix(hiss(35.0)), "mix_noisy")
    assert found.value == pytest.approx(-35.0, abs=1.0)
    assert found.band_hz is not None
    assert found.band_hz[0] < 1000.0 < 4000.0 < found.band_hz[1]
