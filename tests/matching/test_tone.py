"""The tonal match, on spectra made of numbers: physics and promises of the curves."""

import numpy as np
import pytest

from refmaster.matching.tone import derive_tone, tonal_distance_db
from refmaster.profile.bands import (
    band_centers_hz,
    smooth_power_db,
    third_octave_rms_db,
)
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)


def tilt(db_per_octave):
    return lambda hz: -40.0 - 3.0 * np.log2(hz / 1000.0) + db_per_octave * np.log2(hz / 1000.0)


def at(match, hz, what="mid_db"):
    return float(np.interp(hz, match.frequencies_hz, getattr(match, what)))


def test_equal_spectra_ask_for_nothing(make_profile, pink_db):
    mix = make_profile(pink_db, lambda hz: pink_db(hz) - 8)
    match = derive_tone(mix, [(mix, 1.0)], MatchSettings(strength="full"))
    assert np.abs(match.mid_db).max() < 1e-9
    assert np.abs(match.side_db).max() < 1e-9


def test_full_follows_third_octaves(make_profile, pink_db, rng):
    bumps = np.interp(np.log2(HZ), np.linspace(4, 15, 34), rng.normal(0, 4, 34))
    mix, reference = make_profile(pink_db), make_profile(pink_db(HZ) + bumps)
    match = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength="full"))
    reached = smooth_power_db(pink_db(HZ) + match.mid_db, 1 / 3)
    missed = reached - smooth_power_db(pink_db(HZ) + bumps, 1 / 3)
    assert third_octave_rms_db(missed, match.known) < 0.1


def test_monotone_in_strength(make_profile, pink_db, rng):
    bumps = np.interp(np.log2(HZ), np.linspace(4, 15, 34), rng.normal(0, 5, 34))
    mix, reference = make_profile(pink_db), make_profile(pink_db(HZ) + bumps)
    left = []
    for strength in (0, 10, 30, 60, 80, 100, "full"):
        match = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength=strength))
        moved = smooth_power_db(pink_db(HZ) + match.mid_db, 1 / 3) - smooth_power_db(pink_db(HZ), 1 / 3)
        left.append(third_octave_rms_db(match.difference_db - moved, match.known))
    assert left == sorted(left, reverse=True)
    assert left[0] == third_octave_rms_db(match.difference_db, match.known)


def test_level_is_no_tone(make_profile, pink_db):
    mix, reference = make_profile(pink_db), make_profile(lambda hz: pink_db(hz) + 17.0)
    match = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength=100))
    assert np.abs(match.mid_db).max() < 1e-6


def test_weights_of_references(make_profile, pink_db):
    mix = make_profile(pink_db)
    bright, dark = make_profile(tilt(1.0)), make_profile(tilt(-1.0))
    even = derive_tone(mix, [(bright, 1.0), (dark, 1.0)], MatchSettings(strength=100))
    assert np.abs(even.mid_db).max() < 5e-3  # a running third averages power, not dB
    brighter = derive_tone(mix, [(bright, 3.0), (dark, 1.0)], MatchSettings(strength=100))
    alone = derive_tone(mix, [(bright, 1.0)], MatchSettings(strength=100))
    np.testing.assert_allclose(brighter.difference_db, alone.difference_db / 2, atol=1e-3)
    inside = (HZ > 40) & (HZ < 16000)  # at both ends a curve within a band acts on its loudest part
    np.testing.assert_allclose(brighter.mid_db[inside], alone.mid_db[inside] / 2, atol=0.2)


def test_no_treble_is_made_of_noise(make_profile, pink_db):
    """A 15 kHz low-passed mix is not boosted above, whatever the reference has there."""
    dull = np.where(HZ < 15000, pink_db(HZ), -130.0)
    bright = pink_db(HZ) + np.where(HZ > 5000, 6.0, 0.0)
    match = derive_tone(make_profile(dull), [(make_profile(bright), 1.0)], MatchSettings(strength="full"))
    assert at(match, 12000) > 3.0
    assert np.abs(match.mid_db[HZ > 17000]).max() < 1e-9


def test_a_low_passed_reference_takes_no_treble_away(make_profile, pink_db):
    coded = np.where(HZ < 16000, pink_db(HZ), -130.0)
    match = derive_tone(make_profile(pink_db), [(make_profile(coded), 1.0)], MatchSettings(strength="full"))
    assert np.abs(match.mid_db[HZ > 18000]).max() < 0.3


def test_no_width_is_made_of_residue(make_profile, pink_db):
    near_mono = make_profile(pink_db, lambda hz: pink_db(hz) - 45)
    wide = make_profile(pink_db, lambda hz: pink_db(hz) - 3)
    match = derive_tone(near_mono, [(wide, 1.0)], MatchSettings(strength="full"))
    np.testing.assert_allclose(match.side_db, match.mid_db, atol=1e-9)


def test_width_is_bounded_and_low_side_never_boosted(make_profile, pink_db):
    narrow = make_profile(pink_db, lambda hz: pink_db(hz) - 20)
    wide = make_profile(pink_db, lambda hz: pink_db(hz) - 5)
    match = derive_tone(narrow, [(wide, 1.0)], MatchSettings(strength=100, max_width_db=2.0))
    width = match.side_db - match.mid_db
    assert width.max() == pytest.approx(2.0, abs=0.01)
    assert width[HZ < 100].max() <= 0.0


def test_mono_reference_leaves_the_width(make_profile, pink_db):
    stereo = make_profile(pink_db, lambda hz: pink_db(hz) - 8)
    match = derive_tone(stereo, [(make_profile(tilt(1.0)), 1.0)], MatchSettings(strength="full"))
    np.testing.assert_array_equal(match.side_db, match.mid_db)


def test_bounds_and_range_hold(make_profile, pink_db):
    far = make_profile(tilt(6.0))
    settings = MatchSettings(strength=100, max_boost_db=4, max_cut_db=2, low_hz=100, high_hz=5000)
    match = derive_tone(make_profile(pink_db), [(far, 1.0)], settings)
    assert match.mid_db.max() <= 4.0
    assert match.mid_db.min() >= -2.0
    assert np.abs(match.mid_db[(HZ <= 100) | (HZ >= 5000)]).max() == 0.0


def test_aspects_switch_off(make_profile, pink_db):
    mix = make_profile(pink_db, lambda hz: pink_db(hz) - 8)
    other = make_profile(tilt(1.0), lambda hz: pink_db(hz) - 6)
    tone_only = derive_tone(mix, [(other, 1.0)], MatchSettings(side=False))
    np.testing.assert_array_equal(tone_only.side_db, tone_only.mid_db)
    side_only = derive_tone(mix, [(other, 1.0)], MatchSettings(tone=False))
    assert not side_only.mid_db.any()
    assert side_only.side_db.any()


def test_any_pair_of_sample_rates(make_profile):
    low, high = make_profile(tilt(0.0), rate=8000), make_profile(tilt(-1.0), rate=192000)
    match = derive_tone(low, [(high, 1.0)], MatchSettings())
    assert match.frequencies_hz[-1] < 4000
    back = derive_tone(high, [(low, 1.0)], MatchSettings())
    assert np.abs(back.mid_db[back.frequencies_hz > 5000]).max() < 1e-9


def test_distance_is_symmetric_and_level_free(make_profile):
    one, other = make_profile(tilt(0.0)), make_profile(lambda hz: tilt(1.0)(hz) + 9)
    assert tonal_distance_db(one, one) == pytest.approx(0.0, abs=1e-9)
    assert tonal_distance_db(one, other) == pytest.approx(tonal_distance_db(other, one))
    assert tonal_distance_db(one, other) > 1.5
