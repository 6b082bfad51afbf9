"""The width as a whole: followed on the dial, within its bound, and never made of noise, bass or phase."""

import numpy as np
import pytest

from refmaster.matching.derive import derive_plan
from refmaster.matching.tone import derive_tone
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)
STRENGTHS = [0, 25, 35, 45, "balanced", 70, 80, 90, "full"]


def power(level_db):
    return 10.0 ** (np.asarray(level_db) / 10.0)


def ratio_after_db(mix, match, bands=slice(None)):
    """The side-to-mid ratio behind the curves."""
    mid = power(np.array(mix.spectrum.mid_db) + match.mid_db)[bands].sum()
    side = power(np.array(mix.spectrum.side_db) + match.side_db)[bands].sum()
    return 10.0 * np.log10(side / mid)


def matched(mix, *references, **settings):
    return derive_tone(mix, [(r, 1.0) for r in references], MatchSettings(**settings))


MID_DB = -40.0 - np.log2(HZ / 1000.0) - 30.0 / (1.0 + (HZ / 32.0) ** 6)
MONO_BASS_DB = 24.0 / (1.0 + (HZ / 120.0) ** 4)


def bumps(seed, sd_db):
    """A random curve, as songs differ by."""
    rng = np.random.default_rng(seed)
    return np.interp(np.log2(HZ), np.linspace(4.0, 14.5, 12), sd_db * rng.standard_normal(12))


@pytest.fixture
def image(make_profile):
    """A function of a side-to-mid ratio (dB): music whose bass is nearly mono, a song of its own per seed."""

    def build(side_to_mid_db, seed=None, mid_db=0.0):
        mid = MID_DB + mid_db + (0.0 if seed is None else bumps(seed, 3.0))
        side = mid + (0.0 if seed is None else bumps(seed + 100, 2.0)) - MONO_BASS_DB
        ratio = 10.0 * np.log10(power(side).sum() / power(mid).sum())
        return make_profile(mid, side + side_to_mid_db - ratio)

    return build


@pytest.mark.parametrize("difference_db", [-7.0, -3.0, 3.0, 7.0])
def test_balanced_follows_most_of_the_difference(image, difference_db):
    mix, reference = image(-14.0), image(-14.0 + difference_db)
    moved = ratio_after_db(mix, matched(mix, reference)) - mix.stereo.side_to_mid_db
    assert moved / difference_db == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("difference_db", [-11.0, 12.0])
def test_balanced_moves_it_by_six_db_and_no_more(image, difference_db):
    mix = image(-15.0)
    match = matched(mix, image(-15.0 + difference_db))
    moved = ratio_after_db(mix, match) - mix.stereo.side_to_mid_db
    assert abs(moved) == pytest.approx(6.0, abs=0.1)
    assert np.abs(match.side_db - match.mid_db).max() <= 9.0


def test_full_reaches_the_ratio_of_the_reference(image):
    mix, reference = image(-12.0, 1), image(-5.0, 2)
    assert ratio_after_db(mix, matched(mix, reference, strength="full")) == pytest.approx(-5.0, abs=0.15)


@pytest.mark.parametrize(("seed", "difference_db"), [(1, 7.0), (3, -6.0), (5, 0.5)])
def test_the_ratio_only_comes_nearer_from_evidence_on(image, seed, difference_db):
    mix, reference = image(-10.0, seed), image(-10.0 + difference_db, seed + 20)
    aim = -10.0 + difference_db
    left = [abs(ratio_after_db(mix, matched(mix, reference, strength=s)) - aim) for s in STRENGTHS]
    assert np.diff(left[1:]).max() < 0.1
    assert left[-1] < 0.2 < left[0]


def test_evidence_follows_other_music_by_next_to_nothing(make_song):
    mix, other = make_song(1), make_song(2, width_db=6.0)
    moved = [
        ratio_after_db(mix, matched(mix, other, strength=strength, tone=False)) - mix.stereo.side_to_mid_db
        for strength in ("evidence", "balanced")
    ]
    assert abs(moved[0]) < 1.0
    assert moved[1] > moved[0] + 1.5


def test_what_the_tone_does_to_the_ratio_is_made_up_for(image):
    """More bass makes the same side a smaller one; the ratio that is reached does not depend on it."""
    mix, reference = image(-12.0), image(-8.0, mid_db=12.0 / (1.0 + (HZ / 150.0) ** 2))
    with_tone, without = matched(mix, reference), matched(mix, reference, tone=False)
    assert np.abs(with_tone.mid_db).max() > 2.0
    assert ratio_after_db(mix, with_tone) == pytest.approx(ratio_after_db(mix, without), abs=0.1)
    assert (with_tone.side_db - with_tone.mid_db).max() > without.side_db.max() + 0.5


@pytest.mark.parametrize("strength", ["evidence", 45, "balanced", 80, "full"])
def test_no_mix_is_made_wider_than_its_mid_is_loud(image, strength):
    reference = image(4.0, 2)
    mix, wider = image(-3.0, 1), image(2.0, 1)
    assert ratio_after_db(mix, matched(mix, reference, strength=strength)) < 0.1
    assert ratio_after_db(wider, matched(wider, reference, strength=strength)) < 2.1


@pytest.mark.parametrize("strength", ["balanced", "full"])
def test_the_bass_stays_mono_compatible(make_profile, strength):
    mix = make_profile(MID_DB, MID_DB - np.where(HZ < 300, 3.0, 12.0))
    match = matched(mix, make_profile(MID_DB, MID_DB + 1.0), strength=strength)
    width = match.side_db - match.mid_db
    assert width[HZ < 100].max() <= 0.0
    assert width[HZ > 500].min() > 2.0
    assert ratio_after_db(mix, match, HZ < 200) < 0.0


@pytest.fixture
def coded(make_profile):
    """A function of a level (dB): next to no side but a codec's noise in the treble, so far below the mid."""
    return lambda level_db: make_profile(MID_DB, MID_DB + np.where(HZ < 9000, -60.0, level_db))


@pytest.mark.parametrize("strength", ["evidence", "balanced", "full"])
def test_residue_is_not_boosted(coded, image, strength):
    def most_db(mix):
        match = matched(mix, image(-3.0), strength=strength)
        return (match.side_db - match.mid_db).max()

    residue, between, treble = coded(-20.0), coded(-12.0), coded(-3.0)
    assert residue.stereo.side_to_mid_db < -30.0 < between.stereo.side_to_mid_db
    assert between.stereo.side_to_mid_db < -20.0 < treble.stereo.side_to_mid_db
    assert most_db(residue) <= 0.0
    if strength != "evidence":
        assert 0.5 < most_db(between) < most_db(treble) - 1.0


def test_a_bound_that_is_asked_holds_for_the_whole_side(image):
    mix, reference = image(-15.0), image(-4.0)
    for strength in STRENGTHS:
        width = matched(mix, reference, strength=strength, max_width_db=2.0)
        assert np.abs(width.side_db - width.mid_db).max() <= 2.0 + 1e-9
    wide = ratio_after_db(mix, matched(mix, reference, strength="full", max_width_db=2.0))
    assert 1.5 < wide - mix.stereo.side_to_mid_db <= 2.0


def test_a_mix_with_the_width_of_its_reference_keeps_it(image):
    mix = image(-9.0)
    for strength in STRENGTHS:
        match = matched(mix, mix, strength=strength)
        assert np.abs(match.side_db).max() < 1e-6


def why(mix, reference, **settings):
    return derive_plan(mix, [(reference, 1.0)], MatchSettings(**settings)).tone.width_why


def test_the_words_say_what_holds_the_width(image, coded):
    mix = image(-15.0)
    assert why(mix, image(-12.0)).endswith("in the reference; it is moved by +2.5 dB")
    assert why(mix, image(-2.0)).endswith("held at the 6 dB allowed")
    assert why(mix, image(-4.0), max_width_db=2.0).endswith("the 2 dB allowed")
    assert why(image(-3.0), image(4.0), strength="full").endswith("for mono's sake")
    assert why(coded(-12.0), image(-8.0)).endswith("mostly noise, and hardly boosted")
