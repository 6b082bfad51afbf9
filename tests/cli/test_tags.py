"""``--tag``, ``--art`` and ``--bext``: from the options into the plan and the file."""

import json

import pytest
from mutagen.flac import FLAC

from refmaster.io import chunks
from refmaster.plan import load_plan

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636000000002000148"
    "afa4710000000049454e44ae426082"
)
TAGS = ("--tag", "title=Home = here", "--tag", "isrc=de-a12-34-56789", "--tag", "track=3/12")


@pytest.fixture
def cover(tmp_path):
    (tmp_path / "cover.png").write_bytes(PNG)
    return tmp_path / "cover.png"


def held(path):
    file = FLAC(path)
    return {name: file[name] for name in ("title", "isrc", "tracknumber", "tracktotal")}, file.pictures


def test_master_and_render_write_them(command, music, tmp_path, cover):
    plan, master, again = tmp_path / "plans" / "plan.yaml", tmp_path / "master.flac", tmp_path / "again.flac"
    options = [*TAGS, "--art", cover, "--save-plan", plan, "-q"]
    code, _, err = command("master", music / "mix.wav", "-r", music / "reference.wav", "-o", master, *options)
    assert (code, err) == (0, "")
    texts, (picture,) = held(master)
    assert texts == {
        "title": ["Home = here"], "isrc": ["DEA123456789"], "tracknumber": ["3"], "tracktotal": ["12"]
    }  # fmt: skip
    assert (picture.data, picture.mime, picture.type) == (PNG, "image/png", 3)
    assert load_plan(plan).art.file == "../cover.png"
    assert command("render", plan, "-o", again, "-q")[0] == 0
    assert again.read_bytes() == master.read_bytes()
    options = ["--tag", "title=Away", "--overwrite", "-q"]
    assert command("render", plan, "-o", again, *options)[0] == 0
    assert held(again) == (texts | {"title": ["Away"]}, [picture])


def test_bext_is_for_wave_files(command, music, tmp_path):
    base = ["master", music / "mix.wav", "-r", music / "reference.wav", "--bext", "-q"]
    assert command(*base, "-o", tmp_path / "a.wav")[0] == 0
    assert [chunk.identifier for chunk in chunks.list_chunks(tmp_path / "a.wav")].count(b"bext") == 1
    code, _, err = command(*base, "-o", tmp_path / "a.flac")
    assert code == 2
    assert "expected a .wav or .rf64 file" in err
    assert not (tmp_path / "a.flac").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tag", "isrc=DE-A12"], "isrc: expected an ISRC: two letters"),
        (["--tag", "ean=4006381333930"], "expected 1 as the check digit of 400638133393, found 0"),
        (["--tag", "titel=x"], 'did you mean "title"'),
        (["--tag", "title"], "--tag: expected NAME=TEXT"),
        (["--art", "missing.png"], "missing.png: no such file; expected a cover picture"),
    ],
)
@pytest.mark.parametrize("verb", ["master", "plan"])
def test_what_is_wrong_is_said_before_any_work(command, music, tmp_path, verb, options, said):
    output = tmp_path / ("a.wav" if verb == "master" else "a.yaml")
    code, out, err = command(
        verb, music / "mix.wav", "-r", music / "reference.wav", "-o", output, *options, "--json"
    )
    assert code == 2
    assert said in err
    assert said in json.loads(out)["error"]["message"]
    assert not output.exists()


def test_several_songs_share_what_songs_can_share(command, music, tmp_path, cover):
    base = ["master", music / "mix.wav", music / "reference.wav", "-r", music / "reference.wav", "-q"]
    code, _, err = command(*base, "-o", tmp_path / "Masters", "--tag", "isrc=DEA123456789")
    assert code == 2
    assert "isrc: expected one mix for that tag, found 2" in err
    output = ["-o", tmp_path / "Masters", "--tag", "album=Both", "--art", cover]
    code, _, err = command(*base, *output, "--manifest", tmp_path / "m.json")
    assert code == 2
    assert "--manifest: expected one MIX" in err
    assert command(*base, *output)[0] in (0, 1)
    for name in ("mix.wav", "reference.wav"):
        data = (tmp_path / "Masters" / name).read_bytes()
        assert b"Both" in data
        assert PNG in data
