"""One track end to end on real music: the promises, judged by an independent meter where there is one."""

import hashlib
import shutil
import threading
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import refmaster
from refmaster import (
    AudioError,
    MatchSettings,
    OutputError,
    load_profile,
    master_array,
    master_file,
    save_profile,
    threads,
)
from refmaster.io.digest import sha256_of
from refmaster.io.open import open_audio
from refmaster.mastering import close_loop, plan_file
from refmaster.matching.tone import tonal_distance_db
from refmaster.plan import save_plan
from refmaster.profile import cache
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.rendering.outlets import FileOutlet
from refmaster.rendering.render import render_file


def codes(result):
    return {finding.code for finding in result.findings}


@pytest.fixture
def pair(tmp_path, short_example):
    """Copies of the short example's mix and reference, to change as a test likes."""
    return [Path(shutil.copy(short_example / f"{name}.wav", tmp_path)) for name in ("mix", "reference")]


@pytest.fixture(scope="module")
def mastered(tmp_path_factory, example_mix, example_reference):
    """The example, mastered with full strength."""
    output = tmp_path_factory.mktemp("mastered") / "master.wav"
    settings = MatchSettings(strength="full", max_reduction_db=12)
    return master_file(example_mix, example_reference, output, settings, bit_depth="24")


def test_promises_on_the_written_file(mastered):
    assert mastered.kept_promises
    reference = mastered.references[0]
    assert tonal_distance_db(mastered.master, reference) < 0.5
    assert mastered.master.levels.integrated_lufs == pytest.approx(reference.levels.integrated_lufs, abs=0.05)
    assert mastered.master.levels.true_peak_dbtp <= -1.0


def test_promises_by_libebur128(mastered):
    ebur128 = pytest.importorskip("pyebur128")
    samples, rate = sf.read(mastered.output)
    mode = ebur128.MeasurementMode.MODE_I | ebur128.MeasurementMode.MODE_TRUE_PEAK
    state = ebur128.R128State(2, rate, mode)
    state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
    asked = mastered.plan.promise.integrated_lufs
    assert ebur128.get_loudness_global(state) == pytest.approx(asked, abs=0.06)
    assert 20 * np.log10(max(ebur128.get_true_peak(state, c) for c in (0, 1))) <= -1.0


def test_format_and_length_are_the_mixs(mastered, example_mix):
    mix, master = sf.info(example_mix), sf.info(mastered.output)
    assert (master.samplerate, master.channels, master.frames) == (mix.samplerate, mix.channels, mix.frames)
    assert master.subtype == "PCM_24"


def test_no_latency(mastered, example_mix):
    """Master and mix line up to the sample: their correlation peaks at lag 0."""
    mix, master = (
        sf.read(p, frames=96000, start=240000)[0].mean(axis=1) for p in (example_mix, mastered.output)
    )
    correlation = np.fft.irfft(np.fft.rfft(master, 1 << 18) * np.conj(np.fft.rfft(mix, 1 << 18)))
    assert np.argmax(correlation) == 0


def test_a_saved_profile_stands_for_its_reference(tmp_path, example_mix, example_reference):
    save_profile(refmaster.measure(refmaster.open_audio(example_reference)), tmp_path / "ref.yaml")
    from_profile = plan_file(example_mix, tmp_path / "ref.yaml").plan
    from_audio = plan_file(example_mix, example_reference).plan
    assert from_profile == from_audio
    assert load_profile(tmp_path / "ref.yaml").source.channels == 2


def test_another_sample_rate_of_the_reference_is_no_matter(tmp_path, example_mix, example_reference):
    soxr = pytest.importorskip("soxr")
    samples, rate = sf.read(example_reference)
    sf.write(tmp_path / "ref96.wav", soxr.resample(samples, rate, 96000), 96000, "PCM_24")
    one = plan_file(example_mix, example_reference).plan
    other = plan_file(example_mix, tmp_path / "ref96.wav").plan
    gains = [np.array(plan.tone.mid)[:, 1] for plan in (one, other)]
    assert np.abs(gains[0] - gains[1])[3:-6].max() < 0.25
    assert other.output.sample_rate_hz == 48000


def test_asked_sample_rate_and_lossy_output(tmp_path, example_mix, example_reference):
    result = master_file(
        example_mix, example_reference, tmp_path / "cd.flac", bit_depth="16", sample_rate_hz=44100
    )
    info = sf.info(tmp_path / "cd.flac")
    assert (info.samplerate, info.subtype) == (44100, "PCM_16")
    assert info.frames == round(sf.info(example_mix).frames * 44100 / 48000)
    assert result.kept_promises
    coded = master_file(example_mix, example_reference, tmp_path / "master.ogg")
    assert coded.kept_promises
    assert coded.master.levels.true_peak_dbtp <= -1.0  # the codec's overshoot is taken back
    assert sf.info(tmp_path / "master.ogg").frames == sf.info(example_mix).frames


def test_mono_stays_mono(tmp_path, example_mix, example_reference):
    samples, rate = sf.read(example_mix)
    sf.write(tmp_path / "mono.wav", samples.mean(axis=1), rate, "PCM_24")
    result = master_file(tmp_path / "mono.wav", example_reference, tmp_path / "out.wav")
    assert sf.info(tmp_path / "out.wav").channels == 1
    assert result.kept_promises
    assert "mix_mono" in codes(result)


def test_loudness_that_costs_too_much_is_not_taken(tmp_path, example_mix, example_reference):
    settings = MatchSettings(target_lufs=-6.0, max_reduction_db=3.0)
    result = master_file(example_mix, example_reference, tmp_path / "out.wav", settings)
    assert "loudness_limited" in codes(result)
    assert not result.kept_promises
    assert result.limiter.max_gain_reduction_db < 3.1
    assert result.plan.promise.limited_by == "max_reduction"
    assert "stopped at the allowed 3 dB" in result.plan.level.why


def test_aspects(tmp_path, example_mix, example_reference):
    off = MatchSettings(tone=False, side=False, balance=False, loudness=False)
    result = master_file(example_mix, example_reference, tmp_path / "out.wav", off)
    assert result.plan.tone.mid == result.plan.tone.side == ()
    assert result.plan.balance.left_over_right_db == 0.0
    assert result.master.levels.integrated_lufs == pytest.approx(result.mix.levels.integrated_lufs, abs=0.02)


def test_arrays(example_mix, example_reference):
    mix, rate = sf.read(example_mix, frames=480000, dtype="float32")
    reference, _ = sf.read(example_reference, frames=480000, dtype="float32")
    master, result = master_array(mix, reference, rate)
    assert master.shape == mix.shape
    assert master.dtype == mix.dtype
    assert result.kept_promises
    swapped, _ = master_array(mix[:, ::-1], reference[:, ::-1], rate)
    np.testing.assert_allclose(swapped[:, ::-1], master, atol=2e-4)


def test_several_references_with_weights(example_mix, example_reference, finished_music):
    one = plan_file(example_mix, [(example_reference, 1.0)]).plan
    both = plan_file(example_mix, [(example_reference, 1.0), (finished_music[0], 3.0)]).plan
    assert len(both.references) == 2
    assert both.tone != one.tone


class TestBadInput:
    """Every refusal leaves nothing behind and names what to do."""

    @pytest.fixture
    def noise(self, tmp_path, rng):
        def write(name, seconds, rate=44100, channels=2, level=0.1, **options):
            samples = level * rng.standard_normal((int(seconds * rate), channels))
            sf.write(tmp_path / name, samples, rate, **options)
            return tmp_path / name

        return write

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path):
        before = {p.name for p in tmp_path.iterdir()}
        yield
        left = {p.name for p in tmp_path.iterdir()} - before
        assert not [name for name in left if name.startswith(".") or name == "bad.wav"]

    def refuse(self, mix, reference, tmp_path, match, error=AudioError):
        with pytest.raises(error, match=match):
            master_file(mix, reference, tmp_path / "bad.wav")

    def test_silence(self, noise, tmp_path):
        good, silent = noise("good.wav", 4), noise("silent.wav", 4, level=0.0)
        self.refuse(silent, good, tmp_path, r"expected music, found silence.*right mix")
        self.refuse(good, silent, tmp_path, r"expected music, found silence.*right reference")

    def test_dc_only(self, noise, tmp_path):
        sf.write(tmp_path / "dc.wav", np.full((88200, 2), 0.25), 44100)
        self.refuse(tmp_path / "dc.wav", noise("good.wav", 4), tmp_path, r"DC")

    def test_too_short(self, noise, tmp_path):
        self.refuse(noise("s.wav", 0.2), noise("good.wav", 4), tmp_path, r"at least 0.4 s .* found 0.200 s")

    def test_under_three_seconds_works_and_says_so(self, noise, tmp_path):
        result = master_file(noise("short.wav", 1.5), noise("good.wav", 4), tmp_path / "out.wav")
        assert "too_short" in codes(result)
        assert result.master.levels.max_short_term_lufs is None

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, noise, tmp_path, value):
        samples = np.full((88200, 2), 0.1, np.float32)
        samples[777, 1] = value
        sf.write(tmp_path / "nan.wav", samples, 44100, "FLOAT")
        self.refuse(tmp_path / "nan.wav", noise("good.wav", 4), tmp_path, r"frame 777")

    def test_surround(self, noise, tmp_path):
        six = noise("six.wav", 4, channels=6)
        self.refuse(six, noise("good.wav", 4), tmp_path, r"expected a mono or stereo mix, found 6 channels")

    def test_a_surround_reference_gives_tone_and_loudness(self, noise, tmp_path):
        six = noise("six.wav", 4, channels=6)
        result = master_file(noise("mix.wav", 4), six, tmp_path / "out.wav")
        assert "reference_surround" in codes(result)
        assert "reference_mono" not in codes(result)

    @pytest.mark.parametrize("rate", [8000, 192000])
    def test_extreme_rates_work(self, noise, tmp_path, rate):
        result = master_file(noise("mix.wav", 4, rate=rate), noise("good.wav", 4), tmp_path / "out.wav")
        assert result.master.source.sample_rate_hz == rate
        assert result.kept_promises

    def test_mix_equal_to_reference(self, noise, tmp_path):
        mix = noise("mix.wav", 4)
        shutil.copy(mix, tmp_path / "same.wav")
        result = master_file(mix, tmp_path / "same.wav", tmp_path / "out.wav")
        assert "reference_is_mix" in codes(result)
        assert result.plan.tone.mid == ()

    def test_output_over_input(self, noise, tmp_path):
        mix = noise("mix.wav", 4)
        before = mix.read_bytes()
        with pytest.raises(OutputError):
            master_file(mix, noise("good.wav", 4), mix, overwrite=True)
        assert mix.read_bytes() == before

    def test_existing_output_needs_leave(self, noise, tmp_path):
        (tmp_path / "old.wav").write_bytes(b"old")
        with pytest.raises(OutputError, match="overwrite=True"):
            master_file(noise("mix.wav", 4), noise("good.wav", 4), tmp_path / "old.wav")
        assert (tmp_path / "old.wav").read_bytes() == b"old"

    def test_an_interrupted_render_leaves_the_old_output(self, noise, tmp_path):
        (tmp_path / "old.wav").write_bytes(b"old")

        def interrupt(stage, done, total):
            if stage == "rendering":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            master_file(
                noise("mix.wav", 4),
                noise("r.wav", 4),
                tmp_path / "old.wav",
                overwrite=True,
                progress=interrupt,
            )
        assert (tmp_path / "old.wav").read_bytes() == b"old"

    def test_poor_references_are_used_with_a_finding(self, noise, tmp_path, rng):
        mix = noise("mix.wav", 30)
        clipped = np.clip(0.9 * rng.standard_normal((200000, 2)), -0.5, 0.5)
        sf.write(tmp_path / "clipped.wav", clipped, 44100)
        sf.write(tmp_path / "mono.wav", 0.1 * rng.standard_normal(200000), 44100)
        spectrum = np.fft.rfft(rng.standard_normal((200000, 2)), axis=0)
        spectrum[int(15000 / 44100 * 200000) :] = 0
        sf.write(tmp_path / "dull.wav", 0.1 * np.fft.irfft(spectrum, axis=0), 44100)
        for name, code in (
            ("clipped", "reference_clipped"),
            ("mono", "reference_mono"),
            ("dull", "reference_low_passed"),
            ("mono", "reference_short"),
        ):
            assert code in codes(plan_file(mix, tmp_path / f"{name}.wav")), name


class TestCachedProfiles:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    def stages(self, mix, reference, **options):
        heard = set()
        result = plan_file(mix, reference, progress=lambda stage, *_: heard.add(stage), **options)
        return result.plan, {stage for stage in heard if stage.startswith("measuring the")}

    def test_the_second_time_only_the_master_is_measured(self, tmp_path, pair):
        mix, reference = pair
        plain, measured = self.stages(mix, reference)
        assert "measuring the mix" in measured
        assert not (tmp_path / "cache").exists()
        assert self.stages(mix, reference, use_cache=True)[0] == plain
        again, measured = self.stages(mix, reference, use_cache=True)
        assert again == plain
        assert measured == {"measuring the master"}

    def test_a_changed_mix_is_measured_again(self, pair):
        mix, reference = pair
        self.stages(mix, reference, use_cache=True)
        samples, rate = sf.read(mix)
        sf.write(mix, 0.5 * samples, rate, "PCM_24")
        plan, measured = self.stages(mix, reference, use_cache=True)
        assert measured == {"measuring the mix", "measuring the master"}
        assert plan.mix.sha256 == hashlib.sha256(mix.read_bytes()).hexdigest()

    def test_a_saved_profile_is_a_reference_too(self, tmp_path, pair):
        mix, reference = pair
        save_profile(refmaster.measure(refmaster.open_audio(reference)), tmp_path / "ref.yaml")
        plan = plan_file(mix, tmp_path / "ref.yaml", use_cache=True).plan
        assert plan == plan_file(mix, tmp_path / "ref.yaml").plan


class TestSideBySide:
    """Mix and references are measured on two threads; errors and interrupts end both."""

    def test_one_thread_gives_the_same_plan(self, pair, monkeypatch):
        two = plan_file(*pair).plan
        monkeypatch.setenv("REFMASTER_THREADS", "1")
        assert plan_file(*pair).plan == two

    def test_progress_comes_from_the_calling_thread(self, pair):
        seen = set()
        plan_file(*pair, progress=lambda *_: seen.add(threading.current_thread()))
        assert seen == {threading.current_thread()}

    def test_a_broken_reference_is_named(self, tmp_path, pair):
        broken = tmp_path / "broken.wav"
        broken.write_bytes(pair[1].read_bytes()[:50000])
        with pytest.raises(AudioError, match=r"broken\.wav"):
            plan_file(pair[0], broken)

    def test_an_interrupt_stops_the_references_too(self, tmp_path, pair, example_reference):
        samples, rate = sf.read(example_reference)
        sf.write(tmp_path / "long.wav", np.tile(samples, (20, 1)), rate, "PCM_24")

        def interrupt(stage, done, total):
            raise KeyboardInterrupt

        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            plan_file(pair[0], tmp_path / "long.wav", progress=interrupt)
        assert time.monotonic() - started < 2.0
        assert not [t for t in threading.enumerate() if t.name.startswith("refmaster")]


@pytest.mark.parametrize("use_cache", [False, True])
@pytest.mark.parametrize(
    ("stage", "victim"),
    [
        ("measuring the mix", "mix.wav"),
        ("solving the level", "mix.wav"),
        ("rendering", "mix.wav"),
        ("measuring the master", "mix.wav"),
        ("measuring the reference", "reference.wav"),
    ],
)
def test_a_recording_that_is_replaced_meanwhile_fails_the_job(
    short_example, tmp_path, monkeypatch, stage, victim, use_cache
):
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(threads, "enabled", lambda: False)
    monkeypatch.setattr(cache, "_memory", OrderedDict())
    for name in ("mix.wav", "reference.wav"):
        shutil.copy(short_example / name, tmp_path)
    other, rate = sf.read(tmp_path / victim)
    sf.write(tmp_path / "other.wav", other[::-1], rate, "PCM_16")

    def replace(now, _done, _total):
        if now == stage and (tmp_path / "other.wav").exists():
            (tmp_path / "other.wav").replace(tmp_path / victim)

    with pytest.raises(AudioError, match=f"{victim}: was changed or replaced while it was read"):
        master_file(
            tmp_path / "mix.wav",
            tmp_path / "reference.wav",
            tmp_path / "o.wav",
            use_cache=use_cache,
            progress=replace,
        )
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"mix.wav", "reference.wav"}
    if use_cache:
        stored = [Profile.model_validate_json(p.read_bytes()) for p in (tmp_path / "cache").glob("*.json")]
        hashes = {sha256_of(short_example / name) for name in ("mix.wav", "reference.wav")}
        assert {profile.source.sha256 for profile in stored} <= hashes


@pytest.mark.parametrize("target_lufs", [-60.0, -14.0])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_a_mix_at_60_dbfs_is_mastered_and_its_plan_renders(
    short_example, tmp_path, rng, subtype, target_lufs
):
    noise = rng.standard_normal((3 * 48000, 2))
    sf.write(tmp_path / "loud.wav", 1000.0 * noise / np.abs(noise).max(), 48000, subtype)
    settings = MatchSettings(target_lufs=target_lufs)
    reference = short_example / "reference.wav"
    result = master_file(tmp_path / "loud.wav", reference, tmp_path / "o.wav", settings)
    assert result.kept_promises
    assert result.plan.level.gain_db < -60.0
    save_plan(result.plan, tmp_path / "plan.yaml")
    render_file(tmp_path / "plan.yaml", tmp_path / "again.wav")
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "o.wav").read_bytes()


def test_no_other_mix_is_rendered_than_it_was_planned_for(short_example, tmp_path):
    planned = plan_file(short_example / "mix.wav", short_example / "reference.wav")
    source = open_audio(short_example / "reference.wav")
    with FileOutlet(tmp_path / "o.wav", overwrite=False, inputs=[]) as outlet:  # noqa: SIM117
        with pytest.raises(AudioError, match="expected the mix that the plan was made for"):
            close_loop(source, measure(source), [], planned.plan, outlet, None, slope_lu_per_db=1.0)
