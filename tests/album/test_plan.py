"""Album plans: three parts that add up exactly, YAML that reads back, edits that reach every track."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.album.plan import (
    AlbumPlan,
    AlbumPromise,
    CommonStage,
    EngineerStage,
    TrackPromise,
    TrackStage,
    format_album_plan,
    is_album_plan,
    load_album_plan,
    plan_digest,
    relocated_album,
    track_plan,
    with_track_plan,
)
from refmaster.album.request import AlbumOutput
from refmaster.errors import SettingsError
from refmaster.matching.curves import curve_at, tone_points
from refmaster.plan import LimiterStage
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.match import MatchSettings
from refmaster.settings.records import MixRecord


def made_plan(*, keep=(), share=1.0, channels=2):
    track = {
        "title": "One",
        "output": "01 One.wav",
        "why": "",
        "keep": keep,
        "share": share,
        "mid": (),
        "side": (),
        "gain_db": 0.25,
        "promise": TrackPromise(integrated_lufs=-14.0),
    }
    mix = MixRecord(file="mixes/a.wav", sha256="0" * 64, sample_rate_hz=44100, channels=channels, frames=999)
    return AlbumPlan(
        version=1,
        made_by="refmaster",
        title="An album",
        requested=MatchSettings(),
        references=(),
        levels_by="loud_sections",
        common=CommonStage(
            why="",
            mid=((100.0, 1.0), (5000.0, -1.0)),
            side=((100.0, 2.0),),
            left_over_right_db=0.3,
            gain_db=3.0,
        ),
        engineers=(
            EngineerStage(
                name="ana",
                why="",
                tracks=1,
                reliability=0.4,
                tone_std_db=0.5,
                level_std_db=0.5,
                mid=((50.0, -2.0), (12000.0, 2.0)),
                width_db=0.5,
                level_db=-1.5,
            ),
        ),
        tracks=(
            TrackStage(engineer="ana", mix=mix, **track),
            TrackStage(
                engineer=None,
                mix=mix.model_copy(update={"sha256": "1" * 64, "sample_rate_hz": 48000}),
                **{**track, "title": "Two", "output": "02 Two.wav", "keep": ()},
            ),
        ),
        limiter=LimiterStage(
            why="", enabled=True, ceiling_dbtp=-1.0, lookahead_ms=2, hold_ms=2, sustain_ms=50, release_ms=200
        ),
        output=AlbumOutput(),
        promise=AlbumPromise(
            integrated_lufs=-14.0, tolerance_lu=0.1, true_peak_dbtp=-1.0, limited_by=None, why=""
        ),
    )


def test_parts_add_up():
    plan = made_plan(share=0.5)
    one, two = track_plan(plan, 0), track_plan(plan, 1)
    assert one.level.gain_db == pytest.approx(3.0 + 0.5 * -1.5 + 0.25)
    assert two.level.gain_db == pytest.approx(3.25)
    hz = np.array([60.0, 1000.0, 9000.0])
    common, engineer = (curve_at(c, hz) for c in (plan.common.mid, plan.engineers[0].mid))
    np.testing.assert_allclose(curve_at(one.tone.mid, hz), common + 0.5 * engineer, atol=0.03)
    np.testing.assert_allclose(curve_at(two.tone.mid, hz), common, atol=0.03)
    np.testing.assert_allclose(curve_at(one.tone.side, hz), 2.0 + 0.5 * engineer + 0.5 * 0.5, atol=0.03)
    assert one.balance.left_over_right_db == 0.3


def test_what_is_kept_is_kept():
    kept = track_plan(made_plan(keep=("tone", "level", "width")), 0)
    assert (kept.tone.mid, kept.tone.side) == ((), ())
    assert kept.level.gain_db == pytest.approx(3.25)
    wide = track_plan(made_plan(keep=("width",)), 0)
    assert wide.tone.mid == wide.tone.side != ()


def test_the_albums_bass_is_mono_on_every_stereo_track():
    for channels, expected in ((2, 250.0), (1, None)):
        plan = made_plan(channels=channels)
        asked = plan.requested.model_copy(update={"mono_below_hz": 250.0})
        assert track_plan(plan.model_copy(update={"requested": asked}), 0).tone.mono_below_hz == expected


def test_mono_has_no_side():
    plan = track_plan(made_plan(channels=1), 0)
    assert plan.tone.width == ()
    assert plan.balance.left_over_right_db == 0.0


@given(
    gains=st.lists(st.floats(-6, 6), min_size=60, max_size=60),
    gain=st.floats(-20, 20),
    ceiling=st.floats(-3, -0.5),
)
def test_a_corrected_track_becomes_its_own_part_exactly(gains, gain, ceiling):
    plan = made_plan()
    old = track_plan(plan, 0)
    hz = band_centers_hz(44100)
    mid = tone_points(hz, np.interp(np.arange(len(hz)), np.arange(60) * len(hz) / 60, gains))
    new = old.model_copy(
        update={
            "tone": old.tone.model_copy(update={"mid": mid, "width": mid}),
            "level": old.level.model_copy(update={"gain_db": round(gain, 3)}),
            "limiter": old.limiter.model_copy(update={"ceiling_dbtp": round(ceiling, 3)}),
        }
    )
    again = track_plan(with_track_plan(plan, 0, new), 0)
    if mid:
        assert again.tone == new.tone
    assert again.level.gain_db == pytest.approx(new.level.gain_db, abs=1e-9)
    assert again.limiter == new.limiter
    assert track_plan(with_track_plan(plan, 0, new), 1) == track_plan(plan, 1)


def test_yaml_reads_back(tmp_path):
    plan = made_plan()
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "album-plan.yaml"
    path.write_text(format_album_plan(relocated_album(plan, tmp_path / "out")))
    assert is_album_plan(path)
    read, _ = load_album_plan(path)
    assert read.tracks[0].mix.file == "mixes/a.wav" or read.tracks[0].mix.file.endswith("/mixes/a.wav")
    here = relocated_album(plan, tmp_path)
    assert relocated_album(read, tmp_path) == here


def test_an_engineer_is_edited_in_one_place(tmp_path):
    text = format_album_plan(made_plan()).replace("level_db: -1.5", "level_db: 2.5")
    (tmp_path / "album-plan.yaml").write_text(text)
    edited, _ = load_album_plan(tmp_path / "album-plan.yaml")
    assert track_plan(edited, 0).level.gain_db == pytest.approx(3.0 + 2.5 + 0.25)
    assert track_plan(edited, 1) != track_plan(edited, 0)


def test_a_plan_that_contradicts_itself_is_refused(tmp_path):
    path = tmp_path / "album-plan.yaml"
    path.write_text(format_album_plan(made_plan()).replace("engineer: ana", "engineer: eva"))
    with pytest.raises(SettingsError, match="no engineer 'eva'"):
        load_album_plan(path)
    path.write_text(format_album_plan(made_plan()).replace("02 Two", "01 One"))
    with pytest.raises(SettingsError, match="same output"):
        load_album_plan(path)


def test_digest_tells_what_decides_the_bytes():
    plan = track_plan(made_plan(), 0)
    moved = plan.model_copy(update={"mix": plan.mix.model_copy(update={"file": "elsewhere.wav"})})
    louder = plan.model_copy(update={"level": plan.level.model_copy(update={"gain_db": 1.0})})
    other = plan.model_copy(update={"mix": plan.mix.model_copy(update={"sha256": "2" * 64})})
    assert plan_digest(plan, "a.wav") == plan_digest(moved, "b.wav")
    digests = {plan_digest(p, "a.wav") for p in (plan, louder, other)} | {plan_digest(plan, "a.flac")}
    assert len(digests) == 4
