"""``kind: master``: a mix, references, a master."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.schema import MasterJob
from refmaster.batch.task import Task
from refmaster.engines.registry import engine_named
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.batch.expand import Planner
    from refmaster.batch.loading import LoadedJob
    from refmaster.mastering import MasterResult

OPTIONS = ("bit_depth", "sample_rate_hz", "dither_seed")


class MasterKind(Kind):
    """Master each mix against the job's references."""

    name = "master"
    model = MasterJob

    def plan(self, loaded_job: LoadedJob, planner: Planner) -> Iterable[Task]:
        """Return a task for each mix."""
        settings = planner.match_settings(loaded_job)
        engine = engine_named(settings.get("engine", "refmaster"))
        references, after, reference_names = planner.references(loaded_job, as_audio=engine.needs_recordings)
        try:
            engine.check([location for location, _ in references])
        except SettingsError as error:
            planner.problems.add(loaded_job.place, ("reference",), str(error))
            return
        options: dict[str, Any] = {name: planner.inherited(loaded_job, name)[0] for name in OPTIONS}
        options |= {"settings": settings, "weights": [weight for _, weight in references]}
        save_plan = bool(planner.inherited(loaded_job, "save_plan")[0])
        for mix in planner.files(loaded_job, "mix"):
            key = planner.output_name(
                loaded_job,
                mix,
                "{title}{ext}",
                target=planner.target_name(loaded_job),
                reference=reference_names,
            )
            if key is None:
                continue
            output = storage.join(planner.loaded.output, key)
            outputs = (output, output.rpartition(".")[0] + ".plan.yaml") if save_plan else (output,)
            yield Task(
                kind=self.name,
                key=key,
                title=loaded_job.job.title or Path(storage.base_name(mix)).stem,
                place=loaded_job.label,
                inputs=(mix, *(location for location, _ in references)),
                outputs=outputs,
                options=options,
                timeout_s=planner.timeout_s(loaded_job),
                after=tuple(after),
            )

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Master one mix."""
        from refmaster.mastering import master_file
        from refmaster.plan import save_plan
        from refmaster.settings.match import MatchSettings

        options = task.options
        result = master_file(
            staged.inputs[0],
            list(zip(staged.inputs[1:], options["weights"], strict=True)),
            staged.outputs[0],
            MatchSettings.model_validate(options["settings"]),
            bit_depth=options["bit_depth"],
            sample_rate_hz=options["sample_rate_hz"],
            dither_seed=options["dither_seed"],
            overwrite=True,
            use_cache=True,
            progress=progress,
        )
        if len(staged.outputs) > 1:
            save_plan(result.plan, staged.outputs[1], overwrite=True)
        return produced(result)


def produced(result: MasterResult) -> Produced:
    """Return what a master's result says, in few numbers."""
    promise, levels = result.plan.promise, result.master.levels
    return Produced(
        asked={
            "integrated_lufs": promise.integrated_lufs,
            "true_peak_dbtp": promise.true_peak_dbtp,
            "strength": result.plan.requested.strength,
        },
        achieved={
            "integrated_lufs": levels.integrated_lufs,
            "true_peak_dbtp": levels.true_peak_dbtp,
            "loudness_range_lu": levels.loudness_range_lu,
            "duration_s": result.master.source.duration_s,
            "renders": result.renders,
        },
        findings=tuple(finding.model_dump(mode="json") for finding in result.findings),
    )
