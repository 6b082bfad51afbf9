"""The noise-to-mask ratio follows what is known of hearing, and does not hear a level."""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.meters.masking import NoiseToMask

RATE = 44100


def tone(hz, rate=RATE, seconds=1.0, level=0.5):
    phase = 2 * np.pi * hz * np.arange(round(seconds * rate)) / rate
    return np.repeat(level * np.sin(phase)[:, None], 2, axis=1).astype(np.float32)


def noise(rate=RATE, seconds=1.0, seed=0):
    samples = np.random.default_rng(seed).standard_normal((round(seconds * rate), 2)) * 0.1
    return samples.astype(np.float32)


def ratio_db(clean, version, rate=RATE):
    return NoiseToMask(rate, clean).ratio_db(version)


@pytest.mark.parametrize("gain", [0.01, 1.0, 7.0])
def test_a_gain_is_not_noise(gain):
    assert ratio_db(noise(), gain * noise()) < -80.0


def test_what_is_added_counts_in_db():
    clean, added = noise(seconds=3.0), noise(seconds=3.0, seed=1)
    ratios = [ratio_db(clean, clean + share * added) for share in (0.001, 0.01, 0.1)]
    assert np.diff(ratios) == pytest.approx([20.0, 20.0], abs=0.3)


def test_noise_as_loud_as_the_music_is_far_above_the_mask():
    assert ratio_db(noise(), noise() + noise(seed=1)) > 2.0


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_a_tone_masks_upwards_better_than_downwards(rate):
    masker = tone(1000.0, rate)
    above, below = (ratio_db(masker, masker + tone(hz, rate, level=0.01), rate) for hz in (1400.0, 700.0))
    assert below > above + 6.0


def test_what_lies_under_the_threshold_in_quiet_is_not_heard():
    masker = tone(1000.0)
    low, middle = (ratio_db(masker, masker + tone(hz, level=1e-3)) for hz in (30.0, 3300.0))
    assert low < -20.0 < 0.0 < middle


def test_a_slow_gain_is_a_level_and_a_fast_one_noise():
    time = np.arange(4 * RATE) / RATE
    clean = noise(seconds=4.0)
    slow, fast = (
        ratio_db(clean, clean * (1.0 + 0.3 * np.sin(2 * np.pi * hz * time))[:, None].astype(np.float32))
        for hz in (0.1, 20.0)
    )
    assert fast > slow + 8.0


@pytest.mark.parametrize("frames", [0, 1, 100, 2047, 2048, 2049])
def test_short_and_silent_signals_have_a_ratio(frames):
    silent = np.zeros((frames, 2), np.float32)
    assert ratio_db(silent, silent) == -np.inf
    click = silent.copy()
    click[frames // 2 : frames // 2 + 1] = 0.9
    assert not np.isnan(ratio_db(click, click * 0.5))


def test_both_channels_are_heard():
    clean = noise()
    version = clean.copy()
    version[:, 1] += noise(seed=1)[:, 1]
    assert ratio_db(clean, version) == pytest.approx(ratio_db(clean[:, ::-1], version[:, ::-1]), abs=1e-3)
    assert ratio_db(clean, version) > -2.0
