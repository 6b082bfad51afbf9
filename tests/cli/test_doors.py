"""Outputs that are inputs or other outputs are refused; names that no screen takes are shown escaped."""

import json
import os
import shutil

import pytest
import soundfile as sf

from refmaster.io.open import FileSource


@pytest.fixture
def project(music, tmp_path):
    """Return a folder with a mix, a reference and links to them; the working folder."""
    for name in ("mix", "reference"):
        shutil.copy(music / f"{name}.wav", tmp_path)
    os.link(tmp_path / "reference.wav", tmp_path / "hard.wav")
    (tmp_path / "soft.wav").symlink_to("mix.wav")
    (tmp_path / "sub").mkdir()
    return tmp_path


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


MATCH = ("mix.wav", "-r", "reference.wav", "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", *MATCH, "-o", "reference.wav"), "is the input"),
        (("plan", *MATCH, "-o", "hard.wav"), "is the input"),
        (("plan", *MATCH, "-o", "soft.wav"), "is the input"),
        (("plan", *MATCH, "-o", "prior.yaml", "--prior", "prior.yaml"), "is the input"),
        (("master", *MATCH, "-o", "o.wav", "--save-plan", "reference.wav"), "is the input"),
        (("master", *MATCH, "-o", "o.wav", "--save-plan", "hard.wav"), "is the input"),
        (("master", *MATCH, "-o", "o.wav", "--save-plan", "o.wav"), "is the output"),
        (("master", *MATCH, "-o", "o.wav", "--save-plan", "sub/../o.wav"), "is the output"),
        (("master", *MATCH, "-o", "soft.wav"), "is the input"),
        (("master", *MATCH, "-o", "sub/../reference.wav"), "is the input"),
        (("measure", "mix.wav", "--save", "soft.wav", "--overwrite"), "is the input"),
        (("learn", ".", "-o", "hard.wav", "--overwrite"), "is the input"),
        (("learn", ".", "-o", "albums.csv", "--albums", "albums.csv", "--overwrite"), "is the input"),
        (("render", "plan.wav", "-o", "plan.wav", "--overwrite"), "is the input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_no_output_is_an_input_or_another_output(command, project, monkeypatch, arguments, words):
    monkeypatch.chdir(project)
    (project / "prior.yaml").write_text("x: 1\n")
    (project / "albums.csv").write_text("file,album\n")
    if arguments[0] == "render":
        assert command("plan", "mix.wav", "-r", "reference.wav", "-o", "plan.wav")[0] == 0
    before = contents(project)
    monkeypatch.setattr(FileSource, "blocks", lambda *_: pytest.fail("audio was read"))
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert contents(project) == before


def test_a_batch_writes_over_no_link_of_an_input(command, project):
    (project / "out").mkdir()
    os.link(project / "mix.wav", project / "out" / "m.wav")
    jobs = project / "jobs.yaml"
    job = "{mix: mix.wav, reference: reference.wav, output: m.wav}"
    jobs.write_text(f"version: 1\noutput: out\njobs: [{job}]\n")
    code, _, err = command("batch", jobs, "--overwrite", "--dry-run")
    assert code == 2
    assert "would write over an input" in err


def in_latin_1(project):
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        shutil.copy(project / "mix.wav", project / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    return name


def test_names_that_are_not_utf_8_are_shown_and_read(command, project, monkeypatch):
    monkeypatch.chdir(project)
    name = in_latin_1(project)
    code, out, _ = command("measure", name)
    assert (code, "caf\\udce9.wav" in out) == (0, True)
    code, out, _ = command("measure", name, "--json")
    assert code == 0
    assert json.loads(out)["profiles"][0]["source"]["file"] == name
    assert command("master", name, "-r", name, "-o", "o" + name)[0] == 0
    assert sf.info(os.fsencode("o" + name)).frames == 5 * 48000
    code, _, err = command("measure", "missing" + name)
    assert (code, "missingcaf\\udce9.wav: no such file" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "NAME", "-r", "reference.wav", "-o", "p.yaml"),
        ("plan", "mix.wav", "-r", "NAME", "-o", "p.yaml"),
        ("master", "NAME", "-r", "reference.wav", "-o", "o.wav", "--save-plan", "p.yaml"),
        ("measure", "NAME", "--save", "p.yaml"),
        ("learn", ".", "-o", "p.yaml"),
        ("compare", "NAME", "-r", "reference.wav"),
        ("album", ".", "-o", "sub"),
        ("batch", "jobs.yaml", "--dry-run"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_names_that_are_not_utf_8_are_refused_before_any_work(command, project, monkeypatch, arguments):
    monkeypatch.chdir(project)
    name = in_latin_1(project)
    (project / "jobs.yaml").write_text("version: 1\njobs: [{kind: measure, file: .}]\n")
    before = contents(project)
    monkeypatch.setattr(FileSource, "blocks", lambda *_: pytest.fail("audio was read"))
    code, out, err = command(*(name if word == "NAME" else word for word in arguments))
    assert (code, out) == (2, "")
    assert "caf\\udce9.wav: is not named in UTF-8" in err
    assert contents(project) == before


@pytest.mark.parametrize("name", ["esc\x1b[31m.wav", "new\nline.wav", "c1\x9b31m\u202e.wav", "[red].wav"])
def test_control_characters_are_escaped_and_come_back_from_plans(command, project, monkeypatch, name):
    monkeypatch.chdir(project)
    shutil.copy("mix.wav", name)
    for arguments in (
        ("measure", name),
        ("measure", name, "--json"),
        ("measure", name, "--save", "profile.yaml"),
        ("master", name, "-r", name, "-o", "o" + name, "--save-plan", "p.yaml", "-v"),
        ("render", "p.yaml", "-o", "again.wav"),
        ("master", "mix.wav", "-r", "profile.yaml", "-o", "other.wav"),
    ):
        code, out, err = command(*arguments)
        assert (code, err) == (0, "")
        assert out.replace("\n", "").isprintable()
    assert contents(project)["o" + name] == contents(project)["again.wav"]
    code, _, err = command("measure", "missing" + name)
    assert (code, err.count("\n"), err[:-1].isprintable()) == (2, 1, True)
