"""Read a jobs file and what it includes: everything that is wrong is collected, nothing is guessed."""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from refmaster.batch import storage
from refmaster.batch.kinds import KINDS, Kind
from refmaster.batch.schema import Defaults, Job, JobsFile, Target
from refmaster.errors import SettingsError
from refmaster.settings.document import Document, KeyPath, Problem, problems_error, read_document
from refmaster.settings.model import document_problems, validate_document

_MOST_ROUNDS = 20
_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass
class Part(Document):
    """A part of a document, such as one job, that places its problems in the whole."""

    whole: Document | None = None
    prefix: KeyPath = ()

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem placed in the whole document."""
        whole = self.whole or Document(self.name)
        return whole.problem((*self.prefix, *path), message, at_key=at_key)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a value stands: for problems, and for what its relative paths are relative to."""

    part: Part
    folder: Path


class Problems:
    """All that is wrong in one or several files."""

    def __init__(self) -> None:
        self._found: dict[str, list[Problem]] = {}
        self._plain: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._found or self._plain)

    def add(self, place: Place, path: KeyPath, message: str) -> None:
        """Add a problem at a key path below a place."""
        self.take(place.part.name, [place.part.problem(path, message)])

    def take(self, name: str, problems: Sequence[Problem]) -> None:
        """Add problems of a file; one that is known already (through an alias, say) stays one."""
        held = self._found.setdefault(name, [])
        held.extend(p for p in problems if p not in held)

    def take_error(self, error: SettingsError) -> None:
        """Add an error that is complete in itself."""
        self._plain.append(str(error))

    def rows(self) -> list[str]:
        """Return one line for each problem."""
        rows = list(self._plain)
        for name, problems in self._found.items():
            rows.extend(str(problems_error(name, problems)).splitlines())
        return rows

    def check(self) -> None:
        """Raise SettingsError with all of them, if there are any."""
        if self:
            raise SettingsError("\n".join(self.rows()))


@dataclass(frozen=True, kw_only=True)
class LoadedJob:
    """One job, validated against the model of its kind."""

    kind: Kind
    job: Job
    place: Place

    @property
    def label(self) -> str:
        """``jobs.yaml:14:5: jobs[2]``."""
        found = self.place.part.problem((), "")
        return f"{self.place.part.name}:{found.line}:{found.column}: {found.key_path}"


@dataclass
class LoadedJobs:
    """A jobs file with all that it includes.

    Attributes
    ----------
    path : Path
        Of the outermost file.
    output, state : str
        Folders (`output` may be a URL).
    defaults : list of (Defaults, Place)
        Strongest first.
    references : dict
        ``name -> (path or URL, Place)``.
    """

    path: Path
    output: str = ""
    state: str = ""
    defaults: list[tuple[Defaults, Place]] = field(default_factory=list)
    references: dict[str, tuple[str, Place]] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    jobs: list[LoadedJob] = field(default_factory=list)


def load_jobs(path: str | Path, problems: Problems) -> LoadedJobs:
    """Read a jobs file and its includes.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    problems : Problems
        Takes what is wrong; call its `check` when everything else has been looked at as well.
    """
    loaded = LoadedJobs(path=Path(path))
    _load_into(loaded, Path(path), (), problems)
    folder = Path(path).absolute().parent
    if not loaded.output:
        loaded.output = str(folder / "masters")
    if not loaded.state:
        stem = Path(path).stem
        local = not storage.is_url(loaded.output)
        loaded.state = loaded.output if local else str(folder / f"{stem}.refmaster")
    return loaded


def _load_into(loaded: LoadedJobs, path: Path, chain: tuple[Path, ...], problems: Problems) -> None:
    if path.resolve() in chain:
        problems.take(str(path), [Problem(1, 1, "include", "this file includes itself, through others")])
        return
    try:
        document = read_document(path)
        held = _validated(document, problems)
    except SettingsError as error:
        problems.take_error(error)
        return
    whole = Part(document.name, data=document.data, whole=document)
    place = Place(part=whole, folder=path.absolute().parent)
    # The outermost file is read first, so whatever is set already is stronger.
    if held.output is not None and not loaded.output:
        loaded.output = absolute(held.output, place, ("output",), problems)
    if held.state is not None and not loaded.state:
        loaded.state = absolute(held.state, place, ("state",), problems)
        if storage.is_url(loaded.state):
            problems.add(place, ("state",), "expected a folder: the journal cannot be kept at a URL")
    inherited = Part(document.name, data=document.data.get("defaults"), whole=document, prefix=("defaults",))
    loaded.defaults.append((held.defaults, Place(part=inherited, folder=place.folder)))
    for name, location in held.references.items():
        loaded.references.setdefault(name, (location, place))
    for name, target in held.targets.items():
        loaded.targets.setdefault(name, target)
    own_jobs = _jobs_of(held, document, place.folder, problems)
    includes = (held.include,) if isinstance(held.include, str) else held.include
    for number, name in enumerate(includes):
        key: KeyPath = ("include",) if isinstance(held.include, str) else ("include", number)
        included = Path(absolute(name, place, key, problems))
        if not included.is_file():
            problems.add(place, key, f"no such file: {included}")
            continue
        _load_into(loaded, included, (*chain, path.resolve()), problems)
    loaded.jobs.extend(own_jobs)


def _validated(document: Document, problems: Problems) -> JobsFile:
    """Return the file's content; what is wrong is noted and left out, so that the rest is looked at too."""
    if not isinstance(document.data, dict):
        return validate_document(JobsFile, document)
    data = copy.deepcopy(document.data)
    for _ in range(_MOST_ROUNDS):
        try:
            return JobsFile.model_validate_json(json.dumps(data))
        except ValidationError as error:
            problems.take(document.name, document_problems(JobsFile, document, error))
            for item in error.errors(include_url=False):
                _without(data, item["loc"])
            data["version"] = 1  # the one key that cannot be left out
    return JobsFile(version=1)


def _without(data: Any, loc: tuple[str | int, ...]) -> None:
    """Remove the innermost value that an error's location names."""
    here, parent, key = data, None, None
    for part in loc:
        known = part in here if isinstance(here, dict) else isinstance(part, int) and isinstance(here, list)
        if known and not (isinstance(here, list) and isinstance(part, int) and part >= len(here)):
            parent, key, here = here, part, here[part]
    if isinstance(parent, dict):
        del parent[key]
    elif isinstance(parent, list) and isinstance(key, int):
        parent[key] = {}  # its neighbours keep their numbers


def _jobs_of(held: JobsFile, document: Document, folder: Path, problems: Problems) -> list[LoadedJob]:
    jobs = []
    for number, data in enumerate(held.jobs):
        part = Part(document.name, data=data, whole=document, prefix=("jobs", number))
        place = Place(part=part, folder=folder)
        name = data.get("kind", "master")
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            close = difflib.get_close_matches(str(name), KINDS, n=1)
            advice = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(KINDS)}"
            problems.add(place, ("kind",), f"unknown kind {name!r}; {advice}")
            continue
        try:
            job = kind.model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            problems.take(document.name, document_problems(kind.model, part, error))
            continue
        jobs.append(LoadedJob(kind=kind, job=job, place=place))
    return jobs


def absolute(text: str, place: Place, key: KeyPath, problems: Problems) -> str:
    """Return a path made absolute (relative to its file), with variables replaced; URLs keep their form.

    Where a variable is not set, that is noted and nothing is returned.
    """
    expanded = _expanded(text, place, key, problems)
    if expanded is None:
        return ""
    if expanded.startswith("file://"):
        expanded = expanded.removeprefix("file://")
    if storage.is_url(expanded):
        return expanded
    if expanded == "~" or expanded.startswith("~/"):
        expanded = str(Path.home()) + expanded[1:]
    return os.path.normpath(place.folder / expanded)


def _expanded(text: str, place: Place, key: KeyPath, problems: Problems) -> str | None:
    names = [match[1] or match[2] or "" for match in _VARIABLE.finditer(text) if match[0] != "$$"]
    missing = [name for name in names if name not in os.environ]
    for name in missing:
        problems.add(place, key, f"the environment variable {name!r} is not set")
    if missing:
        return None
    return _VARIABLE.sub(lambda match: os.environ.get(match[1] or match[2] or "", "$"), text)
