"""Dynamics told from song content, on levels made of numbers, and the stage that a plan gets."""

import numpy as np
import pytest

from refmaster.dsp.dynamics import static_change_db
from refmaster.errors import SettingsError
from refmaster.mastering import master_array
from refmaster.matching.compressed import LOW_PLR_DB, LOW_PSR_DB
from refmaster.matching.content_prior import load_prior, slope_model
from refmaster.matching.derive import derive_plan
from refmaster.matching.dynamics import HIGHEST_SLOPE, LOWEST_SLOPE, derive_dynamics, slope_at
from refmaster.matching.learn import Track, fit_prior, match_residuals
from refmaster.matching.level_spread import (
    MAX_CHANGE_DB,
    MIN_BLOCKS,
    LikelySlope,
    level_summary,
    likely_slope,
    mean_level,
)
from refmaster.meters.loudness import momentary_spread_lu
from refmaster.plan import format_plan
from refmaster.profile.model import TimeSeries
from refmaster.settings.emit import emit_model
from refmaster.settings.match import MatchSettings

FIRST, SECOND = slice(0, 60), slice(60, None)
STRENGTHS = ("evidence", "balanced", "full")


def played_at(song, levels, *, over_limits_db=5.0):
    """A song with these momentary levels, so much above what counts as over-compressed."""
    series = TimeSeries(hop_s=0.1, momentary_lufs=tuple(np.round(levels, 2).tolist()), short_term_lufs=())
    peaks = {"plr_db": LOW_PLR_DB + over_limits_db, "psr_db": LOW_PSR_DB + over_limits_db}
    found = song.levels.model_copy(update=peaks)
    return song.model_copy(update={"series": series, "levels": found})


def song_levels(seed, *, blocks=900, sd_db=3.0):
    """Levels of a song: phrases about -20 LUFS."""
    rng = np.random.default_rng(seed)
    phrases = np.repeat(rng.normal(0.0, 0.5 * sd_db, blocks // 30 + 1), 30)[:blocks]
    return -20.0 + phrases + rng.normal(0.0, sd_db, blocks)


def worked(levels, per_db):
    """Levels behind an engineer who changes what lies above the median by so much per dB."""
    return levels + per_db * np.maximum(levels - np.median(levels), 0.0)


def after(mix, dynamics):
    """A mix's levels after the stage."""
    levels = level_summary(mix)
    for band in dynamics.bands:
        levels = levels + static_change_db(levels, band) + band.makeup_db
    return levels


@pytest.fixture
def halves(make_song):
    """A function of seed and engineer: a hidden half of a song, the half itself, and the other half."""

    def made(seed, per_db):
        levels, others = song_levels(seed, sd_db=1.5), song_levels(seed + 1000, sd_db=1.5)
        first, second = make_song(seed, part=FIRST), make_song(seed, part=SECOND)
        return played_at(first, worked(levels, per_db)), played_at(first, levels), played_at(second, others)

    return made


@pytest.fixture
def two_songs(make_song):
    """A mix, and another song with wider dynamics."""
    mix = played_at(make_song(1), song_levels(1, sd_db=2.0))
    return mix, played_at(make_song(2), song_levels(2, sd_db=5.0))


@pytest.mark.parametrize("per_db", [-0.4, 0.8])
def test_what_an_engineer_did_to_the_dynamics_is_found_from_the_other_half(halves, per_db):
    before, left = [], []
    for seed in range(6):
        mix, original, reference = halves(seed, per_db)
        stage = derive_dynamics(mix, [(reference, 1.0)], MatchSettings(strength="evidence"))
        (band,) = stage.bands
        assert (band.ratio < 1.0) == (per_db < 0.0)
        wanted = momentary_spread_lu(level_summary(original))
        before.append(abs(momentary_spread_lu(level_summary(mix)) - wanted))
        left.append(abs(momentary_spread_lu(after(mix, stage)) - wanted))
    assert np.mean(left) < 0.6 * np.mean(before)


def test_what_was_left_alone_is_hardly_moved(halves):
    for seed in range(6):
        mix, _, reference = halves(seed, 0.0)
        stage = derive_dynamics(mix, [(reference, 1.0)], MatchSettings(strength="evidence"))
        assert abs(momentary_spread_lu(after(mix, stage)) - momentary_spread_lu(level_summary(mix))) < 0.4


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_track_against_itself_keeps_its_dynamics(make_song, strength):
    for seed in range(3):
        song = played_at(make_song(seed), song_levels(seed, sd_db=1.0 + seed))
        stage = derive_dynamics(song, [(song, 1.0)], MatchSettings(strength=strength))
        assert stage.is_at_rest
        assert "as far above its middle" in stage.why


def test_another_song_is_hardly_evidence_but_can_be_followed(two_songs):
    mix, other = two_songs
    spreads = [momentary_spread_lu(level_summary(mix))]
    for strength in STRENGTHS:
        stage = derive_dynamics(mix, [(other, 1.0)], MatchSettings(strength=strength))
        spreads.append(momentary_spread_lu(after(mix, stage)))
    none, evidence, balanced, full = spreads
    assert none <= evidence < balanced < full < momentary_spread_lu(level_summary(other))
    assert evidence - none < 0.35 * (full - none)


def test_what_two_songs_differ_by_anyway_is_left(make_song):
    mix = played_at(make_song(1), song_levels(1, sd_db=3.0))
    other = played_at(make_song(2), -20.0 + 1.1 * (song_levels(1, sd_db=3.0) + 20.0))
    stage = derive_dynamics(mix, [(other, 1.0)], MatchSettings())
    assert stage.is_at_rest
    assert "songs differ by that much anyway" in stage.why


def test_the_size_never_falls_with_the_strength():
    rng = np.random.default_rng(1)
    for _ in range(200):
        whole, likely = rng.uniform(-1.2, 1.2, 2)
        found = LikelySlope(likely=likely, deviation=0.1, whole=whole)
        near = rng.uniform()
        slopes = np.array([slope_at(percent, found, near) for percent in range(0, 101, 5)])
        assert (np.diff(slopes * np.sign(whole)) >= -1e-12).all()
        assert slopes[0] == 0.0
        assert slopes[-1] == pytest.approx(np.clip(whole, LOWEST_SLOPE, HIGHEST_SLOPE))


@pytest.mark.parametrize(("own_sd", "its_sd", "ratio"), [(1.0, 8.0, 0.667), (8.0, 1.0, 2.0)])
def test_the_stage_keeps_within_its_bounds(make_song, own_sd, its_sd, ratio):
    mix = played_at(make_song(1), song_levels(1, sd_db=own_sd))
    other = played_at(make_song(2), song_levels(2, sd_db=its_sd))
    (band,) = derive_dynamics(mix, [(other, 1.0)], MatchSettings(strength="full")).bands
    assert band.ratio == pytest.approx(ratio, abs=0.001)
    assert band.max_change_db == MAX_CHANGE_DB


def test_the_loudness_stays(two_songs):
    mix, other = two_songs
    for one, reference in ((mix, other), (other, mix)):
        stage = derive_dynamics(one, [(reference, 1.0)], MatchSettings(strength="full"))
        assert mean_level(after(one, stage)) == pytest.approx(mean_level(level_summary(one)), abs=0.01)


def test_an_over_compressed_mix_is_expanded_but_never_compressed_further(make_song, two_songs):
    narrow, wide = two_songs
    settings = MatchSettings(strength="full")
    for over_limits_db, compressed in ((-0.1, False), (0.1, True)):
        mix = played_at(make_song(2), song_levels(2, sd_db=5.0), over_limits_db=over_limits_db)
        stage = derive_dynamics(mix, [(narrow, 1.0)], settings)
        assert stage.is_at_rest != compressed
        assert ("compressed enough" in stage.why) != compressed
        mix = played_at(make_song(1), song_levels(1, sd_db=2.0), over_limits_db=over_limits_db)
        assert derive_dynamics(mix, [(wide, 1.0)], settings).bands[0].ratio < 1.0


def test_what_is_too_short_tells_nothing(two_songs):
    mix, other = two_songs
    short = played_at(other, song_levels(2, blocks=MIN_BLOCKS // 2))
    for one, reference, who in ((short, mix, "the mix"), (mix, short, "the reference")):
        stage = derive_dynamics(one, [(reference, 1.0)], MatchSettings())
        assert stage.is_at_rest
        assert stage.why.startswith(f"{who} is too short")
    settings = MatchSettings(strength="full")
    with_short = derive_dynamics(mix, [(other, 1.0), (short, 5.0)], settings)
    assert with_short.bands == derive_dynamics(mix, [(other, 1.0)], settings).bands


def test_dynamics_can_be_switched_off_and_matched_alone(two_songs):
    mix, other = two_songs
    references = [(other, 1.0)]
    off = derive_plan(mix, references, MatchSettings(dynamics=False)).dynamics
    assert off.is_at_rest
    assert off.why == "switched off"
    alone = MatchSettings(tone=False, side=False, balance=False, loudness=False)
    plan = derive_plan(mix, references, alone)
    assert plan.tone.mid == ()
    assert plan.dynamics == derive_plan(mix, references, MatchSettings()).dynamics
    assert not plan.dynamics.is_at_rest
    assert derive_plan(mix, [], MatchSettings(target_lufs=-14.0)).dynamics.is_at_rest


def test_the_plan_says_what_is_done_and_why(two_songs):
    mix, other = two_songs
    plan = derive_plan(mix, [(other, 1.0)], MatchSettings())
    (band,) = plan.dynamics.bands
    assert "dB more above its middle than the mix's" in plan.dynamics.why
    assert f"ratio {band.ratio:.2f} above {band.threshold_db:.1f} LUFS turns up" in plan.dynamics.why
    assert "of the difference is likely mastering" in plan.dynamics.why
    assert f"ratio: {band.ratio}" in format_plan(plan)


def test_several_references_ask_for_their_mean(make_song):
    mix = played_at(make_song(1), song_levels(1))
    wide, narrow = (played_at(make_song(2 + i), song_levels(2, sd_db=sd)) for i, sd in enumerate((7.0, 1.5)))

    def spread(*references):
        stage = derive_dynamics(mix, references, MatchSettings(strength="full"))
        return momentary_spread_lu(after(mix, stage))

    only_wide, only_narrow = spread((wide, 1.0)), spread((narrow, 1.0))
    assert only_narrow < spread((wide, 1.0), (narrow, 3.0)) <= spread((wide, 1.0), (narrow, 1.0)) < only_wide


def test_shared_material_tells_more_than_another_song():
    model = slope_model(load_prior())
    levels = np.sort(song_levels(3, blocks=400))
    mix = np.sort(worked(levels, -0.4))
    near, far = (likely_slope(mix, [(levels, 1.0, shared)], model) for shared in (1.0, 0.0))
    assert near.whole == pytest.approx(far.whole, abs=0.05)
    assert near.likely > 2.0 * far.likely > 0.0
    assert 0.0 < near.deviation < far.deviation


def test_a_prior_learns_dynamics_and_an_older_one_takes_those_that_ship(make_song, tmp_path):
    tracks = [
        Track(profile=played_at(make_song(i), song_levels(i, sd_db=2.0 + 0.3 * i)), album=str(i // 2))
        for i in range(8)
    ]
    residuals = match_residuals(tracks)
    prior = fit_prior(tracks, residuals)
    model = slope_model(prior)
    assert np.trace(model.near) < np.trace(model.far)
    assert fit_prior(tracks, residuals, leave_out="1").dynamics != prior.dynamics
    path = tmp_path / "prior.yaml"
    path.write_text(emit_model(prior.model_copy(update={"dynamics": None})))
    older = slope_model(load_prior(path))
    np.testing.assert_array_equal(older.near, slope_model(load_prior()).near)
    rows = ((-1.0,), *prior.dynamics.far_covariance[1:])
    broken = prior.dynamics.model_copy(update={"far_covariance": rows})
    path.write_text(emit_model(prior.model_copy(update={"dynamics": broken})))
    with pytest.raises(SettingsError, match="far_covariance: expected a positive definite matrix"):
        load_prior(path)


def test_a_rendered_master_has_the_spread_that_was_derived():
    rate, rng = 16000, np.random.default_rng(5)
    levels = np.repeat(rng.uniform(-12.0, 0.0, 40), rate // 2)
    smooth = np.convolve(levels, np.hanning(rate // 5) / np.hanning(rate // 5).sum(), "same")
    noise = rng.normal(0.0, 0.05, len(levels))
    wide, narrow = (noise * 10 ** (depth * smooth / 20.0) for depth in (1.0, 0.6))
    settings = MatchSettings(strength="full", target_lufs=-30.0, tone=False, balance=False)
    _, result = master_array(narrow, wide, rate, settings)
    before, reached = level_summary(result.mix), level_summary(result.master)
    aimed = momentary_spread_lu(after(result.mix, result.plan.dynamics))
    assert aimed > momentary_spread_lu(before) + 0.5
    assert momentary_spread_lu(reached) == pytest.approx(aimed, abs=0.3)
