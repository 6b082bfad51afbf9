"""Clipped tops: restored beyond their level, everything else untouched, in blocks of any length."""

import numpy as np
import pytest
import soundfile as sf

from refmaster.dsp.declip import MAX_RAISE, Declipper

LEVEL = 0.5
BOTH = ((0, LEVEL), (0, -LEVEL), (1, LEVEL), (1, -LEVEL))
LONGEST = 64


def declipped(samples, levels=BOTH, longest=LONGEST, cuts=()):
    kernel = Declipper(samples.shape[1], levels, longest)
    parts = [kernel.push(part) for part in np.split(samples, cuts)]
    return np.concatenate([*parts, kernel.flush()])


def runs_at(clipped):
    """Return (start, end) of each run."""
    return np.flatnonzero(np.diff(clipped, prepend=False, append=False)).reshape(-1, 2)


@pytest.fixture(scope="module")
def music(fixture_path):
    """Six seconds of a raw mix that reach 3 dB above the level."""
    samples, _ = sf.read(fixture_path("album/lithium.flac"), frames=6 * 48000)
    return samples * LEVEL * 10 ** (3 / 20) / np.abs(samples).max()


@pytest.fixture(scope="module")
def clipped(music):
    return np.clip(music, -LEVEL, LEVEL)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_clipped_passes_to_the_bit(music, dtype):
    quiet = (0.7 * music).astype(dtype)
    found = declipped(quiet)
    assert found.dtype == dtype
    assert np.array_equal(found, quiet)


@pytest.mark.parametrize("fixture", ["album/lithium.flac", "album/sodium.flac", "music/strings.flac"])
@pytest.mark.parametrize("db", [1.0, 3.0])
def test_clipped_music_comes_nearer_to_what_it_was(fixture_path, fixture, db):
    samples, _ = sf.read(fixture_path(fixture), frames=6 * 44100)
    samples *= LEVEL * 10 ** (db / 20) / np.abs(samples).max()
    cut = np.clip(samples, -LEVEL, LEVEL)
    found = declipped(cut)
    short = np.zeros(samples.shape, bool)
    for channel in range(2):
        for start, end in runs_at(np.abs(samples[:, channel]) >= LEVEL):
            short[start:end, channel] = end - start <= LONGEST
    assert short.any()
    before, after = (np.sum((other - samples)[short] ** 2) for other in (cut, found))
    assert 10 * np.log10(before / after) > 2.5


def test_only_clipped_samples_change_and_only_outwards(clipped):
    found = declipped(clipped)
    at_level = np.abs(clipped) >= LEVEL
    assert np.array_equal(found[~at_level], clipped[~at_level])
    ratio = found[at_level] / clipped[at_level]
    assert ratio.min() >= 1.0
    assert ratio.max() <= MAX_RAISE
    assert (ratio > 1.0).mean() > 0.5


@pytest.mark.parametrize("cuts", [(1,), (0, 8191), (8192,), (8193, 8194), tuple(range(0, 288000, 997))])
def test_blocks_of_any_length_give_the_same(clipped, cuts):
    assert np.array_equal(declipped(clipped, cuts=cuts), declipped(clipped))


@pytest.mark.parametrize("frames", [0, 1, 5, 8191, 8192, 8193])
def test_the_length_stays(clipped, frames):
    assert declipped(clipped[:frames]).shape == (frames, 2)


def test_each_channel_has_its_own_levels(clipped):
    found = declipped(clipped, levels=((1, LEVEL),))
    assert np.array_equal(found[:, 0], clipped[:, 0])
    troughs = clipped[:, 1] < LEVEL
    assert np.array_equal(found[troughs, 1], clipped[troughs, 1])
    assert not np.array_equal(found[:, 1], clipped[:, 1])


def test_polarity_and_channels_are_treated_alike(clipped):
    found = declipped(clipped)
    np.testing.assert_allclose(declipped(-clipped), -found, atol=1e-9)
    assert np.array_equal(declipped(clipped[:, ::-1]), found[:, ::-1])


def test_longer_runs_stay_clipped(clipped):
    found = declipped(clipped, longest=4)
    for channel in range(2):
        for start, end in runs_at(np.abs(clipped[:, channel]) >= LEVEL):
            if end - start > 4:
                assert np.array_equal(found[start:end, channel], clipped[start:end, channel])
    assert not np.array_equal(found, clipped)


def test_a_top_at_either_end_and_one_without_sound_around_it_are_borne():
    samples = np.zeros((20000, 1))
    samples[:3] = samples[-3:] = LEVEL
    samples[9000:9010] = -LEVEL
    found = declipped(samples, levels=((0, LEVEL), (0, -LEVEL)))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= MAX_RAISE * LEVEL
