"""The click meter finds what was put in, at its place, and nothing in sounds that only resemble clicks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from refmaster.meters.clicks import MAX_ROWS, ClickMeter, ClickResult

RATE_HZ = 44100
Samples = NDArray[np.floating]


def found(samples: Samples, rate: int = RATE_HZ, cut: int = 0) -> ClickResult:
    samples = samples[:, np.newaxis] if samples.ndim == 1 else samples
    meter = ClickMeter(rate, samples.shape[1])
    cut = cut or max(1, len(samples))
    for at in range(0, len(samples), cut):
        meter.update(np.asfortranarray(samples[at : at + cut]))
    return meter.result()


def time(seconds: float = 3.0, rate: int = RATE_HZ) -> Samples:
    return np.arange(round(seconds * rate)) / rate


def pink(seconds: float = 3.0, rate: int = RATE_HZ) -> Samples:
    """Pink noise in two channels at 0.1."""
    frames = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal((frames, 2)), axis=0)
    hz = np.fft.rfftfreq(frames, 1 / rate)
    samples = np.fft.irfft(spectrum / np.maximum(hz, 20.0)[:, np.newaxis], frames, axis=0)
    return 0.1 * samples / samples.std()


def square(hz: float) -> Samples:
    return np.where(time() * hz % 1.0 < 0.5, 0.3, -0.3)


def pulse(hz: float, duty: float) -> Samples:
    return np.where(time() * hz % 1.0 < duty, 0.3, -0.3)


def drums() -> Samples:
    """A noise burst with a hard beginning and a kick, twice a second."""
    t = time() % 0.5
    noise = np.random.default_rng(4).standard_normal(len(t))
    return 0.3 * noise * np.exp(-t / 0.03) + 0.5 * np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.1)


def notes() -> Samples:
    """Sines that begin and end without a fade, at any phase."""
    t = time()
    return 0.4 * np.sin(2 * np.pi * 311 * t) * (t % 0.37 < 0.21)


def plosives() -> Samples:
    """Low bursts that die within 20 ms, over a hum."""
    t = time() % 0.4
    burst = np.random.default_rng(5).standard_normal(len(t)) * (t < 0.02) * np.exp(-t / 0.008)
    return 0.05 * np.sin(2 * np.pi * 150 * time()) + 0.4 * np.convolve(burst, np.hanning(32) / 16, "same")


CLEAN: dict[str, Samples] = {
    "silence": np.zeros(RATE_HZ),
    "constant": np.full(RATE_HZ, 0.5),
    "sine": 0.5 * np.sin(2 * np.pi * 997 * time()),
    "high sine": 0.5 * np.sin(2 * np.pi * 15000 * time()),
    "half the rate": 0.5 * (-1.0) ** np.arange(RATE_HZ),
    "square 55 Hz": square(55.0),
    "square 440 Hz": square(440.0),
    "pulse 12 %": pulse(110.0, 0.125),
    "saw 40 Hz": 0.6 * (time() * 40 % 1.0) - 0.3,
    "white noise": np.random.default_rng(1).uniform(-1.0, 1.0, 3 * RATE_HZ),
    "pink noise": pink(),
    "drums": drums(),
    "notes": notes(),
    "plosives": plosives(),
    "last bit": np.random.default_rng(1).integers(0, 500, 3 * RATE_HZ).clip(0, 1) / 32768 - 1 / 32768,
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_clicks_in_clean_sounds(name: str) -> None:
    assert found(CLEAN[name]).count == 0


def test_no_clicks_in_music(finished_music: tuple[Path, ...], example_mix: Path) -> None:
    for path in (*finished_music, example_mix):
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
        assert found(samples, rate).count == 0


def clicked() -> Samples:
    """Pink noise with an impulse, an offset and a burst, each of 0.5."""
    samples = pink()
    samples[30000, 0] += 0.5
    samples[60000:60030, 1] -= 0.5
    burst = np.random.default_rng(3).standard_normal(12) * np.exp(-np.arange(12) / 6)
    samples[90000:90012, 0] += 0.5 * burst / np.abs(burst).max()
    return samples


def test_clicks_are_found_where_they_are() -> None:
    result = found(clicked())
    assert result.count == 3
    wanted = ((30000, 1, 0), (60000, 30, 1), (90000, 12, 0))
    for (start, frames, channel, height_db), (at, length, where) in zip(result.rows, wanted, strict=True):
        assert channel == where
        assert at - 4 <= start <= at + 1
        assert at + length - 4 <= start + frames <= at + length + 4
        level = np.sqrt(np.mean(pink()[at - 441 : at + length + 441, channel] ** 2))
        assert abs(height_db - 20 * np.log10(0.5 / level)) < 1.5


def test_clicks_in_music_are_found(finished_music: tuple[Path, ...]) -> None:
    samples, rate = sf.read(finished_music[0], dtype="float64", always_2d=True)
    places = range(rate, len(samples) - rate, rate)
    for at in places:
        level = np.sqrt(np.mean(samples[at - 441 : at + 441, 0] ** 2))
        samples[at : at + 2, 0] += 4 * level
    rows = found(samples, rate).rows
    hits = sum(any(start <= at < start + frames for start, frames, _, _ in rows) for at in places)
    assert hits >= 0.9 * len(places)
    assert len(rows) == hits


@pytest.mark.parametrize("rate", [4000, 8000, 44100, 96000, 192000])
def test_an_impulse_is_found_at_any_rate(rate: int) -> None:
    samples = 0.3 * np.sin(2 * np.pi * 200 * time(1.0, rate))
    assert found(samples, rate).count == 0
    samples[rate // 2] += 0.6
    ((start, frames, channel, _),) = found(samples, rate).rows
    assert channel == 0
    assert start <= rate // 2 < start + frames <= rate // 2 + 4


@pytest.mark.parametrize("cut", [997, 16384, 65536])
def test_blocks_do_not_matter(cut: int) -> None:
    assert found(clicked(), cut=cut) == found(clicked())


def test_swapped_channels_give_swapped_rows() -> None:
    swapped = found(clicked()[:, ::-1])
    assert [(a, b, 1 - c, h) for a, b, c, h in swapped.rows] == list(found(clicked()).rows)


@pytest.mark.parametrize("gain", [0.01, 1.0, 8.0])
def test_the_level_does_not_matter(gain: float) -> None:
    assert [row[:3] for row in found(gain * clicked()).rows] == [row[:3] for row in found(clicked()).rows]


def test_only_the_highest_are_kept() -> None:
    samples = 0.1 * np.sin(2 * np.pi * 100 * time(26.0))
    places = 2000 + 4410 * np.arange(250)
    samples[places] += np.linspace(1.0, 2.0, 250)
    result = found(samples)
    assert result.count == 250
    assert len(result.rows) == MAX_ROWS
    assert [row[0] <= at < row[0] + row[1] for row, at in zip(result.rows, places[50:], strict=True)] == (
        [True] * MAX_ROWS
    )


Maker = Callable[[int], Samples]
HOSTILE: dict[str, Maker] = {
    "silence": np.zeros,
    "constant": lambda frames: np.full(frames, 1000.0),
    "noise": lambda frames: np.random.default_rng(1).uniform(-1, 1, frames),
    "impulse": lambda frames: np.eye(1, frames, frames // 2)[0],
    "impulses": lambda frames: (np.arange(frames) % 97 == 0).astype(float),
    "edge": lambda frames: np.where(np.arange(frames) < frames // 2, 1.0, -1.0),
}


@given(
    kind=st.sampled_from(sorted(HOSTILE)),
    frames=st.sampled_from([0, 1, 2, 15, 17, 700, 1500, 9000]),
    rate=st.sampled_from([4000, 11025, 48000, 192000]),
    gain=st.sampled_from([1e-9, 1.0, 1e3]),
)
def test_hostile_signals(kind: str, frames: int, rate: int, gain: float) -> None:
    line = gain * HOSTILE[kind](frames)
    result = found(np.column_stack([line, -line]), rate)
    assert result.count == len(result.rows)
    for start, length, _, height_db in result.rows:
        assert 0 <= start < start + length <= frames
        assert np.isfinite(height_db)
