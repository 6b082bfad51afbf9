"""Curves carry no level: the K-weighted power of the mix after them is what it was before."""

import numpy as np
import pytest

from refmaster.check.promises import judge_moves
from refmaster.io.open import open_audio
from refmaster.matching.correct import corrected_tone
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.matching.tone import derive_tone
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import band_centers_hz, judged
from refmaster.profile.measure import measure
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)
# A plan holds a curve at sixths of an octave.
PLAN_WITHIN_DB = 0.05
STRENGTHS = [0, 10, "evidence", 40, "balanced", 75, 90, "full"]


def louder_db(mix, mid_db, side_db):
    """How much louder curves in the profile's bands make a mix, by its own K-weighted spectrum."""
    hz = np.asarray(mix.spectrum.frequencies_hz)
    weight = k_weighting_power_gain(hz, mix.source.sample_rate_hz)
    spectra = [(mix.spectrum.mid_db, mid_db), (mix.spectrum.side_db, side_db)]
    powers = [10 ** (np.asarray(level) / 10) * weight for level, _ in spectra if level]
    after = [power * 10 ** (gain / 10) for power, (_, gain) in zip(powers, spectra, strict=False)]
    return float(10 * np.log10(np.sum(after) / np.sum(powers)))


def planned_db(plan, mix):
    """The same of a plan's points."""
    hz = np.asarray(mix.spectrum.frequencies_hz)
    return louder_db(mix, curve_at(plan.tone.mid, hz), curve_at(plan.tone.side, hz))


def boomy(make_song, pink_db):
    """Pairs whose difference is large where the asked range ends, besides songs."""
    rumble = make_song(5, mastering_db=np.where(np.arange(31) < 3, 18.0, 0.0))
    dull = make_song(8, mastering_db=np.linspace(6.0, -9.0, 31), width_db=-6.0)
    return [
        (make_song(1), make_song(2, width_db=4.0)),
        (rumble, make_song(6)),
        (make_song(6), rumble),
        (dull, make_song(9, width_db=8.0)),
        (make_song(3, part=slice(0, 60)), make_song(3, part=slice(60, None), mastering_db=3.0)),
    ]


@pytest.fixture(scope="module")
def example(request):
    folder = request.config.rootpath / "fixtures" / "example"
    return tuple(measure(open_audio(folder / f"{name}.flac")) for name in ("mix", "reference"))


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_mix_stays_as_loud_at_every_strength(make_song, pink_db, example, strength):
    for mix, reference in [*boomy(make_song, pink_db), example]:
        match = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength=strength))
        assert louder_db(mix, match.mid_db, match.side_db) == pytest.approx(0.0, abs=1e-4)
        plan = derive_plan(mix, [(reference, 1.0)], MatchSettings(strength=strength))
        assert planned_db(plan, mix) == pytest.approx(0.0, abs=PLAN_WITHIN_DB)


def test_the_side_keeps_its_place_against_the_mid(make_song):
    """What is taken from the mid for the level is taken from the side."""
    mix, reference = make_song(1), make_song(2, width_db=6.0)
    with_tone = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength="evidence"))
    alone = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength="evidence", tone=False))
    np.testing.assert_allclose(with_tone.side_db - with_tone.mid_db, alone.side_db, atol=1e-9)
    assert not alone.mid_db.any()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_mix_against_itself_is_left_alone(make_song, strength):
    mix = make_song(4)
    match = derive_tone(mix, [(mix, 1.0)], MatchSettings(strength=strength))
    assert np.abs(match.mid_db).max() < 1e-6
    assert np.abs(match.side_db).max() < 1e-6
    plan = derive_plan(mix, [(mix, 1.0)], MatchSettings(strength=strength))
    assert (plan.tone.mid, plan.tone.side) == ((), ())


def test_the_range_is_placed_at_the_mixs_level(make_song):
    """Outside the range nothing is asked; inside it the level is the mix's, not that of what lies outside."""
    mix, reference = make_song(1), make_song(1, mastering_db=np.linspace(-12.0, 12.0, 31))
    for strength in STRENGTHS:
        settings = MatchSettings(strength=strength, low_hz=300, high_hz=3000)
        match = derive_tone(mix, [(reference, 1.0)], settings)
        assert not match.mid_db[(HZ < 300) | (HZ > 3000)].any()
        assert louder_db(mix, match.mid_db, match.side_db) == pytest.approx(0.0, abs=1e-4)


def test_a_bound_that_was_asked_for_holds_before_the_level(make_song):
    settings = MatchSettings(strength="full", max_boost_db=0.0, max_cut_db=3.0)
    match = derive_tone(make_song(1), [(make_song(2), 1.0)], settings)
    assert match.mid_db.max() <= 0.0
    assert match.mid_db.min() >= -3.0
    assert np.ptp(match.mid_db[judged(HZ)]) > 2.5


def test_what_a_bound_holds_back_lifts_nothing_else(make_profile, pink_db):
    """An octave that cannot be followed all the way leaves the others where they are, but for the level."""
    hole = np.where(np.abs(np.log2(HZ / 63.0)) < 1 / 2, -60.0, 0.0)
    mix, reference = make_profile(pink_db), make_profile(pink_db(HZ) + hole)
    curve = derive_tone(mix, [(reference, 1.0)], MatchSettings(strength="full")).mid_db
    assert np.interp(63.0, HZ, curve) < -30.0
    rest = curve[(HZ > 150.0) & (HZ < 16000.0)]
    assert np.ptp(rest) < 0.5
    assert np.abs(rest).max() < 2.0


def test_a_correction_adds_no_level(make_song, make_profile):
    mix = make_song(1)
    plan = derive_plan(mix, [(make_song(2), 1.0)], MatchSettings(strength="full"))
    duller = -1.5 * np.clip(np.log2(HZ / 500.0), 0.0, 2.0)
    spectrum = np.asarray(mix.spectrum.mid_db) + curve_at(plan.tone.mid, HZ) + duller
    corrected = corrected_tone(plan, mix, make_profile(spectrum, spectrum - 8.0))
    assert corrected.tone.mid != plan.tone.mid
    assert planned_db(corrected, mix) == pytest.approx(0.0, abs=PLAN_WITHIN_DB)
    for points in ("mid", "side"):
        moved = curve_at(getattr(corrected.tone, points), HZ) - curve_at(getattr(plan.tone, points), HZ)
        assert np.ptp(moved) > 1.0
    width = [curve_at(p.tone.side, HZ) - curve_at(p.tone.mid, HZ) for p in (plan, corrected)]
    np.testing.assert_allclose(*width, atol=0.03)


def test_differences_and_moves_are_told_on_one_scale(make_profile, pink_db, rng, example):
    """`full` applies the difference itself, region by region, and its numbers say so."""
    bumps = np.interp(np.log2(HZ), np.linspace(4, 15, 12), rng.normal(0, 4, 12))
    loud_bass = 12.0 * np.exp(-0.5 * (np.log2(HZ / 60.0)) ** 2)
    mix = make_profile(pink_db(HZ) + loud_bass)
    smooth = mix, make_profile(pink_db(HZ) + bumps)
    for (mix, reference), apart_db in ((smooth, 0.5), (example, 1.5)):
        regions = derive_plan(mix, [(reference, 1.0)], MatchSettings(strength="full")).tone.regions
        apart = [region.applied_db - region.difference_db for region in regions]
        assert np.abs(apart).max() < apart_db
        assert abs(np.mean(apart)) < 0.5


def test_no_warning_is_a_matter_of_level(example):
    """The example is 3 dB RMS away: nothing in it asks for a new mix, however much is followed."""
    mix, reference = example
    for strength in STRENGTHS:
        plan = derive_plan(mix, [(reference, 1.0)], MatchSettings(strength=strength))
        assert judge_moves(plan) == []
