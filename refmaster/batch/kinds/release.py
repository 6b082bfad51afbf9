"""``kind: release``: album.yaml, a folder with archive, CD and deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from refmaster._types import Progress
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.planner import JobPlanner
from refmaster.batch.schema import Job
from refmaster.batch.task import Task
from refmaster.errors import InputError
from refmaster.io.suffixes import is_url
from refmaster.release.place import RECORD_NAME


class ReleaseJob(Job):
    """Release an album; album.yaml says all about it."""

    kind: Literal["release"] = "release"
    album: str = Field(description="album.yaml, or a folder of mixes")


class ReleaseKind(Kind[ReleaseJob]):
    """Release one album; masters that were finished are kept when it is interrupted."""

    name = "release"
    model = ReleaseJob

    def plan(self, planner: JobPlanner[ReleaseJob]) -> Iterable[Task]:
        """Return one task for the whole release, once the request was found to be one that can be met."""
        from refmaster.release.request import release_request

        job = planner.job
        source = planner.location(job.album, ("album",))
        if is_url(source) or is_url(planner.output):
            planner.problem(("album",), "releases are made of files, in folders; found a URL")
            return
        try:
            album = release_request(source).album
        except InputError as error:
            planner.problem(("album",), str(error))
            return
        title = job.title or album.settings.title or Path(source).stem
        name = planner.output_name(source, "{title}", title=title, inherit=False)
        if name is None:
            return
        is_file = Path(source).is_file()
        references = [path for path, _ in album.references]
        yield planner.task(
            f"{name}/{RECORD_NAME}",
            (*([source] if is_file else []), *map(str, album.paths), *map(str, references)),
            title=title,
            options={"is_file": is_file},
        )

    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Release the album."""
        from refmaster.release.build import release_album

        first = staged.inputs[0]
        result = release_album(
            first if task.options["is_file"] else first.parent,
            staged.outputs[0].parent,
            overwrite=True,
            progress=progress,
        )
        return Produced(
            achieved={
                "integrated_lufs": result.integrated_lufs,
                "tracks": len(result.layout.marks),
                "duration_s": round(result.layout.frames / result.layout.sample_rate_hz, 3),
            },
            findings=tuple(result.all_findings()),
        )
