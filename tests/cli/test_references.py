"""References by aspect, and folders of references, on the command line."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from refmaster import measure, save_profile
from refmaster.cli.references import parse_references
from refmaster.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a.wav", ("a.wav", 1.0, ())),
        ("a.wav:2", ("a.wav", 2.0, ())),
        ("tone=a.wav", ("a.wav", 1.0, ("tone",))),
        ("loudness,tone=a.wav:0.5", ("a.wav", 0.5, ("tone", "loudness"))),
        ("tone,width,balance,dynamics,loudness=a.wav", ("a.wav", 1.0, ())),
        ("width=b=c.wav", ("b=c.wav", 1.0, ("width",))),
        ("tone=there.wav", ("tone=there.wav", 1.0, ())),
        ("tone=there.wav:2", ("tone=there.wav", 2.0, ())),
        ("width=tone=there.wav:2", ("tone=there.wav", 2.0, ("width",))),
        ("s3://bucket/tone=a.wav", ("s3://bucket/tone=a.wav", 1.0, ())),
        ("tone=https://host/a.wav?b=c", ("https://host/a.wav?b=c", 1.0, ("tone",))),
    ],
)
def test_what_a_reference_serves_stands_before_it(tmp_path, monkeypatch, text, parsed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tone=there.wav").touch()
    assert parse_references([text]) == [parsed]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tune=a.wav", r"no such file, and before = expected what it serves \(tone, width, .*found 'tune'"),
        ("tone,=a.wav", "found 'tone,'"),
        ("=a.wav", "found ''"),
        ("tone=", "expected a file after =, found none"),
    ],
)
def test_an_unknown_aspect_is_refused_with_the_known_ones(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=said):
        parse_references([text])


def test_a_plan_by_aspect_says_so_and_keeps_it(music, command, tmp_path):
    plan = tmp_path / "plan.yaml"
    references = ("-r", f"tone,width={music}/reference.wav", "-r", f"loudness={music}/mix.wav:2")
    code, out, _ = command("plan", music / "mix.wav", *references, "-o", plan)
    assert code == 0
    assert "1 for tone, width" in out
    assert "2 for loudness" in out
    written = yaml.safe_load(plan.read_text())
    assert [r["aspects"] for r in written["references"]] == [["tone", "width"], ["loudness"]]
    assert written["balance"]["why"] == "no reference serves balance: not matched"
    assert command("render", plan, "-o", tmp_path / "master.wav")[0] == 0


@pytest.mark.parametrize(
    ("verb", "more", "said"),
    [
        ("master", ("--engine", "matchering", "-o", "m.wav"), "expected one reference for all aspects"),
        ("compare", (), "expected references for all aspects, as matchering takes them, found one for tone"),
        ("album", ("-o", "out"), "expected references for all aspects; found one for tone"),
    ],
)
def test_what_knows_no_aspects_refuses_them(music, command, tmp_path, monkeypatch, verb, more, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixes").mkdir()
    shutil.copy(music / "mix.wav", tmp_path / "mixes")
    of = "mixes" if verb == "album" else "mixes/mix.wav"
    code, _, err = command(verb, of, "-r", f"tone={music}/reference.wav", *more)
    assert code == 2
    assert said in err
    assert [path.name for path in tmp_path.iterdir()] == ["mixes"]


@pytest.fixture
def library(music, tmp_path, finished_music):
    """A folder of references: another recording, a saved profile whose recording is elsewhere, the mix."""
    folder = tmp_path / "References"
    folder.mkdir()
    shutil.copy(music / "reference.wav", folder)
    shutil.copy(music / "mix.wav", folder / "the mix.wav")
    save_profile(measure(finished_music[0]), folder / "strings.yaml")
    return folder


def test_a_folder_stands_for_what_is_suggested(library, music, command, tmp_path):
    mix, plan = music / "mix.wav", tmp_path / "plan.yaml"
    suggested = json.loads(command("suggest", mix, library, "--json")[1])["together"]
    code, out, err = command(
        "master", mix, "-r", f"tone,loudness={library}:2", "-o", tmp_path / "a.wav", "--save-plan", plan
    )
    assert (code, err) == (0, "")
    references = yaml.safe_load(plan.read_text())["references"]
    # A plan names the recording that a saved profile is of.
    assert [Path(r["file"]).stem for r in references] == [Path(file).stem for file in suggested]
    assert all(r["weight"] == 2.0 and r["aspects"] == ["tone", "loudness"] for r in references)
    for file in suggested:
        told = rf"reference {Path(file).stem}\.\w+, of 2 in {re.escape(str(library))}: tone "
        assert re.search(told, out)
    code, out, _ = command("plan", mix, "-r", library, "-o", plan, "--overwrite", "--quiet")
    assert (code, out) == (0, "")


def test_a_reference_of_a_folder_is_not_overwritten(library, music, command):
    (library / "strings.yaml").unlink()
    before = (library / "reference.wav").read_bytes()
    code, _, err = command(
        "master", music / "mix.wav", "-r", library, "-o", library / "reference.wav", "--overwrite"
    )
    assert code == 2
    assert "reference.wav" in err
    assert (library / "reference.wav").read_bytes() == before


def test_a_folder_serves_one_mix(library, music, command, tmp_path):
    mixes = (music / "mix.wav", music / "reference.wav")
    for mix in (mixes, mixes[:1]):
        code, _, err = command("master", *mix, "-r", library, "-o", f"{tmp_path}/out/")
        assert code == 2
        assert "refmaster suggest MIX FOLDER names them" in err
    assert not (tmp_path / "out").exists()
    code, _, err = command("master", mixes[0], "-r", "s3://bucket/refs/", "-o", tmp_path / "m.wav")
    assert code == 2
    assert "only a folder of this machine is searched" in err
    code, _, err = command("compare", mixes[0], "-r", library)
    assert code == 2
    assert "refmaster suggest" in err
