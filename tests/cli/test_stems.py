"""Stems on the command line."""

import numpy as np
import pytest
import soundfile as sf


@pytest.fixture
def stems(tmp_path, music):
    samples, rate = sf.read(music / "mix.wav", dtype="int16")
    half = samples // 2
    sf.write(tmp_path / "one.wav", half, rate, "PCM_16")
    sf.write(tmp_path / "two.wav", samples - half, rate, "PCM_16")
    return tmp_path


def test_stems_are_mastered_and_their_plan_renders_to_the_same(command, music, stems):
    given = ["--stem", stems / "one.wav", "--stem", stems / "two.wav", "-r", music / "reference.wav"]
    code, _, _ = command("master", *given, "-o", stems / "m.wav", "--save-plan", stems / "plan.yaml")
    assert code == 0
    code, _, _ = command("render", stems / "plan.yaml", "-o", stems / "again.wav")
    assert code == 0
    assert (stems / "m.wav").read_bytes() == (stems / "again.wav").read_bytes()
    code, _, _ = command("plan", *given, "-o", stems / "only.yaml")
    assert code == 0
    assert "file: one.wav" in (stems / "only.yaml").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--stem", "one.wav"], "expected from 2 to 32 files that sum to the mix, found 1"),
        (["one.wav", "--stem", "two.wav"], "expected stems or a MIX, found both"),
        ([], "expected a mix, or --stem for each stem"),
        (["--stem", "one.wav", "--stem", "one.wav"], "one.wav more than once"),
        (["--stem", "one.wav", "--stem", "none.wav"], "none.wav: no such file"),
        (["--stem", "one.wav", "--stem", "short.wav"], "100 frames"),
        (["--stem", "one.wav", "--stem", "slow.wav"], "44100 Hz"),
    ],
)
def test_stems_that_cannot_be_summed_are_refused(command, music, stems, monkeypatch, given, said):
    sf.write(stems / "short.wav", np.zeros((100, 2)) + 0.1, 48000)
    sf.write(stems / "slow.wav", np.zeros((240000, 2)) + 0.1, 44100)
    monkeypatch.chdir(stems)
    code, _, error = command("master", *given, "-r", music / "reference.wav", "-o", "m.wav")
    assert code == 2
    assert said in " ".join(error.split())
    assert "Traceback" not in error
    assert not (stems / "m.wav").exists()


def test_a_folder_of_references_needs_the_mix(command, music, stems):
    given = ["--stem", stems / "one.wav", "--stem", stems / "two.wav", "-r", music]
    code, _, error = command("master", *given, "-o", stems / "m.wav")
    assert code == 2
    assert "a folder is searched for a MIX, found stems" in " ".join(error.split())


def test_a_stem_is_not_written_over(command, music, stems):
    before = (stems / "one.wav").read_bytes()
    given = ["--stem", stems / "one.wav", "--stem", stems / "two.wav", "-r", music / "reference.wav"]
    code, _, _ = command("master", *given, "-o", stems / "one.wav", "--overwrite")
    assert code != 0
    assert (stems / "one.wav").read_bytes() == before
