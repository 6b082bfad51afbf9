"""``kind: compare``: what refmaster, matchering and plain gain make of a mix, as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.schema import CompareJob
from refmaster.batch.task import Task

if TYPE_CHECKING:
    from refmaster.batch.expand import Planner
    from refmaster.batch.loading import LoadedJob
    from refmaster.compare.comparison import ComparedMaster


class CompareKind(Kind):
    """Compare the engines on each mix; the masters are measured and thrown away."""

    name = "compare"
    model = CompareJob

    def plan(self, loaded_job: LoadedJob, planner: Planner) -> Iterable[Task]:
        """Return a task for each mix."""
        references, _, names = planner.references(loaded_job, as_audio=True)
        if len(references) != 1:
            message = f"a comparison needs one reference recording, found {len(references)}"
            planner.problems.add(loaded_job.place, ("reference",), message)
            return
        settings = planner.match_settings(loaded_job)
        for mix in planner.files(loaded_job, "mix"):
            own = loaded_job.job.output or "{title}.compare.json"
            target = planner.target_name(loaded_job)
            key = planner.named(loaded_job, mix, own, target=target, reference=names)
            if key is None:
                continue
            yield Task(
                kind=self.name,
                key=key,
                title=loaded_job.job.title or Path(storage.base_name(mix)).stem,
                place=loaded_job.label,
                inputs=(mix, references[0][0]),
                outputs=(storage.join(planner.loaded.output, key),),
                options={"settings": settings},
                timeout_s=planner.timeout_s(loaded_job),
            )

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Compare on one mix."""
        from refmaster.compare.comparison import compare_engines
        from refmaster.io.atomic import write_text
        from refmaster.settings.match import MatchSettings

        settings = MatchSettings.model_validate(task.options["settings"])
        found = compare_engines(staged.inputs[0], staged.inputs[1], settings, progress=progress)
        engines = [_record(master) for master in found.masters]
        report = {"requested": task.options["settings"], "engines": engines}
        write_text(staged.outputs[0], json.dumps(report, indent=1) + "\n", overwrite=True)
        ours = engines[0]
        return Produced(
            achieved={name: ours[name] for name in ("integrated_lufs", "true_peak_dbtp")}
            | {"tone_to_reference_db": {e["name"]: e["tone_to_reference_db"] for e in engines}},
            findings=tuple(f.model_dump(mode="json") for m in found.masters for f in m.findings),
        )


def _record(compared: ComparedMaster) -> dict[str, Any]:
    levels = None if compared.master is None else compared.master.levels
    return {
        "name": compared.name,
        "tone_to_reference_db": compared.distance_db,
        "largest_move_db": compared.largest_move_db,
        "largest_move_hz": compared.largest_move_hz,
        "integrated_lufs": None if levels is None else levels.integrated_lufs,
        "true_peak_dbtp": None if levels is None else levels.true_peak_dbtp,
        "findings": [finding.model_dump(mode="json") for finding in compared.findings],
    }
