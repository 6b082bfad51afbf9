"""Masters that stay below the ceiling when they are decoded from lossy codecs, and their previews."""

from __future__ import annotations

import mutagen
import numpy as np
import pytest
import soundfile as sf

from refmaster import (
    MatchSettings,
    OutputError,
    SettingsError,
    load_plan,
    master_file,
    measure,
    open_audio,
    plan_file,
    render_file,
    save_plan,
)
from refmaster.io import pyav
from refmaster.io.codecs import decoded
from refmaster.io.digest import sha256_of
from refmaster.rendering.previews import checked_previews, preview_path
from refmaster.settings.codecs import Codec

SETTINGS = MatchSettings(target_lufs=-11.0, ceiling_dbtp=-1.0)
LOUDEST = MatchSettings(target_lufs=-9.0, ceiling_dbtp=-1.0)
ALL = ("mp3:128", "mp3:192", "mp3:320", "vorbis:q5", "opus:96", "aac:128", "aac:256")


@pytest.fixture(scope="module")
def mix(example_mix, tmp_path_factory):
    """Return 5 s of a mix, in a folder of its own."""
    samples, rate = sf.read(example_mix, always_2d=True)
    path = tmp_path_factory.mktemp("mix") / "mix.wav"
    sf.write(path, samples[: 5 * rate], rate, "PCM_24")
    return path


@pytest.fixture(scope="module")
def safe(mix):
    """Return a master made safe for MP3, and the same with a fixed ceiling."""
    asked = ("mp3:128", "vorbis:q5")
    return (
        master_file(mix, [], mix.with_name("safe.wav"), SETTINGS, codecs=asked),
        master_file(mix, [], mix.with_name("fixed.wav"), SETTINGS),
    )


def codes(result):
    return [finding.code for finding in result.findings]


def decoded_peaks(path, codecs, folder):
    return [measure(decoded(open_audio(path), Codec.parse(c), folder)).levels.true_peak_dbtp for c in codecs]


def test_decoded_files_hold_the_ceiling_that_a_fixed_one_does_not(safe, mix, tmp_path):
    safe, fixed = safe
    asked = ("mp3:128", "vorbis:q5")
    assert max(decoded_peaks(mix.with_name("fixed.wav"), asked, tmp_path)) > -1.0
    found = decoded_peaks(mix.with_name("safe.wav"), asked, tmp_path)
    assert max(found) <= -1.0
    assert [levels.true_peak_dbtp for levels in safe.decoded] == pytest.approx(found, abs=0.002)
    assert [str(levels.codec) for levels in safe.decoded] == list(asked)
    assert fixed.decoded == ()


def test_the_loudness_stays_and_the_cost_is_said(safe):
    safe, fixed = safe
    assert safe.kept_promises
    assert safe.master.levels.integrated_lufs == pytest.approx(-11.0, abs=0.05)
    assert safe.plan.promise == fixed.plan.promise
    assert safe.plan.limiter.ceiling_dbtp < -1.0 == fixed.plan.limiter.ceiling_dbtp
    assert safe.renders > fixed.renders
    (finding,) = [f for f in safe.findings if f.code == "codec_ceiling"]
    assert finding.value == safe.plan.limiter.ceiling_dbtp
    assert safe.limiter.max_gain_reduction_db > fixed.limiter.max_gain_reduction_db
    assert "codec_ceiling" not in codes(fixed)


def test_its_plan_renders_the_same_bytes_and_is_checked_again(safe, mix, tmp_path):
    result, _ = safe
    save_plan(result.plan, tmp_path / "plan.yaml")
    plan = load_plan(tmp_path / "plan.yaml")
    assert list(map(str, plan.output.codecs)) == ["mp3:128", "vorbis:q5"]
    again = render_file(tmp_path / "plan.yaml", tmp_path / "again.wav")
    assert sha256_of(tmp_path / "again.wav") == sha256_of(mix.with_name("safe.wav"))
    assert again.decoded == result.decoded
    assert (again.renders, again.plan.edited) == (1, ())


def test_codecs_that_a_plan_does_not_survive_are_told_and_others_may_be_asked(safe, tmp_path):
    _, fixed = safe
    output = fixed.plan.output.model_copy(update={"codecs": (Codec.parse("mp3:128"),)})
    plan = fixed.plan.model_copy(update={"output": output})
    told = render_file(plan, tmp_path / "told.wav")
    assert "codec_over" in codes(told)
    assert told.plan.limiter == fixed.plan.limiter
    lowered = render_file(fixed.plan, tmp_path / "lowered.wav", codecs=["mp3:128"])
    assert lowered.kept_promises
    assert lowered.plan.limiter.ceiling_dbtp < -1.0
    assert lowered.master.levels.integrated_lufs == pytest.approx(-11.0, abs=0.05)
    assert list(map(str, lowered.plan.output.codecs)) == ["mp3:128"]
    assert lowered.plan.edited == ()


def test_a_limiter_that_is_off_cannot_be_lowered(safe, tmp_path):
    _, fixed = safe
    limiter = fixed.plan.limiter.model_copy(update={"enabled": False})
    result = render_file(
        fixed.plan.model_copy(update={"limiter": limiter}), tmp_path / "off.wav", codecs=["mp3:128"]
    )
    (over,) = [f for f in result.findings if f.code == "codec_over"]
    assert over.advice == "the plan's limiter is off; enable it"
    assert result.renders == 1


def test_a_plan_alone_is_made_safe_too(mix):
    result = plan_file(mix, [], SETTINGS, codecs=["mp3:128"])
    assert result.plan.limiter.ceiling_dbtp < -1.0
    assert max(levels.true_peak_dbtp for levels in result.decoded) <= -1.0


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "m4a"])
def test_a_lossy_master_holds_its_ceiling(mix, tmp_path, suffix):
    result = master_file(mix, [], tmp_path / f"master.{suffix}", LOUDEST)
    assert "ceiling_exceeded" not in codes(result)
    found = measure(tmp_path / f"master.{suffix}")
    assert found.levels.true_peak_dbtp <= -1.0
    assert found.source.frames == result.mix.source.frames
    assert found.source.lossy
    assert found.levels.integrated_lufs == pytest.approx(-9.0, abs=0.05)


@pytest.mark.parametrize("way", ["pyav", "ffmpeg"])
def test_an_m4a_is_aac_of_256_kbps_with_tags_and_the_same_bytes_twice(mix, tmp_path, monkeypatch, way):
    monkeypatch.setattr(pyav, "available", lambda: way == "pyav")
    if way == "pyav":
        monkeypatch.setenv("PATH", "/nowhere")
    samples, rate = sf.read(mix, always_2d=True)
    sf.write(tmp_path / "mix.flac", samples, rate)
    tagged = mutagen.File(tmp_path / "mix.flac")
    tagged["title"], tagged["artist"] = "A song", "Somebody"
    tagged.save()
    for name in ("one", "two"):
        result = master_file(tmp_path / "mix.flac", [], tmp_path / f"{name}.m4a", SETTINGS)
        assert result.kept_promises
    assert sha256_of(tmp_path / "one.m4a") == sha256_of(tmp_path / "two.m4a")
    held = mutagen.File(tmp_path / "one.m4a")
    assert (held["\xa9nam"], held["\xa9ART"]) == (["A song"], ["Somebody"])
    assert held.info.codec.startswith("mp4a.40.2")
    assert held.info.bitrate == pytest.approx(256000, rel=0.1)


def test_without_an_encoder_nothing_is_started(mix, tmp_path, monkeypatch):
    monkeypatch.setattr(pyav, "available", lambda: False)
    monkeypatch.setenv("PATH", "/nowhere")
    options = [{"codecs": ["aac:256"]}, {"previews": ["aac:128"]}]
    for values in options:
        with pytest.raises(OutputError, match="install PyAV"):
            master_file(mix, [], tmp_path / "a.wav", SETTINGS, **values)
    with pytest.raises(OutputError, match=r"a\.m4a: AAC .*install PyAV"):
        master_file(mix, [], tmp_path / "a.m4a", SETTINGS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "rate"), [("flac", 44100), ("wav", 88200)])
def test_previews_are_as_loud_as_the_master_and_in_time(mix, tmp_path, suffix, rate):
    asked = ["mp3:128", "opus:64"]
    output = tmp_path / f"master.{suffix}"
    result = master_file(mix, [], output, SETTINGS, sample_rate_hz=rate, previews=asked)
    assert not [c for c in codes(result) if c.startswith("preview")]
    master, _ = sf.read(output, always_2d=True)
    for name in asked:
        path = tmp_path / f"master.{name.replace(':', '-')}.{suffix}"
        preview, own = sf.read(path, always_2d=True)
        assert (preview.shape, own) == (master.shape, rate)
        levels = measure(path).levels
        assert levels.integrated_lufs == pytest.approx(result.master.levels.integrated_lufs, abs=0.1)
        assert levels.true_peak_dbtp <= 0.0
        size = 1 << 20
        product = np.fft.rfft(preview[:, 0], size) * np.fft.rfft(master[:, 0], size).conj()
        assert int(np.fft.irfft(product, size).argmax()) == 0
        assert not np.array_equal(preview, master)


def test_a_preview_comes_with_a_render_and_replaces_nothing_unasked(safe, tmp_path):
    _, fixed = safe
    render_file(fixed.plan, tmp_path / "a.wav", previews=["mp3:128", "mp3:128"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp3-128.wav", "a.wav"]
    (tmp_path / "a.wav").unlink()
    with pytest.raises(OutputError, match=r"a\.mp3-128\.wav: exists already"):
        render_file(fixed.plan, tmp_path / "a.wav", previews=["mp3:128"])
    assert not (tmp_path / "a.wav").exists()
    with pytest.raises(SettingsError, match="expected mp3 with"):
        checked_previews(tmp_path / "b.wav", ["mp3:1"], overwrite=False, inputs=[])


@pytest.mark.parametrize(
    ("output", "name"),
    [("a/master.wav", "master.mp3-128.wav"), ("m.x.FLAC", "m.x.mp3-128.flac"), ("m.m4a", "m.mp3-128.wav")],
)
def test_a_preview_stands_beside_its_master(output, name):
    assert preview_path(output, Codec.parse("mp3:128")).name == name


@pytest.mark.slow
@pytest.mark.parametrize("lufs", [-9.0])
def test_no_codec_is_ever_above_the_ceiling(finished_music, example_mix, tmp_path, lufs):
    for number, song in enumerate((*finished_music, example_mix)):
        output = tmp_path / f"{number}.wav"
        settings = MatchSettings(target_lufs=lufs, ceiling_dbtp=-1.0)
        result = master_file(song, [], output, settings, codecs=ALL)
        assert "codec_over" not in codes(result)
        assert max(decoded_peaks(output, ALL, tmp_path)) <= -1.0 + 0.002
