"""``refmaster learn`` and ``--prior`` as a person meets them."""

import json

import numpy as np
import pytest
import soundfile as sf

RATE = 32000


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Two albums of three little songs: filtered noises in turn, 14 s each, and a text file."""
    folder = tmp_path_factory.mktemp("catalogue")
    rng = np.random.default_rng(6)
    for number in range(6):
        album = folder / f"album {number % 2}"
        album.mkdir(exist_ok=True)
        spectrum = rng.uniform(0.2, 1.0, (3, 200))
        parts = [
            np.fft.irfft(
                np.fft.rfft(rng.standard_normal((RATE, 2)), axis=0)
                * np.interp(np.linspace(0, 1, RATE // 2 + 1), np.linspace(0, 1, 200), spectrum[k % 3])[
                    :, None
                ],
                axis=0,
            )
            for k in range(14)
        ]
        samples = np.concatenate(parts)
        sf.write(album / f"{number}.wav", 0.2 * samples / np.abs(samples).max(), RATE, "PCM_16")
    (folder / "notes.txt").write_text("no music")
    return folder


def test_a_prior_is_learned_and_used(command, catalogue, tmp_path):
    prior = tmp_path / "prior.yaml"
    code, out, err = command("learn", catalogue, "-o", prior)
    assert (code, err) == (0, "")
    assert "6 tracks, 2 albums" in out
    assert "16 and more" in out
    songs = sorted(catalogue.rglob("*.wav"))
    code, out, _ = command(
        "plan", songs[0], "-r", songs[1], "--prior", prior, "-o", tmp_path / "p.yaml", "--json"
    )
    assert code == 0
    assert json.loads(out)["plan"]["tone"]["prior"].startswith(str(prior))


def test_each_recording_is_measured_once(command, catalogue, tmp_path, monkeypatch):
    assert command("learn", catalogue, "-o", tmp_path / "one.yaml")[0] == 0

    def measuring(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("refmaster.profile.cache._measured", measuring)
    assert command("learn", catalogue, "-o", tmp_path / "two.yaml")[0] == 0
    assert (tmp_path / "one.yaml").read_text() == (tmp_path / "two.yaml").read_text().replace("two", "one")


def test_albums_come_from_a_table_where_folders_do_not_tell(command, catalogue, tmp_path):
    table = tmp_path / "albums.csv"
    table.write_text("file,album\n" + "".join(f"{i}.wav,one\n" for i in range(4)))
    code, out, _ = command("learn", catalogue, "-o", tmp_path / "p.yaml", "--albums", table, "--json")
    assert code == 0
    assert json.loads(out)["albums"] == 3  # one, and two that stand for themselves


def test_what_cannot_be_learned_from(command, catalogue, tmp_path):
    output = tmp_path / "p.yaml"
    empty = tmp_path / "empty"
    empty.mkdir()
    table = tmp_path / "albums.csv"
    table.write_text("name,album\n")
    for arguments, words in (
        ([empty], "found none"),
        ([tmp_path / "absent"], "found nothing there"),
        ([catalogue / "album 0"], "at least 6"),
        ([catalogue, "--albums", table], "columns file and album"),
    ):
        code, _, err = command("learn", *arguments, "-o", output)
        assert code == 2
        assert words in err
        assert not output.exists()


def test_a_broken_recording_is_left_out_with_a_note(command, catalogue, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    code, out, _ = command("learn", catalogue, broken, "-o", tmp_path / "p.yaml")
    assert code == 0
    assert "left out" in out
    assert "broken.wav" in out


def test_a_strength_that_does_not_exist(command, catalogue, tmp_path):
    song = next(catalogue.rglob("*.wav"))
    code, _, err = command("plan", song, "-r", song, "--strength", "most", "-o", tmp_path / "p.yaml")
    assert code == 2
    assert "evidence, balanced, full" in err
