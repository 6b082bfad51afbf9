"""``kind: measure``: a recording, its profile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.planner import JobPlanner
from refmaster.batch.schema import Job, Paths
from refmaster.batch.task import Task
from refmaster.io.suffixes import is_yaml


class MeasureJob(Job):
    """Measure each recording and save its profile."""

    kind: Literal["measure"] = "measure"
    file: Paths = Field(description="a recording, a folder, a pattern, or a list of those")


class MeasureKind(Kind[MeasureJob]):
    """Measure each recording and save its profile, which can stand wherever a reference can."""

    name = "measure"
    model = MeasureJob

    def plan(self, planner: JobPlanner[MeasureJob]) -> Iterable[Task]:
        """Return a task for each recording."""
        for file in planner.files("file"):
            # The defaults' template names masters; a profile is named by its own job only.
            key = planner.output_name(file, "{title}.profile.yaml", inherit=False)
            if key is None:
                continue
            if not is_yaml(key):
                planner.problem(("output",), f"a profile's name ends in .yaml: {key!r}")
                continue
            yield planner.task(key, [file])

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Measure one recording."""
        from refmaster.profile.cache import cached_profile
        from refmaster.profile.model import save_profile

        profile = cached_profile(staged.inputs[0], progress=progress, stage="measuring")
        # A profile holds the file's name, not where it lay on this machine: the same bytes everywhere.
        facts = profile.source.model_copy(update={"file": storage.base_name(task.inputs[0])})
        profile = profile.model_copy(update={"source": facts})
        save_profile(profile, staged.outputs[0], overwrite=True)
        levels = profile.levels
        return Produced(
            achieved={
                "integrated_lufs": levels.integrated_lufs,
                "true_peak_dbtp": levels.true_peak_dbtp,
                "loudness_range_lu": levels.loudness_range_lu,
                "duration_s": facts.duration_s,
            }
        )
