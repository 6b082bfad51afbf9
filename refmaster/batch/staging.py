"""Local copies of remote inputs and local places of remote outputs, for as long as they are needed."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.errors import OutputError
from refmaster.io.suffixes import is_url
from refmaster.plan import MasteringPlan, beside, load_plan
from refmaster.settings.records import ArtRecord, MixRecord
from refmaster.settings.stems import StemStage

Held = TypeVar("Held", MixRecord, StemStage, ArtRecord)


class Staging:
    """Gives files of this machine for locations that may be URLs; a context, its copies go with it.

    Parameters
    ----------
    progress : callable, optional
        Hears of downloads and uploads.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._folders = ExitStack()
        self._origins: dict[str, str] = {}  # the URL of each copy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folders.close()

    def fetched(self, location: str) -> Path:
        """Return an input's path, that of a copy where it is a URL.

        Raises
        ------
        InputError
            It cannot be read.
        """
        path = self._path(location)
        if is_url(location):
            self._tell("downloading")
            storage.download(location, path)
        return path

    def place(self, location: str) -> Path:
        """Return where to write an output, in a folder of its own where it is a URL; see `store`."""
        return self._path(location)

    def destination(self, location: str, *, overwrite: bool) -> Path:
        """Return the place of an output whose URL may not be taken yet.

        Raises
        ------
        OutputError
            There is an object, and `overwrite` is False.
        """
        if is_url(location) and not overwrite and storage.exists(location):
            raise OutputError(
                f"{location}: exists already; use --overwrite to replace it or choose another name"
            )
        return self.place(location)

    def store(self, path: Path) -> None:
        """Store what was written at a place under its URL, if it has one.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        if url := self._origins.get(str(path)):
            self._tell("uploading")
            storage.upload(path, url)

    def with_origins(self, plan: MasteringPlan) -> MasteringPlan:
        """Return a plan that names URLs instead of their copies."""
        mix = plan.mix.model_copy(update={"file": self._origin(plan.mix.file)})
        references = tuple(
            reference.model_copy(update={"file": self._origin(reference.file)})
            for reference in plan.references
        )
        stems = tuple(stem.model_copy(update={"file": self._origin(stem.file)}) for stem in plan.stems)
        art = plan.art and plan.art.model_copy(update={"file": self._origin(plan.art.file)})
        return plan.model_copy(update={"mix": mix, "stems": stems, "references": references, "art": art})

    def local_plan(self, path: Path) -> Path | MasteringPlan:
        """Return a plan's path, or the plan itself with copies of its files where they are URLs.

        Raises
        ------
        InputError
            The plan or its mix cannot be read.
        """
        plan = beside(load_plan(path), path.parent)
        held = [*(plan.stems or [plan.mix]), *([] if plan.art is None else [plan.art])]
        if not any(is_url(one.file) for one in held):
            return path
        copies = {one.file: str(self.fetched(one.file)) for one in held if is_url(one.file)}

        def local(one: Held) -> Held:
            return one.model_copy(update={"file": copies.get(one.file, one.file)})

        mix, stems = local(plan.mix), tuple(map(local, plan.stems))
        return plan.model_copy(update={"mix": mix, "stems": stems, "art": plan.art and local(plan.art)})

    def _origin(self, path: str) -> str:
        return self._origins.get(path, path)

    def _path(self, location: str) -> Path:
        """Return the path itself, or of a URL one with the same name in a temporary folder of its own."""
        if not is_url(location):
            return Path(location)
        folder = self._folders.enter_context(tempfile.TemporaryDirectory(prefix="refmaster-"))
        path = Path(folder) / storage.base_name(location)
        self._origins[str(path)] = location
        return path

    def _tell(self, stage: str) -> None:
        if self._progress is not None:
            self._progress(stage, 0, None)
