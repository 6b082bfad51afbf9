"""``kind: album``: album.yaml or a folder of mixes, a folder of masters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.schema import AlbumJob
from refmaster.batch.task import Task
from refmaster.errors import InputError

if TYPE_CHECKING:
    from refmaster.album.request import Album
    from refmaster.batch.expand import Planner
    from refmaster.batch.loading import LoadedJob

PLAN_NAME = "album-plan.yaml"


class AlbumKind(Kind):
    """Master one album; its own folder keeps what was finished when an album is interrupted."""

    name = "album"
    model = AlbumJob

    def plan(self, loaded_job: LoadedJob, planner: Planner) -> Iterable[Task]:
        """Return one task for the whole album: its tracks are planned against each other."""
        from refmaster.album.planning import output_names

        job: Any = loaded_job.job
        source = planner.location(loaded_job, job.album, ("album",))
        references, after, _ = planner.references(loaded_job, own=True)
        overrides = job.settings.model_dump(mode="json", exclude_unset=True)
        if job.target is not None:
            overrides = {**planner.target_values(job.target, loaded_job.place), **overrides}
        album = self._album(source, references, overrides, loaded_job, planner)
        if album is None:
            return
        title = job.title or album.settings.title or Path(source).stem
        name = planner.named(loaded_job, str(Path(title)), job.output or "{title}")
        if name is None:
            return
        folder = storage.join(planner.loaded.output, name)
        if storage.is_url(folder):
            planner.problems.add(loaded_job.place, ("album",), "albums are written to folders, not to URLs")
            return
        own = [str(path) for path in album.paths]
        if not references:
            own += [str(path) for path, _ in album.references]
        is_file = Path(source).is_file()
        yield Task(
            kind=self.name,
            key=f"{name}/{PLAN_NAME}",
            title=title,
            place=loaded_job.label,
            inputs=(*([source] if is_file else []), *own, *(location for location, _ in references)),
            outputs=tuple(str(Path(folder) / n) for n in (PLAN_NAME, *output_names(album))),
            options={
                "is_file": is_file,
                "overrides": overrides,
                "weights": [weight for _, weight in references],
            },
            timeout_s=planner.timeout_s(loaded_job),
            after=tuple(after),
        )

    def _album(
        self,
        source: str,
        references: list[tuple[str, float]],
        overrides: dict[str, Any],
        loaded_job: LoadedJob,
        planner: Planner,
    ) -> Album | None:
        from refmaster.album.request import load_album

        if storage.is_url(source):
            planner.problems.add(loaded_job.place, ("album",), "expected a file or folder, found a URL")
            return None
        try:
            named = [(Path(location), weight) for location, weight in references]
            album = load_album(source, references=named or None, **overrides)
        except InputError as error:
            planner.problems.add(loaded_job.place, ("album",), str(error))
            return None
        missing = [path for path in album.paths if not path.is_file()]
        for path in missing:
            planner.problems.add(loaded_job.place, ("album",), f"no such file: {path}")
        return None if missing else album

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Master the album."""
        from refmaster.album.passes import master_album

        weights = task.options["weights"]
        overrides = dict(task.options["overrides"])
        if weights:
            overrides["references"] = list(zip(staged.inputs[-len(weights) :], weights, strict=True))
        first = staged.inputs[0]
        result = master_album(
            first if task.options["is_file"] else first.parent,
            staged.outputs[0].parent,
            overwrite=True,
            progress=progress,
            **overrides,
        )
        titles = [track.title for track in result.plan.tracks]
        findings = [finding.model_dump(mode="json") for finding in result.findings]
        for title, track in zip(titles, result.tracks, strict=True):
            for finding in track.findings:
                told = finding.model_copy(update={"message": f"{title}: {finding.message}"})
                findings.append(told.model_dump(mode="json"))
        return Produced(
            achieved={"tracks": len(result.tracks), "kept_tracks": sum(t.kept for t in result.tracks)},
            findings=tuple(findings),
        )
