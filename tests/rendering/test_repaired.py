"""Repair as a stage: what is rendered, promised and kept; on clean music not one sample."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf

from refmaster import AudioError, SettingsError, Stems, master_array, master_file, plan_file, render_file
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource
from refmaster.plan import format_plan, load_plan, save_plan
from refmaster.rendering.repaired import RepairedSource
from refmaster.settings.match import MatchSettings
from refmaster.settings.repair import Repair, RepairSettings

RATE = 48000
ALL = {"dc": True, "clicks": True, "overs": True, "trim": True}
# Nothing but the repair: no tone, width, balance or dynamics, the mix's own loudness.
NOTHING_ELSE = {"tone": False, "side": False, "balance": False, "dynamics": False, "loudness": False}


def settings(**values):
    return MatchSettings(**values)


def whole(source, block_frames=65536):
    return np.concatenate(list(source.blocks(block_frames)))


def at_rest(plan):
    """Return the plan with all stages behind the repair at rest."""
    level = plan.level.model_copy(update={"gain_db": 0.0, "lufs": None})
    limiter = plan.limiter.model_copy(update={"enabled": False})
    promise = plan.promise.model_copy(update={"integrated_lufs": None, "true_peak_dbtp": 0.0})
    return plan.model_copy(update={"level": level, "limiter": limiter, "promise": promise})


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory, short_example):
    """A folder with a mix of 5 s that has silence before and after, clipped tops and an offset."""
    folder = tmp_path_factory.mktemp("spoilt")
    samples, _ = sf.read(short_example / "mix.wav")
    samples *= 0.8 / np.abs(samples).max()
    silence = np.zeros((3 * RATE, 2))
    sf.write(
        folder / "mix.wav",
        np.vstack([silence, np.clip(samples, -0.5, 0.5), silence]) + np.array([0.01, -0.005]),
        RATE,
        "PCM_24",
    )
    (folder / "reference.wav").write_bytes((short_example / "reference.wav").read_bytes())
    return folder


@pytest.mark.parametrize("name", ["example/mix", "album/lithium", "album/sodium", "music/strings"])
def test_on_clean_music_it_changes_not_one_sample(fixture_path, tmp_path, name):
    mix = fixture_path(f"{name}.flac")
    plan = plan_file(mix, [], settings(repair=ALL, **NOTHING_ELSE)).plan
    assert plan.repair.is_at_rest
    plan = at_rest(plan)
    assert plan.is_identity
    render_file(plan, tmp_path / "out.wav")
    read = [sf.read(path, dtype="int16")[0] for path in (mix, tmp_path / "out.wav")]
    assert np.array_equal(*read)


def test_on_made_clean_sound_it_changes_not_one_sample(tmp_path, stereo_tone, stereo_pink):
    for number, samples in enumerate((stereo_tone, stereo_pink, stereo_pink[:, :1])):
        mix = tmp_path / f"{number}.wav"
        sf.write(mix, samples, RATE, "FLOAT")
        plan = at_rest(plan_file(mix, [], settings(repair=ALL, **NOTHING_ELSE)).plan)
        assert plan.repair.is_at_rest
        render_file(plan, tmp_path / f"out{number}.wav")
        read = [sf.read(path, dtype="float32")[0] for path in (mix, tmp_path / f"out{number}.wav")]
        assert np.array_equal(*read)


def test_a_spoilt_mix_is_repaired_and_all_promises_hold(spoilt, tmp_path):
    asked = settings(repair=ALL | {"fade_out_s": 0.5})
    result = master_file(spoilt / "mix.wav", spoilt / "reference.wav", tmp_path / "one.wav", asked)
    repair = result.plan.repair
    assert result.kept_promises
    assert {f.code for f in result.findings} >= {"repaired_dc", "repaired_overs", "repaired_trim"}
    assert "mix_dc" not in {f.code for f in result.findings}  # it is mended
    assert repair.dc == pytest.approx((0.01, -0.005), abs=5e-4)
    assert result.plan.mix.frames == result.mix.source.frames == 11 * RATE
    assert result.master.source.frames == repair.end_frame - repair.start_frame < 11 * RATE
    assert result.plan.edited == ()
    assert dict(result.summary())["repair"] == repair.why
    save_plan(result.plan, tmp_path / "plan.yaml")
    again = render_file(tmp_path / "plan.yaml", tmp_path / "two.wav")
    assert again.kept_promises
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    assert again.plan.repair == repair


def test_the_plan_is_derived_from_the_repaired_mix(spoilt, tmp_path, short_example):
    asked = settings(repair=ALL)
    spoilt_plan = plan_file(spoilt / "mix.wav", spoilt / "reference.wav", asked).plan
    samples, _ = sf.read(spoilt / "mix.wav")
    by_hand = whole(RepairedSource(ArraySource(samples, RATE), spoilt_plan.repair, len(samples)))
    sf.write(tmp_path / "by_hand.wav", by_hand, RATE, "DOUBLE")
    clean_plan = plan_file(tmp_path / "by_hand.wav", spoilt / "reference.wav", settings()).plan
    np.testing.assert_allclose(clean_plan.tone.mid, spoilt_plan.tone.mid, atol=0.02)


def test_another_file_than_the_plan_was_made_for_is_still_refused(spoilt, tmp_path):
    plan = plan_file(spoilt / "mix.wav", [], settings(repair={"trim": True}, **NOTHING_ELSE)).plan
    samples, _ = sf.read(spoilt / "mix.wav")
    sf.write(tmp_path / "other.wav", samples[::-1], RATE, "PCM_24")
    other = plan.model_copy(update={"mix": plan.mix.model_copy(update={"file": str(tmp_path / "other.wav")})})
    with pytest.raises(AudioError, match="expected the mix that the plan was made for"):
        render_file(other, tmp_path / "out.wav")
    render_file(other, tmp_path / "out.wav", mix=tmp_path / "other.wav")
    sf.write(tmp_path / "short.wav", samples[:RATE], RATE, "PCM_24")
    with pytest.raises(
        AudioError, match=r"not for this mix: start_frame: expected a frame within the mix's 4"
    ):
        render_file(other, tmp_path / "short_out.wav", mix=tmp_path / "short.wav")
    assert not (tmp_path / "short_out.wav").exists()


def test_an_offset_is_gone(rng):
    samples = rng.uniform(-0.5, 0.5, (5 * RATE, 2))
    samples -= samples.mean(axis=0)
    for dtype in (np.float32, np.float64):
        source = ArraySource((samples + np.array([0.02, -0.001])).astype(dtype), RATE)
        found = whole(RepairedSource(source, Repair(dc=(0.02, -0.001)), len(samples)))
        assert found.dtype == dtype
        assert np.abs(found.mean(axis=0, dtype=np.float64)).max() < 1e-6
        np.testing.assert_allclose(found, samples, atol=2e-7)


def test_clicks_are_filled_and_no_other_sample_changes(fixture_path, tmp_path):
    samples, rate = sf.read(fixture_path("album/lithium.flac"), frames=6 * RATE)
    rows = tuple((20000 * n, 3 * n, n % 2) for n in range(1, 13))
    clicked = samples.copy()
    for start, frames, channel in rows:
        clicked[start : start + frames, channel] += 0.3 * (-1.0) ** np.arange(frames)
    found = whole(RepairedSource(ArraySource(clicked, rate), Repair(clicks=rows), len(samples)))
    inside = np.zeros(samples.shape, bool)
    for start, frames, channel in rows:
        inside[start : start + frames, channel] = True
    assert np.array_equal(found[~inside], samples[~inside])
    before, after = (np.sum((other - samples)[inside] ** 2) for other in (clicked, found))
    assert 10 * np.log10(before / after) > 15.0


EVERYTHING = Repair(
    clicks=((2000, 20, 0), (50000, 9, 1)),
    overs=((0, 0.3), (1, -0.3)),
    dc=(0.01, 0.0),
    start_frame=1000,
    end_frame=99000,
    fade_in_s=0.1,
    fade_out_s=0.2,
)


@pytest.mark.parametrize("block_frames", [1000, 4097, 98000, 200000])
def test_blocks_of_any_length_give_the_same(stereo_pink, block_frames):
    samples = np.clip(stereo_pink[:100000], -0.3, 0.3)
    source = RepairedSource(ArraySource(samples, RATE), EVERYTHING, len(samples))
    once = whole(source)
    assert once.shape == (98000, 2) == (source.format.frames, source.format.channels)
    assert once.dtype == samples.dtype
    assert np.array_equal(whole(source, block_frames), once)
    assert {len(block) for block in list(source.blocks(block_frames))[:-1]} <= {block_frames}


def test_format_and_file_stay_those_of_the_mix(spoilt):
    mix = open_audio(spoilt / "mix.wav")
    source = RepairedSource(mix, Repair(start_frame=10), mix.format.frames)
    assert source.path == mix.path
    assert source.format.frames == mix.format.frames - 10
    assert source.format.subtype == mix.format.subtype


def test_an_array_may_come_out_shorter(spoilt):
    samples, _ = sf.read(spoilt / "mix.wav")
    reference, _ = sf.read(spoilt / "reference.wav")
    master, result = master_array(samples, reference, RATE, settings(repair={"trim": True, "dc": True}))
    assert len(master) == result.master.source.frames < len(samples)
    assert result.kept_promises


def test_a_plan_without_a_repair_says_nothing_of_it(spoilt):
    plan = plan_file(spoilt / "mix.wav", [], settings(**NOTHING_ELSE)).plan
    assert "repair" not in format_plan(plan)
    assert "repair" not in plan.derived
    asked = plan_file(spoilt / "mix.wav", [], settings(repair={"trim": True}, **NOTHING_ELSE)).plan
    assert "repair" in asked.derived


def test_an_edited_repair_is_noticed(spoilt, tmp_path):
    plan = plan_file(spoilt / "mix.wav", [], settings(repair=ALL, **NOTHING_ELSE)).plan
    for repair in (plan.repair.model_copy(update={"dc": ()}), Repair()):
        assert plan.model_copy(update={"repair": repair}).edited == ("repair", "level")
    unrepaired = plan.model_copy(update={"repair": Repair(why="mine"), "derived": {}}).as_derived()
    assert unrepaired.model_copy(update={"repair": plan.repair}).edited == ("repair", "level")
    edited = plan.model_copy(update={"repair": plan.repair.model_copy(update={"dc": ()})})
    result = render_file(edited, tmp_path / "out.wav")
    assert result.plan.repair.why == "as the plan says"
    assert "repaired_dc" not in {f.code for f in result.findings}


def test_stems_are_refused(short_example, tmp_path):
    stems = Stems([short_example / "mix.wav", short_example / "reference.wav"])
    with pytest.raises(SettingsError, match="repair: expected none for stems"):
        master_file(stems, [], tmp_path / "out.wav", settings(repair={"trim": True}, target_lufs=-14.0))
    plan = plan_file(stems, short_example / "reference.wav").plan
    save_plan(plan.model_copy(update={"repair": Repair(start_frame=1)}), tmp_path / "plan.yaml")
    with pytest.raises(SettingsError, match=r"plan\.yaml:\d+:\d+: repair: expected none for stems"):
        load_plan(tmp_path / "plan.yaml")


def test_fades_longer_than_the_mix_are_refused(short_example, tmp_path):
    asked = settings(repair=RepairSettings(fade_in_s=3.0, fade_out_s=3.0))
    with pytest.raises(AudioError, match="expected fades of at most 5.000 s together"):
        master_file(short_example / "mix.wav", short_example / "reference.wav", tmp_path / "out.wav", asked)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.slow
def test_matchering_is_given_the_repaired_mix(spoilt, tmp_path):
    asked = settings(engine="matchering", repair=ALL)
    result = master_file(spoilt / "mix.wav", spoilt / "reference.wav", tmp_path / "out.wav", asked)
    assert result.kept_promises
    assert not result.plan.repair.is_at_rest
