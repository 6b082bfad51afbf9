"""Settings from files, names of options in help and completion, and the folders of outputs."""

import json
import os
import re
import subprocess
import sys
from typing import get_args

import pytest
import soundfile as sf
import yaml

from refmaster.cli import choices
from refmaster.settings.match import STRENGTH_NAMES, EngineName, Loudness, Phase
from refmaster.settings.output import BitDepth
from refmaster.settings.repair import RepairSettings
from refmaster.settings.target_files import delivery_targets


@pytest.fixture
def plan(command, music, tmp_path):
    """Derive a plan with more options, and return what was asked, with the output stage."""

    def derive(*more):
        made = tmp_path / "plan.yaml"
        job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", made, "--overwrite")
        code, out, err = command(*job, *more)
        assert (code, err) == (0, ""), err
        found = yaml.safe_load(made.read_text())
        return {**found["requested"], **found["output"]}, out

    return derive


def test_a_settings_file_under_the_options(plan, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("strength: 40\ntarget: apple-music\nbit_depth: 24\nmax_boost_db: 6\n")
    found, _ = plan("--settings", mine)
    assert (found["strength"], found["target_lufs"], found["bit_depth"]) == (40.0, -16.0, "24")
    found, _ = plan("--settings", mine, "--strength", "20", "--lufs", "-12", "--bit-depth", "16")
    assert (found["strength"], found["target_lufs"], found["bit_depth"]) == (20.0, -12.0, "16")
    assert found["max_boost_db"] == 6.0


def test_own_defaults_are_named_when_verbose(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("REFMASTER_CONFIG", str(tmp_path))
    own, mine = tmp_path / "settings.yaml", tmp_path / "mine.yaml"
    own.write_text("strength: 40\nloudness: false\n")
    mine.write_text("strength: 30\n")
    found, out = plan("-v")
    assert (found["strength"], found["loudness"]) == (40.0, False)
    assert f"settings {own}: strength, loudness" in out
    found, out = plan("-v", "--settings", mine, "--target", "spotify")
    assert (found["strength"], found["target_lufs"]) == (30.0, -14.0)
    assert out.index(str(own)) < out.index(str(mine))
    assert str(own) not in plan()[1]


def test_own_defaults_do_not_stand_in_an_engines_way(command, music, tmp_path, monkeypatch):
    monkeypatch.setenv("REFMASTER_CONFIG", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("strength: 40\nmax_reduction_db: 3\n")
    made = tmp_path / "plan.yaml"
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", made)
    assert command(*job, "--engine", "matchering", "-q")[0] == 0
    assert yaml.safe_load(made.read_text())["requested"]["max_reduction_db"] == 3.0


@pytest.mark.parametrize(
    ("text", "more", "kept"),
    [
        ("{}", [], True),
        ("loudness: clean", [], True),
        ("loudness: full", [], "full"),
        ("loudness: full", ["--loudness", "clean"], True),
        ("loudness: full", ["--no-loudness"], False),
        ("loudness: false", ["--loudness", "full"], "full"),
    ],
)
def test_how_far_the_loudness_is_followed(tmp_path, text, more, kept):
    from refmaster.cli.options import _match_settings

    (tmp_path / "mine.yaml").write_text(text)
    given = {"loudness": None, "no_loudness": "--no-loudness" in more}
    if "--loudness" in more:
        given["loudness"] = more[-1]
    assert _match_settings(tmp_path / "mine.yaml", **given)[0].loudness == kept


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("strength: 400", [], "mine.yaml:1:11: strength: expected at most 100"),
        ("jobs: []", [], "this is a jobs file, expected a settings file; it goes with: refmaster batch"),
        ("{}", ["--target", "spotify", "--lufs", "-9"], "contradicts a loudness of -9 LUFS"),
        ("{}", ["--ceiling", "3"], "--ceiling: expected at most 0"),
        ("{}", ["--loudness", "loud"], "--loudness: expected true or false, or clean or full"),
        ("{}", ["--loudness", "full", "--no-loudness"], "--loudness and --no-loudness contradict each other"),
        ("{}", ["--no-loudness", "--lufs", "-9"], "contradict each other"),
    ],
)
def test_wrong_settings(command, music, tmp_path, text, more, message):
    (tmp_path / "mine.yaml").write_text(text)
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "p.yaml")
    code, out, err = command(*job, "--settings", tmp_path / "mine.yaml", *more)
    assert (code, out) == (2, "")
    assert message in err


def test_the_names_of_options_are_those_of_the_settings():
    assert get_args(EngineName) == choices.ENGINES
    assert STRENGTH_NAMES == choices.STRENGTHS
    assert get_args(Phase) == choices.PHASES
    repairs = [name for name, field in RepairSettings.model_fields.items() if field.annotation is bool]
    assert (*repairs, "all", "none") == choices.REPAIRS
    assert get_args(get_args(get_args(Loudness)[0])[1]) == choices.LOUDNESSES
    assert get_args(get_args(BitDepth)[0]) == choices.BIT_DEPTHS
    assert choices.target_names() == list(delivery_targets())


def test_help_names_the_targets_the_engines_and_the_strengths(command):
    out = re.sub(r"-\n\s+", "-", command("master", "--help")[1])  # it wraps at hyphens too
    for name in (*delivery_targets(), "evidence", "balanced", "full", "refmaster|matchering"):
        assert name in out
    assert "--engine" not in command("compare", "--help")[1]


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("refmaster master --target sp", "spotify"),
        ("refmaster album --target eb", "ebu-r128"),
        ("refmaster master --engine m", "matchering"),
        ("refmaster plan --strength ev", "evidence"),
        ("refmaster plan --phase mi", "minimum"),
        ("refmaster master --bit-depth 32", "32f"),
    ],
)
def test_completion_in_the_shell(line, completed):
    code = "import sys; sys.argv = ['refmaster']; from refmaster.cli.main import run; run()"
    asked = {"COMP_WORDS": line, "COMP_CWORD": "3", "_REFMASTER_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == ([completed], "")


def test_targets_are_listed_with_their_sources(command):
    code, out, _ = command("targets")
    assert code == 0
    for word in ("spotify", "-14", "official", "EBU R 128", "as of 2026-11"):
        assert word in out
    found = json.loads(command("targets", "--json")[1])
    assert found["as_of"] == "2026-11"
    assert list(found["targets"]) == list(delivery_targets())
    assert all(target["source"] for target in found["targets"].values())


def test_folders_of_outputs_are_made(command, music, tmp_path):
    job = (music / "mix.wav", "-r", music / "reference.wav", "-q")
    master, saved = tmp_path / "a" / "b" / "m.wav", tmp_path / "c" / "plan.yaml"
    assert command("master", *job, "-o", master, "--save-plan", saved)[0] == 0
    assert sf.info(master).frames == 5 * 48000
    assert command("render", saved, "-o", tmp_path / "d" / "m.wav", "-q")[0] == 0
    assert command("plan", *job, "-o", tmp_path / "e" / "p.yaml")[0] == 0


def test_folders_of_a_run_that_fails_are_not_left(command, music, tmp_path):
    out = tmp_path / "a" / "b" / "m.wav"
    assert command("master", music / "mix.wav", "-r", "none.wav", "-o", out)[0] == 2
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    code, _, err = command(
        "master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "file" / "m.wav"
    )
    assert code == 2
    assert "Traceback" not in err
