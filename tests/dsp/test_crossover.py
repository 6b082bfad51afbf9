"""The crossover's bands add up to the signal, lie where they are asked for, and come without phase."""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.dsp.crossover import Crossover, low_pass_gains

CROSSOVER_HZ = (150.0, 2500.0)


def filtered(signal, rate, crossover_hz=CROSSOVER_HZ, block_frames=None):
    """Return the signal and its low-passes as they come out, at the signal's own time."""
    block_frames = block_frames or rate
    crossover = Crossover(rate, signal.shape[1], crossover_hz, block_frames)
    padding = -len(signal) % block_frames + crossover.latency_blocks * block_frames
    padded = np.concatenate([signal, np.zeros((padding, signal.shape[1]), signal.dtype)])
    found = [crossover.process(padded[i : i + block_frames]) for i in range(0, len(padded), block_frames)]
    start = crossover.latency_blocks * block_frames
    whole = np.concatenate([same.T for same, _ in found])[start : start + len(signal)]
    lows = [
        np.concatenate([low[number].T for _, low in found])[start : start + len(signal)]
        for number in range(len(crossover_hz))
    ]
    return whole, lows


def noise(frames, channels=2, dtype=np.float32, seed=1):
    return (0.1 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(dtype)


@pytest.mark.parametrize("crossover_hz", [(), (200.0,), (120.0, 800.0, 5000.0), (1000.0, 1100.0)])
def test_no_low_pass_lies_below_the_one_before(crossover_hz):
    gains = low_pass_gains(np.geomspace(1.0, 24000.0, 1000), crossover_hz)
    assert gains.shape == (len(crossover_hz), 1000)
    for row in gains:
        assert row[0] == 1.0
        assert row[-1] == pytest.approx(0.0, abs=1e-15)
    assert (np.diff(gains, axis=0) >= 0.0).all()


def test_a_band_changes_hands_over_two_octaves():
    gains = low_pass_gains([50.0, 100.0, 200.0, 400.0, 800.0], (200.0,))[0]
    assert gains == pytest.approx([1.0, 1.0, 0.5, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_signal_comes_back_untouched(rate, dtype):
    signal = noise(2 * rate + 17, dtype=dtype)
    whole, lows = filtered(signal, rate)
    assert np.array_equal(whole, signal)
    assert len(lows) == 2
    assert all(low.dtype == dtype for low in lows)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize("frequency_hz", [40.0, 150.0, 220.0, 600.0, 2500.0, 4000.0, 8000.0])
def test_tones_keep_the_share_that_the_gains_say(rate, frequency_hz):
    tone = np.sin(2 * np.pi * frequency_hz * np.arange(3 * rate) / rate)[:, np.newaxis]
    _, lows = filtered(tone, rate)
    wanted = low_pass_gains([frequency_hz], CROSSOVER_HZ)[:, 0]
    middle = slice(rate, 2 * rate)
    shares = [low[middle, 0] @ tone[middle, 0] / (tone[middle, 0] @ tone[middle, 0]) for low in lows]
    assert shares == pytest.approx(wanted, abs=0.03)
    for low, share in zip(lows, shares, strict=True):  # no phase: nothing but the tone itself
        assert low[middle] == pytest.approx(share * tone[middle], abs=1e-6)


def test_low_passes_do_not_depend_on_the_blocks():
    signal = noise(50000, dtype=np.float64)
    _, one = filtered(signal, 44100)
    _, other = filtered(signal, 44100, block_frames=5001)
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, abs=1e-12)


def test_impulse_responses_are_symmetric():
    impulse = np.zeros((44100, 1))
    impulse[20000] = 1.0
    _, lows = filtered(impulse, 44100)
    for low in lows:
        assert low[19000:20000, 0] == pytest.approx(low[21000:20000:-1, 0], abs=1e-12)
        assert not low[: 20000 - 1025].any() or np.abs(low[: 20000 - 1025]).max() < 1e-12


def test_without_frequencies_nothing_waits():
    block = noise(1000)
    crossover = Crossover(44100, 2, (), 1000)
    same, lows = crossover.process(block)
    assert crossover.latency_blocks == 0
    assert np.array_equal(same.T, block)
    assert lows == []
