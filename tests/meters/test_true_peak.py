"""True peak: edges, against Fourier interpolation, libebur128 and BS.1770's own filter; PLR and PSR."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.meters.true_peak import TruePeakMeter, plr_db, psr_db
from tests.oracles.true_peak import bs1770_peaks, eightfold_peaks, highest_db


def measured(samples, sample_rate_hz, cuts=()):
    meter = TruePeakMeter(sample_rate_hz, samples.shape[1])
    start = 0
    for stop in (*cuts, len(samples)):
        meter.update(samples[start:stop])
        start = stop
    return meter.result()


def noise(frames, channels=2, seed=9):
    loud = np.random.default_rng(seed).standard_normal((frames, channels))
    return np.clip(loud, -0.5, 0.5).astype(np.float32)


def driven(path, clip_db, seconds=3):
    """Return music from the middle of a file, driven ``clip_db`` into hard clipping at full scale."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    start = (len(samples) - seconds * rate) // 2
    samples = samples[start : start + seconds * rate]
    if clip_db:
        samples = np.clip(samples * 10 ** (clip_db / 20) / np.abs(samples).max(), -1.0, 1.0)
    return samples, rate


@pytest.mark.parametrize("clip_db", [0, 6, 12])
@pytest.mark.parametrize("name", ["music/country.flac", "music/strings.flac", "example/reference.flac"])
def test_long_filter_against_fourier_interpolation(fixture_path, name, clip_db):
    from scipy.signal import resample

    samples, rate = driven(fixture_path(name), clip_db)
    padded = np.pad(samples, ((2000, 2000), (0, 0)))
    truth = 20 * np.log10(max(np.abs(resample(line, 16 * len(line))).max() for line in padded.T))
    found = measured(samples, rate).true_peak_dbtp
    assert truth - 0.06 <= found <= truth + 0.03


@pytest.mark.parametrize("name", ["music/country.flac", "example/mix.flac"])
def test_libebur128_reads_nearly_the_same_on_unclipped_music(fixture_path, name):
    ebur128 = pytest.importorskip("pyebur128").pyebur128
    samples, rate = driven(fixture_path(name), 0)
    state = ebur128.R128State(2, rate, ebur128.MeasurementMode.MODE_TRUE_PEAK)
    state.add_frames(samples.ravel(), len(samples))
    theirs = 20 * np.log10(max(ebur128.get_true_peak(state, channel) for channel in (0, 1)))
    found = measured(samples, rate).true_peak_dbtp
    assert found >= theirs - 0.05
    assert found == pytest.approx(highest_db(eightfold_peaks(samples)), abs=1e-4)
    assert highest_db(bs1770_peaks(samples)) == pytest.approx(theirs, abs=0.15)


@settings(max_examples=15)
@given(
    data=st.data(),
    rate=st.sampled_from([8000, 11025, 44100]),
    frames=st.sampled_from([0, 1, 5, 6, 32762, 32768, 32769]) | st.integers(0, 50000),
)
def test_cuts_change_nothing(data, rate, frames):
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=5)))
    whole, cut = measured(noise(frames), rate), measured(noise(frames), rate, cuts)
    assert whole.true_peak_dbtp == cut.true_peak_dbtp
    np.testing.assert_array_equal(whole.true_peak_series_dbtp, cut.true_peak_series_dbtp)
    assert len(whole.true_peak_series_dbtp) == -(-frames * 10 // rate)


@pytest.mark.parametrize("frames", [1, 2, 300, 40000])
def test_never_below_the_sample_peak(frames):
    samples = noise(frames)
    samples[frames // 2, 0] = -0.9
    found = measured(samples, 48000)
    assert found.true_peak_dbtp >= 20 * np.log10(np.float32(0.9))


def test_silence_and_nothing():
    for frames in (0, 1, 9000):
        found = measured(np.zeros((frames, 6), np.float32), 8000)
        assert found.true_peak_dbtp == -np.inf
        assert np.all(found.true_peak_series_dbtp == -np.inf)


@pytest.mark.parametrize("rate", [8000, 192000])
def test_series_finds_the_peak_at_its_time(rate):
    samples = np.zeros((rate, 1), np.float32)
    samples[int(0.55 * rate)] = 0.5
    series = measured(samples, rate).true_peak_series_dbtp
    assert len(series) == 10
    assert int(np.argmax(series)) == 5
    assert series[5] == pytest.approx(-6.02, abs=0.3)


def test_every_channel_counts():
    samples = np.zeros((1000, 6), np.float32)
    samples[500, 3] = 0.25  # LFE
    assert measured(samples, 48000).true_peak_dbtp == pytest.approx(-12.04, abs=0.01)


def test_a_finished_meter_takes_no_more():
    meter = TruePeakMeter(48000, 1)
    meter.update(noise(100, 1))
    assert meter.result() is meter.result()
    with pytest.raises(RuntimeError, match="new meter"):
        meter.update(noise(100, 1))


def test_double_precision_is_taken():
    samples = noise(5000).astype(np.float64)
    assert measured(samples, 48000).true_peak_dbtp == measured(noise(5000), 48000).true_peak_dbtp


def test_plr():
    assert plr_db(-1.0, -10.5) == 9.5
    assert plr_db(-1.0, None) is None
    assert plr_db(-np.inf, -np.inf) is None


def test_psr_is_the_smallest_over_windows_above_the_gate():
    peaks = np.full(40, -3.0)
    peaks[5] = -1.0  # within the windows that begin at 0 to 5
    loudness = np.full(11, -12.0)
    loudness[2], loudness[10] = -9.0, -80.0
    assert psr_db(peaks, loudness) == pytest.approx(-1.0 + 9.0)
    loudness[2] = -12.0
    assert psr_db(peaks, loudness) == pytest.approx(-3.0 + 12.0)
    assert psr_db(peaks[:20], loudness[:0]) is None
    assert psr_db(peaks, np.full(11, -np.inf)) is None
