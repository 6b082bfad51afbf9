"""`refmaster playback`, and what `master` tells of it."""

import json

import numpy as np
import pytest
import soundfile as sf
import yaml

from refmaster import measure, save_profile

SYSTEMS = ["mono", "phone", "laptop", "car", "club"]


def test_json_has_every_system_with_its_source(command, music):
    code, out, err = command("playback", music / "mix.wav", "-r", music / "reference.wav", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [system["name"] for system in found["systems"]] == SYSTEMS
    for system in found["systems"]:
        assert system["source"]
        assert system["grade"] in ("definition", "typical")
        expected = system["change_lu"] - system["reference_change_lu"]
        assert system["difference_lu"] == pytest.approx(expected, abs=0.002)
        assert len(system["regions"]) == 7
    assert found["auditions"] == []


def test_the_table_and_the_files(command, music, tmp_path):
    folder = tmp_path / "new" / "auditions"
    code, out, _ = command("playback", music / "mix.wav", "-o", folder)
    assert code == 0
    assert "Phone, one loudspeaker" in out
    assert "reference" not in out
    names = [f"mix - {name}.wav" for name in ["original", *SYSTEMS]]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert all(f"written {folder / name}" in out for name in names)
    assert sf.info(folder / names[2]).frames == sf.info(music / "mix.wav").frames
    code, _, err = command("playback", music / "mix.wav", "-o", folder)
    assert code == 2
    assert "--overwrite" in err
    code, out, _ = command("playback", music / "mix.wav", "-o", folder, "--overwrite", "-q")
    assert (code, out) == (0, "")


def test_sources_when_verbose(command, music):
    _, out, _ = command("playback", music / "mix.wav", "-v")
    assert "AES convention paper 9393" in out


def test_a_profile_can_be_judged_but_not_heard(command, music, tmp_path):
    save_profile(measure(music / "mix.wav"), tmp_path / "mix.yaml")
    code, out, _ = command("playback", tmp_path / "mix.yaml", "--json")
    assert code == 0
    assert json.loads(out)["systems"]
    code, _, err = command("playback", tmp_path / "mix.yaml", "-o", tmp_path / "out")
    assert code == 2
    assert "found a saved profile" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_made_goes_where_nothing_is_written(command, music, tmp_path):
    code, _, _ = command("playback", tmp_path / "no.wav", "-o", tmp_path / "out")
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_mono_below_reaches_the_plan(command, music, tmp_path):
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "plan.yaml")
    code, out, err = command(*job, "--mono-below", "250")
    assert (code, err) == (0, "")
    assert "removed below 250 Hz" in out
    plan = yaml.safe_load((tmp_path / "plan.yaml").read_text())
    assert plan["tone"]["mono_below_hz"] == plan["requested"]["mono_below_hz"] == 250.0
    code, _, err = command(*job, "--overwrite", "--mono-below", "5")
    assert code == 2
    assert "--mono-below" in err


def test_master_tells_it_in_json_and_when_verbose(command, music, tmp_path, rng):
    mid, side = 0.05 * rng.standard_normal((2, 5 * 48000)) * [[1.0], [1.4]]
    sf.write(tmp_path / "wide.wav", np.column_stack([mid + side, mid - side]), 48000)
    job = ("master", tmp_path / "wide.wav", "-r", music / "reference.wav", "-o", tmp_path / "out.wav")
    rest = ("--no-side", "--no-tone", "--overwrite")
    _, out, _ = command(*job, *rest, "--json")
    (found,) = [f for f in json.loads(out)["findings"] if f["code"] == "playback_quieter"]
    assert found["value"] < found["limit"] < 0.0
    assert found["message"].startswith("Mono sum: loudness changes by -4.")
    assert "Mono sum" not in command(*job, *rest)[1]
    assert "note: Mono sum" in command(*job, *rest, "-v")[1]
