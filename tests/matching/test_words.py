"""A plan says what differs, what was done about it, and how sure that is."""

import numpy as np
import pytest

from refmaster.matching.derive import derive_plan
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)


def tone(mix, *references, **settings):
    return derive_plan(mix, [(r, 1.0) for r in references], MatchSettings(**settings)).tone


def between(low_hz, high_hz, gain_db):
    return np.where((low_hz < HZ) & (high_hz > HZ), gain_db, 0.0)


def test_the_largest_differences_are_named_in_order_with_what_was_applied(make_profile, pink_db):
    steps = between(0, 150, -4.0) + between(500, 2000, 2.5) + between(10000, 30000, 5.0)
    found = tone(make_profile(pink_db), make_profile(pink_db(HZ) + steps), strength="full")
    said, sure = found.why.split("; ")
    first, second, third = said.split(", ")
    assert first.startswith("the reference has 4.0")
    assert " dB less below 150 Hz (full applies -4.0)" in first
    assert second == "2.3 more at 500 Hz-2 kHz (+2.2)"
    assert third.startswith("4.")
    assert " more above 10 kHz (+4." in third
    assert f"of {found.distance_db:.1f} dB RMS is likely mastering (± " in sure


@pytest.mark.parametrize("strength", ["evidence", "balanced", 75, "full"])
def test_it_is_short_and_predicts_nothing(make_song, strength):
    """Two lines of 120 columns; what is left is for the master's measurement to say."""
    for seed in range(5):
        why = tone(make_song(seed), make_song(seed + 20), strength=strength).why
        assert len(why) <= 2 * 112
        assert "leaves" not in why
        assert why.count(" applies ") == 1
        assert "likely mastering (± " in why


def test_how_sure_depends_on_the_material(make_song, broad_curve):
    mix = make_song(1, part=slice(0, 60), mastering_db=-2.0 * broad_curve(3))
    same, other = make_song(1, part=slice(60, None)), make_song(2)
    assert tone(mix, same).why.endswith(" dB)")
    assert tone(mix, other).why.endswith("the rest is a matter of taste")
    assert tone(mix, other, strength="evidence").why.endswith("the rest is left to the song")


def test_what_is_close_or_switched_off_says_so(make_profile, make_song, pink_db):
    mix = make_profile(pink_db)
    assert tone(mix, mix).why.startswith("no region differs from the reference by 1 dB; ")
    off = tone(make_song(1), make_song(2), tone=False).why
    assert off.endswith("; tone is switched off")
    assert "applies" not in off


def test_several_references_are_many(make_song):
    found = tone(make_song(1), make_song(2), make_song(3))
    assert found.why.startswith("the references have ")
    assert "dB in the references; " in found.width_why


def test_the_width_has_its_own_reason(make_song, make_profile, pink_db):
    wide = make_song(2, width_db=9.0)
    found = tone(make_song(1), wide)
    assert found.width_why.startswith("side to mid is -8.0 dB in the mix, 1.3 dB in the reference; ")
    assert "; it is moved by +" in found.width_why
    assert found.width_why.endswith("dB, held in places by the 9 dB allowed")
    assert tone(make_song(1), wide, side=False).width_why == "switched off: the mix keeps its own"
    assert tone(make_profile(pink_db), wide).width_why == ""
    near_mono = make_profile(pink_db, lambda hz: pink_db(hz) - 45.0)
    assert "no side in common" in tone(near_mono, wide).width_why
