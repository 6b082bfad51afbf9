"""Faults of channels: not followed in a reference, and a silent channel of a mix is given nothing."""

import pytest

from refmaster import MatchSettings, master_array
from refmaster.matching.derive import derive_plan
from refmaster.matching.image import has_image_to_follow, image_aim_db

FAULTS = {
    "silent": {"balance_db": None, "correlation": None, "side_to_mid_db": None},
    "residue": {"balance_db": -45.0},
    "imbalanced": {"balance_db": 7.1},
    "out_of_phase": {"correlation": -0.41, "side_to_mid_db": 5.0},
}


def with_image(profile, **values):
    return profile.model_copy(update={"stereo": profile.stereo.model_copy(update=values)})


@pytest.mark.parametrize("fault", FAULTS)
def test_the_image_of_a_faulty_reference_is_not_followed(make_song, fault):
    mix, reference = make_song(1), make_song(2, width_db=9.0, balance_db=3.0)
    faulty = with_image(reference, **FAULTS[fault])
    assert has_image_to_follow(reference)
    assert not has_image_to_follow(faulty)
    plan = derive_plan(mix, [(faulty, 1.0)], MatchSettings(strength="full"))
    assert plan.tone.mid
    assert plan.tone.side == plan.tone.mid
    assert plan.balance.left_over_right_db == 0.0
    assert plan.tone.width_why == "no reference has a width to follow: the mix keeps its own"


def test_of_several_references_those_without_a_fault_are_followed(make_song):
    mix, good = make_song(1), make_song(2, width_db=9.0, balance_db=1.0)
    faulty = with_image(make_song(3, width_db=-9.0), **FAULTS["out_of_phase"])
    plan = derive_plan(mix, [(good, 1.0), (faulty, 5.0)], MatchSettings(strength="full"))
    assert plan.tone.side != plan.tone.mid
    assert image_aim_db([(good, 1.0), (faulty, 5.0)], lambda stereo: stereo.balance_db) == 1.0
    assert image_aim_db([(faulty, 5.0)], lambda stereo: stereo.balance_db) is None


def test_what_references_ask_for_is_their_weighted_mean(make_song):
    references = [(make_song(2, balance_db=2.0), 3.0), (make_song(3, balance_db=-2.0), 1.0)]
    assert image_aim_db(references, lambda stereo: stereo.balance_db) == pytest.approx(1.0)


@pytest.mark.parametrize("fault", ["silent", "residue"])
@pytest.mark.parametrize("strength", ["evidence", "balanced", "full"])
def test_a_silent_channel_is_given_nothing_by_the_plan(make_song, fault, strength):
    mix = with_image(make_song(1), **FAULTS[fault])
    reference = make_song(2, width_db=9.0, balance_db=1.5)
    plan = derive_plan(mix, [(reference, 1.0)], MatchSettings(strength=strength))
    assert plan.tone.side == plan.tone.mid
    assert plan.balance.left_over_right_db == 0.0
    assert "silent" in plan.balance.why
    assert "silent" in plan.tone.width_why


@pytest.mark.parametrize("channel", [0, 1])
def test_a_silent_channel_stays_silent(rng, channel):
    """Through curves, level and limiter, and the correction of what the limiter moved."""
    mix, reference = 0.1 * rng.standard_normal((2, 3 * 44100, 2))
    mix[:, channel] = 0.0
    reference[1:] += 0.8 * reference[:-1]
    master, result = master_array(mix, reference, 44100, MatchSettings(strength="full", target_lufs=-9))
    assert result.plan.tone.mid
    assert not master[:, channel].any()
    assert master[:, 1 - channel].any()
    assert "mix_one_sided" in {finding.code for finding in result.findings}
