"""Plans as files: complete, readable, strict."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster import master_file, plan_file, render_file
from refmaster.errors import AudioError, SettingsError
from refmaster.plan import format_plan, load_plan, save_plan
from refmaster.settings.dynamics import Dynamics


@pytest.fixture(scope="module")
def short(tmp_path_factory, short_example):
    """A copy of the short example, to write into."""
    return Path(shutil.copytree(short_example, tmp_path_factory.mktemp("plan") / "short"))


@pytest.fixture(scope="module")
def derived(short):
    return plan_file(short / "mix.wav", short / "reference.wav")


def identity(plan):
    """The plan with every stage at rest."""
    return plan.model_copy(
        update={
            "tone": plan.tone.model_copy(update={"mid": (), "width": ()}),
            "balance": plan.balance.model_copy(update={"left_over_right_db": 0.0}),
            "dynamics": Dynamics(why="", crossover_hz=(), bands=()),
            "level": plan.level.model_copy(update={"gain_db": 0.0}),
            "limiter": plan.limiter.model_copy(update={"enabled": False}),
            "promise": plan.promise.model_copy(update={"integrated_lufs": None, "true_peak_dbtp": 0.0}),
        }
    )


def test_round_trip(derived, short):
    save_plan(derived.plan, short / "plan.yaml", overwrite=True)
    loaded = load_plan(short / "plan.yaml")
    assert loaded.mix.file == "mix.wav"
    assert loaded.references[0].file == "reference.wav"
    assert loaded.tone == derived.plan.tone
    assert format_plan(loaded) == (short / "plan.yaml").read_text()


def test_a_plan_names_its_inputs_and_says_why(derived):
    plan = derived.plan
    assert plan.made_by.startswith("refmaster ")
    assert len(plan.mix.sha256) == len(plan.references[0].sha256) == 64
    for stage in (plan.tone, plan.balance, plan.level, plan.limiter, *plan.tone.regions):
        assert stage.why
    assert "# dB" in format_plan(plan)


def test_renders_to_the_same_bytes(derived, short):
    save_plan(derived.plan, short / "plan.yaml", overwrite=True)
    render_file(short / "plan.yaml", short / "one.wav")
    render_file(short / "plan.yaml", short / "two.wav")
    assert (short / "one.wav").read_bytes() == (short / "two.wav").read_bytes()


def test_master_and_its_plan_give_the_same_bytes(short):
    result = master_file(short / "mix.wav", short / "reference.wav", short / "direct.wav", overwrite=True)
    save_plan(result.plan, short / "direct.yaml", overwrite=True)
    render_file(short / "direct.yaml", short / "again.wav", overwrite=True)
    assert (short / "direct.wav").read_bytes() == (short / "again.wav").read_bytes()


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_an_identity_plan_returns_the_mix_bit_for_bit(derived, tmp_path, rng, subtype):
    mix = tmp_path / "mix.wav"
    sf.write(mix, rng.uniform(-0.9, 0.9, (60000, 2)), 48000, subtype)
    plan = identity(derived.plan)
    plan = plan.model_copy(update={"mix": plan.mix.model_copy(update={"file": str(mix), "frames": 60000})})
    assert plan.is_identity
    result = render_file(plan, tmp_path / "out.wav", mix=mix)
    kind = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    np.testing.assert_array_equal(sf.read(tmp_path / "out.wav", dtype=kind)[0], sf.read(mix, dtype=kind)[0])
    assert result.master.source.subtype == subtype


def test_edits_are_rendered(derived, short):
    quieter = derived.plan.model_copy(
        update={"level": derived.plan.level.model_copy(update={"gain_db": -20.0})}
    )
    result = render_file(quieter, short / "quiet.wav", mix=short / "mix.wav", overwrite=True)
    assert result.master.levels.integrated_lufs < derived.master.levels.integrated_lufs - 10
    assert result.kept_promises
    assert any(f.code == "loudness_edited" for f in result.findings)


def test_another_mix_is_refused(derived, short, tmp_path):
    samples, rate = sf.read(short / "mix.wav")
    sf.write(tmp_path / "mix.wav", samples[::-1], rate)
    save_plan(derived.plan, tmp_path / "plan.yaml")
    text = (tmp_path / "plan.yaml").read_text()
    here = text.replace(load_plan(tmp_path / "plan.yaml").mix.file, "mix.wav")
    (tmp_path / "plan.yaml").write_text(here)
    with pytest.raises(AudioError, match="expected the mix that the plan was made for"):
        render_file(tmp_path / "plan.yaml", tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()
    render_file(tmp_path / "plan.yaml", tmp_path / "out.wav", mix=tmp_path / "mix.wav")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gain_db:", "gian_db:", r'level\.gian_db: unknown key, did you mean "gain_db"\?'),
        ("enabled: true", "enabled: yes", r"limiter\.enabled: expected true or false"),
        ("version: 1", "version: 7", r"version: expected"),
        (
            "ceiling_dbtp: -1.0  # dBTP, set",
            "ceiling_dbtp: 3  # dBTP, set",
            r"limiter\.ceiling_dbtp: expected",
        ),
        ("phase: linear\n", "phase: zero\n", r"tone\.phase"),
        ("left_over_right_db:", "left_over_right_db: .nan #", r"balance\.left_over_right_db"),
    ],
)
def test_wrong_plans_are_refused_with_their_place(derived, tmp_path, old, new, message):
    text = format_plan(derived.plan)
    start = text.index("\ntone:") if "phase" in old else 0
    broken = text[:start] + text[start:].replace(old, new, 1)
    assert broken != text
    (tmp_path / "plan.yaml").write_text(broken)
    with pytest.raises(SettingsError, match=rf"plan\.yaml:\d+:\d+: {message}"):
        load_plan(tmp_path / "plan.yaml")


def test_falling_frequencies_are_refused(derived, tmp_path):
    text = format_plan(derived.plan)
    place = text.index("    - [") + 7
    (tmp_path / "plan.yaml").write_text(text[:place] + "9" + text[place:])
    with pytest.raises(SettingsError, match="frequencies must rise"):
        load_plan(tmp_path / "plan.yaml")


@pytest.mark.parametrize(
    "values",
    [
        {"ceiling_dbtp": -40.0},
        {"ceiling_dbtp": 0.0},
        {"lookahead_ms": 0.01},
        {"lookahead_ms": 20.0},
        {"hold_ms": 0.0},
        {"hold_ms": 200.0},
        {"sustain_ms": 0.0},
        {"sustain_ms": 2000.0},
        {"release_ms": 0.01},
        {"release_ms": 5000.0},
    ],
)
def test_a_limiter_that_loads_renders_and_holds_its_ceiling(derived, short, tmp_path, values):
    limiter = derived.plan.limiter.model_copy(update=values)
    level = derived.plan.level.model_copy(update={"gain_db": derived.plan.level.gain_db + 6.0})
    output = derived.plan.output.model_copy(update={"bit_depth": "32f"})  # dither would count at -40 dBTP
    plan = derived.plan.model_copy(update={"limiter": limiter, "level": level, "output": output})
    save_plan(plan, tmp_path / "plan.yaml")
    result = render_file(tmp_path / "plan.yaml", tmp_path / "out.wav")
    assert result.limiter.max_gain_reduction_db > 1.0
    assert result.master.levels.true_peak_dbtp <= limiter.ceiling_dbtp


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lookahead_ms: 0.5", "lookahead_ms: 0", r"limiter\.lookahead_ms: expected more than 0,"),
        (
            "sustain_ms: 300.0",
            "sustain_ms: 2001",
            r"limiter\.sustain_ms: expected at most 2000,",
        ),
        (
            "  sample_rate_hz: 48000\n  bit",
            "  sample_rate_hz: 3999\n  bit",
            r"output\.sample_rate_hz: expected at least 4000,",
        ),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_its_place(derived, tmp_path, old, new, message):
    text = format_plan(derived.plan)
    assert old in text
    (tmp_path / "plan.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(SettingsError, match=rf"plan\.yaml:\d+:\d+: {message}"):
        load_plan(tmp_path / "plan.yaml")


@pytest.mark.parametrize("rate", [4000, 768000])
def test_the_ends_of_the_sample_rates_are_rendered(short, tmp_path, rate):
    result = master_file(
        short / "mix.wav", short / "reference.wav", tmp_path / "out.wav", sample_rate_hz=rate
    )
    assert result.kept_promises
    assert result.master.source.sample_rate_hz == rate


@pytest.mark.parametrize("rate", [3999, 768001])
def test_a_sample_rate_that_nothing_supports_is_refused(short, tmp_path, rate):
    with pytest.raises(SettingsError, match="sample rate: expected"):
        master_file(short / "mix.wav", short / "reference.wav", tmp_path / "out.wav", sample_rate_hz=rate)


def test_a_mix_whose_rate_a_master_cannot_have_is_refused(short, tmp_path, rng):
    sf.write(tmp_path / "mix.wav", 0.1 * rng.standard_normal((800000, 2)), 768001)
    with pytest.raises(AudioError, match="sample rate"):
        master_file(tmp_path / "mix.wav", short / "reference.wav", tmp_path / "out.wav")
