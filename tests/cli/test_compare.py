"""``refmaster compare`` and ``--engine`` as a person and a script meet them."""

import json
import subprocess
import sys

import pytest
import soundfile as sf


def refmaster(*arguments):
    command = [sys.executable, "-W", "error", "-m", "refmaster", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_the_table_has_every_engine(music, tmp_path):
    done = refmaster("compare", music / "mix.wav", "-r", music / "reference.wav", "--keep", tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    for word in ("refmaster", "matchering", "gain", "Tone to reference", "Largest move", "Peak memory"):
        assert word in done.stdout
    assert len(list(tmp_path.iterdir())) == 3
    again = refmaster("compare", music / "mix.wav", "-r", music / "reference.wav", "--keep", tmp_path)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


@pytest.mark.slow
def test_json_is_one_object_and_a_broken_promise_is_1(music):
    done = refmaster(
        "compare",
        music / "mix.wav",
        "-r",
        music / "reference.wav",
        "--json",
        "--lufs=-4",
        "--max-reduction=1",
    )
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [engine["name"] for engine in found["engines"]] == ["refmaster", "matchering", "gain"]
    assert found["requested"]["target_lufs"] == -4
    assert found["kept_promises"] is False


@pytest.mark.slow
def test_what_matchering_refuses_leaves_the_others(music):
    """A recording against itself: matchering refuses, refmaster and plain gain do not."""
    done = refmaster("compare", music / "mix.wav", "-r", music / "mix.wav", "--json")
    assert done.returncode == 0
    ours, peer, gain = json.loads(done.stdout)["engines"]
    assert peer["measured"] is None
    assert "matchering refuses it" in peer["findings"][0]["message"]
    assert ours["measured"] is not None
    assert gain["measured"] is not None


@pytest.mark.slow
def test_several_references_each_have_a_column(music, tmp_path):
    country = tmp_path / "another finished recording with a long name.wav"
    samples, rate = sf.read(music / "reference.wav")
    sf.write(country, 0.5 * samples[::-1], rate)
    options = ("-r", music / "reference.wav", "-r", f"{country}:2", "--keep", tmp_path / "kept" / "here")
    done = refmaster("compare", music / "mix.wav", *options)
    assert done.returncode == 0, done.stderr
    assert "Tone to reference 1" in done.stdout
    assert "Tone to reference 2" in done.stdout
    assert f"matchering takes one reference: of the 2 it heard {country.name}" in done.stdout
    assert len(list((tmp_path / "kept" / "here").iterdir())) == 3


def test_bad_use(music, tmp_path):
    profile = tmp_path / "reference.yaml"
    done = refmaster("compare", music / "mix.wav", "-r", profile)
    assert done.returncode == 2
    assert "expected a reference recording" in done.stderr
    done = refmaster("compare", music / "none.wav", "-r", music / "reference.wav")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_engine_matchering(music, tmp_path):
    done = refmaster(
        "master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "m.wav",
        "--engine", "matchering", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["requested"]["engine"] == "matchering"
    assert found["achieved"]["kept_promises"]
    assert sf.info(tmp_path / "m.wav").samplerate == 48000


@pytest.mark.parametrize(
    "option",
    [["--strength", "60"], ["--max-boost", "3"], ["--no-side"], ["--phase", "linear"], ["--sections"]],
)
def test_options_that_matchering_cannot_honour(option, tmp_path):
    done = refmaster(
        "master", "a.wav", "-r", "b.wav", "-o", tmp_path / "m.wav", "--engine", "matchering", *option
    )
    assert done.returncode == 2
    assert f"cannot honour {option[0]}" in done.stderr
