"""``kind: measure``: a recording, its profile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.schema import MeasureJob
from refmaster.batch.task import Task

if TYPE_CHECKING:
    from refmaster.batch.expand import Planner
    from refmaster.batch.loading import LoadedJob


class MeasureKind(Kind):
    """Measure each recording and save its profile, which can stand wherever a reference can."""

    name = "measure"
    model = MeasureJob

    def plan(self, loaded_job: LoadedJob, planner: Planner) -> Iterable[Task]:
        """Return a task for each recording."""
        for file in planner.files(loaded_job, "file"):
            # The defaults' template names masters; a profile is named by its own job only.
            own = loaded_job.job.output or "{title}.profile.yaml"
            key = planner.named(loaded_job, file, own)
            if key is None:
                continue
            if not key.lower().endswith((".yaml", ".yml")):
                planner.problems.add(
                    loaded_job.place, ("output",), f"a profile's name ends in .yaml: {key!r}"
                )
                continue
            yield Task(
                kind=self.name,
                key=key,
                title=loaded_job.job.title or Path(storage.base_name(file)).stem,
                place=loaded_job.label,
                inputs=(file,),
                outputs=(storage.join(planner.loaded.output, key),),
                timeout_s=planner.timeout_s(loaded_job),
            )

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
