"""Results: every file is found from the page, and what was changed since is not called done."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from refmaster.batch.runner import Summary
from refmaster.cli.batch_screen import BatchScreen

from .conftest import Ears, Project, write_song


def page_of(project: Project) -> str:
    return (project.masters / "results.html").read_text(encoding="utf-8")


def row_of(page: str, title: str) -> str:
    rows = re.findall(r"<tr class=.*?</tr>", page, re.DOTALL)
    return next(row for row in rows if f'<div class="title">{html.escape(title)}</div>' in row)


@pytest.mark.parametrize("how", ["damaged", "replaced"])
def test_a_kept_master_that_was_changed_since_is_not_done(project: Project, how: str) -> None:
    project.run()
    master = project.masters / "one.wav"
    if how == "damaged":
        with master.open("r+b") as file:
            file.seek(1000)
            file.write(b"\0\1\2\3")
    else:
        write_song(master, seed=8)
    changed = master.read_bytes()
    summary = project.run()
    assert master.read_bytes() == changed
    row = row_of(page_of(project), "one")
    assert row.startswith('<tr class="warn">')
    assert "changed since" in row
    assert "one.wav is not as it was written; delete it, and the next run makes it again" in row
    assert row_of(page_of(project), "two").startswith('<tr class="ok">')
    data = json.loads((project.masters / "results.json").read_text())
    assert data["counts"] == {"changed since": 1, "kept": 2}
    assert data["jobs"][0]["state"] == "changed since"
    first = next(iter(csv.DictReader((project.masters / "results.csv").read_text().splitlines())))
    assert first["state"] == "changed since"
    assert summary.exit_code == 0
    master.unlink()
    project.run()
    assert row_of(page_of(project), "one").startswith('<tr class="ok">')


def test_a_copied_master_is_still_the_same(project: Project) -> None:
    project.run()
    master = project.masters / "one.wav"
    copy = shutil.copy(master, project.folder / "copy.wav")
    master.unlink()
    Path(copy).rename(master)
    project.run()
    assert "changed since" not in page_of(project)


def test_the_page_names_the_batch_and_the_day_and_links_every_file(project: Project) -> None:
    name = 'a<b> & "c" #1 100%.wav'
    project.song(name)
    (project.folder / "mixes" / "two.wav").write_bytes(b"no audio")
    project.jobs_file.write_text(
        project.jobs_file.read_text().replace("reference: house,", "reference: house, save_plan: true,")
    )
    project.run()
    page = page_of(project)
    assert "<h1>jobs.yaml</h1>" in page
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT[^"]+">\d{4}-\d\d-\d\d \d\d:\d\d</time>', page)
    assert "<b>" not in re.sub(r"<b>\d+</b>", "", page)
    links = {
        (project.masters / unquote(href)).resolve(): html.unescape(text)
        for href, text in re.findall(r'<a href="([^"]*)">(.*?)</a>', page)
    }
    assert all(path.is_file() for path in links)
    for made in ("one.wav", "one.plan.yaml", "refmaster/references/house.yaml"):
        assert project.masters / made in links
    assert links[project.folder / "mixes" / name] == name
    assert project.folder / "mixes" / "two.wav" in links
    assert project.masters / "two.wav" not in links


def test_names_that_a_screen_would_act_on_are_escaped_on_the_page(project: Project) -> None:
    name = "b\x1b[31m\u202e.wav"
    (project.folder / "mixes" / "two.wav").rename(project.folder / "mixes" / name)
    summary = project.run()
    assert len(summary.rows) == 3
    page = page_of(project)
    assert "b\\u001b[31m\\u202e.wav" in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", page)
    data = json.loads((project.masters / "results.json").read_text(encoding="utf-8"))
    assert any(location.endswith(name) for job in data["jobs"] for location in job["inputs"])
    ears = Ears()
    assert all(row.kept or row.result.code for row in project.run(ears).rows)


def test_the_path_of_the_page_is_printed(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    summary = project.run()
    BatchScreen(quiet=False).conclude(summary)
    assert capsys.readouterr().out.splitlines() == ["3 jobs: 3 done", "results masters/results.html"]
    BatchScreen(quiet=True).conclude(Summary(rows=summary.rows, page=summary.page))
    assert capsys.readouterr().out == ""
