"""Turn jobs into tasks: patterns into files, defaults into settings, templates into names.

Everything that can be known to be wrong before any work is found here, and all of it at once.
"""

from __future__ import annotations

import difflib
import glob
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from refmaster.batch import storage
from refmaster.batch.loading import LoadedJob, LoadedJobs, Place, Problems, absolute
from refmaster.batch.names import TAG_FIELDS, fill, tag_values, template_fields
from refmaster.batch.schema import MatchJob, References, WeightedReference
from refmaster.batch.task import Task
from refmaster.errors import InputError, SettingsError
from refmaster.settings.document import KeyPath
from refmaster.settings.match import MatchSettings

AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".bwf",
        ".rf64",
        ".w64",
        ".aif",
        ".aiff",
        ".aifc",
        ".caf",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".m4a",
        ".mp4",
        ".aac",
        ".wma",
        ".wv",
        ".ape",
        ".au",
        ".alac",
    ]
)
WRITABLE_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".bwf",
        ".rf64",
        ".w64",
        ".aif",
        ".aiff",
        ".aifc",
        ".caf",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
    ]
)
PROFILE_SUFFIXES = (".yaml", ".yml")
STATE_FOLDER = "refmaster"  # below the output folder


class Planner:
    """What kinds need to plan their tasks: files, references, settings and names, with problems noted.

    Parameters
    ----------
    loaded : LoadedJobs
        The jobs.
    problems : Problems
        Takes what is wrong.
    watching : bool
        Patterns that match nothing (yet) are no problem.
    """

    def __init__(self, loaded: LoadedJobs, problems: Problems, *, watching: bool = False) -> None:
        self.loaded = loaded
        self.problems = problems
        self.watching = watching
        self.reference_tasks: dict[str, Task] = {}

    def inherited(self, loaded_job: LoadedJob, name: str) -> tuple[Any, Place, KeyPath]:
        """Return a field's value from the job, else from the defaults, with where it stands."""
        job = loaded_job.job
        if name in job.model_fields_set:
            return getattr(job, name), loaded_job.place, (name,)
        for defaults, place in self.loaded.defaults:
            if name in defaults.model_fields_set:
                return getattr(defaults, name), place, (name,)
        return getattr(job, name), loaded_job.place, (name,)

    def location(self, loaded_job: LoadedJob, text: str, key: KeyPath) -> str:
        """Return a path of a job made absolute, with variables replaced."""
        return absolute(text, loaded_job.place, key, self.problems)

    def files(self, loaded_job: LoadedJob, name: str) -> list[str]:
        """Return the recordings that a field names, each once, in order."""
        value = getattr(loaded_job.job, name)
        one = isinstance(value, str)
        found: dict[str, None] = {}
        for number, text in enumerate((value,) if one else value):
            key: KeyPath = (name,) if one else (name, number)
            location = absolute(text, loaded_job.place, key, self.problems)
            if not location:
                continue
            try:
                matched = self._matched(location)
            except InputError as error:
                self.problems.add(loaded_job.place, key, str(error))
                continue
            if isinstance(matched, str):
                if not self.watching:
                    self.problems.add(loaded_job.place, key, matched)
                continue
            found.update(dict.fromkeys(matched))
        return list(found)

    def _matched(self, location: str) -> list[str] | str:
        """Return the recordings at a location, or what is wrong with it."""
        if storage.is_url(location):
            if not _is_pattern(location) and not location.endswith("/"):
                return [location] if storage.object_facts(location) else f"no such object: {location}"
            names = [n for n in storage.find_objects(location) if _is_audio(n) and not self._is_output(n)]
            return names or f"matches no recording: {location}"
        path = Path(location)
        if path.is_file():
            return [location]
        if path.is_dir():
            names = sorted(str(path / name) for name in os.listdir(path))  # noqa: PTH208 - no pattern meant
        elif _is_pattern(location):
            names = sorted(glob.glob(location, recursive=True))  # noqa: PTH207 - absolute, with **
        else:
            return f"no such file: {location}"
        names = [n for n in names if _is_audio(n) and Path(n).is_file() and not self._is_output(n)]
        return names or f"matches no recording: {location}"

    def _is_output(self, location: str) -> bool:
        """Tell what a batch wrote from what it is to read, where outputs lie among the inputs."""
        folder = self.loaded.output.rstrip("/")
        return location.startswith(folder + ("/" if storage.is_url(folder) else os.sep))

    def references(
        self, loaded_job: LoadedJob, *, as_audio: bool = False, own: bool = False
    ) -> tuple[list[tuple[str, float]], list[str], str]:
        """Return ``[(location, weight)]``, the keys of the tasks that make them, and their names.

        `as_audio` asks for the recordings instead of their profiles, `own` leaves the defaults out.
        """
        value, place, key = self.inherited(loaded_job, "reference")
        if own:
            value, place = getattr(loaded_job.job, "reference", None), loaded_job.place
        items: References | None = value
        many = items if isinstance(items, tuple) else () if items is None else (items,)
        used: list[tuple[str, float]] = []
        after: list[str] = []
        names: list[str] = []
        for number, item in enumerate(many):
            here: KeyPath = (*key, number) if isinstance(value, tuple) else key
            entry = item if isinstance(item, WeightedReference) else WeightedReference(name=item)
            if entry.name in self.loaded.references:
                location, task_key = self._named_reference(entry.name, as_audio=as_audio)
                after += [task_key] if task_key else []
                names.append(entry.name)
            else:
                location = self._plain_reference(entry.name, place, here)
                names.append(Path(storage.base_name(location)).stem)
            used.append((location, entry.weight))
        return used, after, "+".join(names)

    def _plain_reference(self, text: str, place: Place, key: KeyPath) -> str:
        location = absolute(text, place, key, self.problems)
        known = list(self.loaded.references)
        if location and not _exists(location):
            close = difflib.get_close_matches(text, known, n=1)
            listed = f"; named here: {', '.join(known)}" if known else ""
            advice = f'; did you mean "{close[0]}"?' if close else listed
            self.problems.add(place, key, f"neither a named reference nor a file: {text}{advice}")
        return location

    def _named_reference(self, name: str, *, as_audio: bool) -> tuple[str, str]:
        """Return where a named reference's profile is (or will be) and the key of the task that saves it."""
        text, place = self.loaded.references[name]
        source = absolute(text, place, ("references", name), self.problems)
        if as_audio or source.lower().endswith(PROFILE_SUFFIXES):
            return source, ""
        key = f"{STATE_FOLDER}/references/{fill('{title}', {'title': name})}.yaml"
        output = storage.join(self.loaded.output, key)
        if key not in self.reference_tasks:
            found = place.part.problem(("references", name), "")
            self.reference_tasks[key] = Task(
                kind="measure",
                key=key,
                title=f"reference {name}",
                place=f"{place.part.name}:{found.line}:{found.column}: {found.key_path}",
                inputs=(source,),
                outputs=(output,),
            )
        return output, key

    def check_named_references(self) -> None:
        """Note the named references that do not exist, used or not."""
        for name, (text, place) in self.loaded.references.items():
            location = absolute(text, place, ("references", name), self.problems)
            if location and not _exists(location):
                self.problems.add(place, ("references", name), f"no such file: {location}")

    def target_name(self, loaded_job: LoadedJob) -> str:
        """Return the name of the target in force, empty where there is none."""
        return str(self.inherited(loaded_job, "target")[0] or "")

    def match_settings(self, loaded_job: LoadedJob) -> dict[str, Any]:
        """Return the whole settings of a match: defaults, then target and overrides, the job's own last."""
        job = loaded_job.job
        levels: list[tuple[Any, Place]] = [(job, loaded_job.place), *self.loaded.defaults]
        named = next((level for level, _ in levels if "target" in level.model_fields_set), None)
        values: dict[str, Any] = {}
        for level, place in reversed(levels):
            if named is not None and level is named and level.target is not None:
                values.update(self.target_values(level.target, place))
            _merge(values, level.settings.model_dump(mode="json", exclude_unset=True))
        try:
            return MatchSettings.model_validate(values).model_dump(mode="json")
        except ValidationError as error:
            text = "; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())
            key: KeyPath = ("settings",) if isinstance(job, MatchJob) and job.model_fields_set else ()
            self.problems.add(loaded_job.place, key, f"with what it inherits: {text}")
            return {}

    def target_values(self, name: str, place: Place) -> dict[str, Any]:
        """Return the settings that a target stands for."""
        from refmaster.settings.targets import delivery_targets

        target: Any = self.loaded.targets.get(name) or delivery_targets().get(name)
        if target is None:
            known = [*self.loaded.targets, *delivery_targets()]
            close = difflib.get_close_matches(name, known, n=1)
            advice = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"
            self.problems.add(place, ("target",), f"unknown target {name!r}; {advice}")
            return {}
        values = {"ceiling_dbtp": target.true_peak_dbtp}
        if target.integrated_lufs is not None:
            values["target_lufs"] = target.integrated_lufs
        return values

    def output_name(self, loaded_job: LoadedJob, source: str, default: str, **values: str) -> str | None:
        """Return the output's name below the output folder; None, with a problem noted, where it fails."""
        template, place, key = self.inherited(loaded_job, "output")
        return self.named(loaded_job, source, template or default, place, key, **values)

    def named(
        self,
        loaded_job: LoadedJob,
        source: str,
        template: str,
        place: Place | None = None,
        key: KeyPath = ("output",),
        **values: str,
    ) -> str | None:
        """Return a template filled for a source; problems are noted at `place`, the job's by default."""
        name = storage.base_name(source)
        suffix = Path(name).suffix
        known = {
            "title": loaded_job.job.title or Path(name).stem,
            "stem": Path(name).stem,
            "ext": suffix if suffix.lower() in WRITABLE_SUFFIXES else ".wav",
            "kind": loaded_job.kind.name,
            **values,
        }
        try:
            if set(template_fields(template)) & set(TAG_FIELDS):
                known.update(tag_values(source))
            return fill(template, known)
        except SettingsError as error:
            self.problems.add(place or loaded_job.place, key, str(error))
            return None

    def timeout_s(self, loaded_job: LoadedJob) -> float | None:
        """Return the most seconds that the job may take."""
        value: float | None = self.inherited(loaded_job, "timeout_s")[0]
        return value


def expand(loaded: LoadedJobs, problems: Problems, *, watching: bool = False) -> list[Task]:
    """Return all tasks, those that make references first; what is wrong goes to `problems`."""
    storage.forget_listings()
    planner = Planner(loaded, problems, watching=watching)
    planner.check_named_references()
    tasks: list[Task] = []
    for loaded_job in loaded.jobs:
        tasks.extend(loaded_job.kind.plan(loaded_job, planner))
    tasks = [*planner.reference_tasks.values(), *tasks]
    rows = clashes(tasks)
    for row in rows:
        problems.take_error(SettingsError(row))
    return tasks


def clashes(tasks: Sequence[Task]) -> list[str]:
    """Return what is wrong where two tasks write the same file, or one writes what another reads."""
    rows = []
    writers: dict[str, Task] = {}
    inputs = {_folded(location) for task in tasks if not task.after for location in task.inputs}
    inputs |= {_folded(task.inputs[0]) for task in tasks}
    for task in tasks:
        for output in task.outputs:
            folded = _folded(output)
            if folded in writers:
                other = writers[folded]
                same = " (they differ in case or accents only)" if output not in other.outputs else ""
                rows.append(
                    f"{task.place}: writes {output}, as {other.place} does for {other.title!r}{same}; "
                    "use {title}, {stem} or {target} in `output`"
                )
            elif folded in inputs:
                rows.append(f"{task.place}: would write over an input, {output}; choose another `output`")
            writers.setdefault(folded, task)
    return rows


def dated(task: Task, date: str) -> Task:
    """Return the task with ``{date}`` filled in its outputs."""
    return replace(task, outputs=tuple(output.replace("{date}", date) for output in task.outputs))


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _folded(location: str) -> str:
    """Return what two names share that are one file on some file systems."""
    return unicodedata.normalize("NFC", location).casefold()


def _is_audio(name: str) -> bool:
    return Path(name).suffix.lower() in AUDIO_SUFFIXES and not storage.base_name(name).startswith(".")


def _is_pattern(location: str) -> bool:
    return any(character in location for character in "*?[")


def _exists(location: str) -> bool:
    try:
        return (
            storage.object_facts(location) is not None
            if storage.is_url(location)
            else Path(location).is_file()
        )
    except InputError:
        return False
