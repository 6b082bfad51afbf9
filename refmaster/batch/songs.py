"""Many songs with the same references and settings, without a jobs file: a batch like any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from refmaster.batch import storage
from refmaster.batch.kinds.master import MasterJob
from refmaster.batch.planner import LoadedJobs
from refmaster.batch.problems import Place, Problems
from refmaster.batch.runner import Listener, RunOptions, Summary
from refmaster.batch.schema import WeightedReference
from refmaster.batch.session import expand_checked, run_loaded
from refmaster.errors import SettingsError
from refmaster.io.suffixes import CONTAINERS, is_url
from refmaster.settings.aspects import AskedReference
from refmaster.settings.document import Document
from refmaster.settings.match import MatchSettings
from refmaster.settings.tags import WrittenSettings

NAME = "refmaster master"  # in place of a jobs file's


def master_songs(
    mixes: Sequence[str],
    references: Sequence[AskedReference[str]],
    output: str,
    settings: MatchSettings,
    output_settings: WrittenSettings,
    options: RunOptions,
    listener: Listener,
    *,
    stop: Callable[[], bool],
) -> Summary:
    """Master every mix into a folder, with a journal there: a second run does what changed.

    Parameters
    ----------
    mixes : sequence of str
        Recordings, folders of recordings, or URLs.
    references : sequence of AskedReference
        Of paths or URLs.
    output : str
        A folder or URL.
    settings : MatchSettings
        Of every match.
    output_settings : WrittenSettings
        Of every master.
    options, listener, stop
        As of `refmaster.batch.session.run_batch`.

    Raises
    ------
    InputError
        As `refmaster.batch.session.run_batch`.
    """
    if Path(storage.base_name(output)).suffix.lower() in CONTAINERS:
        raise SettingsError(f"{output}: expected a folder for several masters, found the name of one")
    job = MasterJob(
        mix=tuple(_located(mix) for mix in mixes),
        reference=tuple(
            WeightedReference(name=_located(name), weight=weight, aspects=aspects)
            for name, weight, aspects in references
        ),
        settings=settings,
        **_with_located_art(output_settings.model_dump(exclude_unset=True)),
    )
    loaded = LoadedJobs(path=Path(NAME), output=output if is_url(output) else str(Path(output).absolute()))
    loaded.state = loaded.output
    if is_url(output):
        loaded.state = str(Path(f"{storage.base_name(output)}.refmaster").absolute())
    loaded.jobs.append((job, Place(Document(NAME))))
    # Of the songs of one command line, each is best named by its mix.
    tasks = [replace(task, place=task.inputs[0]) for task in expand_checked(loaded, Problems())]
    listener.told(f"mastering as a batch into {output}; a second run does only what is missing or changed")
    return run_loaded(loaded, tasks, options, listener, stop=stop)


def _with_located_art(values: dict[str, Any]) -> dict[str, Any]:
    return values if values.get("art") is None else values | {"art": _located(values["art"])}


def _located(text: str) -> str:
    """Return a path made absolute, or a URL, as a jobs file has it: with its dollar signs doubled."""
    return (text if is_url(text) else os.path.abspath(text)).replace("$", "$$")  # noqa: PTH100 - as text
