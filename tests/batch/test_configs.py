"""What is published in configs/ is up to date and works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import refmaster.batch
from refmaster.batch.jobs_file import jobs_schema, load_jobs
from refmaster.batch.problems import Problems
from refmaster.batch.session import expand, plan_batch
from refmaster.settings.document import parse_document, read_document

from .conftest import Project

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXAMPLES = sorted((CONFIGS / "batch").glob("*.yaml"))
STARTER = Path(refmaster.batch.__file__).with_name("starter.yaml")


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONFIGS / "jobs.schema.json").read_text(encoding="utf-8"))
    return found


def test_the_published_schema_is_that_of_the_models() -> None:
    assert schema() == json.loads(json.dumps(jobs_schema())), "run: python configs/make_schema.py"
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", [*EXAMPLES, STARTER], ids=lambda path: path.name)
def test_examples_agree_with_the_schema(path: Path) -> None:
    jsonschema.validate(read_document(path).data, schema())


@pytest.mark.parametrize(
    "text",
    [
        "version: 2",
        "version: 1\njobs: [{mix: a, refrence: b}]",
        "version: 1\njobs: [{kind: measure, mix: a}]",
        "version: 1\njobs: [{mix: a, settings: {strength: 300}}]",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parse_document(text, name="x").data, schema())


def test_examples_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFMASTER_OUT", str(tmp_path))
    _, tasks = plan_batch(CONFIGS / "batch" / "songs.yaml")
    kinds = [task.kind for task in tasks]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "measure": 3, "master": 7, "album": 1, "compare": 1
    }  # fmt: skip
    assert "loud-two/lithium.flac" in {task.key for task in tasks}
    plan_batch(CONFIGS / "batch" / "house-style.yaml")


def test_the_catalogue_example_expands_where_its_bucket_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from refmaster.batch import storage

    monkeypatch.setattr(storage, "object_facts", lambda _url, **_: {"size": 1, "etag": "x"})
    monkeypatch.setattr(storage, "find_objects", lambda _url: ["s3://catalogue/mixes/a.wav"])
    problems = Problems()
    tasks = expand(load_jobs(CONFIGS / "batch" / "catalogue.yaml", problems), problems)
    problems.check()
    assert [task.outputs[0] for task in tasks] == [
        "s3://catalogue/masters/refmaster/references/house.yaml",
        "s3://catalogue/masters/a.flac",
    ]


def test_the_starter_works_as_it_is(project: Project) -> None:
    text = STARTER.read_text(encoding="utf-8")
    project.write(text.replace("references/house.wav", "reference.wav"))
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks[1:]] == ["one (spotify).wav", "two (spotify).wav"]
