"""Findings on levels, on audio whose faults were measured: clipping, overs, limiting, headroom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refmaster.check.findings import Finding
from tests.check.made_audio import RATE_HZ, Samples, at_peak, mix, only, song

Case = Callable[[Path], list[Finding]]


def clipped(count: int, *, top: float = 0.3, channel: int = 0) -> Samples:
    """A song with waves of 100 Hz that are clipped at a level, half a second apart."""
    samples = song(12.0)
    wave = 1.2 * top * np.sin(2 * np.pi * 100.0 * np.arange(441) / RATE_HZ)[:221]
    for number in range(count):
        start = round((0.5 + 0.5 * number) * RATE_HZ)
        samples[start : start + len(wave)] = 0.0
        samples[start : start + len(wave), channel] = np.clip(wave, -top, top)
    return samples


def burst(gain: float) -> Samples:
    """A song with a burst at a quarter of the sample rate, whose peaks lie between its samples."""
    samples = song()
    n = np.arange(400)
    wave = np.sin(np.pi / 4 + np.pi / 2 * n) * np.hanning(400)
    samples[3 * RATE_HZ :][:400] = gain * wave[:, None]
    return samples


def piled_up(share: float) -> Samples:
    """A song of whose peaks in the highest 6 dB this share is in the highest 1 dB."""
    samples = song(24.0)
    hop = RATE_HZ // 50
    whole = len(samples) // hop * hop
    hops = samples[:whole].reshape(-1, hop, 2)
    peaks = np.abs(hops).max(axis=(1, 2), keepdims=True)
    high = peaks > np.median(peaks)
    even = np.linspace(0.0, 1.0, peaks.size).reshape(peaks.shape)
    below_db = 8.0 * np.random.default_rng(3).permutation(even) ** (np.log(1 / 6) / np.log(share))
    wanted = 0.5 * 10 ** (-below_db / 20)
    low = np.minimum(1.0, 0.5 * 10 ** (-8.0 / 20) / np.maximum(peaks, 1e-9))
    hops *= np.where(high, wanted / np.maximum(peaks, 1e-9), low)
    return samples


CASES: dict[str, tuple[Case, Case]] = {
    "mix_over": (lambda _: mix(burst(1.01)), lambda _: mix(burst(0.99))),
    "mix_limited": (lambda _: mix(piled_up(0.12)), lambda _: mix(piled_up(0.08))),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}


@pytest.mark.parametrize("top", [0.999, 0.3])
def test_clipping_is_found_with_its_times_and_channel_at_any_level(top: float) -> None:
    found = only(mix(clipped(10, top=top, channel=1)), "mix_clipped")
    assert found.severity == "warning"
    assert found.channel == "right"
    assert found.times_s == pytest.approx([0.5 + 0.5 * n for n in range(10)], abs=0.01)
    assert (found.value, found.limit, found.unit) == (10.0, 10.0, "flat tops")
    assert "mix_clipped" not in {f.code for f in mix(clipped(9, top=top))}


def test_a_square_wave_and_a_slow_wave_are_not_clipped() -> None:
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    for wave in (np.sign(np.sin(2 * np.pi * 110.3 * time_s)), np.sin(2 * np.pi * 20.0 * time_s)):
        samples = np.round(0.5 * np.column_stack([wave, wave]) * 32767) / 32768
        assert "mix_clipped" not in {f.code for f in mix(samples)}


def test_an_over_between_samples_has_its_time_and_level() -> None:
    samples = burst(1.2)
    assert np.abs(samples).max() < 1.0
    found = only(mix(samples), "mix_over")
    assert found.times_s == (3.0,)
    assert found.value == pytest.approx(20 * np.log10(1.2), abs=0.1)
    assert found.limit == 0.0


def test_headroom_and_dc_say_how_much_and_where() -> None:
    hot = only(mix(at_peak(song(), -3.0)), "mix_hot")
    assert (hot.severity, hot.value, hot.limit, hot.unit) == ("info", -3.0, -6.0, "dBFS")
    dc = only(mix(song() + np.array([0.0, 0.004])), "mix_dc")
    assert dc.channel == "right"
    assert dc.value == pytest.approx(0.004, abs=2e-4)
