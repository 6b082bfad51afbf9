"""`refmaster suggest`."""

import json
import shutil

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfilt

from refmaster import measure, save_profile


@pytest.fixture(scope="module")
def library(tmp_path_factory, example_reference, finished_music):
    """A mix, and a folder with the other half of its song, other songs, a saved profile and other files."""
    folder = tmp_path_factory.mktemp("suggest")
    references = folder / "References"
    (references / "deep").mkdir(parents=True)
    samples, rate = sf.read(example_reference)
    half = len(samples) // 2
    darker = sosfilt(butter(1, 6000.0, fs=rate, output="sos"), samples[:half], axis=0)
    sf.write(folder / "mix.wav", 0.4 * darker, rate, "PCM_24")
    sf.write(references / "other half.wav", samples[half:], rate, "PCM_24")
    shutil.copy(finished_music[0], references / "deep" / "strings.flac")
    save_profile(measure(finished_music[1]), references / "country.yaml")
    sf.write(references / "silence.wav", np.zeros((rate, 2)), rate, "PCM_16")
    shutil.copy(folder / "mix.wav", references / "the mix.wav")
    (references / "notes.yaml").write_text("strength: full\n")
    return folder


def test_the_other_half_of_the_song_comes_first_and_alone(library, command):
    code, out, err = command("suggest", library / "mix.wav", library / "References", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    names = [row["file"].rpartition("/")[2] for row in found["references"]]
    assert names[0] == "other half.wav"
    assert sorted(names[1:]) == ["country.yaml", "strings.flac"]
    assert found["references"][0]["fit"] == 0.0 > found["references"][1]["fit"]
    assert -30.0 < found["clean_lufs"] < 0.0
    left_out = " ".join(found["left_out"])
    assert "silence.wav: expected music, found silence" in left_out
    assert "the mix.wav is the mix itself" in left_out
    assert "notes.yaml" not in left_out


def test_the_table_says_why_and_how_to_go_on(library, command):
    code, out, _ = command("suggest", library / "mix.wav", library / "References")
    assert code == 0
    assert "dB RMS away" in out
    assert "the best alone: refmaster master" in out or "the best together: refmaster master" in out
    assert "gets to" in out


def test_the_command_that_it_prints_masters(library, command, tmp_path):
    _, out, _ = command("suggest", library / "mix.wav", library / "References", "--json")
    references = [part for file in json.loads(out)["together"] for part in ("-r", file)]
    code, _, _ = command("master", library / "mix.wav", *references, "-o", tmp_path / "master.wav", "-q")
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope.wav", "."), "no such file"),
        (("mix.wav", "nope"), "expected a folder, a recording or a profile, found nothing there"),
        (("mix.wav", "empty"), "expected recordings or saved profiles in this folder, found none"),
        (("mix.wav", "References/silence.wav"), "expected at least one reference to suggest, found none"),
    ],
)
def test_bad_input_is_said_in_a_line(library, command, monkeypatch, arguments, said):
    monkeypatch.chdir(library)
    (library / "empty").mkdir(exist_ok=True)
    code, out, err = command("suggest", *arguments)
    assert (code, out) == (2, "")
    assert said in err
