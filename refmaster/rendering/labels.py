"""Tags, cover art and broadcast chunk that a person gives a master, checked before any long work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refmaster.plan import MasteringPlan
from refmaster.settings.model import settings_from
from refmaster.settings.records import ArtRecord
from refmaster.settings.tags import TagSettings


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labels that stand for those of a plan; empty or None leaves the plan's."""

    tags: dict[str, str]
    art: ArtRecord | None
    bext: bool | None

    def on(self, plan: MasteringPlan) -> MasteringPlan:
        """Return the plan with these labels."""
        changes: dict[str, Any] = {"tags": plan.tags | self.tags}
        if self.art is not None:
            changes["art"] = self.art
        if self.bext is not None:
            changes["output"] = plan.output.model_copy(update={"bext": self.bext})
        return plan.model_copy(update=changes)


def checked_labels(
    tags: Mapping[str, str] | None,
    art: str | Path | None,
    bext: bool | None,
    *,
    output: str | Path | None = None,
) -> Labels:
    """Return labels that can be written.

    Parameters
    ----------
    tags : mapping of str to str or None
        By the names, or other names, of `refmaster.settings.tags`.
    art : str, Path or None
        A JPEG or PNG; it is read.
    bext : bool or None
        Whether a bext chunk is asked for.
    output : str or Path, optional
        The file to be written, which must be able to hold a bext chunk that is asked for.

    Raises
    ------
    SettingsError
        A tag is unknown, or its text is not as its kind must be.
    InputError
        The cover cannot be read, or is no whole JPEG or PNG.
    OutputError
        The file cannot hold a bext chunk.
    """
    from refmaster.io.metadata.art import read_art
    from refmaster.io.metadata.broadcast import require_bext

    given = {"tags": tags or {}, "art": None if art is None else os.fspath(art), "bext": bool(bext)}
    asked = settings_from(TagSettings, given)
    if bext and output is not None:
        require_bext(output)
    record = None
    if asked.art is not None:
        record = ArtRecord(file=asked.art, sha256=read_art(Path(asked.art)).sha256)
    return Labels(tags=asked.tags, art=record, bext=bext)
