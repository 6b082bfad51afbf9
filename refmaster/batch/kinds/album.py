"""``kind: album``: album.yaml or a folder of mixes, a folder of masters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from refmaster._types import Progress
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.planner import JobPlanner, References
from refmaster.batch.schema import Job, MatchKeys
from refmaster.batch.task import Task
from refmaster.errors import InputError
from refmaster.io.suffixes import is_url
from refmaster.settings.aspects import AskedReference

if TYPE_CHECKING:
    from refmaster.album.request import Album

PLAN_NAME = "album-plan.yaml"


class AlbumJob(MatchKeys, Job):
    """Master an album; album.yaml rules, what the job says itself is put in its place."""

    kind: Literal["album"] = "album"
    album: str = Field(description="album.yaml, or a folder of mixes")


class AlbumKind(Kind[AlbumJob]):
    """Master one album; its own folder keeps what was finished when an album is interrupted."""

    name = "album"
    model = AlbumJob

    def plan(self, planner: JobPlanner[AlbumJob]) -> Iterable[Task]:
        """Return one task for the whole album: its tracks are planned against each other."""
        from refmaster.album.planning import output_names

        job = planner.job
        source = planner.location(job.album, ("album",))
        references = planner.references(inherit=False)
        overrides = planner.target_values(job.target) if job.target is not None else {}
        overrides |= job.settings.model_dump(mode="json", exclude_unset=True)
        album = _loaded_album(source, references, overrides, planner)
        if album is None:
            return
        title = job.title or album.settings.title or Path(source).stem
        name = planner.output_name(source, "{title}", title=title, inherit=False)
        if name is None:
            return
        if is_url(planner.output):
            planner.problem(("album",), "albums are written to folders, not to URLs")
            return
        own = [*album.paths, *(() if references.locations else (path for path, _ in album.references))]
        is_file = Path(source).is_file()
        yield planner.task(
            f"{name}/{PLAN_NAME}",
            (*([source] if is_file else []), *map(str, own), *references.locations),
            title=title,
            beside=[f"{name}/{file}" for file in output_names(album)],
            options={"is_file": is_file, "overrides": overrides, "weights": references.weights},
            after=references.after,
        )

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Master the album."""
        from refmaster.album.passes import master_album

        overrides, weights = dict(task.options["overrides"]), task.options["weights"]
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
        findings = list(result.findings)
        for planned, track in zip(result.plan.tracks, result.tracks, strict=True):
            findings += [
                finding.model_copy(update={"message": f"{planned.title}: {finding.message}"})
                for finding in track.findings
            ]
        return Produced(
            achieved={"tracks": len(result.tracks), "kept_tracks": sum(t.kept for t in result.tracks)},
            findings=tuple(findings),
        )


def _loaded_album(
    source: str, references: References, overrides: dict[str, Any], planner: JobPlanner[AlbumJob]
) -> Album | None:
    from refmaster.album.request import load_album

    if is_url(source):
        planner.problem(("album",), "expected a file or folder, found a URL")
        return None
    named = list(map(AskedReference, references.locations, references.weights, references.aspects))
    try:
        album = load_album(source, references=named or None, **overrides)
    except InputError as error:
        planner.problem(("album",), str(error))
        return None
    missing = [path for path in album.paths if not path.is_file()]
    for path in missing:
        planner.problem(("album",), f"no such file: {path}")
    return None if missing else album
