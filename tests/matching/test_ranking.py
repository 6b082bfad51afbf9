"""References ranked by how they fit."""

import numpy as np
import pytest

from refmaster.matching.content_prior import load_prior
from refmaster.matching.ranking import best_together, rank_references
from refmaster.profile.model import StereoFacts


@pytest.fixture
def tilted(make_profile):
    def make(db_per_octave, name, *, width=-8.0):
        def mid(hz):
            return -20.0 + db_per_octave * np.log2(hz / 1000.0)

        stereo = StereoFacts(correlation=0.7, balance_db=0.0, side_to_mid_db=width, dc=(0.0, 0.0))
        profile = make_profile(mid, lambda hz: mid(hz) + width, name=name)
        return profile.model_copy(update={"stereo": stereo})

    return make


@pytest.fixture(scope="module")
def prior():
    return load_prior()


def test_the_nearer_tone_comes_first_in_any_order(prior, tilted):
    mix, near, far = tilted(-3.0, "mix.wav"), tilted(-3.5, "near.wav"), tilted(-6.0, "far.wav")
    for candidates in ([near, far], [far, near]):
        ranked = rank_references(mix, candidates, prior)
        assert [r.profile.name for r in ranked] == ["near.wav", "far.wav"]
        assert ranked[0].fit == 0.0 > ranked[1].fit


def test_of_two_alike_in_tone_the_nearer_width_comes_first(prior, tilted):
    mix = tilted(-3.0, "mix.wav", width=-8.0)
    ranked = rank_references(
        mix, [tilted(-3.0, "narrow.wav", width=-25.0), tilted(-3.0, "as_wide.wav", width=-9.0)], prior
    )
    assert ranked[0].profile.name == "as_wide.wav"
    assert ranked[1].width_difference_db == pytest.approx(-17.0, abs=0.5)


def test_a_reference_that_lacks_a_band_is_further_away_than_one_that_has_it(prior, tilted, make_profile):
    mix, whole = tilted(-3.0, "mix.wav"), tilted(-4.0, "whole.wav")

    def without_treble(hz):
        return np.where(hz < 3000.0, -20.0 - 3.0 * np.log2(hz / 1000.0), -110.0)

    dull = make_profile(without_treble, lambda hz: without_treble(hz) - 8.0, name="dull.wav")
    assert [r.profile.name for r in rank_references(mix, [dull, whole], prior)] == ["whole.wav", "dull.wav"]


def test_those_that_serve_together_average_to_the_mix(prior, tilted):
    mix = tilted(-3.0, "mix.wav")
    candidates = [tilted(-2.5, "brighter.wav"), tilted(-3.6, "darker.wav"), tilted(-9.0, "odd.wav")]
    ranked = rank_references(mix, candidates, prior)
    together = [r.profile.name for r in best_together(mix, ranked, prior)]
    assert sorted(together) == ["brighter.wav", "darker.wav"]


def test_a_mix_with_next_to_no_bands_still_ranks(prior, tilted, make_profile):
    def tone(hz):
        return np.where(np.abs(np.log2(hz / 1000.0)) < 0.2, -20.0, -190.0)

    mix = make_profile(tone, name="tone.wav")
    ranked = rank_references(mix, [tilted(-3.0, "a.wav"), tilted(-4.0, "b.wav")], prior)
    assert len(ranked) == 2
    assert best_together(mix, ranked, prior) == ranked[:1]
