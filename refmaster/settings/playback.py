"""Playback systems that a master will be heard on, from the dated files that ship with the package."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from refmaster.settings.curves import MAX_GAIN_DB, Curve
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document
from refmaster.settings.shipped import shipped_folder


class PlaybackSystem(Model):
    """One playback system: how mid and side reach the ear."""

    version: int = Field(ge=1, le=1)
    name: str
    title: str
    order: int = Field(description="place among the systems")
    response: Curve = Field(description="[Hz, dB] of mid and side alike, 0 dB at 1 kHz; []: no change")
    side_db: Annotated[float, Field(ge=-MAX_GAIN_DB, le=0.0)] | None = Field(
        description="dB, the side against the mid; null: it is lost"
    )
    finished_mean_lu: float = Field(description="LU, what it adds to finished recordings in the mean")
    finished_sd_lu: float = Field(
        ge=0.0, description="LU, by how much they differ in that (standard deviation)"
    )
    grade: Literal["definition", "measured", "typical"] = Field(
        description="exact by definition, measured on one device, or a stylised mean of several sources"
    )
    source: str = Field(description="who says so")
    checked_on: str = Field(description="the day on which the source was last read")
    note: str


@cache
def playback_systems() -> tuple[PlaybackSystem, ...]:
    """Return the systems that ship with the package, in order."""
    files = sorted(shipped_folder("playback").glob("*.yaml"))
    systems = (validate_document(PlaybackSystem, read_document(file)) for file in files)
    return tuple(sorted(systems, key=lambda system: system.order))
