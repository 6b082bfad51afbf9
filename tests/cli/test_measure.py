"""``refmaster measure`` on many files, folders and files that are none."""

import json
import shutil

import numpy as np
import pytest
import soundfile as sf


@pytest.fixture
def folder(music, tmp_path):
    """Return a folder with four recordings, one in a folder below, and a file that only seems to be one."""
    below = tmp_path / "takes" / "late"
    below.mkdir(parents=True)
    for number in range(3):
        samples, rate = sf.read(music / "mix.wav", frames=(number + 1) * 44100)
        name = f"Everything is Free - a take with a rather long name number {number}.flac"
        sf.write(tmp_path / "takes" / name, samples, rate, "PCM_24")
    shutil.copy(music / "mix.wav", below)
    (tmp_path / "takes" / "junk.wav").write_bytes(b"no audio")
    return tmp_path / "takes"


def test_one_bad_file_loses_nothing_else(command, music, tmp_path):
    (tmp_path / "junk.wav").write_bytes(b"no audio")
    files = (music / "mix.wav", tmp_path / "junk.wav", music / "reference.wav", tmp_path / "none.wav")
    code, out, err = command("measure", *files)
    assert code == 2
    assert "mix.wav" in out
    assert "reference.wav" in out
    assert [line.partition(":")[0] for line in err.splitlines()] == ["refmaster", "refmaster"]
    assert "junk.wav: not an audio file" in err
    assert "none.wav: no such file" in err
    code, out, _ = command("measure", *files, "--json")
    found = json.loads(out)
    assert code == 2
    assert [p["source"]["file"] for p in found["profiles"]] == [str(files[0]), str(files[2])]
    assert [(e["file"], e["kind"]) for e in found["errors"]] == [
        (str(files[1]), "AudioError"),
        (str(files[3]), "AudioError"),
    ]
    assert command("measure", *files, "--quiet")[1] == ""


def test_a_folder_is_measured_in_rows(command, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command("measure", folder)
    assert code == 2
    assert "junk.wav" in err
    rows = [line for line in out.splitlines() if "48000" in line]
    assert len(rows) == 4
    assert all(name in out for name in ("format", "length", "LUFS", "LRA", "TP", "PLR"))
    assert [row.split()[-5] for row in rows] == ["0:00", "0:01", "0:02", "0:05"]
    assert "4 recordings last under 60 s" in out
    (folder / "junk.wav").unlink()
    assert command("measure", folder, "--quiet") == (0, "", "")


def test_a_few_stand_in_columns_with_their_format(command, music):
    code, out, _ = command("measure", music / "mix.wav", music / "reference.wav")
    assert code == 0
    for row in ("Format", "Sample rate", "Length", "Maximum momentary", "Left over right"):
        assert f" {row} " in out
    assert out.count("WAV PCM_16") == 2


def test_a_folder_without_recordings(command, tmp_path):
    code, out, err = command("measure", tmp_path)
    assert (code, out) == (2, "")
    assert "expected recordings in this folder, found none" in err


def test_a_duration_is_never_rounded_up_to_the_limit(command, tmp_path):
    noise = 0.1 * np.random.default_rng(1).standard_normal(round(59.98 * 8000))
    sf.write(tmp_path / "almost.wav", noise, 8000)
    _, out, _ = command("measure", tmp_path / "almost.wav")
    assert "almost.wav lasts 59.9 s; under 60 s" in out
    assert " 0:59\n" in out


def test_progress_names_the_file(command, music, monkeypatch):
    import contextlib

    stages = set()

    @contextlib.contextmanager
    def noting(wanted):
        yield lambda stage, done, total: stages.add(stage)

    monkeypatch.setattr("refmaster.cli.screen.progress_bar", noting)
    command("measure", music / "mix.wav", music / "reference.wav")
    assert stages == {"measuring mix.wav", "measuring reference.wav"}


def test_save_needs_one_recording_and_makes_its_folder(command, music, folder, tmp_path):
    code, _, err = command("measure", folder, "--save", tmp_path / "p.yaml")
    assert code == 2
    assert "--save: expected one FILE to save the profile of, found 5" in err
    saved = tmp_path / "new" / "p.yaml"
    assert command("measure", music / "mix.wav", "--save", saved, "--quiet")[0] == 0
    assert saved.exists()
    code, out, _ = command("measure", saved)
    assert code == 0
    assert "mix.wav" in out
