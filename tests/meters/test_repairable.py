"""Where sound begins and ends, and at which level tops are cut; not where waves are like that by nature."""

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfilt, square

from refmaster.meters.repairable import FLAT, RepairableMeter
from refmaster.settings.repair import LONGEST_OVER_FRAMES

RATE = 48000


def found_in(samples, cuts=()):
    samples = samples.reshape(len(samples), -1)
    meter = RepairableMeter(RATE, samples.shape[1])
    for part in np.split(samples, cuts):
        meter.update(np.asfortranarray(part))
    return meter.result()


@pytest.fixture(scope="module")
def music(fixture_path):
    """Twelve seconds of a raw mix, peaks at 0.5."""
    samples, _ = sf.read(fixture_path("example/mix.flac"), frames=12 * RATE)
    return 0.5 * samples / np.abs(samples).max()


def clipped(samples, db):
    return np.clip(samples, -0.5 * 10 ** (-db / 20), 0.5 * 10 ** (-db / 20))


@pytest.mark.parametrize("bits", [16, 24, None])
@pytest.mark.parametrize("db", [2.0, 3.0])
def test_clipped_music_has_its_level_to_the_sample(music, db, bits):
    samples = clipped(music, db)
    if bits == 16:  # with dither
        noise = np.random.default_rng(1).random((2, *samples.shape)) - 0.5
        samples = np.round(samples * 32768 + noise.sum(axis=0)) / 32768
    elif bits:
        samples = np.round(samples * 2 ** (bits - 1)) / 2 ** (bits - 1)
    cut = found_in(samples).cut
    assert {(level.channel, level.level > 0) for level in cut} == {
        *((channel, sign) for channel in (0, 1) for sign in (False, True))
    }
    for level in cut:
        assert abs(level.level) == pytest.approx(0.5 * 10 ** (-db / 20), abs=2 * FLAT)
        assert abs(level.level) <= 0.5 * 10 ** (-db / 20)
        assert level.tops > level.long_tops


def test_a_level_is_found_behind_a_gain_and_a_constant(music):
    levels = sorted(level.level for level in found_in(0.3 * clipped(music, 2.0) + 0.01).cut)
    expected = 0.3 * 0.5 * 10 ** (-2.0 / 20)
    np.testing.assert_allclose(levels, [0.01 - expected] * 2 + [0.01 + expected] * 2, atol=2 * FLAT)


def time_s(seconds=4):
    return np.arange(seconds * RATE) / RATE


def bass():
    return np.round(0.9 * np.sin(2 * np.pi * 41.0 * time_s()) * 32767) / 32768


def pulses():
    """Two square waves as an old synthesizer makes them, exact to the sample."""
    return 0.4 * square(2 * np.pi * 220 * time_s()) + 0.3 * square(2 * np.pi * 331 * time_s(), 0.25)


def smoothed_pulses():
    return sosfilt(butter(4, 15000, fs=RATE, output="sos"), pulses())


def limited():
    """Noise whose peaks are held by a slow gain, as a limiter does."""
    noise = np.random.default_rng(4).standard_normal(4 * RATE)
    return 0.9 * np.tanh(noise)


@pytest.mark.parametrize("wave", [bass, pulses, smoothed_pulses, limited])
def test_waves_that_are_like_that_are_not_cut(wave):
    assert found_in(wave()).cut == ()


def test_clean_music_is_not_cut(fixture_path):
    for name in ("example/mix", "album/lithium", "album/potassium", "music/strings"):
        assert found_in(sf.read(fixture_path(f"{name}.flac"))[0]).cut == ()


@pytest.mark.parametrize("tops", [2, 3])
def test_a_few_tops_are_chance(tops):
    samples = 0.1 * np.sin(2 * np.pi * 1000 * time_s())
    for number in range(tops):
        samples[10000 * (number + 1) :][:9] = [0.3, 0.5, 0.7, 0.7, 0.7, 0.7, 0.5, 0.3, 0.1]
    assert bool(found_in(samples).cut) == (tops == 3)


def test_long_tops_are_counted_as_such():
    samples = np.clip(np.sin(2 * np.pi * 100 * time_s()), -0.8, 0.8)
    (tops, troughs) = found_in(samples).cut
    assert tops.tops == tops.long_tops == troughs.tops == pytest.approx(4 * 100, abs=2)
    assert len(tops.times_s) == pytest.approx(40, abs=2)
    assert RATE / 100 * 0.2 > LONGEST_OVER_FRAMES


@pytest.mark.parametrize("cuts", [(1,), (65535, 65537), tuple(range(0, 12 * RATE, 1009))])
def test_blocks_of_any_length_give_the_same(music, cuts):
    samples = clipped(music, 3.0)
    assert found_in(samples, cuts) == found_in(samples)


@pytest.mark.parametrize("frames", [65536, 65537, 65540, 200000])
def test_a_top_is_counted_once_wherever_it_lies(frames):
    """A wave of one top a block, laid across the ends of the meter's own blocks."""
    samples = np.zeros(frames + 300000)
    for start in range(frames - 8, frames + 250000, 65536):
        samples[start : start + 12] = [0.1, 0.3, 0.5, 0.7, 0.8, 0.8, 0.8, 0.8, 0.7, 0.5, 0.3, 0.1]
    (cut,) = found_in(samples).cut
    assert cut.tops == len(range(frames - 8, frames + 250000, 65536))


@pytest.mark.parametrize("offset", [0.0, 0.02])
@pytest.mark.parametrize(
    ("first", "last"), [(99, 9999), (5000, 5000), (65535, 65536), (65536, 70000), (3000, 140000)]
)
def test_sound_begins_and_ends_at_minus_80_dbfs(first, last, offset):
    samples = offset + np.full((150000, 2), 0.5e-4) * np.array([[1, -1]])
    samples[50000:52000] += 0.4e-4
    samples[first, 0] += 1.1e-4
    samples[last, 1] -= 1.1e-4
    found = found_in(samples)
    assert (found.heard_from_frame, found.heard_to_frame) == (first, last + 1)


def test_the_dither_of_16_bit_is_silence():
    dither = np.random.default_rng(8).random((2, 150000, 2)).sum(axis=0) - 1.0
    samples = np.round(dither) / 32768
    samples[60000:90000] += 0.1
    found = found_in(samples)
    assert (found.heard_from_frame, found.heard_to_frame) == (60000, 90000)


def test_sound_to_either_end_leaves_no_silence(music):
    found = found_in(music)
    assert found.heard_from_frame < 10
    assert found.heard_to_frame > len(music) - 10


def test_an_offset_that_jumps_is_heard():
    found = found_in(np.repeat([0.0, 0.01], 131072))
    assert (found.heard_from_frame, found.heard_to_frame) == (131072, 131072)


def test_silence_has_neither():
    found = found_in(np.full(100000, 1e-5))
    assert (found.heard_from_frame, found.heard_to_frame, found.cut) == (0, 0, ())
