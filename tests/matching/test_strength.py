"""Every strength keeps what was asked: bounds, ranges, masks, and a distance that only falls."""

import numpy as np
import pytest

from refmaster.check.promises import judge_moves, judge_references
from refmaster.matching.derive import derive_plan
from refmaster.matching.features import long_term_thirds_db
from refmaster.matching.tone import derive_tone
from refmaster.profile.bands import (
    JUDGED_THIRDS,
    band_centers_hz,
    judged,
    mask_at_thirds,
    smooth_power_db,
    values_at_thirds,
)
from refmaster.profile.model import load_profile, save_profile
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)
STRENGTHS = [0, 10, "evidence", 25, 40, "balanced", 75, 100, "full"]


def distance_left(mix, reference, **options):
    """What third-octave readings of the master would be away from the reference, dB RMS."""
    match = derive_tone(mix, [(reference, 1.0)], MatchSettings(**options))
    own = np.asarray(mix.spectrum.mid_db)
    moved = smooth_power_db(own + match.mid_db, 1 / 3) - smooth_power_db(own, 1 / 3)
    wanted = long_term_thirds_db(reference) - long_term_thirds_db(mix)
    missed = wanted - values_at_thirds(moved)
    return float(np.std(missed[mask_at_thirds(match.known) & JUDGED_THIRDS]))


@pytest.mark.parametrize("seed", [1, 3])
def test_the_reference_only_comes_nearer(make_song, seed):
    """Another song, and the same one: the distance never rises from 0 to 100."""
    for reference in (make_song(seed + 50), make_song(seed, part=slice(60, None))):
        mix = make_song(seed, part=slice(0, 60))
        left = [distance_left(mix, reference, strength=p) for p in range(0, 101, 10)]
        assert np.diff(left).max() < 0.01  # a curve within a band acts on its loudest part
        assert left[-1] == distance_left(mix, reference, strength="full")
        assert left[6] == distance_left(mix, reference, strength="balanced")


@pytest.mark.parametrize("strength", STRENGTHS)
def test_bounds_and_range_hold(make_song, strength):
    settings = MatchSettings(
        strength=strength, max_boost_db=1.5, max_cut_db=1.0, max_width_db=0.5, low_hz=100, high_hz=5000
    )
    match = derive_tone(make_song(1), [(make_song(2, width_db=6.0), 1.0)], settings)
    assert match.mid_db.max() <= 1.5 + 1e-9
    assert match.mid_db.min() >= -1.0 - 1e-9
    width = match.side_db - match.mid_db
    assert np.abs(width).max() <= 0.5 + 1e-9
    assert np.abs(match.mid_db[(HZ <= 100) | (HZ >= 5000)]).max() == 0.0
    assert width[HZ < 100].max() <= 1e-12


@pytest.mark.parametrize("strength", STRENGTHS)
def test_nothing_is_made_of_noise(make_profile, pink_db, strength):
    dull = np.where(HZ < 12000, pink_db(HZ), -130.0)
    bright = pink_db(HZ) + 8.0 * np.tanh(np.log2(HZ / 1000.0))
    near_mono = make_profile(dull, lambda hz: dull - 45)
    wide = make_profile(bright, lambda hz: bright - 3)
    settings = MatchSettings(strength=strength)
    match = derive_tone(near_mono, [(wide, 1.0)], settings)
    assert np.abs(match.mid_db[HZ > 14000]).max() < 1e-9
    np.testing.assert_allclose(match.side_db, match.mid_db, atol=1e-9)
    back = derive_tone(wide, [(near_mono, 1.0)], settings)
    assert back.mid_db[HZ > 14000].max() < 1e-9
    assert back.mid_db[HZ > 14000].min() > back.mid_db[(HZ > 9000) & (HZ < 12000)].min() - 0.1


@pytest.mark.parametrize("strength", ["evidence", "balanced", "full"])
def test_resolution_smooths_every_strength(make_song, strength):
    def roughness(octaves):
        settings = MatchSettings(strength=strength, resolution_octaves=octaves)
        curve = derive_tone(make_song(1), [(make_song(2), 1.0)], settings).mid_db
        return np.abs(np.diff(curve, 2)[30:-30]).sum()

    assert roughness(2.0) < roughness(1 / 3)


def test_balanced_is_broad_and_within_six_db(make_song):
    for seed in range(4):
        match = derive_tone(make_song(seed), [(make_song(seed + 30), 1.0)], MatchSettings())
        curve = match.mid_db[match.known & judged(HZ)]
        assert np.abs(curve - curve.mean()).max() < 6.5
        mix, other = make_song(seed), make_song(seed + 30)
        assert distance_left(mix, other) < 0.85 * distance_left(mix, other, strength=0)


def test_the_plan_states_distance_likely_and_applied(make_song):
    mix, other = make_song(1), make_song(2)
    tone = derive_plan(mix, [(other, 1.0)], MatchSettings(strength="evidence")).tone
    assert tone.distance_db > 3 * tone.likely_mastering_db
    assert tone.applied_db == pytest.approx(tone.likely_mastering_db, abs=0.35)
    for word in ("the reference has", "evidence applies", "dB RMS is likely mastering", "left to the song"):
        assert word in tone.why
    assert any("song content, not followed" in region.why for region in tone.regions)
    assert all(region.uncertainty_db > 0 for region in tone.regions)
    assert all(0.0 < spread < 10.0 for _, _, spread in tone.likely_mid)
    full = derive_plan(mix, [(other, 1.0)], MatchSettings(strength="full")).tone
    assert full.applied_db > 0.8 * full.distance_db
    assert all(r.why.startswith("follows the reference") or abs(r.difference_db) <= 0.5 for r in full.regions)


def test_a_saved_profile_gives_the_same_plan(make_song, tmp_path):
    mix, reference = make_song(1), make_song(1, part=slice(40, None), name="r.wav")
    save_profile(reference, tmp_path / "r.yaml")
    settings = MatchSettings()
    fresh = derive_plan(mix, [(reference, 1.0)], settings)
    assert derive_plan(mix, [(load_profile(tmp_path / "r.yaml"), 1.0)], settings) == fresh


def test_several_references_are_advised_on(make_song):
    tilted = 14.0 * np.tanh(np.log2(np.array(make_song(1).evidence.frequencies_hz) / 1000.0))
    references = [
        (make_song(1, part=slice(60, None), name="same.wav"), 1.0),
        (make_song(2, name="other.wav"), 2.0),
        (make_song(3, mastering_db=tilted, name="odd.wav"), 1.0),
    ]
    plan = derive_plan(make_song(1, part=slice(0, 60)), references, MatchSettings())
    assert [r.fit for r in plan.references].index(0.0) == 0
    assert max(plan.references, key=lambda r: r.oddness).file == "odd.wav"
    assert all(low <= high for _, low, high in plan.tone.corridor)
    found = {finding.code: finding.message for finding in judge_references(plan)}
    assert "same.wav fits the mix best" in found["best_reference"]
    assert "odd.wav" in found["odd_reference"]
    alone = derive_plan(make_song(1), references[:1], MatchSettings())
    assert alone.references[0].fit is None
    assert judge_references(alone) == []


def test_no_broad_move_goes_unsaid(make_profile, pink_db):
    """An octave between two regions is moved by 9 dB: neither region is, the octave is named."""
    bump = 9.5 * np.exp(-0.5 * (np.log2(HZ / 500.0) / 0.6) ** 2)
    plan = derive_plan(
        make_profile(pink_db), [(make_profile(pink_db(HZ) + bump), 1.0)], MatchSettings(strength="full")
    )
    moved = [f for f in judge_moves(plan) if f.code == "mixing_problem"]
    assert len(moved) == 1
    assert "over an octave" in moved[0].message


def test_an_own_prior_is_named_in_the_plan(make_song, tmp_path):
    from refmaster.matching.content_prior import load_prior
    from refmaster.settings.emit import emit_model

    path = tmp_path / "mine.yaml"
    path.write_text(emit_model(load_prior()))
    plan = derive_plan(make_song(1), [(make_song(2), 1.0)], MatchSettings(prior=str(path)))
    assert str(path) in plan.tone.prior
    assert "shipped" in derive_plan(make_song(1), [(make_song(2), 1.0)], MatchSettings()).tone.prior
