"""The solved gain gives the loudness it promises, within what it may cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from refmaster.dsp.limiter import Limiter
from refmaster.meters.loudness import LoudnessMeter
from refmaster.meters.masking import NoiseToMask
from refmaster.rendering.drive import SATURATED_SLOPE, DriveAnalyzer
from refmaster.rendering.excerpts import SpreadExcerpts
from refmaster.settings.limiter import LimiterSettings

RATE = 44100
DEFAULT = LimiterSettings()
MUSIC = sorted((Path(__file__).resolve().parents[2] / "fixtures").glob("**/*.flac"))


def analyzed(signal, rate=RATE, step=70000):
    analyzer = DriveAnalyzer(rate, signal.shape[1])
    for start in range(0, len(signal), step):
        analyzer.update(signal[start : start + step])
    return analyzer


def loudness_lufs(signal, rate=RATE):
    meter = LoudnessMeter(rate, signal.shape[1])
    meter.update(signal)
    return meter.result().integrated_lufs


def rendered(signal, gain_db, rate=RATE, asked=DEFAULT):
    limiter = Limiter(rate, signal.shape[1], asked, gain_db=gain_db)
    limited = np.concatenate([limiter.push(signal), limiter.flush()])
    return loudness_lufs(limited, rate), limiter.activity.max_gain_reduction_db


def beats(seconds, rate=RATE, seed=0):
    """Something like music: a bass, decaying noise on the beat, a quiet part."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    hits = rng.standard_normal((len(t), 2)) * np.exp(-12.0 * (t % 0.5))[:, np.newaxis]
    bass = 0.3 * np.sin(2 * np.pi * 55 * t) * (1 + np.sin(2 * np.pi * 0.5 * t))
    loud = np.where(t % 8 < 5, 1.0, 0.2)
    return ((hits * 0.2 + bass[:, np.newaxis]) * loud[:, np.newaxis] * 0.3).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("target_lufs", [-30.0, -16.0, -12.0, -9.0])
def test_the_prediction_is_what_the_limiter_does(rate, target_lufs):
    signal = beats(20, rate)
    solution = analyzed(signal, rate).solve(target_lufs, DEFAULT)
    lufs, reduction_db = rendered(signal, solution.found.gain_db, rate)
    assert solution.limited_by is None
    assert solution.meets_target
    assert solution.found.lufs == pytest.approx(target_lufs, abs=0.03)
    assert lufs == pytest.approx(target_lufs, abs=0.05)
    assert solution.found.max_reduction_db == pytest.approx(reduction_db, abs=0.1)
    assert solution.full == solution.found


@pytest.mark.parametrize("path", MUSIC, ids=lambda path: path.stem)
def test_music_reaches_its_loudness_at_the_first_attempt(path):
    signal, rate = soundfile.read(path, dtype="float32", always_2d=True, frames=15 * 44100)
    target_lufs = loudness_lufs(signal, rate) + 8.0
    solution = analyzed(signal, rate).solve(target_lufs, DEFAULT, max_reduction_db=9.0)
    lufs, reduction_db = rendered(signal, solution.found.gain_db, rate)
    assert lufs == pytest.approx(solution.found.lufs, abs=0.04)
    assert reduction_db <= 9.05
    if solution.limited_by is None:
        assert lufs == pytest.approx(target_lufs, abs=0.05)


def test_excerpts_serve_a_signal_longer_than_they_are():
    signal = np.concatenate([beats(40, seed=1), beats(35, seed=2) * 0.4])
    solution = analyzed(signal).solve(-10.0, DEFAULT)
    assert rendered(signal, solution.found.gain_db)[0] == pytest.approx(-10.0, abs=0.05)


def test_without_limiting_the_gain_is_exact():
    signal = np.random.default_rng(0).standard_normal((5 * RATE, 2)) * 0.01
    solution = analyzed(signal).solve(-30.0, DEFAULT, max_reduction_db=6.0)
    assert solution.found.gain_db == pytest.approx(-30.0 - loudness_lufs(signal), abs=0.004)
    assert solution.found.max_reduction_db == 0.0
    assert solution.found.noise_to_mask_db == -np.inf
    assert solution.slope_lu_per_db == 1.0
    assert solution.limited_by is None


@pytest.mark.parametrize("limit_db", [0.0, 1.0, 4.0])
def test_reduction_stays_within_what_is_allowed_and_the_cost_is_told(limit_db):
    signal = beats(15)
    analyzer = analyzed(signal)
    free = analyzer.solve(-9.0, DEFAULT)
    bound = analyzer.solve(-9.0, DEFAULT, max_reduction_db=limit_db)
    assert bound.limited_by == "max_reduction"
    assert bound.full == free.found
    assert bound.full.max_reduction_db > limit_db
    assert bound.meets_target
    assert free.found.gain_db > bound.found.gain_db
    assert limit_db - 0.1 <= bound.found.max_reduction_db <= limit_db + 0.001
    lufs, reduction_db = rendered(signal, bound.found.gain_db)
    assert reduction_db <= limit_db + 0.1
    assert lufs == pytest.approx(bound.found.lufs, abs=0.04)


@pytest.mark.parametrize("limit_db", [-25.0, -20.0])
def test_limiting_stops_where_it_is_heard(limit_db):
    signal = beats(15)
    bound = analyzed(signal).solve(-6.0, DEFAULT, max_noise_to_mask_db=limit_db)
    assert bound.limited_by == "audibility"
    assert bound.full.noise_to_mask_db > limit_db >= bound.found.noise_to_mask_db > limit_db - 0.5
    assert bound.full.lufs > bound.found.lufs
    assert rendered(signal, bound.found.gain_db)[0] == pytest.approx(bound.found.lufs, abs=0.05)
    limiter = Limiter(RATE, 2, DEFAULT, gain_db=bound.found.gain_db)
    limited = np.concatenate([limiter.push(signal), limiter.flush()])
    whole = NoiseToMask(RATE, signal).ratio_db(limited)  # of 15 s every second is an excerpt
    assert whole == pytest.approx(bound.found.noise_to_mask_db, abs=0.01)


def test_the_lower_of_two_bounds_counts():
    analyzer = analyzed(beats(15))
    by_ear = analyzer.solve(-6.0, DEFAULT, max_reduction_db=30.0, max_noise_to_mask_db=-20.0)
    by_depth = analyzer.solve(-6.0, DEFAULT, max_reduction_db=1.0, max_noise_to_mask_db=-20.0)
    assert (by_ear.limited_by, by_depth.limited_by) == ("audibility", "max_reduction")
    assert by_ear.found.gain_db > by_depth.found.gain_db
    assert by_depth.found.noise_to_mask_db < -20.0


def test_what_stays_unheard_is_not_bound():
    analyzer = analyzed(beats(15))
    free, bound = (analyzer.solve(-14.0, DEFAULT, max_noise_to_mask_db=limit) for limit in (None, 0.0))
    assert bound == free
    assert bound.limited_by is None


def test_memory_does_not_grow_with_the_excerpts():
    excerpts = SpreadExcerpts()
    for number in range(400):
        excerpts.take(np.full((10, 1), number, np.float32))
        assert len(excerpts.blocks()) <= 24
    kept = [int(block[0, 0]) for block in excerpts.blocks()]
    assert kept == sorted(kept)
    assert len(kept) >= 12
    assert kept[-1] >= 300  # spread over the whole


def test_what_more_gain_cannot_reach_is_called_saturation():
    signal = np.random.default_rng(1).standard_normal((6 * RATE, 1)) * 0.1
    solution = analyzed(signal).solve(3.0, DEFAULT)
    assert solution.limited_by == "saturation"
    assert not solution.meets_target
    assert solution.found.lufs < 0.0
    assert solution.slope_lu_per_db < 2 * SATURATED_SLOPE
    assert rendered(signal, solution.found.gain_db)[0] == pytest.approx(solution.found.lufs, abs=0.1)


def test_the_cut_of_the_stream_does_not_matter():
    signal = beats(7)
    solutions = [
        analyzed(signal, step=step).solve(-6.0, DEFAULT, max_noise_to_mask_db=-20.0) for step in (5001, 10**7)
    ]
    assert solutions[0] == solutions[1]


def test_silence_gets_no_gain():
    solution = analyzed(np.zeros((2 * RATE, 2))).solve(-14.0, DEFAULT, max_noise_to_mask_db=-8.0)
    assert solution.found.gain_db == 0.0
    assert solution.found.lufs == -np.inf


def test_an_analyzer_that_has_answered_takes_no_more():
    analyzer = analyzed(beats(2))
    analyzer.solve(-14.0, DEFAULT, max_reduction_db=6.0)
    with pytest.raises(ValueError, match="over"):
        analyzer.update(np.zeros((10, 2)))
