"""Mastering told from content, on songs made of numbers."""

import numpy as np
import pytest

from refmaster.matching.content_prior import load_prior
from refmaster.matching.features import match_features
from refmaster.matching.likely import likely_gains
from refmaster.matching.posterior import match_segments
from refmaster.profile.bands import JUDGED_THIRDS, THIRDS_HZ

FIRST, SECOND = slice(0, 60), slice(60, None)


def likely(mix, *references):
    return likely_gains(match_features(mix), [(match_features(r), 1.0) for r in references], load_prior())


def gains(mix, *references):
    found = likely(mix, *references)
    return found.mid, found.width


def off(likely, gain):
    """RMS of what the likely gain misses, level removed."""
    counts = likely.known & JUDGED_THIRDS
    missed = (likely.gain_db - gain)[counts]
    return float(np.sqrt(np.mean((missed - missed.mean()) ** 2)))


def test_a_master_is_found_again_from_its_other_half(make_song, broad_curve):
    ratios = []
    for seed in range(6):
        gain = broad_curve(seed)
        mid, _ = gains(make_song(seed, mastering_db=-gain, part=FIRST), make_song(seed, part=SECOND))
        assert mid.near_weight > 0.9
        counts = mid.known & JUDGED_THIRDS
        ratios.append(off(mid, gain) / (gain[counts] - gain[counts].mean()).std())
    assert np.mean(ratios) < 0.4


def test_another_song_is_not_copied(make_song, broad_curve):
    for seed in range(4):
        mix, other = make_song(seed), make_song(seed + 100)
        mid, _ = gains(mix, other)
        difference = match_features(other).mid.long_term_db - match_features(mix).mid.long_term_db
        counts = mid.known & JUDGED_THIRDS
        apart = (difference[counts] - difference[counts].mean()).std()
        assert mid.near_weight < 0.1
        assert mid.gain_db[counts].std() < 0.5 * apart


def test_uncertainty_knows_which_case_it_is(make_song):
    same, _ = gains(make_song(1, part=FIRST), make_song(1, part=SECOND))
    other, _ = gains(make_song(1), make_song(7))

    def spread(likely):
        return np.sqrt(np.diag(likely.covariance)[likely.known]).mean()

    assert spread(same) < 0.6 * spread(other)
    assert np.linalg.eigvalsh(other.covariance).min() > -1e-9


def test_width_is_found_again_with_its_level(make_song):
    _, side = gains(make_song(3, width_db=-2.0, part=FIRST), make_song(3, part=SECOND))
    assert side.gain_db[side.known].mean() == pytest.approx(2.0, abs=0.5)


def test_equal_recordings_want_nothing(make_song):
    mid, side = gains(make_song(5), make_song(5))
    assert np.abs(mid.gain_db).max() < 1e-6
    assert np.abs(side.gain_db).max() < 1e-6


def test_three_references_are_surer_than_one(make_song):
    one, _ = gains(make_song(1), make_song(11))
    three, _ = gains(make_song(1), make_song(11), make_song(12), make_song(13))
    assert np.trace(three.covariance) < np.trace(one.covariance)


def test_the_odd_one_out(make_song, broad_curve):
    tilted = 14.0 * np.tanh(np.log2(THIRDS_HZ / 1000.0))
    friends = [make_song(21, mastering_db=broad_curve(seed)) for seed in (1, 2)]
    found = likely(make_song(20), *friends, make_song(21, mastering_db=tilted))
    assert max(found.oddness) == found.oddness[2] > 2.0
    assert max(found.fits) == 0.0 > found.fits[2]
    assert likely(make_song(20), *friends).oddness == (None, None)


def test_profiles_without_segments_or_width(make_profile, make_song, pink_db):
    bare, song = make_profile(pink_db), make_song(1)
    mid, side = gains(song, bare)
    assert side is None  # the reference is mono
    assert mid.near_weight == pytest.approx(0.0, abs=1e-6)
    mid, _ = gains(song, bare, make_song(2))
    assert np.all(np.isfinite(mid.gain_db))


def test_low_rates_and_nothing_in_common(make_profile, pink_db):
    low, high = make_profile(pink_db, rate=8000), make_profile(pink_db, rate=96000)
    mid, _ = gains(low, high)
    assert THIRDS_HZ[mid.known].max() < 4000
    assert np.all(np.isfinite(mid.gain_db))
    bass = make_profile(lambda hz: np.where(hz < 100, pink_db(hz), -150.0))
    treble = make_profile(lambda hz: np.where(hz > 5000, pink_db(hz), -150.0))
    assert gains(bass, treble) == (None, None)


def test_matching_pairs_what_is_alike(rng):
    sounds = rng.normal(0.0, 5.0, (4, 26))
    match = match_segments(sounds[[0, 1]], sounds[[1, 2, 0]], np.zeros(26), np.eye(26))
    assert match.pairs.sum() == pytest.approx(1.0)
    assert match.pairs[0].argmax() == 2
    assert match.pairs[1].argmax() == 0
    unlike = match_segments(sounds[[0]], sounds[[3]], np.zeros(26), np.eye(26))
    assert unlike.quality_db2 > 10 * match.quality_db2
