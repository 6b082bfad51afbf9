"""The folder that an album is written to: its plans, its masters, and a record of both.

The record beside the masters holds the plan that each was made by, and the SHA-256 of all that was written:
of a file in the making before it gets its name, beside that of the file it replaces. So wherever a run is
stopped, the next one knows what is its own: that it goes on with, or replaces. A file that it did not write,
or that was changed since, is not written over unasked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from refmaster.album.plan import (
    AlbumPlan,
    format_album_plan,
    load_album_plan,
    plan_digest,
    relocated_album,
    track_plan,
)
from refmaster.check.findings import Finding
from refmaster.errors import AudioError, OutputError, SettingsError
from refmaster.io.atomic import check_destination, write_text
from refmaster.plan import MasteringPlan, format_plan, relocated
from refmaster.profile.cache import content_sha256
from refmaster.settings.model import Model

ALBUM_PLAN_NAME = "album-plan.yaml"
PLANS_FOLDER = "plans"
RECORD_NAME = ".refmaster-album.json"


class MasterRecord(Model):
    """One master."""

    asked: str = Field(description="digest of the plan as asked")
    plan: MasteringPlan = Field(
        description="the plan as rendered, corrected where the written file missed it"
    )
    sha256: str | None = Field(description="of the master; null while it is being made")
    tags: dict[str, str] = Field(default={}, description="written in place of the mix's own")


class RunRecord(Model):
    """The last run that came to its end."""

    request: str = Field(description="digest of all that it depended on")
    rendered: bool = Field(description="false after a dry run")
    findings: tuple[Finding, ...] = Field(description="of the album")
    track_findings: tuple[tuple[Finding, ...], ...] = Field(description="in the album's order")


class FolderRecord(Model):
    """The folder's files, by name."""

    version: int = Field(default=2, ge=2, le=2)
    masters: dict[str, MasterRecord] = Field(default={})
    files: dict[str, tuple[str, ...]] = Field(
        default={}, description="SHA-256 of what was written; of the old and the new while it is replaced"
    )
    run: RunRecord | None = Field(default=None, description="null while a run is under way")


class AlbumFolder:
    """An album's folder.

    Parameters
    ----------
    path : str or Path
        Made by `prepare` where it is missing.
    overwrite : bool
        Replace files whoever wrote them.
    inputs : sequence of Path
        Files that must not be written over.
    """

    def __init__(self, path: str | Path, *, overwrite: bool, inputs: tuple[Path, ...]) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self.inputs = inputs
        self._record = self._load()

    def check(self, outputs: Sequence[str], *, masters: bool, source: Path | None = None) -> None:
        """Refuse files that could not be written, before any work; `source` is an album plan to be kept.

        Raises
        ------
        OutputError
            Naming every file that is in the way.
        """
        if not self.path.exists():
            return
        names = [*outputs] if masters else []
        names += [self.plan_name(output) for output in outputs]
        if source is None or not self._is(ALBUM_PLAN_NAME, source):
            names.append(ALBUM_PLAN_NAME)
        problems = [problem for name in names if (problem := self._in_the_way(name)) is not None]
        if problems:
            raise OutputError("\n".join(problems))

    def prepare(self) -> None:
        """Make the folder where it is missing, and note that a run is under way."""
        try:
            (self.path / PLANS_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made a folder: {error.strerror or error}") from error
        if self._record.run is not None:
            self._record = self._record.model_copy(update={"run": None})
            self._save()

    def master(self, output: str) -> MasterRecord | None:
        """Return the record of a master that stands as it was finished."""
        record = self._record.masters.get(output)
        if record is None or record.sha256 is None or self._sha256_of(output) != record.sha256:
            return None
        return record

    def finished(self, plan: AlbumPlan, number: int) -> MasteringPlan | None:
        """Return the plan that a finished master was rendered by; None if it is missing or another."""
        track = plan.tracks[number]
        record = self.master(track.output)
        if record is None or record.asked != plan_digest(track_plan(plan, number), track.output):
            return None
        return record.plan.model_copy(update={"mix": track.mix})

    def may_replace(self, name: str) -> bool:
        """Return whether a file may be written over: if asked for, or if it is as refmaster wrote it."""
        return self.overwrite or self._sha256_of(name) in self._record.files.get(name, ())

    def begin_master(self, output: str, asked: str, plan: MasteringPlan) -> None:
        """Record that a master is being made."""
        self._record.masters[output] = MasterRecord(asked=asked, plan=plan, sha256=None)
        self._save()

    def announce_master(self, output: str, sha256: str) -> None:
        """Record the content that a master is about to get.

        Raises
        ------
        OutputError
            Another file has taken its place since the run began.
        """
        problem = self._in_the_way(output)
        if problem is not None:
            raise OutputError(problem)
        self._announce({output: sha256})

    def finish_master(self, output: str, plan: MasteringPlan, tags: dict[str, str]) -> None:
        """Record that a master is complete, made by `plan`: the next run keeps it."""
        sha256 = content_sha256(self.path / output)
        record = self._record.masters[output]
        self._record.masters[output] = record.model_copy(
            update={"plan": plan, "sha256": sha256, "tags": tags}
        )
        self._record.files[output] = (sha256,)
        self._save()

    def write_plans(self, plan: AlbumPlan, *, source: Path | None = None) -> None:
        """Write the album plan, unless it is the `source`, and each track's own; equal texts stay."""
        texts = {}
        if source is None or not self._is(ALBUM_PLAN_NAME, source):
            texts[ALBUM_PLAN_NAME] = format_album_plan(relocated_album(plan, self.path))
        for number, track in enumerate(plan.tracks):
            single = relocated(track_plan(plan, number), self.path / PLANS_FOLDER)
            texts[self.plan_name(track.output)] = format_plan(single)
        digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
        changed = {name: sha256 for name, sha256 in digests.items() if self._sha256_of(name) != sha256}
        if changed:
            self._announce(changed)
        for name in changed:
            write_text(self.path / name, texts[name], overwrite=True, inputs=self.inputs)
        self._record.files.update({name: (sha256,) for name, sha256 in digests.items()})
        self._save()

    def end_run(
        self,
        request: str,
        *,
        rendered: bool,
        findings: Sequence[Finding],
        track_findings: Sequence[tuple[Finding, ...]],
    ) -> None:
        """Record that a run came to its end, and what it found."""
        run = RunRecord(
            request=request,
            rendered=rendered,
            findings=tuple(findings),
            track_findings=tuple(track_findings),
        )
        self._record = self._record.model_copy(update={"run": run})
        self._save()

    def standing(self, request: str, outputs: Sequence[str], *, rendered: bool) -> RunRecord | None:
        """Return the last run, if it was asked for the same and all its files stand as it left them."""
        run = self._record.run
        if run is None or run.request != request or (rendered and not run.rendered):
            return None
        names = [ALBUM_PLAN_NAME, *(self.plan_name(output) for output in outputs)]
        names += outputs if run.rendered else []
        stand = all(self._record.files.get(name) == (self._sha256_of(name),) for name in names)
        return run if stand else None

    def earlier_plan(self) -> AlbumPlan | None:
        """Return the album plan that is in the folder; None where there is none, or it cannot be read."""
        path = self.path / ALBUM_PLAN_NAME
        try:
            return load_album_plan(path)[0] if path.is_file() else None
        except SettingsError:
            return None

    @staticmethod
    def plan_name(output: str) -> str:
        """Return the path of a track's own plan within the folder."""
        return f"{PLANS_FOLDER}/{Path(output).stem}.yaml"

    def _in_the_way(self, name: str) -> str | None:
        """Return why a file cannot be written; None if it can."""
        path, replace = self.path / name, self.may_replace(name)
        try:
            if path.parent.exists():
                check_destination(path, overwrite=replace, inputs=self.inputs)
        except OutputError as error:
            if path.is_file() and not replace and name in self._record.files:
                advice = "use --overwrite to replace it, or move it away"
                return f"{path}: exists already and was changed since refmaster wrote it; {advice}"
            return str(error)
        return None

    def _is(self, name: str, other: Path) -> bool:
        path = self.path / name
        return path.exists() and other.exists() and path.samefile(other)

    def _sha256_of(self, name: str) -> str | None:
        try:
            return content_sha256(self.path / name)
        except AudioError:
            return None

    def _announce(self, digests: Mapping[str, str]) -> None:
        """Record new contents beside the present ones, before they take their places."""
        for name, sha256 in digests.items():
            present = self._sha256_of(name)
            ours = [p for p in self._record.files.get(name, ()) if p == present]
            self._record.files[name] = (*ours, sha256)
        self._save()

    def _load(self) -> FolderRecord:
        try:
            return FolderRecord.model_validate_json((self.path / RECORD_NAME).read_bytes())
        except (OSError, ValidationError):  # none yet, or damaged: then nothing is known to be refmaster's
            return FolderRecord(masters={}, files={})

    def _save(self) -> None:
        text = json.dumps(self._record.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_text(self.path / RECORD_NAME, text + "\n", overwrite=True)
