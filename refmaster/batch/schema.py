"""The keys that several kinds of jobs share; each kind adds its own in `refmaster.batch.kinds`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from refmaster.settings.aspects import ServedAspects
from refmaster.settings.match import MatchSettings, Weight
from refmaster.settings.model import Model
from refmaster.settings.tags import WrittenSettings

Paths = str | tuple[str, ...]
Seconds = Annotated[float, Field(gt=0.0, le=7 * 86400.0)]


class WeightedReference(Model):
    """A reference with a weight among several."""

    name: str = Field(description="a name of `references`, or a path or URL")
    weight: Weight = Field(default=1.0, description="relative to the other references of the job")
    aspects: ServedAspects = Field(
        default=(), description="what it serves: tone, width, balance, dynamics, loudness; []: all"
    )


References = str | WeightedReference | tuple[str | WeightedReference, ...]


class CommonKeys(Model):
    """Keys of jobs of all kinds."""

    output: str | None = Field(
        default=None,
        min_length=1,
        description="name below the output folder; may use {title} {stem} {ext} {target} {reference} {date} "
        "{kind} and the mix's tags {artist} {album} {track} {year} {genre} {tag_title}",
    )
    timeout_s: Seconds | None = Field(default=None, description="s; a job that takes longer is ended")


class MatchKeys(Model):
    """Keys of jobs that match to a reference."""

    reference: References | None = Field(
        default=None,
        description="a name of `references`, a path or URL, or a list of those, with weights and aspects",
    )
    target: str | None = Field(default=None, description="a name of `targets`, or of a delivery preset")
    settings: MatchSettings = Field(
        default_factory=MatchSettings, description="any setting of a match; what is not named is inherited"
    )


class MasterKeys(MatchKeys, WrittenSettings):
    """Keys of jobs that write masters."""

    save_plan: bool = Field(default=False, description="write the plan beside each master")


class Defaults(MasterKeys, CommonKeys):
    """Keys that jobs inherit where they do not say them themselves (albums: their timeout only)."""


class Job(CommonKeys):
    """Keys of a job of any kind; each kind has a model of its own with its name as `kind`."""

    kind: str = Field(description="what to do")
    title: str | None = Field(default=None, description="name of the work; the file's name by default")
