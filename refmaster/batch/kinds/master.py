"""``kind: master``: a mix or its stems, references, a master."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.planner import JobPlanner
from refmaster.batch.schema import Job, MasterKeys, Paths
from refmaster.batch.task import Task
from refmaster.engines.registry import engine_named
from refmaster.errors import SettingsError
from refmaster.settings.aspects import AskedReference
from refmaster.settings.match import MatchSettings
from refmaster.settings.output import OutputSettings
from refmaster.settings.stems import Stems
from refmaster.settings.tags import OF_ONE_RECORDING


class MasterJob(MasterKeys, Job):
    """Master each mix."""

    kind: Literal["master"] = "master"
    mix: Paths = Field(
        default=(), description="a recording, a folder, a pattern such as mixes/**/*.wav, or a list of those"
    )
    stems: Paths = Field(
        default=(),
        description="in place of mix: the files that sum to one, as a folder, a pattern or a list; the "
        "title is their folder's name",
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> MasterJob:
        if self.mix and self.stems:
            raise ValueError(
                "expected mix or stems, found both; leave out the mix: it is the sum of its stems"
            )
        if not self.mix and not self.stems:
            raise ValueError("mix: expected a mix, or stems that it is the sum of; found neither")
        return self


class MasterKind(Kind[MasterJob]):
    """Master each mix against the job's references."""

    name = "master"
    model = MasterJob

    def plan(self, planner: JobPlanner[MasterJob]) -> Iterable[Task]:
        """Return a task for each mix, or one for the stems of one."""
        settings = planner.match_settings()
        engine = engine_named(settings.get("engine", MatchSettings().engine))
        references = planner.references(as_audio=engine.needs_recordings)
        try:
            engine.check(references.locations, aspects=references.aspects)
        except SettingsError as error:
            planner.problem(("reference",), str(error))
            return
        options: dict[str, Any] = {name: planner.inherited(name)[0] for name in OutputSettings.model_fields}
        options["codecs"] = [str(codec) for codec in options["codecs"]]
        options |= {"settings": settings, "weights": references.weights}
        if any(references.aspects):
            options["aspects"] = references.aspects
        labels, art = self._labels(planner)
        options |= labels
        save_plan = planner.inherited("save_plan")[0]
        stems = _stems(planner, settings)
        title = ""
        if stems:
            options["stems"] = len(stems)
            title = planner.job.title or storage.base_name(stems[0].rpartition("/")[0])
        mixes = [stems] if stems else [[mix] for mix in planner.files("mix")]
        alone = [name for name in OF_ONE_RECORDING if name in options.get("tags", {})]
        if alone and len(mixes) > 1:
            planner.problem(("tags",), f"{alone[0]}: expected one mix for that tag, found {len(mixes)}")
        for mix in mixes:
            key = planner.output_name(mix[0], "{title}{ext}", references.names, title=title)
            if key is None:
                continue
            yield planner.task(
                key,
                (*mix, *references.locations, *art),
                title=title,
                beside=[key.rpartition(".")[0] + ".plan.yaml"] if save_plan else [],
                options=options,
                after=references.after,
            )

    def _labels(self, planner: JobPlanner[MasterJob]) -> tuple[dict[str, Any], list[str]]:
        """Return what is asked of tags and bext chunk, and the cover art, an input of every task."""
        values = {"tags": planner.merged("tags"), "bext": planner.inherited("bext")[0]}
        art, place = planner.inherited("art")
        located = [planner.location(art, ("art",), place)] if art is not None else []
        if any(located) and not storage.exists(located[0]):
            planner.problem(("art",), f"no such file: {art}", place)
        options = {name: value for name, value in values.items() if value}  # else as before there were any
        return options | ({"art": True} if located else {}), located

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Master one mix, or the sum of its stems."""
        from refmaster.mastering import master_file
        from refmaster.plan import save_plan

        options = dict(task.options)
        settings = MatchSettings.model_validate(options.pop("settings"))
        weights = options.pop("weights")
        aspects = options.pop("aspects", [()] * len(weights))
        stems = options.pop("stems", 0)
        inputs = list(staged.inputs)
        art = inputs.pop() if options.pop("art", False) else None
        mix = Stems(inputs[:stems]) if stems else inputs[0]
        references = list(map(AskedReference, inputs[stems or 1 :], weights, aspects))
        result = master_file(
            mix,
            references,
            staged.outputs[0],
            settings,
            **options,
            art=art,
            overwrite=True,
            use_cache=True,
            progress=progress,
        )
        for path in staged.outputs[1:]:
            save_plan(staged.with_origins(result.plan), path, overwrite=True)
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
            findings=result.findings,
        )


def _stems(planner: JobPlanner[MasterJob], settings: dict[str, Any]) -> list[str]:
    """Return the stems of a job, none where it names a mix or they cannot be mastered."""
    if not planner.job.stems:
        return []
    found = planner.files("stems")
    engine = settings.get("engine", MatchSettings().engine)
    if engine != MatchSettings().engine:
        planner.problem(("stems",), f"the engine {engine} takes no stems; give it the mix")
    try:
        Stems(found)
    except SettingsError as error:
        planner.problem(("stems",), str(error))
        return []
    return found
