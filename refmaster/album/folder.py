"""The folder that an album is written to: its plans, its masters, and a record of both.

The record beside the masters holds the plan that each was made by, and hashes of all files. So an interrupted
run goes on where it stopped, a master that was changed since is made again, and a plan that somebody edited
is not written over unasked.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import Field, ValidationError

from refmaster.album.plan import AlbumPlan, format_album_plan, plan_digest, relocated_album, track_plan
from refmaster.errors import AudioError, OutputError
from refmaster.io.atomic import check_destination, write_text
from refmaster.plan import MasteringPlan, format_plan, relocated
from refmaster.profile.cache import content_sha256
from refmaster.settings.model import Model

ALBUM_PLAN_NAME = "album-plan.yaml"
PLANS_FOLDER = "plans"
RECORD_NAME = ".refmaster-album.json"


class MasterRecord(Model):
    """One finished master."""

    asked: str = Field(description="digest of the plan as asked")
    plan: MasteringPlan = Field(
        description="the plan as rendered, corrected where the written file missed it"
    )
    sha256: str | None = Field(description="of the master; null while it is being made")


class FolderRecord(Model):
    """The folder's files, by name."""

    version: int = Field(default=1, ge=1, le=1)
    masters: dict[str, MasterRecord] = Field(default={})
    texts: dict[str, str] = Field(default={}, description="SHA-256 as written")


class AlbumFolder:
    """An album's folder.

    Parameters
    ----------
    path : str or Path
        Made where it is missing.
    overwrite : bool
        Replace existing files.
    inputs : sequence of Path
        Files that must not be written over.
    """

    def __init__(self, path: str | Path, *, overwrite: bool, inputs: tuple[Path, ...]) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self.inputs = inputs
        self._record = self._load()

    def check(self, plan: AlbumPlan, *, masters: bool, source: Path | None = None) -> None:
        """Refuse files that could not be written, before long work.

        Raises
        ------
        OutputError
            Naming every file that is in the way.
        """
        try:
            (self.path / PLANS_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made a folder: {error.strerror or error}") from error
        problems = []
        names = [] if source is not None and self._is(ALBUM_PLAN_NAME, source) else [ALBUM_PLAN_NAME]
        for number, track in enumerate(plan.tracks):
            names.append(self.plan_name(track.output))
            if masters and self.finished(plan, number) is None:
                problems += self._in_the_way(track.output, replace=self.may_replace(track.output))
        for name in names:
            problems += self._in_the_way(name, replace=self._is_ours(name))
        if problems:
            raise OutputError("\n".join(problems))

    def finished(self, plan: AlbumPlan, number: int) -> MasteringPlan | None:
        """Return the plan that a track's master was rendered by; None unless it was asked for alike."""
        output = plan.tracks[number].output
        record = self._record.masters.get(output)
        if record is None or record.asked != plan_digest(track_plan(plan, number), output):
            return None
        try:
            unchanged = content_sha256(self.path / output) == record.sha256  # never, where it is null
        except AudioError:
            return None
        return record.plan if unchanged else None

    def may_replace(self, output: str) -> bool:
        """Return whether a master may be written over: if asked for, or if the last run stopped at it."""
        record = self._record.masters.get(output)
        return self.overwrite or (record is not None and record.sha256 is None)

    def note_master(self, output: str, asked: str, plan: MasteringPlan, *, finished: bool) -> None:
        """Record a master: a finished one is kept by the next run, an unfinished one is made again."""
        sha256 = content_sha256(self.path / output) if finished else None
        self._record.masters[output] = MasterRecord(asked=asked, plan=plan, sha256=sha256)
        self._save()

    def write_plans(self, plan: AlbumPlan, *, source: Path | None = None) -> None:
        """Write the album plan, unless it is the `source`, and each track's own."""
        if source is None or not self._is(ALBUM_PLAN_NAME, source):
            self._write(ALBUM_PLAN_NAME, format_album_plan(relocated_album(plan, self.path)))
        for number, track in enumerate(plan.tracks):
            single = relocated(track_plan(plan, number), self.path / PLANS_FOLDER)
            self._write(self.plan_name(track.output), format_plan(single))
        self._save()

    @staticmethod
    def plan_name(output: str) -> str:
        """Return the path of a track's own plan within the folder."""
        return f"{PLANS_FOLDER}/{Path(output).stem}.yaml"

    def _in_the_way(self, name: str, *, replace: bool) -> list[str]:
        try:
            check_destination(self.path / name, overwrite=self.overwrite or replace, inputs=self.inputs)
        except OutputError as error:
            return [str(error)]
        return []

    def _is(self, name: str, other: Path) -> bool:
        path = self.path / name
        return path.exists() and other.exists() and path.samefile(other)

    def _is_ours(self, name: str) -> bool:
        path = self.path / name
        return path.is_file() and self._record.texts.get(name) == _sha256(path.read_bytes())

    def _write(self, name: str, text: str) -> None:
        write_text(self.path / name, text, overwrite=True, inputs=self.inputs)
        self._record.texts[name] = _sha256(text.encode())

    def _load(self) -> FolderRecord:
        try:
            return FolderRecord.model_validate_json((self.path / RECORD_NAME).read_bytes())
        except (OSError, ValidationError):  # none yet, or damaged: then everything is made again
            return FolderRecord(masters={}, texts={})

    def _save(self) -> None:
        text = json.dumps(self._record.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_text(self.path / RECORD_NAME, text + "\n", overwrite=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
