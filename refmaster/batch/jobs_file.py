"""A jobs file: its model, its JSON Schema, and how it is read with what it includes.

Every key is in the model, with its meaning; nothing else is accepted. Each job is validated as the kind that
its `kind` names, so that an unknown key is answered with the keys of that kind. Everything that is wrong is
collected, nothing is guessed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, ValidationError, create_model

from refmaster.batch.kinds import DEFAULT_KIND, KINDS
from refmaster.batch.planner import LoadedJobs
from refmaster.batch.problems import Place, Problems, absolute, advice, numbered
from refmaster.batch.schema import Defaults, Job, Paths
from refmaster.errors import SettingsError
from refmaster.io.suffixes import is_url
from refmaster.settings.document import (
    JOBS_MAX_BYTES,
    JOBS_MAX_VALUES,
    Document,
    Problem,
    read_document,
)
from refmaster.settings.kinds import require_kind
from refmaster.settings.model import Model, document_problem, listed_errors, validate_document
from refmaster.settings.targets import LevelTarget


class JobsFile(Model):
    """The keys of a jobs file; see `jobs_file_model` for its jobs."""

    version: Literal[1] = Field(description="of this format")
    include: Paths = Field(default=(), description="other jobs files; what this file says wins")
    output: str | None = Field(default=None, description="folder or URL that all outputs go below")
    state: str | None = Field(
        default=None, description="folder of journal and results; null: the output folder"
    )
    defaults: Defaults = Field(default_factory=Defaults, description="what jobs inherit")
    references: dict[str, str] = Field(
        default_factory=dict, description="recordings or saved profiles by name; each is measured once"
    )
    targets: dict[str, LevelTarget] = Field(default_factory=dict, description="levels to reach, by name")
    jobs: tuple[Job, ...] = Field(default=(), description="what to do, in order")


def jobs_file_model() -> type[JobsFile]:
    """Return the model of a jobs file with jobs of every kind there is."""
    return _with_kinds(tuple(KINDS))


@cache
def _with_kinds(names: tuple[str, ...]) -> type[JobsFile]:
    members = tuple(Annotated[KINDS[name].model, Tag(name)] for name in names)
    job: Any = Annotated[Union[members], Discriminator(_kind_of)]  # noqa: UP007 - made at run time
    jobs = (tuple[job, ...], Field(default=(), description="what to do, in order"))
    return create_model("JobsFile", __base__=JobsFile, jobs=jobs)


def _kind_of(job: Any) -> str:
    kind = job.get("kind", DEFAULT_KIND) if isinstance(job, dict) else getattr(job, "kind", DEFAULT_KIND)
    return str(kind)


def jobs_schema() -> dict[str, Any]:
    """Return the JSON Schema of jobs files, for completion and checks in editors."""
    schema = jobs_file_model().model_json_schema()
    for kind in KINDS.values():
        model = schema["$defs"][kind.model.__name__]
        if kind.name != DEFAULT_KIND:
            model["required"] = ["kind", *model.get("required", [])]
    schema["title"] = "refmaster jobs file"
    schema["description"] = "What refmaster batch does; see refmaster batch --init for a commented start."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_jobs(path: str | Path, problems: Problems) -> LoadedJobs:
    """Read a jobs file and its includes.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    problems : Problems
        Takes what is wrong; call its `check` when everything else has been looked at as well.
    """
    path = Path(path)
    loaded = LoadedJobs(path=path)
    _load_into(loaded, path, (), problems)
    folder = path.absolute().parent
    loaded.output = loaded.output or str(folder / "masters")
    if not loaded.state:
        remote = is_url(loaded.output)
        loaded.state = str(folder / f"{path.stem}.refmaster") if remote else loaded.output
    return loaded


def _load_into(loaded: LoadedJobs, path: Path, chain: tuple[Path, ...], problems: Problems) -> None:
    """Add a file, then what it includes: the outermost comes first, so what is set already is stronger."""
    if path.resolve() in chain:
        problems.extend(str(path), [Problem(1, 1, "include", "this file includes itself, through others")])
        return
    if path.resolve() in loaded.files:  # once is enough, and files that double each other take no time
        return
    loaded.files.add(path.resolve())
    try:
        document = read_document(path, max_bytes=JOBS_MAX_BYTES, max_values=JOBS_MAX_VALUES)
        held, numbers = _validated(document, problems)
    except SettingsError as error:
        problems.add_row(str(error))
        return
    whole = Place(document)
    if held.output is not None and not loaded.output:
        loaded.output = absolute(held.output, whole, ("output",), problems)
    if held.state is not None and not loaded.state:
        loaded.state = absolute(held.state, whole, ("state",), problems)
        if is_url(loaded.state):
            problems.add(whole, ("state",), "expected a folder: the journal cannot be kept at a URL")
    loaded.defaults.append((held.defaults, Place(document, ("defaults",))))
    for name, text in held.references.items():
        key = ("references", name)
        location = absolute(text, whole, key, problems)
        loaded.references.setdefault(name, (location, Place(document, key)))
    loaded.targets = {**held.targets, **loaded.targets}
    for at, name in numbered("include", held.include):
        included = Path(absolute(name, whole, at, problems))
        if included.is_file():
            _load_into(loaded, included, (*chain, path.resolve()), problems)
        else:
            problems.add(whole, at, f"no such file: {included}")
    places = [Place(document, ("jobs", number)) for number in numbers]
    loaded.jobs.extend(zip(held.jobs, places, strict=True))


def _validated(document: Document, problems: Problems) -> tuple[JobsFile, list[int]]:
    """Return what is valid of a file, and the numbers of its valid jobs; what is wrong is noted.

    All that is wrong is known at once, and so the rest is valid: one job, one default, one reference.
    """
    model = jobs_file_model()
    if not isinstance(document.data, dict):
        validate_document(model, document)  # says what it expects instead
    require_kind(document.name, document.data, model.model_fields)
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in document.data.items()}
    numbers = list(range(len(data["jobs"]))) if isinstance(data.get("jobs"), list) else []
    try:
        return model.model_validate_json(json.dumps(data)), numbers
    except ValidationError as error:
        items = listed_errors(document, error)
    problems.extend(document.name, [_placed(model, document, item) for item in items])
    wrong = {item["loc"][:2] for item in items}
    numbers = [number for number in numbers if ("jobs", number) not in wrong]
    for part, *inner in wrong:
        if part == "targets" and inner:
            data[part][inner[0]] = {}  # a name that jobs may use all the same
        elif inner and isinstance(data.get(part), dict):
            data[part].pop(inner[0], None)
        elif part != "jobs" or not inner:
            data.pop(part, None)
    if "jobs" in data:
        data["jobs"] = [document.data["jobs"][number] for number in numbers]
    data["version"] = 1  # the one key that cannot be left out
    return model.model_validate_json(json.dumps(data)), numbers


def _placed(model: type[JobsFile], document: Document, item: Any) -> Problem:
    """Return the problem for one error; that of a job is answered with the keys of its kind."""
    part, *inner = item["loc"]
    if part != "jobs" or not inner:
        return document_problem(model, document, item)
    number, *below = inner
    if item["type"] == "union_tag_invalid":
        found = document.data["jobs"][number]["kind"]
        message = f"unknown kind {found!r}; {advice(str(found), KINDS)}"
        return document.problem(("jobs", number, "kind"), message)
    kind, *below = below
    return document_problem(
        KINDS[kind].model, document, {**item, "loc": tuple(below)}, within=("jobs", number)
    )
