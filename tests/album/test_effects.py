"""The random-effects model on data drawn from itself: what it finds and leaves, and how sure it is."""

import numpy as np
import pytest

from refmaster.album.effect_models import (
    level_model,
    shipped_album_prior,
    tone_engineer_covariance,
    tone_model,
)
from refmaster.album.effects import corrections_db, fit_effects
from refmaster.album.features import TONE_HZ

DIMS = len(TONE_HZ)
SPLIT = ["a"] * 6 + ["b"] * 3 + ["c"]


@pytest.fixture(scope="module")
def model():
    return tone_model(shipped_album_prior())


def drawn(model, engineers, random, *, scale=0.5, habits=1.0):
    """Return (mixes, what the engineers did) drawn from the model, and songs' detail besides."""
    names = list(dict.fromkeys(engineers))
    done = habits * random.multivariate_normal(np.zeros(DIMS), tone_engineer_covariance(), len(names))
    within = model.shapes.T @ model.song_covariance @ model.shapes + 2.0 * np.eye(DIMS)
    songs = random.multivariate_normal(model.song_mean, scale * within, len(engineers))
    each = done[[names.index(e) for e in engineers]]
    return songs + each, each


def everywhere(values):
    return np.ones(values.shape, dtype=bool)


def error(values):
    rest = values - values.mean(axis=1, keepdims=True)
    rest = rest - rest.mean(axis=0)
    return np.sqrt(np.mean(rest**2))


def corrected(values, engineers, model, **options):
    fit = fit_effects(values, everywhere(values), engineers, model, **options)
    return fit, corrections_db(fit, engineers, everywhere(values), max_db=3.0)


@pytest.mark.parametrize("engineers", [SPLIT, ["a"] * 5 + ["b"] * 5, list("aaaabbbbcccc")])
def test_engineers_are_taken_back(model, rng, engineers):
    ratios = []
    for _ in range(12):
        mixes, done = drawn(model, engineers, rng)
        _, correction = corrected(mixes, engineers, model)
        ratios.append(error(done + correction) / error(done))
    assert np.mean(ratios) < 0.85


def test_stated_uncertainty_is_about_right(model, rng):
    scores = []
    for _ in range(30):
        mixes, done = drawn(model, SPLIT, rng)
        fit = fit_effects(mixes, everywhere(mixes), SPLIT, model)
        truth = done[[0, 6, 9]] - done.mean(axis=0)
        apart = fit.offsets_db - truth
        apart = apart - apart.mean(axis=1, keepdims=True)  # a level is no tone
        scores.append(np.mean((apart / fit.std_db) ** 2))
    assert 0.6 < np.sqrt(np.mean(scores)) < 1.35


def test_one_song_is_shrunk_more_than_six(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    fit = fit_effects(mixes, everywhere(mixes), SPLIT, model)
    assert fit.engineers == ("a", "b", "c")
    assert np.mean(fit.std_db[0]) < np.mean(fit.std_db[2])
    assert fit.reliability[0] > fit.reliability[2]


def test_one_engineer_is_left_alone(model, rng):
    mixes, _ = drawn(model, ["a"] * 5, rng)
    _, correction = corrected(mixes, ["a"] * 5, model)
    assert not correction.any()


def test_nobody_named_hardly_moves(model, rng):
    mixes, _ = drawn(model, list("abcdef"), rng)
    _, correction = corrected(mixes, [None] * 6, model)
    assert np.sqrt(np.mean(correction**2, axis=1)).max() <= 0.25 + 1e-9


def test_an_anchor_stays_as_it_is(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    _, correction = corrected(mixes, SPLIT, model, anchor="b")
    assert not correction[6:9].any()
    assert np.abs(correction[0]).max() > 0.1


def test_the_order_of_tracks_is_no_matter(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    order = rng.permutation(len(SPLIT))
    _, one = corrected(mixes, SPLIT, model)
    _, other = corrected(mixes[order], [SPLIT[i] for i in order], model)
    np.testing.assert_allclose(one[order], other, atol=1e-9)


def test_level_of_a_mix_is_no_tone(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    _, one = corrected(mixes, SPLIT, model)
    _, other = corrected(mixes + rng.uniform(-9, 9, (10, 1)), SPLIT, model)
    np.testing.assert_allclose(one, other, atol=1e-8)


def test_bands_without_energy_are_not_looked_at(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    present = everywhere(mixes)
    present[2, -4:] = False
    one = fit_effects(mixes, present, SPLIT, model)
    mixes[2, -4:] = -200.0
    other = fit_effects(mixes, present, SPLIT, model)
    np.testing.assert_array_equal(one.offsets_db, other.offsets_db)


def test_a_track_without_any_energy_is_survived(model, rng):
    mixes, _ = drawn(model, SPLIT, rng)
    present = everywhere(mixes)
    present[9] = False
    fit = fit_effects(mixes, present, SPLIT, model)
    assert np.isfinite(fit.offsets_db).all()


@pytest.mark.parametrize("count", [2, 25])
def test_few_and_many_engineers_stay_within_bounds(model, rng, count):
    engineers = [f"e{i}" for i in range(count)]
    mixes, _ = drawn(model, engineers, rng)
    fit, correction = corrected(mixes, engineers, model)
    assert np.abs(correction).max() <= 3.0
    assert (fit.reliability >= 0.0).all()


def test_a_level_habit_is_told_from_a_quiet_song(rng):
    """Peaks move with a habit and not with a song that is only quieter in its dynamics."""
    model = level_model(shipped_album_prior(), "loud_sections")
    level = np.array([-12.0, -13.0, -12.5, -18.0, -17.0, -17.5])
    engineers = list("aaabbb")
    left = []
    for peak in ([-1.0, -1.0, -1.0, -6.0, -6.0, -6.0], [-1.0] * 6):
        values = np.column_stack([level, peak])
        fit = fit_effects(values, everywhere(values), engineers, model)
        after = level + corrections_db(fit, engineers, everywhere(values), max_db=6.0)[:, 0]
        left.append(after[:3].mean() - after[3:].mean())
    assert left[0] < 1.0  # of 5 dB
    assert left[1] > 1.5


def test_an_interlude_hardly_counts(rng):
    model = level_model(shipped_album_prior(), "loud_sections")
    values = np.column_stack([[-12.0, -12.5, -11.5, -12.0, -30.0], [-1.0, -1.1, -0.9, -1.0, -14.0]])
    fit = fit_effects(values, everywhere(values), list("aaabb"), model)
    assert fit.song_weights[4] < 0.3 < fit.song_weights[:3].min()


def test_the_songs_variance_is_reported(model, rng):
    """An album of songs that differ little says so, and one of songs that differ much."""
    alike, unlike = (drawn(model, SPLIT, rng, scale=scale)[0] for scale in (0.06, 2.0))
    fits = [fit_effects(mixes, everywhere(mixes), SPLIT, model) for mixes in (alike, unlike)]
    assert fits[0].song_scale < 0.6 < 1.4 < fits[1].song_scale
    assert all(0.0 < fit.song_scale_ln_std < 1.0 for fit in fits)


def test_engineer_covariance_is_broad_and_larger_at_the_ends():
    covariance = tone_engineer_covariance()
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert correlation[10, 13] > 0.6  # an octave apart
    assert correlation[0, -1] < 0.01
    assert covariance[0, 0] > covariance[13, 13]


def test_what_may_be_chance_is_left_alone(model, rng):
    """Of what is predicted for engineers who do nothing little is taken back, of large habits most."""
    shares = {}
    for habits in (0.0, 2.0):
        albums = [drawn(model, SPLIT, rng, habits=habits)[0] for _ in range(12)]
        shares[habits] = np.mean([corrected(mixes, SPLIT, model)[0].worth_share for mixes in albums])
    assert shares[0.0] < 0.55
    assert 0.65 < shares[2.0] <= model.sure_share


def test_few_albums_come_out_worse(model, rng):
    ratios = []
    for _ in range(60):
        mixes, done = drawn(model, SPLIT, rng, scale=1.0)
        ratios.append(error(done + corrected(mixes, SPLIT, model)[1]) / error(done))
    assert np.mean(np.array(ratios) > 1.0) < 0.2
    assert np.mean(ratios) < 0.9
    assert np.mean(np.maximum(np.array(ratios) - 1.0, 0.0)) < 0.02


def test_an_odd_song_is_told(model, rng):
    """One song unlike all others does not pull its engineer along as it would by itself."""
    mixes, _ = drawn(model, SPLIT, rng, scale=0.3)
    odd = mixes.copy()
    odd[2] += 25.0 * (np.arange(DIMS) > 18)
    fit = fit_effects(odd, everywhere(odd), SPLIT, model)
    assert fit.song_weights[2] < 0.5 * np.delete(fit.song_weights, 2).min()


def test_detail_is_no_engineer(model, rng):
    """What differs between neighbouring third octaves changes no prediction."""
    mixes, _ = drawn(model, SPLIT, rng)
    detail = 6.0 * rng.choice([-1.0, 1.0], mixes.shape)
    detail -= detail @ model.shapes.T @ model.shapes
    fits = [fit_effects(x, everywhere(x), SPLIT, model) for x in (mixes, mixes + detail)]
    np.testing.assert_allclose(fits[0].offsets_db, fits[1].offsets_db, atol=1e-9)
