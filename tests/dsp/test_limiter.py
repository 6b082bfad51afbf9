"""The limiter holds its ceiling whatever comes, has no latency, and leaves alone what needs nothing."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.dsp.attenuation import AttenuationDesigner, group_frames_for, sliding_max
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.limiter import BLOCK_FRAMES, Limiter
from refmaster.dsp.peaks import QuickPeaks
from refmaster.errors import SettingsError
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.model import settings_from
from tests.oracles.true_peak import eightfold_peaks, highest_db

RATE = 44100
DEFAULT = LimiterSettings()


def limit(signal, rate=RATE, gain_db=0.0, asked=DEFAULT, cuts=()):
    limiter = Limiter(rate, signal.shape[1], asked, gain_db=gain_db)
    pieces, start = [], 0
    for stop in [*cuts, len(signal)]:
        pieces.append(limiter.push(signal[start:stop]))
        start = stop
    pieces.append(limiter.flush())
    return np.concatenate(pieces), limiter.activity


def true_peak_db(signal):
    return highest_db(eightfold_peaks(signal))


def ebur128_peak_db(signal, rate):
    pyebur128 = pytest.importorskip("pyebur128")
    state = pyebur128.R128State(signal.shape[1], rate, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    state.add_frames(np.ascontiguousarray(signal, np.float64).ravel(), len(signal))
    return 20 * np.log10(max(pyebur128.get_true_peak(state, c) for c in range(signal.shape[1])))


def hostile(name, frames, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(frames)
    if name == "quarter rate, 45 degrees":
        one = np.sin(np.pi / 2 * t + np.pi / 4)
    elif name == "quarter rate, gated":
        one = np.sin(np.pi / 2 * t + np.pi / 4) * ((t // 777) % 2)
    elif name == "white noise":
        one = rng.standard_normal(frames)
    elif name == "random signs":
        one = np.sign(rng.standard_normal(frames))
    elif name == "impulses":
        one = (rng.random(frames) < 0.001) * rng.choice([-3.0, 3.0], frames)
    elif name == "square":
        one = np.sign(np.sin(2 * np.pi * 997.3 * t / RATE))
    elif name == "half rate, phase turned":
        one = (-1.0) ** t * rng.choice([-1, 1], frames // 300 + 1).repeat(300)[:frames]
    elif name == "noise above all":
        one = np.diff(rng.standard_normal(frames + 3), 3) * 0.3
    elif name == "noise bursts":
        one = rng.standard_normal(frames) * (rng.random(frames // 50 + 1) < 0.1).repeat(50)[:frames]
    else:
        assert name == "one great peak"
        one = np.sign(np.sinc(t - frames // 2 - 0.5))
    return one[:, np.newaxis] * np.array([1.0, -0.4])


HOSTILE = [
    "quarter rate, 45 degrees", "quarter rate, gated", "white noise", "random signs", "impulses", "square",
    "half rate, phase turned", "noise above all", "noise bursts", "one great peak",
]  # fmt: skip


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("name", HOSTILE)
def test_ceiling_is_held_on_hostile_signals(name, rate):
    limited, _ = limit(hostile(name, 30000).astype(np.float32), rate, gain_db=20.0)
    assert true_peak_db(limited) <= -1.0
    assert true_peak_db(limited) > -2.0  # and not by silence


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("name", HOSTILE)
def test_ceiling_is_held_as_libebur128_reads_it(name, rate):
    limited, _ = limit(hostile(name, 30000).astype(np.float32), rate, gain_db=20.0)
    assert ebur128_peak_db(limited, rate) <= -1.0


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
    frames=st.integers(1, 40000),
    gain_db=st.floats(-10.0, 30.0),
    ceiling_dbtp=st.floats(-6.0, 0.0),
)
def test_ceiling_is_held_on_mixtures(kinds, seed, frames, gain_db, ceiling_dbtp):
    signal = sum(hostile(kind, frames, seed + i) for i, kind in enumerate(kinds)).astype(np.float32)
    limited, _ = limit(signal, gain_db=gain_db, asked=LimiterSettings(ceiling_dbtp=ceiling_dbtp))
    assert len(limited) == frames
    assert true_peak_db(limited) <= ceiling_dbtp


@pytest.mark.parametrize("bits", [16, 24])
def test_ceiling_survives_dither(bits):
    rng = np.random.default_rng(1)
    limited, _ = limit(rng.standard_normal((60000, 2)), gain_db=12.0)
    step = 2.0 ** (1 - bits)
    noise = (rng.random(limited.shape) - rng.random(limited.shape)) * step
    assert true_peak_db(np.round((limited + noise) / step) * step) <= -1.0


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(0, 100000),
    cuts=st.lists(st.sampled_from([0, 1, 32767, 32768, 32769, 65536]) | st.integers(0, 100000)),
    gain_db=st.sampled_from([0.0, 9.0]),
)
def test_chunked_equals_one_shot_to_the_bit(frames, cuts, gain_db):
    signal = np.random.default_rng(frames).standard_normal((frames, 2)).astype(np.float32) * 0.3
    cuts = sorted(min(cut, frames) for cut in cuts)
    once, activity = limit(signal, gain_db=gain_db)
    chunked, chunked_activity = limit(signal, gain_db=gain_db, cuts=cuts)
    assert once.shape == signal.shape
    assert once.dtype == signal.dtype
    assert np.array_equal(once, chunked)
    assert np.array_equal(activity.gain_reduction_db, chunked_activity.gain_reduction_db)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_does_not_exceed_the_ceiling_comes_back_bit_for_bit(dtype, channels):
    signal = np.random.default_rng(0).uniform(-0.35, 0.35, (70001, channels)).astype(dtype)
    assert -6.0 < true_peak_db(signal) < -1.0
    limited, activity = limit(signal)
    assert limited.dtype == dtype
    assert np.array_equal(limited, signal)
    assert activity.max_gain_reduction_db == 0.0
    assert activity.active_share == 0.0


def test_a_finished_master_at_the_ceiling_is_left_alone():
    master, _ = limit(np.random.default_rng(2).standard_normal((50000, 2)), gain_db=6.0)
    again, activity = limit(master)
    assert np.array_equal(master, again)
    assert activity.max_gain_reduction_db == 0.0


def test_drive_without_limiting_is_a_plain_gain():
    signal = np.random.default_rng(0).uniform(-0.1, 0.1, (50000, 2))
    limited, _ = limit(signal, gain_db=6.0)
    assert np.allclose(limited, signal * 10 ** (6 / 20), rtol=1e-15)


def test_an_impulse_stays_where_it_was():
    signal = np.zeros((60000, 2), np.float32)
    signal[41234] = 4.0
    limited, activity = limit(signal)
    assert np.flatnonzero(limited[:, 0]).tolist() == [41234]
    assert limited[41234, 0] == pytest.approx(10 ** (-1.02 / 20), rel=1e-3)
    assert activity.gain_reduction_db.argmax() == 41234 // 4410


def test_channels_are_linked_and_may_be_swapped():
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((60000, 2)) * np.array([1.0, 0.1])
    limited, _ = limit(signal, gain_db=6.0)
    gains = limited / signal
    assert np.allclose(gains[:, 0], gains[:, 1], rtol=1e-12)
    assert np.ptp(gains[:, 0]) > 0.05
    swapped, _ = limit(signal[:, ::-1].copy(), gain_db=6.0)
    assert np.array_equal(swapped[:, ::-1], limited)


def test_polarity_does_not_matter():
    signal = np.random.default_rng(4).standard_normal((40000, 1)).astype(np.float32)
    assert np.array_equal(limit(-signal)[0], -limit(signal)[0])


def tone_residual_db(output, frequencies, rate=RATE):
    t = np.arange(len(output)) / rate
    tones = np.stack([f(2 * np.pi * hz * t) for hz in frequencies for f in (np.sin, np.cos)], axis=1)
    fitted = tones @ np.linalg.lstsq(tones, output, rcond=None)[0]
    return 10 * np.log10(np.mean((output - fitted) ** 2) / np.mean(fitted**2))


@pytest.mark.parametrize(
    ("tones", "reach_db"),
    [({50: 1.0}, -120), ({1000: 1.0}, -120), ({100: 1.0, 1000: 1.0}, -120), ({60: 1.0, 7000: 0.25}, -74)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steady_tones_stay_clean_at_6_db_of_limiting(tones, reach_db, dtype):
    t = np.arange(3 * RATE) / RATE
    mixed = sum(level * np.sin(2 * np.pi * hz * t) for hz, level in tones.items())
    signal = (mixed / np.abs(mixed).max() * 10 ** (-1 / 20))[:, np.newaxis].astype(dtype)
    limited, activity = limit(signal, gain_db=6.0)
    assert activity.max_gain_reduction_db == pytest.approx(6.0, abs=0.3)
    steady = limited[RATE : 2 * RATE, 0].astype(np.float64)
    assert tone_residual_db(steady, list(tones)) < reach_db


def test_more_drive_is_louder_and_reduces_more():
    rng = np.random.default_rng(5)
    signal = rng.standard_normal((80000, 2)) * (
        0.1 + 0.1 * np.sin(np.arange(80000) / 9000)[:, np.newaxis] ** 2
    )
    powers, reductions = [], []
    for gain_db in (0.0, 3.0, 6.0, 9.0, 12.0):
        limited, activity = limit(signal, gain_db=gain_db)
        powers.append(np.mean(limited**2))
        reductions.append(activity.max_gain_reduction_db)
    assert np.all(np.diff(powers) > 0)
    assert np.all(np.diff(reductions) > 0)


def test_activity_says_what_was_done():
    signal = np.zeros((10 * RATE, 1))
    signal[3 * RATE : 5 * RATE, 0] = np.sin(2 * np.pi * 441 * np.arange(2 * RATE) / RATE)
    limited, activity = limit(signal, gain_db=5.0)
    assert activity.gain_reduction_db.dtype == np.float32
    assert len(activity.gain_reduction_db) == 100
    assert activity.gain_reduction_db[35:45] == pytest.approx(6.02, abs=0.05)
    assert activity.gain_reduction_db[:28].max() == 0.0
    assert activity.gain_reduction_db[60:].max() == 0.0
    assert activity.active_share == pytest.approx(0.2, abs=0.02)
    assert activity.mean_gain_reduction_db == pytest.approx(6.02, abs=0.3)
    deepest = 5.0 - 20 * np.log10(np.abs(limited[3 * RATE : 5 * RATE]).max())
    assert activity.max_gain_reduction_db == pytest.approx(deepest, abs=0.1)


@pytest.mark.parametrize(
    ("rate", "frames"), [(44100, 100000), (44100, 32768), (96000, 5000), (192000, 70000)]
)
def test_peaks_known_from_an_earlier_pass_change_nothing(rate, frames):
    signal = np.random.default_rng(frames).standard_normal((frames, 2)).astype(np.float32) * 0.3
    detector = QuickPeaks(2, group_frames_for(rate), BLOCK_FRAMES)
    blocks: Reblocker = Reblocker(BLOCK_FRAMES)
    full = blocks.push(signal)
    peaks = [detector.process(block) for block in (*full, *islice(blocks.filled_up(2), 2))]
    limiter = Limiter(rate, 2, DEFAULT, gain_db=12.0, peaks=peaks)
    limited = np.concatenate([limiter.push(signal), limiter.flush()])
    assert np.array_equal(limited, limit(signal, rate, gain_db=12.0)[0])


def test_nothing_in_nothing_out():
    limited, activity = limit(np.zeros((0, 2), np.float32), gain_db=3.0)
    assert limited.shape == (0, 2)
    assert activity.max_gain_reduction_db == 0.0
    assert activity.active_share == 0.0


@settings(max_examples=40, deadline=None)
@given(
    required=st.lists(st.tuples(st.integers(1, 900), st.floats(0.0, 30.0)), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 5000), max_size=4),
    hold_ms=st.floats(1.0, 40.0),
    release_ms=st.floats(1.0, 300.0),
    lookahead_ms=st.floats(0.2, 10.0),
)
def test_attenuation_covers_every_group_and_its_neighbours(required, cuts, hold_ms, release_ms, lookahead_ms):
    asked = np.concatenate([np.full(length, level) for length, level in required])
    times = LimiterSettings(
        hold_ms=hold_ms, release_ms=release_ms, lookahead_ms=lookahead_ms, sustain_ms=80.0
    )
    designer = AttenuationDesigner(5512.5, times)
    cuts = sorted(min(cut, len(asked)) for cut in cuts)
    parts = [designer.push(part) for part in np.split(asked, cuts)]
    found = np.concatenate([*parts, designer.flush()])
    assert len(found) == len(asked)
    assert np.all(found - sliding_max(np.pad(asked, 1), 1) > -1e-9)
    if hold_ms > 10 * lookahead_ms:  # the stages then hand over, and do not add up to double
        assert found.max() <= 1.1 * asked.max() + 0.1


@pytest.mark.parametrize(
    "wrong",
    [{"ceiling_dbtp": 1.0}, {"ceiling_dbtp": float("nan")}, {"lookahead_ms": 0.0}, {"release_ms": -5.0},
     {"hold_ms": 1e6}, {"sustain_ms": float("inf")}],
)  # fmt: skip
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        settings_from(LimiterSettings, wrong)


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        Limiter(RATE, 2, DEFAULT).push(np.zeros((10, 1)))
