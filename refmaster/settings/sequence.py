"""The sequence of an album: gaps, crossfades, fades and marks, and what a release is made for."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from refmaster.settings.curves import MonoBelowHz
from refmaster.settings.model import Model
from refmaster.settings.tags import checked_tags

MAX_GAP_S = 300.0


def _checked(tag: str) -> BeforeValidator:
    """Return the check of a tag's text."""

    def check(text: Any) -> Any:
        return text if text is None else checked_tags({tag: text})[tag]

    return BeforeValidator(check, json_schema_input_type=str | int if tag == "barcode" else str)


Isrc = Annotated[str, _checked("isrc")]
Barcode = Annotated[str, _checked("barcode")]

GapS = Annotated[float, Field(ge=0.0, le=MAX_GAP_S)]
FadeS = Annotated[float, Field(ge=0.0, le=60.0)]


class TrackSequence(Model):
    """The way in which a track follows the one before it."""

    gap_s: GapS | Literal["auto"] = Field(
        default="auto",
        description="s of silence before it; 0: it follows at once; auto: by how the two end and begin",
    )
    crossfade_s: FadeS = Field(default=0.0, description="s that it overlaps the track before, both fading")
    trim_head_s: float = Field(default=0.0, ge=0.0, le=3600.0, description="s cut off its beginning")
    trim_tail_s: float = Field(default=0.0, ge=0.0, le=3600.0, description="s cut off its end")
    fade_in_s: FadeS = Field(default=0.0, description="s, at its beginning")
    fade_out_s: FadeS = Field(default=0.0, description="s, at its end")
    index_s: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        default=(), description="s into the track: index points 2, 3, ..."
    )
    hidden: bool = Field(
        default=False,
        description="no number of its own: the first stands before track 1, others belong to the one before",
    )

    @model_validator(mode="after")
    def _agreeing(self) -> TrackSequence:
        if self.crossfade_s and self.gap_s not in ("auto", 0.0):
            raise ValueError("crossfade_s and gap_s: expected one of them; a crossfade leaves no gap")
        if self.crossfade_s and self.fade_in_s:
            raise ValueError("crossfade_s and fade_in_s: expected one of them; a crossfade fades it in")
        if any(after <= before for before, after in itertools.pairwise(self.index_s)):
            raise ValueError("index_s: expected positions that rise")
        return self


class VinylSettings(Model):
    """The sides of a vinyl record."""

    size_inch: Literal[7, 10, 12] = 12
    speed_rpm: Literal[33, 45] = 33
    sides: tuple[tuple[Annotated[int, Field(ge=1)], ...], ...] = Field(
        default=(), description="numbers of the tracks on each side; []: split by length, order kept"
    )
    mono_below_hz: MonoBelowHz | None = Field(
        default=250.0, description="Hz; both channels are alike below; null: as they are"
    )


class ReleaseSettings(Model):
    """Contents of a release besides its archive of 24-bit masters."""

    cd: bool = Field(default=True, description="a CD: tracks, program with cue sheet, DDP image")
    cd_text: bool = Field(default=True, description="titles and performers on the CD, in Latin-1")
    targets: tuple[str, ...] = Field(default=(), description="delivery targets, such as spotify")
    vinyl: VinylSettings | None = Field(default=None, description="a file for each side; null: no vinyl")
    master_id: str = Field(
        default="", max_length=48, pattern="^[ -~]*$", description="for the plant's records, ASCII"
    )
