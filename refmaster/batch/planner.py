"""Planners give the kinds of jobs files, references, settings and names, with what is inherited.

Nothing is measured and nothing heavy imported here; whatever is wrong is noted and planning goes on.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from refmaster.batch import storage
from refmaster.batch.names import TAG_FIELDS, fill, tag_values, template_fields
from refmaster.batch.problems import Place, Problems, absolute, advice, numbered
from refmaster.batch.schema import Defaults, Job, WeightedReference
from refmaster.batch.task import Task
from refmaster.errors import SettingsError
from refmaster.io.names import check_text, is_text
from refmaster.io.suffixes import CONTAINERS, is_recording, is_url, is_yaml
from refmaster.settings.aspects import ServedAspects, checked_aspects
from refmaster.settings.document import KeyPath
from refmaster.settings.folders import target_paths
from refmaster.settings.match import MatchSettings
from refmaster.settings.repair import updated
from refmaster.settings.target_files import load_target
from refmaster.settings.targets import LevelTarget

JobT = TypeVar("JobT", bound=Job)

STATE_FOLDER = "refmaster"  # of journal and references, below the output folder


@dataclass
class LoadedJobs:
    """A jobs file with all that it includes."""

    path: Path  # of the outermost file
    output: str = ""  # a folder or URL
    state: str = ""  # a folder
    defaults: list[tuple[Defaults, Place]] = field(default_factory=list)  # strongest first
    references: dict[str, tuple[str, Place]] = field(default_factory=dict)  # paths or URLs by name
    targets: dict[str, LevelTarget] = field(default_factory=dict)
    jobs: list[tuple[Job, Place]] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)  # read so far, resolved


@dataclass
class References:
    """The references of one job."""

    locations: list[str] = field(default_factory=list)  # of recordings or profiles
    weights: list[float] = field(default_factory=list)
    aspects: list[ServedAspects] = field(default_factory=list)
    after: list[str] = field(default_factory=list)  # keys of the tasks that make the profiles among them
    names: list[str] = field(default_factory=list)  # for output names


@dataclass
class Planner:
    """Plans the tasks of one job after another."""

    loaded: LoadedJobs
    problems: Problems
    watching: bool  # patterns that match nothing (yet) are no problem
    reference_tasks: dict[str, Task] = field(default_factory=dict)  # by key

    def measured_reference(self, name: str) -> tuple[str, str]:
        """Return where a named reference's profile is (or will be) and the key of the task that saves it."""
        source, place = self.loaded.references[name]
        if is_yaml(source):
            return source, ""
        key = f"{STATE_FOLDER}/references/{fill('{title}', {'title': name})}.yaml"
        output = storage.join(self.loaded.output, key)
        self.reference_tasks[key] = Task(
            kind="measure",
            key=key,
            title=f"reference {name}",
            place=place.label,
            inputs=(source,),
            outputs=(output,),
        )
        return output, key


class JobPlanner(Generic[JobT]):
    """Plans the tasks of one job."""

    def __init__(self, planner: Planner, job: JobT, place: Place) -> None:
        self.job = job
        self.output = planner.loaded.output  # the folder or URL that all outputs go below
        self._place = place
        self._levels: list[tuple[Any, Place]] = [(job, place), *planner.loaded.defaults]  # strongest first
        self._loaded = planner.loaded
        self._planner = planner

    def problem(self, path: KeyPath, message: str, place: Place | None = None) -> None:
        """Note a problem at a key path of the job, or of another place."""
        self._planner.problems.add(place or self._place, path, message)

    def inherited(self, name: str, *, inherit: bool = True) -> tuple[Any, Place]:
        """Return a field's value from the job, else (with `inherit`) the defaults, with where it stands."""
        for keys, place in self._levels if inherit else self._levels[:1]:
            if name in keys.model_fields_set:
                return getattr(keys, name), place
        return type(self.job).model_fields[name].default, self._place

    def merged(self, name: str) -> dict[str, Any]:
        """Return a field of keys and values with what is inherited, the job's own values first."""
        levels = [getattr(keys, name) for keys, _ in reversed(self._levels) if name in keys.model_fields_set]
        return {key: value for values in levels for key, value in values.items()}

    def location(self, text: str, key: KeyPath, place: Place | None = None) -> str:
        """Return a path of the job, or of another place, made absolute, with variables replaced."""
        return absolute(text, place or self._place, key, self._planner.problems)

    def files(self, name: str) -> list[str]:
        """Return the recordings that a field names, each once, in order."""
        found: dict[str, None] = {}
        for key, text in numbered(name, getattr(self.job, name)):
            location = self.location(text, key)
            if not location:
                continue
            with self._planner.problems.noting(self._place, key):
                matched = self._matched(location)
                if isinstance(matched, list):
                    found.update(dict.fromkeys(matched))
                elif not self._planner.watching:
                    self.problem(key, matched)
        return list(found)

    def _matched(self, location: str) -> list[str] | str:
        """Return the recordings at a location, or what is wrong with it."""
        path = Path(location)
        if is_url(location):
            if not storage.is_pattern(location) and not location.endswith("/"):
                return [location] if storage.object_facts(location) else f"no such object: {location}"
            names = storage.find_objects(location)
        elif path.is_file():
            return [location]
        elif path.is_dir():
            names = sorted(map(str, path.iterdir()))
        elif storage.is_pattern(location):
            names = sorted(glob.glob(location, recursive=True))  # noqa: PTH207 - absolute, with **
        else:
            return f"no such file: {location}"
        names = [name for name in names if is_recording(name) and not self._is_output(name)]
        found = names if is_url(location) else [name for name in names if Path(name).is_file()]
        check_text(name for name in found if not is_text(name))
        return found or f"matches no recording: {location}"

    def _is_output(self, location: str) -> bool:
        """Return whether a batch wrote this, where outputs lie among the inputs."""
        folder = self.output.rstrip("/")
        return location.startswith(folder + ("/" if is_url(folder) else os.sep))

    def references(self, *, as_audio: bool = False, inherit: bool = True) -> References:
        """Return the job's references: profiles where they are named ones, recordings with `as_audio`."""
        value, place = self.inherited("reference", inherit=inherit)
        used = References()
        for key, item in numbered("reference", value):
            entry = item if isinstance(item, WeightedReference) else WeightedReference(name=item)
            if entry.name not in self._loaded.references:
                location = self._unnamed_reference(entry.name, place, key)
                name = Path(storage.base_name(location)).stem
            else:
                name = entry.name
                location, made_by = self._loaded.references[entry.name][0], ""
                if not as_audio:
                    location, made_by = self._planner.measured_reference(entry.name)
                used.after.extend([made_by] if made_by else [])
            used.locations.append(location)
            used.weights.append(entry.weight)
            used.aspects.append(checked_aspects(entry.aspects))
            if name not in used.names or not entry.aspects:
                used.names.append(name)
        return used

    def _unnamed_reference(self, text: str, place: Place, key: KeyPath) -> str:
        location = absolute(text, place, key, self._planner.problems)
        with self._planner.problems.noting(place, key):
            if location and not is_url(location) and os.path.isdir(location):  # noqa: PTH112 - any text
                message = f"expected a recording, found a folder: {text}; refmaster suggest chooses from it"
                self.problem(key, message, place)
            elif location and not storage.exists(location):
                named = self._loaded.references
                hint = f"; {advice(text, named, 'named here')}" if named else ""
                self.problem(key, f"neither a named reference nor a file: {text}{hint}", place)
        return location

    def match_settings(self) -> dict[str, Any]:
        """Return the whole settings of a match: defaults, then target and overrides, the job's own last."""
        target, named_at = self.inherited("target")
        values: dict[str, Any] = {}
        for keys, place in reversed(self._levels):
            if target is not None and place is named_at:
                values.update(self.target_values(target, place))
            values = updated(values, keys.settings.model_dump(mode="json", exclude_unset=True))
        try:
            return MatchSettings.model_validate(values).model_dump(mode="json")
        except ValidationError as error:
            text = "; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())
            self.problem(("settings",), f"with what it inherits: {text}")
            return {}

    def target_values(self, name: str, place: Place | None = None) -> dict[str, Any]:
        """Return the settings that a target stands for."""
        if name in self._loaded.targets:
            return self._loaded.targets[name].match_values
        shipped = target_paths()
        if name in shipped:
            return load_target(shipped[name]).match_values
        message = f"unknown target {name!r}; {advice(name, [*self._loaded.targets, *shipped])}"
        self.problem(("target",), message, place)
        return {}

    def output_name(
        self,
        source: str,
        default: str,
        references: Sequence[str] = (),
        *,
        title: str = "",
        inherit: bool = True,
    ) -> str | None:
        """Return the output's name below the output folder; None, with a problem noted, where it fails."""
        template, place = self.inherited("output", inherit=inherit)
        path = Path(storage.base_name(source))
        known = {
            "title": title or self._title(source),
            "stem": path.stem,
            # an .m4a may hold lossless audio, and would become AAC
            "ext": path.suffix if path.suffix.lower() in CONTAINERS.keys() - {".m4a"} else ".wav",
            "kind": self.job.kind,
            "reference": "+".join(references),
        }
        if "target" in type(self.job).model_fields:
            known["target"] = self.inherited("target")[0] or ""
        try:
            if set(template_fields(template or default)) & set(TAG_FIELDS):
                known.update(tag_values(source))
            return fill(template or default, known)
        except SettingsError as error:
            self.problem(("output",), str(error), place)
            return None

    def task(
        self,
        key: str,
        inputs: Sequence[str],
        *,
        title: str = "",
        beside: Sequence[str] = (),
        options: dict[str, Any] | None = None,
        after: Sequence[str] = (),
    ) -> Task:
        """Return a task of this job; its outputs are `key` and `beside`, names below the output folder."""
        return Task(
            kind=self.job.kind,
            key=key,
            title=title or self._title(inputs[0]),
            place=self._place.label,
            inputs=tuple(inputs),
            outputs=tuple(storage.join(self.output, name) for name in (key, *beside)),
            options=options or {},
            timeout_s=self.inherited("timeout_s")[0],
            after=tuple(after),
        )

    def _title(self, source: str) -> str:
        return self.job.title or Path(storage.base_name(source)).stem
