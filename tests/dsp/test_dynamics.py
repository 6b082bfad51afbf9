"""The dynamics kernel meets its static curve, changes nothing at rest, and adds no distortion of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from refmaster.dsp.crossover import low_pass_gains
from refmaster.dsp.dynamics import DynamicsProcessor, shared_gain, static_change_db
from refmaster.meters.kweighting import KWeightedPower
from refmaster.meters.loudness import LoudnessMeter
from refmaster.settings.dynamics import DynamicsBand

RATE = 44100
CROSSOVERS = [(), (200.0,), (150.0, 2500.0), (120.0, 800.0, 5000.0)]


def band_gains(frequencies_hz, crossover_hz):
    """Return the gain of each band: what its low-pass adds to that of the band below."""
    lows = low_pass_gains(frequencies_hz, crossover_hz)
    ends = np.zeros((1, lows.shape[1])), np.ones((1, lows.shape[1]))
    return np.diff(np.concatenate([ends[0], lows, ends[1]]), axis=0)


def band(**values):
    plain = {
        "threshold_db": -24.0,
        "ratio": 2.0,
        "knee_db": 6.0,
        "attack_ms": 50.0,
        "release_ms": 200.0,
        "max_change_db": 12.0,
        "parallel": 1.0,
        "makeup_db": 0.0,
    }
    return DynamicsBand(**plain | values)


def kernel(bands, crossover_hz=(), channels=2, rate=RATE):
    power = KWeightedPower(rate, channels)
    return DynamicsProcessor(rate, channels, bands, crossover_hz, weighted_sums=power.second)


def processed(signal, bands, crossover_hz=(), cuts=(), rate=RATE):
    processor = kernel(bands, crossover_hz, signal.shape[1], rate)
    pieces, start = [], 0
    for stop in [*cuts, len(signal)]:
        pieces.append(processor.push(signal[start:stop]))
        start = stop
    return np.concatenate([*pieces, processor.flush()])


def noise(seconds, level=0.1, channels=2, seed=1, dtype=np.float32, rate=RATE):
    samples = np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))
    return (level * samples).astype(dtype)


def steady_noise(seconds, level=0.1, channels=2):
    """Return noise that repeats five times a second, so that its level stands still."""
    return np.tile(noise(0.2, level, channels, dtype=np.float64), (round(5 * seconds), 1))


def loudness(signal, rate=RATE):
    meter = LoudnessMeter(rate, signal.shape[1])
    meter.update(signal)
    return meter.result().integrated_lufs


def gain_db(after, before):
    """Return the gain of every frame that is not near zero."""
    heard = np.abs(before[:, 0]) > 1e-4
    return 20 * np.log10(after[heard, 0] / before[heard, 0])


@pytest.mark.parametrize("crossover_hz", CROSSOVERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rest", [{"ratio": 1.0}, {"max_change_db": 0.0}, {"parallel": 0.0}])
def test_at_rest_every_sample_comes_back(crossover_hz, dtype, rest):
    signal = noise(2.3, dtype=dtype)
    out = processed(signal, [band(threshold_db=-60.0, **rest)] * (len(crossover_hz) + 1), crossover_hz)
    assert out.dtype == dtype
    assert np.array_equal(out, signal)


@pytest.mark.parametrize("crossover_hz", CROSSOVERS)
def test_below_the_threshold_every_sample_comes_back(crossover_hz):
    signal = noise(2.3)
    bands = [band(threshold_db=0.0)] * (len(crossover_hz) + 1)
    assert np.array_equal(processed(signal, bands, crossover_hz), signal)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
@pytest.mark.parametrize("extra", [-1, 0, 1, 777])
def test_chunks_are_the_whole(rate, crossover_hz, extra):
    signal = noise(1.0, rate=rate)
    signal = np.concatenate([signal, 3 * signal, signal[: rate // 2 + extra]])
    bands = [band(threshold_db=-30.0)] * (len(crossover_hz) + 1)
    whole = processed(signal, bands, crossover_hz, rate=rate)
    cuts = [0, 1, rate - 1, rate, rate, rate + 1, 2 * rate + 5]
    assert whole.shape == signal.shape
    assert not np.array_equal(whole, signal)
    assert np.array_equal(whole, processed(signal, bands, crossover_hz, cuts, rate=rate))


@pytest.mark.parametrize("frames", [0, 1, 440, 441, 442, RATE - 1, RATE, RATE + 1])
@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
def test_any_length_comes_back_whole(frames, crossover_hz):
    signal = noise(2.0)[:frames]
    bands = [band(threshold_db=-60.0, knee_db=0.0, max_change_db=3.0)] * (len(crossover_hz) + 1)
    out = processed(signal, bands, crossover_hz)
    assert out.shape == signal.shape
    if frames > 20000:  # all bands are far above the threshold: all are turned down by the most allowed
        assert gain_db(out, signal) == pytest.approx(-3.0, abs=1e-3)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("knee_db", [0.0, 6.0, 20.0])
@pytest.mark.parametrize("over_db", [-3.0, 0.0, 2.0, 8.0])
def test_a_single_band_meets_its_curve_in_lufs(ratio, knee_db, over_db):
    signal = steady_noise(4.0, level=0.05)
    before = loudness(signal)
    one = band(threshold_db=before - over_db, ratio=ratio, knee_db=knee_db)
    after = loudness(processed(signal, [one]))
    assert after - before == pytest.approx(float(static_change_db(before, one)), abs=0.02)


def test_the_curve_is_the_standard_one():
    levels = np.array([-40.0, -27.0, -24.0, -21.0, -14.0, 40.0])
    assert static_change_db(levels, band()) == pytest.approx([0.0, 0.0, -0.375, -1.5, -5.0, -12.0])
    expands = static_change_db(levels, band(ratio=0.5, knee_db=0.0, max_change_db=8.0))
    assert expands == pytest.approx([0.0, 0.0, 0.0, 3.0, 8.0, 8.0])


@pytest.mark.parametrize("crossover_hz", CROSSOVERS[1:])
def test_each_band_meets_its_curve_at_the_level_that_a_spectrum_predicts(crossover_hz):
    signal = steady_noise(6.0) * [1.0, 0.5]
    bins = np.linspace(0.0, RATE / 2, len(signal) // 2 + 1)
    powers = (np.abs(np.fft.rfft(signal, axis=0) / len(signal)) ** 2).sum(axis=1)  # 2 sides, 2 channels
    levels = 10 * np.log10((band_gains(bins, crossover_hz) ** 2 * powers).sum(axis=1))
    bands = [band(threshold_db=level - 2.0 * n, knee_db=0.0) for n, level in enumerate(levels, 1)]
    wanted = [float(static_change_db(level, one)) for level, one in zip(levels, bands, strict=True)]
    after = processed(signal, bands, crossover_hz)
    reached = (np.abs(np.fft.rfft(after, axis=0) / len(signal)) ** 2).sum(axis=1)
    # Where a band has nearly all of a frequency, the spectrum shows its gain.
    for gains, change in zip(band_gains(bins, crossover_hz), wanted, strict=True):
        alone = gains > 0.98
        found = 10 * np.log10(reached[alone].sum() / powers[alone].sum())
        assert found == pytest.approx(change, abs=0.1)


def test_more_ratio_is_less_level():
    signal = noise(4.0)
    reached = [
        loudness(processed(signal, [band(threshold_db=-30.0, ratio=ratio)]))
        for ratio in (0.5, 0.7, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0)
    ]
    assert (np.diff(reached) < -0.2).all()


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
def test_left_and_right_are_alike(crossover_hz):
    signal = noise(2.5)
    signal[:, 1] *= 0.3
    bands = [band(threshold_db=-40.0)] * (len(crossover_hz) + 1)
    out = processed(signal, bands, crossover_hz)
    swapped = processed(signal[:, ::-1].copy(), bands, crossover_hz)
    assert swapped[:, ::-1] == pytest.approx(out, abs=1e-7)


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
def test_a_silent_channel_stays_silent_and_mono_works(crossover_hz):
    signal = noise(2.5)
    signal[:, 1] = 0.0
    bands = [band(threshold_db=-60.0, max_change_db=4.0)] * (len(crossover_hz) + 1)
    out = processed(signal, bands, crossover_hz)
    assert not out[:, 1].any()
    assert gain_db(processed(signal[:, :1], bands, crossover_hz), signal) == pytest.approx(-4.0, abs=1e-3)


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
def test_a_silent_stream_stays_silent(crossover_hz):
    silence = np.zeros((2 * RATE, 2), np.float32)
    bands = [band(threshold_db=-120.0, ratio=0.5)] * (len(crossover_hz) + 1)
    assert not processed(silence, bands, crossover_hz).any()


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
@pytest.mark.parametrize("frequency_hz", [31.7, 61.3, 80.0, 150.0, 997.0])
def test_steady_tones_are_not_distorted(crossover_hz, frequency_hz):
    time = np.arange(6 * RATE) / RATE
    tone = np.stack([0.3 * np.sin(2 * np.pi * frequency_hz * time)] * 2, axis=1)
    quickest = band(threshold_db=-24.0, attack_ms=1.0, release_ms=5.0)
    out = processed(tone, [quickest] * (len(crossover_hz) + 1), crossover_hz)
    middle = slice(2 * RATE, 4 * RATE)
    angle = 2 * np.pi * frequency_hz * time[middle]
    parts = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    fitted, *_ = np.linalg.lstsq(parts, out[middle, 0], rcond=None)
    rest = out[middle, 0] - parts @ fitted
    assert np.hypot(*fitted) < 0.29
    assert np.sqrt(np.mean(rest**2)) < 1e-5 * np.hypot(*fitted)


def test_the_gain_has_no_steps():
    signal = noise(4.0, level=0.005, dtype=np.float64)
    signal[2 * RATE :] *= 30.0
    out = processed(signal, [band(threshold_db=-40.0, attack_ms=1.0, release_ms=5.0)])
    gains = gain_db(out, signal)
    assert gains.min() < -9.0
    # The quickest attack still takes two control steps, 20 ms, for the 10 dB.
    assert np.abs(np.diff(gains)).max() < 0.02


def test_the_stream_begins_and_ends_at_its_own_level():
    signal = noise(3.0, dtype=np.float64)
    gains = gain_db(processed(signal, [band(threshold_db=-40.0)]), signal)
    assert gains == pytest.approx(np.median(gains), abs=0.3)


def burst(loud_s, after_s=4.0):
    quiet = noise(2.0 + loud_s + after_s, level=0.003, dtype=np.float64)
    quiet[2 * RATE : round((2 + loud_s) * RATE)] *= 30.0
    return quiet


def gain_at(seconds, signal, **values):
    gains = processed(signal, [band(threshold_db=-40.0, max_change_db=6.0, **values)]) / signal
    return 20 * np.log10(gains[round(seconds * RATE), 0])


def test_attack_and_release_are_time_constants():
    loud = burst(3.0)
    for slow in (1000.0, 3000.0):
        # From the moment when the level passes the threshold, some tens of ms before the passage begins.
        reached = gain_at(3.0, loud, attack_ms=slow)
        assert reached == pytest.approx(-6.0 * (1 - np.exp(-1250.0 / slow)), abs=0.4)
    quick, slow = (gain_at(6.0, loud, release_ms=release) for release in (100.0, 1000.0))
    assert quick == pytest.approx(0.0, abs=0.3)
    assert slow < -1.0


def test_a_long_passage_is_let_go_more_slowly_than_a_short_one():
    short, long = (gain_at(2 + s + 1.0, burst(s), release_ms=600.0) for s in (0.6, 8.0))
    assert long < short - 0.5


def test_a_part_of_the_signal_is_treated_and_the_whole_is_made_up():
    signal = noise(2.5)
    one = band(threshold_db=-60.0, max_change_db=6.0, parallel=0.5, makeup_db=2.0)
    wanted = 10 ** (2.0 / 20) * (0.5 + 0.5 * 10 ** (-6.0 / 20))
    assert shared_gain(np.array([-6.0]), one) == pytest.approx(wanted)
    assert gain_db(processed(signal, [one]), signal) == pytest.approx(20 * np.log10(wanted), abs=1e-3)


@pytest.mark.parametrize("crossover_hz", CROSSOVERS)
@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 1e-6), (np.float64, 1e-15)])
def test_bands_of_one_gain_add_up_to_the_signal(crossover_hz, dtype, close):
    signal = noise(2.3, dtype=dtype)
    out = processed(signal, [band(ratio=1.0, makeup_db=3.0)] * (len(crossover_hz) + 1), crossover_hz)
    assert np.abs(out - 10 ** (3.0 / 20) * signal).max() < close


def test_activity_says_what_was_done():
    quiet, loud = noise(4.0, level=0.003), noise(4.0, level=0.09, seed=2)
    processor = kernel([band(threshold_db=-40.0, max_change_db=6.0, makeup_db=1.0)])
    processor.push(np.concatenate([quiet, loud]))
    processor.flush()
    (found,) = processor.activity
    assert found.max_change_db == pytest.approx(-6.0, abs=1e-6)
    assert found.mean_change_db == pytest.approx(-6.0, abs=0.3)
    assert found.active_share == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
@settings(max_examples=25, deadline=None)
@given(
    signal=arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 3000), st.integers(1, 2)),
        elements=st.floats(-(2.0**40), 2.0**40, width=32),
        fill=st.sampled_from([np.float32(v) for v in (0.0, 1.0, -(2.0**40), 1e-40)]),
    ),
    ratio=st.floats(0.5, 4.0),
    makeup_db=st.floats(-12.0, 12.0),
)
def test_hostile_samples_stay_finite_and_bounded(crossover_hz, signal, ratio, makeup_db):
    bands = [band(threshold_db=-120.0, ratio=ratio, makeup_db=makeup_db)] * (len(crossover_hz) + 1)
    out = processed(signal, bands, crossover_hz, rate=8000)
    assert out.shape == signal.shape
    assert np.isfinite(out).all()
    if not crossover_hz:
        highest = 10 ** ((12.0 + makeup_db) / 20) * 1.001
        assert (np.abs(out) <= highest * np.abs(signal)).all()


@pytest.mark.parametrize("crossover_hz", [(), (150.0, 2500.0)])
def test_no_more_than_two_seconds_wait_inside(crossover_hz):
    processor = kernel([band()] * (len(crossover_hz) + 1), crossover_hz)
    second, out = noise(1.0), 0
    for pushed in range(1, 8):
        out += len(processor.push(second))
        assert pushed * RATE - out <= 2 * RATE


def test_bands_and_frequencies_must_fit():
    with pytest.raises(ValueError, match="a band more"):
        kernel([band()], (200.0,))
