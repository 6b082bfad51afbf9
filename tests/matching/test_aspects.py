"""References by aspect: each stage follows the references that serve it, and no others."""

import numpy as np
import pytest

from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.matching.neutral import MixLoudness
from refmaster.profile.bands import band_centers_hz, judged
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)
UNSERVED = "no reference serves {}: not matched"


@pytest.fixture
def songs(make_song):
    """A mix, and two references that differ in everything."""
    bright = np.linspace(-3.0, 5.0, 31)
    return (
        make_song(1, name="mix.wav", lufs=-22.0),
        make_song(2, name="a.wav", lufs=-14.0, mastering_db=bright, width_db=-4.0, balance_db=1.0),
        make_song(3, name="b.wav", lufs=-9.0, mastering_db=-bright, width_db=5.0, balance_db=-1.5),
    )


def plan_of(mix, *references, **settings):
    """The plan of a mix toward pairs of reference and aspects."""
    return derive_plan(
        mix,
        [(reference, 1.0) for reference, _ in references],
        MatchSettings(**settings),
        aspects=[aspects for _, aspects in references],
    )


@pytest.mark.parametrize("strength", ["evidence", "balanced", "full"])
def test_each_stage_follows_its_own_reference(songs, strength):
    mix, a, b = songs
    plan = plan_of(mix, (a, ("tone", "loudness")), (b, ("width", "balance")), strength=strength)
    of_a, of_b = (derive_plan(mix, [(one, 1.0)], MatchSettings(strength=strength)) for one in (a, b))
    assert [r.aspects for r in plan.references] == [("tone", "loudness"), ("width", "balance")]
    assert plan.promise.integrated_lufs == -14.0
    assert plan.tone.likely_mid == of_a.tone.likely_mid
    assert plan.tone.likely_width == of_b.tone.likely_width
    assert plan.tone.distance_db == of_a.tone.distance_db
    wanted = f"{b.stereo.side_to_mid_db:.1f} dB in the reference"
    assert wanted in plan.tone.width_why
    assert wanted in of_b.tone.width_why
    assert f"{b.stereo.balance_db:+.2f} dB in the reference" in plan.balance.why
    # The mid is a's but for its level, which goes with the width.
    moved = (curve_at(plan.tone.mid, HZ) - curve_at(of_a.tone.mid, HZ))[judged(HZ)]
    assert np.ptp(moved) < 0.05
    mid = curve_at(plan.tone.mid, HZ)
    change = MixLoudness(mix, HZ).change_db(mid, mid + curve_at(plan.tone.width, HZ))
    assert change == pytest.approx(0.0, abs=0.05)


def test_a_reference_of_the_tone_alone_moves_no_width(songs):
    mix, a, b = songs
    plan = plan_of(mix, (a, ("tone",)), (b, ("loudness",)))
    assert plan.tone.mid == plan_of(mix, (a, ()), side=False).tone.mid
    assert plan.tone.width == ()
    assert plan.tone.width_why == UNSERVED.format("width")


def test_what_no_reference_serves_stays_and_says_so(songs):
    mix, a, _ = songs
    loud = plan_of(mix, (a, ("loudness",)), sections=True)
    assert loud.promise.integrated_lufs == -14.0
    assert loud.tone.is_flat
    assert loud.tone.why == UNSERVED.format("tone or width")
    assert loud.balance.left_over_right_db == 0.0
    assert loud.balance.why == UNSERVED.format("balance")
    assert loud.dynamics.is_at_rest
    assert loud.dynamics.why == UNSERVED.format("dynamics")
    assert loud.sections.is_at_rest
    wide = plan_of(mix, (a, ("width",)), sections=True)
    assert wide.tone.mid == ()
    assert wide.tone.why == UNSERVED.format("tone")
    assert wide.tone.regions == ()
    assert wide.tone.width != ()
    assert wide.sections.why == UNSERVED.format("tone")
    assert wide.promise.integrated_lufs == mix.levels.integrated_lufs
    off = plan_of(mix, (a, ("loudness",)), balance=False, dynamics=False)
    assert off.balance.why == off.dynamics.why == "switched off"


def test_a_reference_for_all_counts_beside_one_for_an_aspect(songs):
    mix, a, b = songs
    plan = plan_of(mix, (a, ()), (b, ("loudness",)))
    assert plan.promise.integrated_lufs == pytest.approx(-11.5)
    alone = derive_plan(mix, [(a, 1.0)], MatchSettings())
    assert plan.tone == alone.tone
    assert plan.balance == alone.balance


def test_only_those_of_the_tone_are_compared_with_each_other(songs, make_song):
    mix, a, b = songs
    plan = plan_of(mix, (b, ("loudness",)), (a, ("tone",)), (make_song(4), ("tone", "width")))
    fits = [r.fit for r in plan.references]
    assert fits[0] is None
    assert max(fits[1:]) == 0.0
    assert plan_of(mix, (b, ("loudness",)), (a, ("tone",))).references[1].fit is None
