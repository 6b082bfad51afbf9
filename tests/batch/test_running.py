"""Batches as they run and resume: what is done again, and why."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
import soundfile as sf

import refmaster
from refmaster.batch.session import decide_batch, plan_batch
from refmaster.errors import SettingsError

from .conftest import JOBS, Ears, Project, write_song


def whys(project: Project) -> dict[str, str]:
    return {task.key: d.why for task, d in decide_batch(project.jobs_file, force=False) if d.run}


def test_a_batch_masters_resumes_and_says_why(project: Project) -> None:
    summary = project.run(jobs=2)
    assert summary.exit_code == 0
    assert {row.task.key for row in summary.rows} == {"refmaster/references/house.yaml", "one.wav", "two.wav"}
    achieved = {row.task.key: row.result.achieved for row in summary.rows}
    assert achieved["one.wav"]["integrated_lufs"] == pytest.approx(-20.0, abs=0.2)
    assert sf.info(project.masters / "two.wav").frames == sf.info(project.folder / "mixes" / "two.wav").frames

    ears = Ears()
    assert all(row.kept for row in project.run(ears).rows)
    assert not ears.results

    # Touched but the same: kept, and not hashed again the next time.
    os.utime(project.folder / "mixes" / "one.wav", ns=(1, 1))
    assert whys(project) == {}
    assert all(row.kept for row in project.run().rows)

    write_song(project.folder / "mixes" / "one.wav", seed=77)
    (project.masters / "two.wav").unlink()
    assert whys(project) == {"one.wav": "input changed: one.wav", "two.wav": "output is missing: two.wav"}
    ears = Ears()
    project.run(ears)
    assert set(ears.results) == {"one.wav", "two.wav"}

    project.write(JOBS.replace("-20", "-21"))
    assert whys(project) == dict.fromkeys(
        ("one.wav", "two.wav"), "settings changed: target_lufs -20.0 -> -21.0"
    )
    ears = Ears()
    project.run(ears, force=True)
    assert {d.why for d in ears.decisions.values()} == {"forced"}


def test_a_changed_reference_is_measured_again_and_its_jobs_follow(project: Project) -> None:
    project.run()
    write_song(project.folder / "reference.wav", seconds=2.0, seed=42, level=0.4)
    found = whys(project)
    assert found["refmaster/references/house.yaml"] == "input changed: reference.wav"
    assert found["one.wav"] == "its reference is measured again"
    ears = Ears()
    project.run(ears)
    assert ears.decisions["one.wav"].why == "input changed: house.yaml"
    assert ears.results["two.wav"].code == 0


def test_another_version_does_it_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run()
    before = refmaster.__version__
    monkeypatch.setattr("refmaster.batch.decide.__version__", "99.0")
    found = whys(project)
    assert len(found) == 3
    assert set(found.values()) <= {"was made by version " + before, "its reference is measured again"}


def test_a_moved_project_is_still_done(project: Project, tmp_path: Path) -> None:
    project.write(JOBS.replace("{target_lufs: -20}", "{strength: 40}"))
    project.run()
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    moved = Project(tmp_path / "elsewhere")
    assert whys(moved) == {}


def test_the_clock_decides_nothing(project: Project) -> None:
    """Inputs from the future, a journal from the past, outputs older than inputs: still done."""
    project.run()
    lines = [json.loads(line) for line in project.journal.read_text().splitlines()]
    lines = [{**line, "at": f"19{70 + n}-01-01T00:00:00+00:00"} for n, line in enumerate(reversed(lines))]
    project.journal.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    for name in ("mixes/one.wav", "reference.wav"):
        os.utime(project.folder / name, (4e9, 4e9))
    os.utime(project.masters / "two.wav", (1, 1))
    assert whys(project) == {}


def test_the_date_in_a_name_is_that_of_the_first_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(JOBS + "    output: '{date} {title}{ext}'\n")
    project.run()
    lines = project.journal.read_text().replace(_today(), "2001-02-03")
    project.journal.write_text(lines)
    for name in ("one", "two"):
        (project.masters / f"{_today()} {name}.wav").rename(project.masters / f"2001-02-03 {name}.wav")
    assert whys(project) == {}


def _today() -> str:
    import datetime as dt

    return dt.date.today().isoformat()  # noqa: DTZ011 - as the batch does


def test_files_that_are_not_ours_are_not_replaced_unasked(project: Project) -> None:
    write_song(project.masters / "one.wav", seed=3)
    before = (project.masters / "one.wav").read_bytes()
    with pytest.raises(SettingsError, match=r"jobs.yaml:5:5: jobs\[0\]: .*one.wav exists already"):
        project.run()
    assert (project.masters / "one.wav").read_bytes() == before
    assert not (project.masters / "two.wav").exists()
    assert project.run(overwrite=True).exit_code == 0
    assert (project.masters / "one.wav").read_bytes() != before


def test_an_output_that_somebody_edited_is_left_alone(project: Project) -> None:
    project.run()
    with (project.masters / "one.wav").open("ab") as file:
        file.write(b"more")
    ears = Ears()
    project.run(ears)
    assert not ears.results
    assert ears.decisions["one.wav"].why == "nothing changed; one.wav was changed since and is left as it is"


def test_results_show_failures_first_in_three_formats(project: Project) -> None:
    (project.folder / "mixes" / "zz bad <b>.wav").write_bytes(b"RIFF no audio at all")
    summary = project.run()
    assert summary.exit_code == 1
    rows = list(csv.DictReader((project.masters / "results.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["code"] for row in rows] == ["2", "0", "0", "0"]
    assert rows[0]["title"] == "zz bad <b>"
    data = json.loads((project.masters / "results.json").read_text())
    assert data["exit_code"] == 1
    assert data["counts"] == {"bad input": 1, "done": 3}
    assert data["jobs"][1]["asked"] is not None
    page = (project.masters / "results.html").read_text()
    assert "zz bad &lt;b&gt;" in page
    assert "<b>.wav" not in page
    assert page.index("zz bad") < page.index(">one<")


def test_plans_beside_masters_render_to_the_same_bytes(project: Project) -> None:
    from refmaster import render_file

    project.write(JOBS + "    save_plan: true\n")
    project.run()
    render_file(project.masters / "one.plan.yaml", project.folder / "again.wav")
    assert (project.folder / "again.wav").read_bytes() == (project.masters / "one.wav").read_bytes()


def test_a_batch_writes_what_a_single_master_writes(project: Project) -> None:
    from refmaster.mastering import master_file
    from refmaster.settings.match import MatchSettings

    project.run()
    master_file(
        project.folder / "mixes" / "one.wav",
        project.folder / "reference.wav",
        project.folder / "single.wav",
        MatchSettings(target_lufs=-20),
    )
    assert (project.folder / "single.wav").read_bytes() == (project.masters / "one.wav").read_bytes()


def test_several_references_with_weights_and_measurements(project: Project) -> None:
    write_song(project.folder / "other.wav", seconds=2.0, seed=11, level=0.3)
    project.write(
        """\
version: 1
references: {house: reference.wav}
jobs:
  - mix: mixes/one.wav
    reference: [house, {name: other.wav, weight: 2}]
  - {kind: measure, file: mixes}
"""
    )
    summary = project.run(jobs=2)
    assert summary.exit_code == 0
    _, tasks = plan_batch(project.jobs_file)
    assert tasks[1].options["weights"] == [1.0, 2.0]
    from refmaster.profile.model import load_profile

    assert load_profile(project.masters / "two.profile.yaml").source.file == "two.wav"
