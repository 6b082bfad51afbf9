"""The prior as a file, and learning one."""

import numpy as np
import pytest

from refmaster.errors import InputError, SettingsError
from refmaster.matching.content_prior import load_prior, mid_model, side_model
from refmaster.matching.learn import Track, fit_prior, match_residuals
from refmaster.profile.bands import THIRDS_HZ
from refmaster.settings.emit import emit_model


@pytest.fixture
def tracks(make_song):
    return [Track(profile=make_song(i, name=f"{i}.wav"), album="ab"[i % 2] + str(i // 4)) for i in range(8)]


def test_the_shipped_prior_says_where_it_comes_from():
    prior = load_prior()
    assert len(prior.tracks) >= 16
    assert all(len(track.sha256 or "") == 64 for track in prior.tracks)
    assert prior.segment_s == pytest.approx(0.75, abs=0.08)
    for content in (mid_model(prior), side_model(prior)):
        assert np.linalg.eigvalsh(content.gain).min() > -1e-9
        assert content.gain.shape == content.far_covariance.shape == (len(THIRDS_HZ),) * 2
        assert content.near_log_rms[1] > 0.5  # the better the match, the less content is left


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "version"),
        ("segment_s", "segments_s", "segments_s"),
        ("  [39.37,", "  [41.0,", "frequencies_hz"),
        ("near_log_rms_sd: ", "near_log_rms_sd: -", "near_log_rms_sd"),
    ],
)
def test_a_broken_prior_is_refused_with_its_place(tmp_path, old, new, message):
    text = emit_model(load_prior())
    assert old in text
    path = tmp_path / "prior.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SettingsError, match=message) as error:
        load_prior(path)
    assert "prior.yaml:" in str(error.value)


def test_what_is_no_covariance_is_refused(tmp_path):
    prior = load_prior()
    rows = ((-1.0,), *prior.side.far_covariance[1:])
    broken = prior.model_copy(update={"side": prior.side.model_copy(update={"far_covariance": rows})})
    path = tmp_path / "prior.yaml"
    path.write_text(emit_model(broken))
    with pytest.raises(SettingsError, match="far_covariance: expected a positive definite matrix"):
        load_prior(path)


def test_a_missing_prior_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        load_prior(tmp_path / "absent.yaml")


def test_learning_is_repeatable_and_reads_back(tracks, tmp_path):
    prior = fit_prior(tracks, match_residuals(tracks))
    assert prior == fit_prior(tracks, match_residuals(tracks))
    path = tmp_path / "prior.yaml"
    path.write_text(emit_model(prior))
    assert load_prior(path) == prior
    assert [track.file for track in prior.tracks] == [f"{i}.wav" for i in range(8)]
    assert prior.mid.near_log_rms[1] > 0.0


def test_nothing_of_an_album_that_is_left_out_remains(tracks):
    residuals = match_residuals(tracks)
    without = fit_prior(tracks, residuals, leave_out="a0")
    assert {track.album for track in without.tracks} == {"b0", "a1", "b1"}
    others = [track for track in tracks if track.album != "a0"]
    assert without.mid.far_covariance == fit_prior(others, match_residuals(others)).mid.far_covariance


def test_too_little_is_refused(tracks):
    with pytest.raises(InputError, match="at least 6"):
        fit_prior(tracks[:5], match_residuals(tracks[:5]))
