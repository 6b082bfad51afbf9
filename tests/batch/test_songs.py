"""``refmaster master *.wav -o folder/``: many songs without a jobs file, as a batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from refmaster.plan import load_plan

from .conftest import Project, write_song


def master(project: Project, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "refmaster", "master", *arguments],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_many_songs_are_mastered_as_a_batch_that_says_so(project: Project) -> None:
    base = ("mixes/one.wav", "mixes/two.wav", "-r", "reference.wav", "-o", "out/", "--lufs", "-20")
    code, out, errors = master(project, *base, "--bit-depth", "24")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "mastering as a batch into out/; a second run does only what is missing or changed"
    assert lines[-2:] == ["2 jobs: 2 done", "results out/results.html"]
    assert master(project, "mixes/one.wav", *base[2:4], "-o", "a.wav", *base[6:], "--bit-depth", "24")[0] == 0
    assert (project.folder / "a.wav").read_bytes() == (project.folder / "out" / "one.wav").read_bytes()

    project.song("three.wav", seed=3)
    code, out, _ = master(project, "mixes", *base[2:], "--bit-depth", "24")  # the folder, and one more in it
    assert code == 0
    assert "kept    2 of 3: nothing changed" in out
    assert "<h1>refmaster master</h1>" in (project.folder / "out" / "results.html").read_text()
    code, out, _ = master(project, "mixes", *base[2:], "--strength", "20", "--quiet")
    assert (code, out) == (0, "")


def test_many_songs_by_aspect(project: Project) -> None:
    references = ("-r", "tone=reference.wav", "-r", "loudness=mixes/two.wav:2")
    code, _, errors = master(project, "mixes/one.wav", *references, "-o", "out/")
    assert (code, errors) == (0, "")
    assert master(project, "mixes/one.wav", *references, "-o", "a.wav", "--save-plan", "a.yaml")[0] == 0
    assert (project.folder / "a.wav").read_bytes() == (project.folder / "out" / "one.wav").read_bytes()
    plan = load_plan(project.folder / "a.yaml")
    assert [(r.weight, r.aspects) for r in plan.references] == [(1.0, ("tone",)), (2.0, ("loudness",))]


def test_one_song_into_a_folder(project: Project) -> None:
    (project.folder / "there").mkdir()
    for folder in ("there", "made/"):
        code, _, errors = master(
            project, "mixes/one.wav", "-r", "reference.wav", "-o", folder, "--lufs", "-20"
        )
        assert (code, errors) == (0, "")
        assert (project.folder / folder / "one.wav").is_file()


def test_names_with_signs_of_patterns_and_variables(project: Project) -> None:
    for name in ("$HOME [1].wav", "~.wav"):
        write_song(project.folder / "mixes" / name, seed=4)
    arguments = ("$HOME [1].wav", "~.wav", "-r", "../reference.wav", "-o", "../out", "--lufs", "-20")
    done = subprocess.run(
        [sys.executable, "-m", "refmaster", "master", *arguments],
        cwd=project.folder / "mixes",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (project.folder / "out").glob("*.wav")} == {"$HOME [1].wav", "~.wav"}


def test_a_bad_song_fails_alone_and_as_json(project: Project) -> None:
    (project.folder / "mixes" / "two.wav").write_bytes(b"no audio")
    arguments = ("mixes", "-r", "reference.wav", "-o", "out", "--lufs", "-20")
    code, out, errors = master(project, *arguments)
    assert code == 1
    assert "bad input: two.wav: " in errors
    assert "not an audio file" in errors
    code, out, errors = master(project, *arguments, "--json")
    assert (code, errors) == (1, "")
    assert json.loads(out)["counts"] == {"bad input": 1, "kept": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mixes", "-o", "m.wav"), "m.wav: expected a folder for several masters, found the name of one"),
        (("mixes", "-o", "out", "--save-plan", "p.yaml"), "--save-plan: expected one MIX for that"),
        (("mixes", "-o", "out", "--no-cache"), "--no-cache: expected one MIX for that"),
        (("mixes/one.wav", "gone.wav", "-o", "out"), "no such file: "),
        (("mixes/one.wav", "mixes/two.wav", "-o", "mixes"), "would write over an input"),
        (("mixes", "-o", "out", "--bit-depth", "12"), "--bit-depth: "),
        (("mixes", "-o", "full"), "exists already and is no work of this batch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_many_songs_cannot_have(project: Project, arguments: tuple[str, ...], said: str) -> None:
    write_song(project.folder / "full" / "one.wav")
    code, _, errors = master(project, *arguments, "-r", "reference.wav")
    assert code == 2
    assert said in errors
    assert "Traceback" not in errors
    assert not (project.folder / "out").exists()
    assert not Path(project.folder / "m.wav").exists()
