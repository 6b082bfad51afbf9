"""The verb album as a person and a script meet it."""

import json
from pathlib import Path

import pytest
import soundfile as sf

from refmaster.album.request import load_album

EXAMPLE = Path(__file__).resolve().parents[2] / "configs" / "album.yaml"


@pytest.fixture(scope="module")
def mixes(tmp_path_factory, album_mixes):
    """Four seconds of each of three mixes, in a folder."""
    folder = tmp_path_factory.mktemp("mixes")
    for number, path in enumerate(album_mixes, 1):
        samples, rate = sf.read(path, frames=4 * 48000, start=4 * 48000)
        sf.write(folder / f"{number:02d} {path.stem}.wav", samples, rate, "PCM_24")
    return folder


def test_a_folder_end_to_end_as_json(command, mixes, tmp_path):
    code, out, err = command("album", mixes, "-o", tmp_path / "out", "--lufs", "-18", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [Path(t["file"]).name for t in found["tracks"]] == sorted(p.name for p in mixes.iterdir())
    assert [t["engineer"] for t in found["tracks"]] == [None] * 3
    assert all(Path(t["output"]).is_file() for t in found["tracks"])
    assert found["album"]["after"]["pooled_lufs"] == pytest.approx(-18.0, abs=0.1)
    assert found["album"]["kept_promises"] is True
    code, out, _ = command("album", tmp_path / "out" / "album-plan.yaml", "-o", tmp_path / "again")
    assert code == 0
    assert "AES TD1008" in out
    for track in found["tracks"]:
        again = tmp_path / "again" / Path(track["output"]).name
        assert again.read_bytes() == Path(track["output"]).read_bytes()
    code, out, _ = command("album", mixes, "-o", tmp_path / "out", "--lufs", "-18")
    assert code == 0
    assert f"kept    all 3 masters in {tmp_path / 'out'}: nothing has changed since they were made" in out
    assert "moved" not in out
    assert "written" not in out
    code, out, _ = command("album", mixes, "-o", tmp_path / "out", "--lufs", "-18.5")
    assert code == 0
    assert "written" in out
    assert "kept" not in out


def test_a_dry_run_shows_the_moves(command, mixes, tmp_path):
    names = [p.name for p in sorted(mixes.iterdir())]
    lines = ["version: 1", "tracks:"]
    lines += [f"  - {{file: '{mixes / n}', engineer: {e}}}" for n, e in zip(names, "aab", strict=True)]
    (tmp_path / "album.yaml").write_text("\n".join(lines))
    code, out, err = command("album", tmp_path / "album.yaml", "-o", tmp_path / "out", "--dry-run")
    assert (code, err) == (0, "")
    assert "plans only" in out
    assert "\na, 2 songs: " in out
    assert "\nb, 1 song: " in out
    assert not list((tmp_path / "out").glob("*.wav"))
    assert (tmp_path / "out" / "album-plan.yaml").is_file()


def test_problems_are_bad_input(command, tmp_path):
    (tmp_path / "album.yaml").write_text("version: 1\ntracks:\n  - file: no.wav\n  - file: none.wav\n")
    code, out, err = command("album", tmp_path / "album.yaml", "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "album.yaml:3:11: tracks[0].file: " in err
    assert "album.yaml:4:11: tracks[1].file: " in err
    (tmp_path / "album.yaml").write_text("version: 1\ntracks:\n  - file: no.wav\nlufs: -14\n")
    code, _, err = command("album", tmp_path / "album.yaml", "-o", tmp_path / "out")
    assert code == 2
    assert "album.yaml:4:1: lufs: unknown key" in err


def test_a_limit_that_holds_the_album_exits_with_1(command, mixes, tmp_path):
    options = ["--lufs", "-6", "--max-reduction", "1", "--dry-run", "--quiet"]
    code, out, err = command("album", mixes, "-o", tmp_path / "out", *options)
    assert (code, out) == (1, "")
    assert "asks too much" in err


def test_an_album_plan_has_decided(command, mixes, tmp_path):
    command("album", mixes, "-o", tmp_path / "out", "--dry-run", "-q")
    plan = tmp_path / "out" / "album-plan.yaml"
    code, _, err = command("album", plan, "-o", tmp_path / "x", "--lufs", "-9", "--strength", "30")
    assert code == 2
    assert "--strength, --lufs" in err
    code, _, err = command("render", plan, "-o", tmp_path / "x.wav")
    assert code == 2
    assert "refmaster album" in err


def test_the_example_file_is_understood():
    album = load_album(EXAMPLE)
    assert len(album.paths) == 4
    assert album.settings.match.target_lufs == -14.0
    assert album.settings.tracks[1].keep == ("level",)
