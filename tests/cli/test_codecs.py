"""Lossy codecs on the command line: asked for, unknown, and kept as previews."""

import json
import re

import pytest


def test_codecs_and_previews_of_a_master_and_of_its_render(command, music, tmp_path):
    output, plan = tmp_path / "master.flac", tmp_path / "plan.yaml"
    options = ["-r", music / "reference.wav", "--lufs", "-12", "--codec", "mp3:128", "--preview", "mp3:64"]
    code, out, _ = command("master", music / "mix.wav", "-o", output, *options, "--save-plan", plan, "--json")
    assert code == 0
    assert json.loads(out)["plan"]["output"]["codecs"] == ["mp3:128"]
    assert (tmp_path / "master.mp3-64.flac").is_file()
    assert 'codecs: ["mp3:128"]' in plan.read_text()
    code, out, _ = command("render", plan, "-o", tmp_path / "again.wav", "--codec", "vorbis:q5", "--json")
    assert code == 0
    assert json.loads(out)["plan"]["output"]["codecs"] == ["vorbis:q5"]


@pytest.mark.parametrize("option", ["--codec", "--preview"])
@pytest.mark.parametrize(
    ("codec", "known"),
    [("mp3:1", "expected mp3 with 64, 80"), ("wma", "vorbis:q5; opus with .*aac:256; found 'wma'")],
)
def test_an_unknown_codec_is_told_with_those_known(command, music, tmp_path, option, codec, known):
    arguments = ["-r", music / "reference.wav", "-o", tmp_path / "a.wav", option, codec]
    code, _, err = command("master", music / "mix.wav", *arguments)
    assert code == 2
    assert f"{option}: expected" in err.replace("\n", " ")
    assert re.search(known, err.replace("\n", " "))
    assert list(tmp_path.iterdir()) == []


def test_a_preview_of_many_or_of_a_url_is_refused(command, music, tmp_path):
    arguments = ["-r", music / "reference.wav", "--preview", "mp3:128", "-o"]
    code, _, err = command("master", music / "mix.wav", *arguments, f"{tmp_path}/out/")
    assert (code, "--preview: expected one MIX" in err) == (2, True)
    code, _, err = command("master", music / "mix.wav", *arguments, "s3://bucket/a.wav")
    assert (code, "--preview: expected a master in a folder of this machine" in err) == (2, True)
