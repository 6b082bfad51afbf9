"""The meters of faults: any blocks give the same, hostile audio gives numbers, lists are bounded."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.io.source import ArraySource
from refmaster.meters.noise import NoiseMeter
from refmaster.meters.spectrum import SpectrumMeter
from refmaster.meters.tops import MAX_LEVELS, MAX_TIMES, TopMeter
from refmaster.profile.faults import FaultMeter, Faults
from refmaster.profile.measure import measure

RATE_HZ = 8000
EDGES_HZ = np.array([100.0, 1000.0, 3000.0])


def found(samples, cuts):
    """Measure samples in blocks that begin at the cuts."""
    meter = FaultMeter(RATE_HZ, samples.shape[1])
    spectrum = SpectrumMeter(RATE_HZ, samples.shape[1], EDGES_HZ, watcher=meter.watch)
    for start, end in itertools.pairwise([0, *sorted(cuts), len(samples)]):
        block = np.asfortranarray(samples[start:end])
        meter.update(block)
        spectrum.update(block)
    spectrum.result()
    return meter.result(np.array([-1.0, 0.5, 0.1]))


@pytest.fixture(scope="module")
def eventful():
    """Twelve seconds with clipping, two silences, hum, noise, a cut head and a cut tail."""
    time_s = np.arange(12 * RATE_HZ) / RATE_HZ
    wave = np.sin(2 * np.pi * 220.3 * time_s) * (1 + np.sin(2 * np.pi * 0.7 * time_s))
    samples = np.clip(np.column_stack([wave, 0.4 * wave]), -0.7, 0.7)
    samples[: RATE_HZ // 3] = samples[5 * RATE_HZ : 7 * RATE_HZ] = 0.0
    samples += 1e-3 * np.sin(2 * np.pi * 60.0 * time_s)[:, None]
    samples += 1e-4 * np.random.default_rng(1).standard_normal(samples.shape)
    samples[8 * RATE_HZ : 10 * RATE_HZ] = 0.0
    return samples.astype(np.float32)


@given(cuts=st.lists(st.integers(0, 12 * RATE_HZ), max_size=12))
def test_any_blocks_give_the_same(eventful, cuts):
    assert found(eventful, cuts) == found(eventful, [])


@pytest.mark.parametrize("frames", [0, 1, 2, 159, 160, 161, 2559, 2560, 2561, 2720])
def test_blocks_at_the_boundaries_of_hops_give_the_same(eventful, frames):
    assert found(eventful[:frames], [*range(0, frames, 7)]) == found(eventful[:frames], [])


@pytest.mark.parametrize("rate_hz", [4000, 8000, 44100, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_number_of_channels(rate_hz, channels):
    samples = 0.1 * np.random.default_rng(4).standard_normal((2 * rate_hz, channels))
    faults = measure(ArraySource(samples, rate_hz), faults=True).faults
    assert faults is not None
    assert faults.edges.silences == ()
    assert faults.noise.frames > 0


@given(
    frames=st.integers(0, 5000),
    gain=st.sampled_from([0.0, 1e-30, 1e-6, 0.5, 1.0, 100.0]),
    kind=st.sampled_from(["noise", "constant", "impulse", "square", "alternating"]),
    seed=st.integers(0, 2**16),
)
def test_hostile_audio_gives_numbers_that_a_profile_can_hold(frames, gain, kind, seed):
    n = np.arange(frames)
    line = {
        "noise": np.random.default_rng(seed).standard_normal(frames),
        "constant": np.ones(frames),
        "impulse": (n == seed % max(frames, 1)).astype(float),
        "square": np.sign(np.sin(n / (1 + seed % 50))),
        "alternating": (-1.0) ** n,
    }[kind]
    faults = found(gain * np.column_stack([line, -line]).astype(np.float32), [frames // 2])
    assert Faults.model_validate_json(faults.model_dump_json()) == faults


def test_lists_are_bounded():
    rng = np.random.default_rng(6)
    samples = np.zeros((600 * RATE_HZ, 1), np.float32)
    for start in range(RATE_HZ // 4, len(samples) - 100, RATE_HZ // 4):  # tops at levels of all kinds
        level = rng.uniform(0.2, 0.9)
        samples[start : start + 60, 0] = np.clip(1.2 * level * np.sin(np.arange(60) * np.pi / 60), 0.0, level)
    meter = TopMeter(RATE_HZ, 1)
    meter.update(samples)
    tops = meter.result()
    assert len(tops.clipped) == MAX_LEVELS
    assert all(len(level.times_s) <= MAX_TIMES for level in tops.clipped)
    assert tops.clipped[0].runs >= tops.clipped[-1].runs


def test_flat_tops_are_counted_once_with_their_level_and_time():
    samples = np.zeros((10 * RATE_HZ, 2), np.float32)
    wave = np.clip(0.5 * np.sin(np.arange(40) * np.pi / 40), 0.0, 0.4)
    starts = [1000 + 4001 * n for n in range(15)]  # across the meter's own pieces, too
    for start in starts:
        samples[start : start + 40, 1] = wave
    meter = TopMeter(RATE_HZ, 2)
    meter.update(samples)
    (level,) = meter.result().clipped
    assert (level.channel, level.runs) == (1, 15)
    assert level.level_dbfs == pytest.approx(20 * np.log10(0.4), abs=0.03)
    assert level.times_s == pytest.approx([(start + 12) / RATE_HZ for start in starts], abs=2e-3)


def test_the_frequency_of_a_line_is_read_to_a_fifth_of_a_hertz():
    rate_hz = 48000
    time_s = np.arange(8 * rate_hz) / rate_hz
    for hz in (49.7, 50.0, 50.3):
        hum = NoiseMeter(rate_hz)
        meter = SpectrumMeter(rate_hz, 1, EDGES_HZ, watcher=hum.watch)
        samples = 0.01 * np.sin(2 * np.pi * hz * time_s)
        samples += 1e-5 * np.random.default_rng(1).standard_normal(len(samples))
        meter.update(samples[:, None])
        meter.result()
        line = hum.hum().mains_50_hz[0]
        assert line.frequency_hz == pytest.approx(hz, abs=0.2)
        assert line.level_dbfs == pytest.approx(-43.0, abs=1.0)
        assert line.above_db > 20.0
