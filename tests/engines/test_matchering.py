"""matchering's curves in refmaster's shell: its own matching, refmaster's promises."""

import numpy as np
import pytest
import soundfile as sf

from refmaster import (
    AudioError,
    MatchSettings,
    SettingsError,
    master_array,
    master_file,
    plan_file,
    render_file,
)
from refmaster.engines.peer import match_with_peer
from refmaster.plan import load_plan, save_plan

PEER = MatchSettings(engine="matchering")


def codes(result):
    return {finding.code for finding in result.findings}


@pytest.fixture(scope="module")
def excerpts(tmp_path_factory, example_mix, example_reference):
    """Eight seconds of the example at 44.1 kHz, so that matchering itself needs no copies."""
    soxr = pytest.importorskip("soxr")
    folder = tmp_path_factory.mktemp("excerpts")
    for name, path in (("mix", example_mix), ("reference", example_reference)):
        samples, rate = sf.read(path, frames=8 * 48000, start=96000)
        sf.write(folder / f"{name}.wav", soxr.resample(samples, rate, 44100), 44100, "PCM_24")
    return folder


@pytest.fixture(scope="module")
def mastered(excerpts):
    return master_file(excerpts / "mix.wav", excerpts / "reference.wav", excerpts / "master.wav", PEER)


def test_promises_hold_with_its_curves(mastered, excerpts):
    assert mastered.kept_promises
    reached, reference = mastered.master.levels, mastered.references[0].levels
    assert reached.integrated_lufs == pytest.approx(reference.integrated_lufs, abs=0.05)
    assert reached.true_peak_dbtp <= -1.0
    assert mastered.master.source.frames == sf.info(excerpts / "mix.wav").frames
    assert mastered.plan.requested.engine == "matchering"
    assert "matchering" in mastered.plan.tone.why
    assert "engine_matchering" in codes(mastered)
    assert "engine_rate" not in codes(mastered)


def test_the_curves_are_matcherings(mastered, excerpts):
    """Its own output, less its gain and the sample that it is late, nulls with a render of the plan."""
    match_with_peer(
        excerpts / "mix.wav",
        excerpts / "reference.wav",
        excerpts / "its.wav",
        limiter=False,
        subtype="DOUBLE",
    )
    limiter = mastered.plan.limiter.model_copy(update={"enabled": False})
    output = mastered.plan.output.model_copy(update={"bit_depth": "32f"})
    plan = mastered.plan.model_copy(update={"limiter": limiter, "output": output})
    render_file(plan, excerpts / "ours.wav")
    its, ours = (sf.read(excerpts / f"{name}.wav")[0] for name in ("its", "ours"))
    its, ours = its[9001:-8999], ours[9000:-9000]
    gain = np.vdot(ours, its) / np.vdot(its, its)
    off_db = 10 * np.log10(np.sum((ours - gain * its) ** 2) / np.sum(ours**2))
    assert off_db < -38.0


def test_its_plan_renders_to_the_same_bytes(mastered, excerpts):
    save_plan(mastered.plan, excerpts / "plan.yaml")
    assert load_plan(excerpts / "plan.yaml").tone == mastered.plan.tone
    again = render_file(excerpts / "plan.yaml", excerpts / "again.wav")
    assert again.kept_promises
    assert (excerpts / "again.wav").read_bytes() == (excerpts / "master.wav").read_bytes()


def test_rate_channels_and_length_stay_the_mixs(tmp_path, excerpts):
    samples, _ = sf.read(excerpts / "mix.wav")
    sf.write(tmp_path / "mono.wav", samples[:, 0], 48000, "PCM_16")
    result = master_file(tmp_path / "mono.wav", excerpts / "reference.wav", tmp_path / "out.wav", PEER)
    before, after = sf.info(tmp_path / "mono.wav"), sf.info(tmp_path / "out.wav")
    assert (after.samplerate, after.channels, after.frames) == (48000, 1, before.frames)
    assert {"engine_rate", "engine_mono"} <= codes(result)
    assert result.plan.tone.width == ()


def test_arrays(excerpts):
    mix, rate = sf.read(excerpts / "mix.wav", dtype="float32")
    reference, _ = sf.read(excerpts / "reference.wav", dtype="float32")
    master, result = master_array(mix, reference, rate, PEER)
    assert master.shape == mix.shape
    assert result.kept_promises
    assert result.plan.requested.engine == "matchering"


def test_a_mono_reference_is_said_to_take_the_width(tmp_path, excerpts):
    samples, rate = sf.read(excerpts / "reference.wav")
    sf.write(tmp_path / "mono.wav", samples.mean(axis=1), rate)
    result = plan_file(excerpts / "mix.wav", tmp_path / "mono.wav", PEER)
    told = {finding.code: finding.message for finding in result.findings}
    assert "takes the width away" in told["reference_mono"]
    assert "engine_width" in told


class TestRefusals:
    @pytest.mark.parametrize(
        "values",
        [
            {"strength": "full"},
            {"max_boost_db": 3.0},
            {"side": False},
            {"phase": "minimum"},
            {"sections": True},
        ],
    )
    def test_settings_that_it_cannot_honour(self, values):
        with pytest.raises(SettingsError, match=rf"cannot honour {next(iter(values))}"):
            MatchSettings(engine="matchering", **values)

    def test_what_the_shell_honours_is_no_refusal(self):
        assert MatchSettings(engine="matchering", target_lufs=-12.0, ceiling_dbtp=-2.0).target_lufs == -12.0

    def test_one_reference_recording(self, tmp_path, excerpts, example_reference):
        mix, reference = excerpts / "mix.wav", excerpts / "reference.wav"
        with pytest.raises(SettingsError, match="one reference, found 2"):
            plan_file(mix, [reference, example_reference], PEER)
        with pytest.raises(SettingsError, match="one reference, found 0"):
            plan_file(mix, [], PEER)

    def test_fifteen_minutes(self, tmp_path, excerpts, rng):
        long = np.tile(0.1 * rng.standard_normal((8000, 2)), (15 * 60 + 1, 1))
        sf.write(tmp_path / "long.wav", long, 8000, "PCM_16")  # refused before anything is measured
        with pytest.raises(AudioError, match=r"at most 15 minutes, the mix has 15\.0"):
            master_file(tmp_path / "long.wav", excerpts / "reference.wav", tmp_path / "out.wav", PEER)
        assert not (tmp_path / "out.wav").exists()

    def test_its_own_refusal_is_an_audio_error(self, excerpts, tmp_path):
        with pytest.raises(AudioError, match="matchering refuses it"):
            master_file(excerpts / "mix.wav", excerpts / "mix.wav", tmp_path / "out.wav", PEER)
