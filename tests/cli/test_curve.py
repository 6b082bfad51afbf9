"""``refmaster curve``: what it writes and reads, and what it refuses with one line."""

import json
import shutil
from typing import get_args

import pytest
import soundfile as sf

from refmaster.cli import choices
from refmaster.io.open import FileSource
from refmaster.mastering import plan_file
from refmaster.plan import load_plan, save_plan
from refmaster.settings.takeaway import DEFAULT_BANDS, MAX_BANDS, MIN_BANDS, CurveFormat, CurvePart


@pytest.fixture(scope="module")
def derived(tmp_path_factory, short_example):
    folder = tmp_path_factory.mktemp("derived")
    result = plan_file(short_example / "mix.wav", short_example / "reference.wav")
    save_plan(result.plan, folder / "plan.yaml")
    return folder / "plan.yaml"


@pytest.fixture
def plan(derived, tmp_path, monkeypatch):
    """Return the name of a plan in the working folder; reading audio fails the test."""
    shutil.copy(derived, tmp_path / "plan.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FileSource, "blocks", lambda *_: pytest.fail("audio was read"))
    return tmp_path / "plan.yaml"


def test_the_suffix_says_the_format(command, plan):
    for name, words in (
        ("new/eq.wav", "impulse response, 48000 Hz, 4 channel(s): left to left, left to right"),
        ("eq.txt", "GraphicEQ of Equalizer APO"),
    ):
        code, out, err = command("curve", "plan.yaml", "-o", name)
        assert (code, err) == (0, "")
        assert words in out
        assert "note: not in it, but in the plan: " in out
    assert "delay   8192 samples, 0.171 s" in command("curve", "plan.yaml", "-o", "again.wav")[1]
    assert sf.info("new/eq.wav").channels == 4
    assert (plan.parent / "eq.txt").read_text().count("GraphicEQ: ") == 2
    code, out, _ = command("curve", "plan.yaml", "-o", "eq.frd", "--part", "mid")
    assert (code, "frequency table of REW" in out) == (0, True)


def test_bands_state_their_error(command, plan):
    code, out, _ = command("curve", "plan.yaml", "-o", "eq.txt", "--bands", "6", "-v")
    assert code == 0
    assert "parametric bands at 48000 Hz, Q as in the Audio EQ Cookbook" in out
    assert "fit     mid: 6 bands, 0." in out
    assert "low shelf" in out
    assert (plan.parent / "eq.txt").read_text().count("Filter ") == 12
    code, out, _ = command("curve", "plan.yaml", "-o", "eq2.txt", "--format", "bands", "--json")
    said = json.loads(out)
    assert (code, said["format"], set(said["fits"])) == (0, "bands", {"mid", "side"})
    assert len(said["fits"]["mid"]["bands"]) == DEFAULT_BANDS
    assert said["fits"]["mid"]["rms_error_db"] < 0.5
    text = (plan.parent / "eq2.txt").read_text()
    assert f"{said['fits']['mid']['rms_error_db']:.2f} dB RMS" in text


def test_a_plan_with_moves(command, plan):
    code, out, _ = command("curve", "plan.yaml", "-o", "moves.yaml", "--bands", "4")
    assert (code, "written moves.yaml (the plan, with moves in place of its curves)" in out) == (0, True)
    assert "fit     side: 4 bands, 0." in out
    assert "not in it" not in out
    assert len(load_plan("moves.yaml").tone.moves) == 8


def test_a_text_is_read_into_another_plan(command, plan):
    assert command("curve", "plan.yaml", "-o", "eq.txt", "-q") == (0, "", "")
    code, out, err = command("curve", "plan.yaml", "--read", "eq.txt", "-o", "new/edited.yaml")
    assert (code, err) == (0, "")
    assert "written new/edited.yaml: the curve is that of eq.txt" in out
    assert "with lufs in place of gain_db, below level, render solves it anew" in out
    before, after = load_plan("plan.yaml"), load_plan("new/edited.yaml")
    assert (after.tone.mid, after.tone.width) == (before.tone.mid, before.tone.width)
    assert command("curve", "plan.yaml", "--read", "eq.txt", "-o", "e.yaml", "--part", "side", "-q")[0] == 0
    assert "of the side" in load_plan("e.yaml").tone.why
    code, out, _ = command("curve", "plan.yaml", "--read", "eq.txt", "-o", "j.yaml", "--json")
    assert (code, json.loads(out)["output"]) == (0, "j.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.yaml", "-o", "eq.wav"), "none.yaml: no such file"),
        (("text.txt", "-o", "eq.wav"), "text.txt:1:1: "),
        (("settings.yaml", "-o", "eq.wav"), "settings.yaml: this is a settings file, expected a plan"),
        (("plan.yaml", "-o", "eq"), "eq: expected a name that ends in .wav"),
        (("plan.yaml", "-o", "eq.flac"), "eq.flac: expected a name that ends in .wav"),
        (
            ("plan.yaml", "-o", "eq.wav", "--format", "csv"),
            "--format: expected impulse, graphiceq, rew, bands or moves",
        ),
        (("plan.yaml", "-o", "eq.wav", "--format", "rew"), "the format rew needs a name of a text"),
        (("plan.yaml", "-o", "eq.txt", "--format", "impulse"), "the format impulse needs a name that ends"),
        (("plan.yaml", "-o", "eq.txt", "--bands", "1"), "--bands: expected at least 2, found 1"),
        (("plan.yaml", "-o", "eq.txt", "--bands", "99"), "--bands: expected at most 24, found 99"),
        (("plan.yaml", "-o", "eq.wav", "--bands", "8"), "--bands 8 is of no use for the format impulse"),
        (("plan.yaml", "-o", "eq.txt", "--phase", "minimum"), "--phase minimum is of no use for the format"),
        (("plan.yaml", "-o", "eq.wav", "--phase", "zero"), "--phase: expected linear or minimum"),
        (("plan.yaml", "-o", "eq.wav", "--part", "left"), "--part: expected mid or side"),
        (("plan.yaml", "-o", "eq.wav", "--sample-rate", "100"), "--sample-rate: expected at least 4000"),
        (("plan.yaml", "-o", "eq.txt", "--sample-rate", "48000"), "--sample-rate 48000 is of no use"),
        (("plan.yaml", "-o", "eq.frd"), "write two files, with --part mid and --part side"),
        (("plan.yaml", "-o", "text.txt"), "text.txt: exists already; use --overwrite"),
        (("plan.yaml", "-o", "text.yaml", "--read", "text.txt"), "text.txt:1:1: no curve found"),
        (("plan.yaml", "-o", "e.yaml", "--read", "falling.txt"), "falling.txt:3:1: frequencies must rise"),
        (("plan.yaml", "-o", "e.yaml", "--read", "none.txt"), "none.txt: no such file"),
        (("plan.yaml", "-o", "e.yaml", "--read", "."), ".: is a directory"),
        (("plan.yaml", "-o", "plan.yaml", "--read", "eq.txt"), "is the input plan.yaml itself"),
        (("plan.yaml", "-o", "eq.txt", "--read", "eq.txt", "--overwrite"), "is the input eq.txt itself"),
        (("plan.yaml", "-o", "plan.yaml", "--bands", "4", "--overwrite"), "is the input plan.yaml itself"),
        (("plan.yaml", "-o", "eq.yaml", "--format", "bands"), "the format bands needs a name of a text"),
        (
            ("plan.yaml", "-o", "eq.txt", "--format", "moves"),
            "the format moves needs a name that ends in .yaml",
        ),
        (("plan.yaml", "-o", "eq.yaml", "--part", "mid"), "--part mid is of no use for the format moves"),
        (("plan.yaml", "-o", "eq.yaml", "--bands", "24"), "fit fewer bands"),
        (("settings.yaml", "-o", "e.yaml", "--read", "eq.txt"), "this is a settings file, expected a plan"),
        (("plan.yaml", "-o", "e.yaml", "--read", "eq.txt", "--bands", "8"), "--bands: of no use with --read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(command, plan, arguments, message):
    folder = plan.parent
    (folder / "text.txt").write_text("just words\n")
    (folder / "falling.txt").write_text("100 1\n200 2\n150 3\n")
    (folder / "settings.yaml").write_text("strength: 40\n")
    (folder / "eq.txt").write_text("100 1\n200 2\n") if "--read" in arguments else None
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = command("curve", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_options_name_what_the_settings_take(command):
    assert get_args(CurveFormat) == choices.CURVE_FORMATS
    assert get_args(CurvePart) == choices.CURVE_PARTS
    assert f"{MIN_BANDS} to {MAX_BANDS}.  [{DEFAULT_BANDS}]" in command("curve", "--help")[1]
