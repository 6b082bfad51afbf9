"""Plans corrected by what their written files measure."""

import numpy as np
import pytest

from refmaster.matching.correct import corrected_level, corrected_peak, corrected_tone
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.match import MatchSettings

HZ = band_centers_hz(44100)


@pytest.fixture
def mix(make_profile, pink_db):
    return make_profile(pink_db, lambda hz: pink_db(hz) - 8.0)


@pytest.fixture
def plan(mix, make_profile, pink_db):
    reference = make_profile(lambda hz: pink_db(hz) + 2.0 * np.tanh(np.log2(hz / 1000.0)), lufs=-14.0)
    return derive_plan(mix, [(reference, 1.0)], MatchSettings(strength="full"))


def written(plan, make_profile, pink_db, moved=0.0, **options):
    """The profile of a file that was written as planned, its mid moved by a function of Hz."""
    return make_profile(pink_db(HZ) + curve_at(plan.tone.mid, HZ) + moved, **options)


def test_a_missed_loudness_moves_the_gain_by_its_slope(plan, make_profile, pink_db):
    quiet = written(plan, make_profile, pink_db, lufs=-15.0)
    corrected = corrected_level(plan, quiet, 0.5)
    assert corrected.level.gain_db == pytest.approx(plan.level.gain_db + 2.0)
    assert corrected_level(plan, written(plan, make_profile, pink_db, lufs=-14.02), 0.5) is None
    limited = plan.model_copy(
        update={"promise": plan.promise.model_copy(update={"limited_by": "saturation"})}
    )
    assert corrected_level(limited, quiet, 0.5) is None


def test_an_overshoot_lowers_the_limiters_own_ceiling(plan, make_profile, pink_db):
    over = written(plan, make_profile, pink_db, true_peak_dbtp=-0.7)
    assert corrected_peak(plan, over).limiter.ceiling_dbtp == pytest.approx(-1.31)
    assert corrected_peak(plan, written(plan, make_profile, pink_db, true_peak_dbtp=-1.0)) is None


def test_what_the_limiter_moved_is_taken_back(plan, mix, make_profile, pink_db):
    duller = -1.0 * np.clip(np.log2(HZ / 2000.0), 0.0, 2.0)
    corrected = corrected_tone(plan, mix, written(plan, make_profile, pink_db, duller))
    back = curve_at(corrected.tone.mid, HZ) - curve_at(plan.tone.mid, HZ)
    inside = (HZ > 60.0) & (HZ < 12000.0)
    np.testing.assert_allclose((back + duller)[inside] - (back + duller)[inside].mean(), 0.0, atol=0.15)
    assert len(corrected.tone.side) == len(plan.tone.side)
    assert "corrected for what the limiter moved" in corrected.tone.why
    assert corrected_tone(plan, mix, written(plan, make_profile, pink_db, duller / 8)) is None
    assert corrected_tone(plan, mix, written(plan, make_profile, pink_db)) is None
