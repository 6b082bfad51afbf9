"""``kind: compare``: a mix rendered with refmaster, matchering and plain gain, as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from refmaster._types import Progress
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.planner import JobPlanner
from refmaster.batch.schema import Job, MatchKeys, Paths
from refmaster.batch.task import Task
from refmaster.settings.match import MatchSettings

if TYPE_CHECKING:
    from refmaster.comparison.compare import ComparedMaster


class CompareJob(MatchKeys, Job):
    """Render each mix with refmaster, matchering and plain gain, and write what each measures as JSON."""

    kind: Literal["compare"] = "compare"
    mix: Paths = Field(description="a recording, a folder, a pattern, or a list of those")


class CompareKind(Kind[CompareJob]):
    """Compare the engines on each mix; the masters are measured and thrown away."""

    name = "compare"
    model = CompareJob

    def plan(self, planner: JobPlanner[CompareJob]) -> Iterable[Task]:
        """Return a task for each mix."""
        references = planner.references(as_audio=True)
        found = len(references.locations)
        if found != 1:
            message = f"a comparison needs one reference recording, found {found}"
            planner.problem(("reference",), message)
            return
        if any(references.aspects):
            planner.problem(("reference",), "a comparison needs a reference for all aspects; drop `aspects`")
            return
        settings = planner.match_settings()
        for mix in planner.files("mix"):
            key = planner.output_name(mix, "{title}.compare.json", references.names, inherit=False)
            if key is not None:
                yield planner.task(key, (mix, *references.locations), options={"settings": settings})

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Compare on one mix."""
        from refmaster.comparison.compare import compare
        from refmaster.io.atomic import write_text

        mix, reference = staged.inputs
        settings = MatchSettings.model_validate(task.options["settings"])
        masters = compare(mix, reference, settings, progress=progress).masters
        engines = [_record(master) for master in masters]
        report = {"requested": task.options["settings"], "engines": engines}
        write_text(staged.outputs[0], json.dumps(report, indent=1) + "\n", overwrite=True)
        return Produced(
            achieved={name: engines[0][name] for name in ("integrated_lufs", "true_peak_dbtp")}
            | {"tone_to_reference_db": {e["name"]: e["tone_to_reference_db"] for e in engines}},
            findings=tuple(finding for master in masters for finding in master.findings),
        )


def _record(compared: ComparedMaster) -> dict[str, Any]:
    levels = None if compared.master is None else compared.master.levels
    return {
        "name": compared.name,
        "tone_to_reference_db": compared.distances_db[0] if compared.distances_db else None,
        "largest_move_db": compared.largest_move_db,
        "largest_move_hz": compared.largest_move_hz,
        "integrated_lufs": None if levels is None else levels.integrated_lufs,
        "true_peak_dbtp": None if levels is None else levels.true_peak_dbtp,
        "findings": [finding.model_dump(mode="json") for finding in compared.findings],
    }
