"""What a jobs file holds. Every key is here, with its meaning; nothing else is accepted.

Jobs are validated one by one against the model of their kind (`refmaster.batch.kinds`), so that an unknown
key is answered with the keys of that kind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model

BitDepth = Literal["16", "24", "32f", "64f"]
Paths = str | tuple[str, ...]
Seconds = Annotated[float, Field(gt=0.0, le=7 * 86400.0)]


class WeightedReference(Model):
    """A reference with a weight among several."""

    name: str = Field(description="a name of `references`, or a path or URL")
    weight: float = Field(default=1.0, gt=0.0, description="relative to the other references of the job")


References = str | WeightedReference | tuple[str | WeightedReference, ...]


class Target(Model):
    """A level to reach."""

    integrated_lufs: float | None = Field(
        default=None, ge=-60.0, le=-1.0, description="LUFS; null: the reference's loudness"
    )
    true_peak_dbtp: float = Field(default=-1.0, ge=-20.0, le=0.0, description="dBTP; masters stay below")


class Job(Model):
    """What all kinds of jobs have."""

    title: str | None = Field(default=None, description="name of the work; the file's name by default")
    output: str | None = Field(
        default=None,
        min_length=1,
        description="name below the output folder; may use {title} {stem} {ext} {target} {reference} {date} "
        "{kind} and the mix's tags {artist} {album} {track} {year} {genre} {tag_title}",
    )
    timeout_s: Seconds | None = Field(default=None, description="s; a job that takes longer is ended")


class MatchJob(Job):
    """What jobs have that match to a reference."""

    reference: References | None = Field(
        default=None, description="a name of `references`, a path or URL, or a list of those with weights"
    )
    target: str | None = Field(default=None, description="a name of `targets`, or of a delivery preset")
    settings: MatchSettings = Field(
        default_factory=MatchSettings, description="any setting of a match; what is not named is inherited"
    )


class MasterJob(MatchJob):
    """Master each mix."""

    kind: Literal["master"] = "master"
    mix: Paths = Field(
        description="a recording, a folder, a pattern such as mixes/**/*.wav, or a list of those"
    )
    bit_depth: BitDepth | None = Field(default=None, description="of the master; null: the mix's")
    sample_rate_hz: int | None = Field(default=None, gt=0, le=768000, description="Hz; null: the mix's")
    dither_seed: int = Field(default=0, ge=0, description="the same seed gives the same bytes")
    save_plan: bool = Field(default=False, description="write the plan beside each master")


class MeasureJob(Job):
    """Measure each recording and save its profile."""

    kind: Literal["measure"] = "measure"
    file: Paths = Field(description="a recording, a folder, a pattern, or a list of those")


class AlbumJob(Job):
    """Master an album; album.yaml rules, what the job says itself is put in its place."""

    kind: Literal["album"] = "album"
    album: str = Field(description="album.yaml, or a folder of mixes")
    reference: References | None = Field(default=None, description="as in a job of kind master")
    target: str | None = Field(default=None, description="a name of `targets`, or of a delivery preset")
    settings: MatchSettings = Field(
        default_factory=MatchSettings, description="settings of the album's match; others are album.yaml's"
    )


class CompareJob(MatchJob):
    """Render each mix with refmaster, matchering and plain gain, and write what each measures as JSON."""

    kind: Literal["compare"] = "compare"
    mix: Paths = Field(description="a recording, a folder, a pattern, or a list of those")


class Defaults(Model):
    """What jobs inherit where they do not say it themselves (albums: their timeout only)."""

    output: str | None = Field(default=None, min_length=1, description="as in a job")
    timeout_s: Seconds | None = Field(default=None, description="s; as in a job")
    reference: References | None = Field(default=None, description="as in a job")
    target: str | None = Field(default=None, description="as in a job")
    settings: MatchSettings = Field(default_factory=MatchSettings, description="any setting of a match")
    bit_depth: BitDepth | None = Field(default=None, description="of masters; null: the mix's")
    sample_rate_hz: int | None = Field(default=None, gt=0, le=768000, description="Hz; null: the mix's")
    dither_seed: int = Field(default=0, ge=0, description="the same seed gives the same bytes")
    save_plan: bool = Field(default=False, description="write the plan beside each master")


class JobsFile(Model):
    """A jobs file, its jobs not looked into yet."""

    version: Literal[1] = Field(description="of this format")
    include: Paths = Field(default=(), description="other jobs files; what this file says wins")
    output: str | None = Field(default=None, description="folder or URL that all outputs go below")
    state: str | None = Field(
        default=None, description="folder of journal and results; null: the output folder"
    )
    defaults: Defaults = Field(default_factory=Defaults, description="what jobs inherit")
    references: dict[str, str] = Field(
        default_factory=dict, description="recordings or saved profiles by name; each is measured once"
    )
    targets: dict[str, Target] = Field(default_factory=dict, description="levels to reach, by name")
    jobs: tuple[dict[str, Any], ...] = Field(default=(), description="what to do, in order")
