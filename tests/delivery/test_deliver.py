"""Files for delivery targets, judged by meters of other makers where loudness and peaks are concerned."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster import (
    MatchSettings,
    OutputError,
    SettingsError,
    Stems,
    deliver,
    load_plan,
    measure,
    plan_file,
    render_file,
    save_plan,
)
from refmaster.rendering.result import MasterResult
from refmaster.settings.target_files import delivery_target, delivery_targets
from refmaster.settings.targets import DeliveryTarget

TARGETS = ("spotify", "amazon-music", "ebu-r128", "cd", "vinyl", "high-res")
NO_CODECS = {"codecs": ()}  # their safety has tests of its own


def bare(known: str, /, **changed: object) -> DeliveryTarget:
    """Return a target without its codecs."""
    return delivery_target(known).model_copy(update={**NO_CODECS, **changed})


@pytest.fixture(scope="module")
def derived(short_example: Path) -> MasterResult:
    """Derive a plan that is loud enough for the limiter to work."""
    # The balance stands behind the equalizer, and would bring back a little side.
    settings = MatchSettings(target_lufs=-11.0, balance=False)
    return plan_file(short_example / "mix.wav", short_example / "reference.wav", settings)


@pytest.fixture(scope="module")
def delivered(derived: MasterResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MasterResult]:
    folder = tmp_path_factory.mktemp("delivered")
    results = deliver(derived, [bare(name) for name in TARGETS], folder, save_plans=folder)
    return dict(zip(TARGETS, results, strict=True))


def ffmpeg_reading(path: Path) -> tuple[float, float]:
    """Return integrated loudness and true peak by ffmpeg's ebur128, to its 0.1."""
    done = subprocess.run(
        ["ffmpeg", "-nostats", "-i", str(path), "-filter_complex", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    summary = done.stderr[done.stderr.rindex("Summary:") :]
    found = [re.search(rf"{name}:\s+(-?[\d.]+)", summary) for name in ("I", "Peak")]
    assert all(found)
    return tuple(float(match[1]) for match in found if match)  # type: ignore[return-value]


def libebur128_reading(path: Path) -> tuple[float, float]:
    """Return integrated loudness and true peak by libebur128."""
    pyebur128 = pytest.importorskip("pyebur128")
    samples, rate = sf.read(path, always_2d=True)
    mode = pyebur128.MeasurementMode
    state = pyebur128.R128State(samples.shape[1], rate, mode.MODE_I | mode.MODE_TRUE_PEAK)
    state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
    peaks = [pyebur128.get_true_peak(state, channel) for channel in range(samples.shape[1])]
    return pyebur128.get_loudness_global(state), 20 * np.log10(max(peaks))


def keeps(path: Path, target: DeliveryTarget) -> None:
    """Assert that a file is as loud as its target asks and never above its peaks, by two other meters."""
    limit = target.ceiling_dbtp
    for (lufs, dbtp), rounding in ((libebur128_reading(path), 0.0), (ffmpeg_reading(path), 0.051)):
        if target.integrated_lufs is not None:
            assert lufs == pytest.approx(target.integrated_lufs, abs=0.1)
        assert dbtp <= limit + rounding


@pytest.mark.parametrize("name", TARGETS)
def test_loudness_and_true_peak_by_other_meters(name: str, delivered: dict[str, MasterResult]) -> None:
    result = delivered[name]
    assert result.kept_promises
    keeps(Path(str(result.output)), delivery_target(name))


@pytest.mark.parametrize(
    ("name", "file", "rate_hz", "subtype"),
    [
        ("spotify", "mix.spotify.wav", 48000, "PCM_16"),
        ("ebu-r128", "mix.ebu-r128.wav", 48000, "PCM_16"),
        ("cd", "mix.cd.wav", 44100, "PCM_16"),
        ("vinyl", "mix.vinyl.wav", 48000, "PCM_24"),
        ("high-res", "mix.high-res.wav", 48000, "PCM_24"),
    ],
)
def test_the_mixs_format_is_kept_where_it_may_be(
    name: str, file: str, rate_hz: int, subtype: str, delivered: dict[str, MasterResult]
) -> None:
    output = Path(str(delivered[name].output))
    found = sf.info(output)
    assert (output.name, found.samplerate, found.subtype) == (file, rate_hz, subtype)
    assert found.frames == 5 * rate_hz


def test_each_plan_renders_its_file_again(delivered: dict[str, MasterResult], tmp_path: Path) -> None:
    for name, result in delivered.items():
        output = Path(str(result.output))
        again = render_file(output.with_name(f"mix.{name}.plan.yaml"), tmp_path / output.name)
        assert (tmp_path / output.name).read_bytes() == output.read_bytes()
        assert again.kept_promises


def test_without_a_target_loudness_it_is_the_plans(
    delivered: dict[str, MasterResult], derived: MasterResult
) -> None:
    for name in ("cd", "high-res"):
        assert delivered[name].master.levels.integrated_lufs == pytest.approx(-11.0, abs=0.05)
    # A sample peak is held by the plan's own ceiling, which is lower.
    assert derived.plan.promise.true_peak_dbtp == delivered["cd"].plan.promise.true_peak_dbtp == -1.0


def test_vinyl_is_not_limited_and_mono_below(
    delivered: dict[str, MasterResult], derived: MasterResult
) -> None:
    vinyl, limited = delivered["vinyl"], delivered["high-res"]
    assert vinyl.limiter is None
    assert not vinyl.plan.limiter.enabled
    levels = vinyl.master.levels
    assert levels.true_peak_dbtp == pytest.approx(-1.01, abs=0.005)
    # Its peaks stand over its loudness as they do without any limiter: far more than in the limited one.
    assert levels.plr_db is not None
    assert limited.master.levels.plr_db is not None
    assert levels.plr_db > limited.master.levels.plr_db + 2.0
    samples, rate = sf.read(str(vinyl.output))
    window = np.hanning(len(samples))  # spectra without leakage from the bands above
    mid, side = (window * (samples[:, 0] + sign * samples[:, 1]) / 2 for sign in (1, -1))
    low = np.fft.rfftfreq(len(mid), 1 / rate) < 110.0
    power = [np.sum(np.abs(np.fft.rfft(signal)[low]) ** 2) for signal in (mid, side)]
    assert 10 * np.log10(power[1] / power[0]) < -60.0
    assert "without a limiter" in vinyl.plan.level.why


def test_vinyl_is_not_made_louder_than_the_plan(short_example: Path, tmp_path: Path) -> None:
    quiet = plan_file(short_example / "mix.wav", [], MatchSettings(target_lufs=-30.0))
    (result,) = deliver(quiet, bare("vinyl", mono_below_hz=None), tmp_path)
    assert result.master.levels.integrated_lufs == pytest.approx(-30.0, abs=0.05)
    assert result.plan.level.gain_db == pytest.approx(quiet.plan.level.gain_db, abs=0.05)


def test_a_loudness_without_a_limiter(short_example: Path, tmp_path: Path, derived: MasterResult) -> None:
    reachable = bare("vinyl", name="a", integrated_lufs=-25.0, meant="required", tolerance_lu=0.2)
    beyond = bare("vinyl", name="b", integrated_lufs=-9.0, meant="required", tolerance_lu=0.2)
    kept, missed = deliver(derived, [reachable, beyond], tmp_path)
    assert kept.master.levels.integrated_lufs == pytest.approx(-25.0, abs=0.05)
    assert kept.kept_promises
    (finding,) = (f for f in missed.findings if f.severity == "broken_promise")
    assert (finding.code, finding.limit) == ("target_loudness", -9.0)
    assert finding.value == missed.master.levels.integrated_lufs
    assert missed.master.levels.true_peak_dbtp <= -1.0  # type: ignore[operator]


def test_an_edited_gain_stands(derived: MasterResult, tmp_path: Path) -> None:
    plan = derived.plan.model_copy(update={"level": derived.plan.level.model_copy(update={"gain_db": 2.0})})
    spotify, cd = deliver(plan, [bare("spotify"), bare("cd")], tmp_path)
    assert cd.plan.level.gain_db == 2.0
    assert cd.plan.promise.integrated_lufs is None
    assert spotify.master.levels.integrated_lufs == pytest.approx(-14.0, abs=0.05)


def test_a_lower_ceiling_of_the_plan_is_kept(short_example: Path, tmp_path: Path) -> None:
    settings = MatchSettings(target_lufs=-14.0, ceiling_dbtp=-3.0)
    derived = plan_file(short_example / "mix.wav", [], settings)
    (result,) = deliver(derived, bare("spotify"), tmp_path)
    assert result.plan.promise.true_peak_dbtp == -3.0
    assert result.master.levels.true_peak_dbtp <= -3.0  # type: ignore[operator]


def test_samples_of_a_cd_stay_below_full_scale(short_example: Path, tmp_path: Path) -> None:
    derived = plan_file(short_example / "mix.wav", [], MatchSettings(target_lufs=-9.0, ceiling_dbtp=0.0))
    (result,) = deliver(derived, bare("cd"), tmp_path)
    samples, _ = sf.read(str(result.output), dtype="int16")
    assert 32000 < np.abs(samples.astype(int)).max() < 32767
    assert "target_sample_peak" not in {f.code for f in result.findings}


def test_what_the_material_cannot_meet_is_a_finding(short_example: Path, tmp_path: Path) -> None:
    samples, rate = sf.read(short_example / "mix.wav")
    sf.write(tmp_path / "mono.wav", samples[:, 0], rate, "PCM_24")
    derived = plan_file(tmp_path / "mono.wav", short_example / "reference.wav")
    (result,) = deliver(derived, bare("cd", max_duration_s=4.0), tmp_path)
    found = {f.code: (f.value, f.limit, f.severity) for f in result.findings}
    assert found["target_channels"] == (1.0, 2.0, "broken_promise")
    assert found["target_duration"] == (5.0, 4.0, "broken_promise")
    assert not result.kept_promises
    assert sf.info(str(result.output)).channels == 1


def test_another_rate_is_converted_before_the_limiter(short_example: Path, tmp_path: Path) -> None:
    samples, rate = sf.read(short_example / "mix.wav")
    sf.write(tmp_path / "old.wav", samples[::2], rate // 2, "PCM_24")
    derived = plan_file(tmp_path / "old.wav", [], MatchSettings(target_lufs=-9.0))
    results = deliver(derived, [bare("cd"), bare("vinyl")], tmp_path)
    assert [result.master.source.sample_rate_hz for result in results] == [44100, 96000]
    assert all(result.kept_promises for result in results)
    assert libebur128_reading(Path(str(results[0].output)))[1] <= -1.0


def test_all_or_nothing(derived: MasterResult, tmp_path: Path) -> None:
    asked = [bare("spotify"), bare("cd")]

    def intrude(stage: str, _done: int, _total: int | None) -> None:
        if stage.startswith("cd: measuring the master"):  # someone else writes that name meanwhile
            (tmp_path / "mix.cd.wav").write_text("mine")

    with pytest.raises(OutputError, match=r"mix.cd.wav: exists already"):
        deliver(derived, asked, tmp_path, progress=intrude)
    assert [path.name for path in tmp_path.iterdir()] == ["mix.cd.wav"]
    assert (tmp_path / "mix.cd.wav").read_text() == "mine"
    with pytest.raises(OutputError, match=r"mix.cd.wav: exists already"):
        deliver(derived, asked, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mix.cd.wav"]
    first, second = deliver(derived, asked, tmp_path, overwrite=True)
    assert sf.info(str(second.output)).frames == 5 * 44100
    assert first.kept_promises


def test_two_targets_never_share_a_file(derived: MasterResult, tmp_path: Path) -> None:
    asked = [bare("spotify", file_name="{song}{ext}"), bare("cd", file_name="{song}{ext}")]
    with pytest.raises(OutputError, match="is the output .* as well"):
        deliver(derived, asked, tmp_path)
    assert not list(tmp_path.iterdir())


def test_each_target_once_and_in_order(derived: MasterResult, tmp_path: Path) -> None:
    results = deliver(derived, [bare("cd"), bare("youtube"), bare("cd")], tmp_path, song="Song 1")
    assert [Path(str(r.output)).name for r in results] == ["Song 1.cd.wav", "Song 1.youtube.wav"]
    with pytest.raises(SettingsError, match="expected one or more delivery targets"):
        deliver(derived, [], tmp_path)
    with pytest.raises(SettingsError, match='did you mean "youtube"'):
        deliver(derived, ["youtub"], tmp_path)


def test_from_a_plan_file_and_of_another_mix(
    derived: MasterResult, short_example: Path, tmp_path: Path
) -> None:
    save_plan(derived.plan, tmp_path / "plan.yaml")
    (result,) = deliver(tmp_path / "plan.yaml", bare("spotify"), tmp_path)
    again, direct = (
        (tmp_path / "mix.spotify.wav").read_bytes(),
        deliver(derived.plan, bare("spotify", name="direct"), tmp_path),
    )
    assert Path(str(direct[0].output)).read_bytes() == again
    (other,) = deliver(tmp_path / "plan.yaml", bare("spotify"), tmp_path, mix=short_example / "reference.wav")
    assert Path(str(other.output)).name == "reference.spotify.wav"
    assert other.master.levels.integrated_lufs == pytest.approx(-14.0, abs=0.05)
    assert load_plan(tmp_path / "plan.yaml").output == derived.plan.output
    assert result.plan.mix == derived.plan.mix.model_copy(update={"file": result.plan.mix.file})


def test_stems_are_named_after_their_folder(short_example: Path, tmp_path: Path) -> None:
    samples, rate = sf.read(short_example / "mix.wav")
    (tmp_path / "My Song").mkdir()
    for name, share in (("a", 0.4), ("b", 0.6)):
        sf.write(tmp_path / "My Song" / f"{name}.wav", share * samples, rate, "FLOAT")
    stems = Stems([tmp_path / "My Song" / "a.wav", tmp_path / "My Song" / "b.wav"])
    derived = plan_file(stems, short_example / "reference.wav")
    (result,) = deliver(derived, bare("spotify"), tmp_path)
    assert Path(str(result.output)).name == "My Song.spotify.wav"
    assert result.master.levels.integrated_lufs == pytest.approx(-14.0, abs=0.05)


def test_findings_on_the_trial_render_are_not_told(short_example: Path, tmp_path: Path) -> None:
    settings = MatchSettings(target_lufs=-5.0, max_reduction_db=3.0)
    derived = plan_file(short_example / "mix.wav", short_example / "reference.wav", settings)
    assert not derived.kept_promises
    (result,) = deliver(derived, bare("ebu-r128"), tmp_path)
    assert result.kept_promises
    assert {f.code for f in result.findings} < {f.code for f in derived.findings}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(delivery_targets()))
def test_every_target_by_other_meters(
    name: str, example_mix: Path, example_reference: Path, tmp_path: Path
) -> None:
    (result,) = deliver(plan_file(example_mix, example_reference), name, tmp_path)
    assert result.kept_promises
    keeps(Path(str(result.output)), delivery_target(name))
    assert measure(str(result.output)).levels == result.master.levels
