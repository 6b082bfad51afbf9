"""The album plan as data to read and edit: the parts of all tracks, of each engineer, of each track.

A track's own plan is the sum of three parts: the common curve and gain, its engineer's, and its own. So an
engineer's curve is edited in one place and changes all that engineer's tracks. `track_plan` adds the parts
up; its result is a `MasteringPlan` like any other and renders alone to the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from refmaster.album.request import AlbumOutput, Aspect, LevelAnchor
from refmaster.dsp.curves import with_width
from refmaster.matching.curves import curve_at, tone_points, width_points
from refmaster.plan import (
    Balance,
    BandEstimate,
    Level,
    LevelGain,
    LimiterStage,
    MasteringPlan,
    Output,
    Promise,
    Tone,
    format_plan,
    relocated,
)
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.curves import Curve, CurvePoint, Gain, WholeSide, WidthCurve
from refmaster.settings.document import Document, read_document
from refmaster.settings.emit import emit_model
from refmaster.settings.limiter import LimiterCeilingDbtp
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model, PathText, validate_document
from refmaster.settings.records import MixRecord, ReferenceRecord
from refmaster.version import made_by

POOLED_TOLERANCE_LU = 0.1
TRACK_TOLERANCE_LU = 0.1
# A YAML file with this key is an album plan.
ALBUM_PLAN_KEY = "common"

Width = Annotated[float, Field(ge=-12.0, le=12.0)]


class CommonStage(Model):
    """The part that every track gets."""

    why: str
    mid: Curve = Field(description="[Hz, dB] toward the references, of mid and side alike; empty: no change")
    width: WidthCurve = Field(default=(), description="[Hz, dB] of the side against the mid")
    whole_side: WholeSide = None
    left_over_right_db: float = Field(ge=-12.0, le=12.0, description="dB")
    gain_db: LevelGain = Field(description="dB; one gain, so that the songs' order and distance stay")

    _with_width = model_validator(mode="after")(with_width)


class EngineerStage(Model):
    """The part that every track of one engineer gets."""

    name: str
    why: str
    tracks: int = Field(ge=1)
    reliability: float = Field(description="share of the tone that is known from the tracks, 0 to 1")
    tone_std_db: float = Field(description="dB, standard deviation of the predicted curve")
    level_std_db: float = Field(description="dB, of the predicted level habit")
    mid: Curve = Field(description="[Hz, dB] of the tone")
    width_db: Width = Field(description="dB, side against mid")
    level_db: Gain = Field(description="dB")
    habit: tuple[BandEstimate, ...] = Field(
        default=(), description="[Hz, dB, standard deviation] found in the tone; for reading"
    )
    habit_level_db: float | None = Field(default=None, description="dB, found in the level; for reading")


class TrackPromise(Model):
    """The values that the written track is checked against."""

    integrated_lufs: float | None = Field(description="LUFS, its share in the album's; null: none")


class TrackStage(Model):
    """One track, with the part that it alone gets."""

    title: str
    engineer: str | None
    output: PathText = Field(description="the master's name in the output folder")
    mix: MixRecord
    why: str
    keep: tuple[Aspect, ...] = Field(description="parts of the mix that stay: tone, level, width")
    share: float = Field(ge=0.0, le=1.0, description="of its engineer's curve, width and level")
    mid: Curve = Field(default=(), description="[Hz, dB] besides, of mid and side alike")
    width: WidthCurve = Field(default=(), description="[Hz, dB] besides, of the side against the mid")
    whole_side: WholeSide = None
    gain_db: LevelGain = Field(description="dB besides")
    ceiling_dbtp: LimiterCeilingDbtp | None = Field(default=None, description="dBTP; null: as the album")
    promise: TrackPromise
    tags: dict[str, str] = Field(default={}, description="written in place of the mix's own")

    _with_width = model_validator(mode="after")(with_width)


class AlbumPromise(Model):
    """The values that the written album is checked against."""

    integrated_lufs: float | None = Field(description="LUFS, gated over all tracks together; null: none")
    tolerance_lu: float = Field(gt=0.0, description="LU")
    true_peak_dbtp: float = Field(description="dBTP, never above")
    limited_by: Literal["max_reduction", "audibility", "saturation"] | None
    noise_to_mask_db: float | None = Field(
        default=None, description="dB, of the limiting of the track where it is heard most; null: nowhere"
    )
    why: str


class AlbumPlan(Model):
    """Everything that an album's render does."""

    version: int = Field(ge=1, le=1)
    made_by: str
    title: str | None
    requested: MatchSettings
    references: tuple[ReferenceRecord, ...]
    levels_by: LevelAnchor = Field(description="the level by which the report compares tracks")
    common: CommonStage
    engineers: tuple[EngineerStage, ...]
    tracks: tuple[TrackStage, ...]
    limiter: LimiterStage
    output: AlbumOutput
    promise: AlbumPromise
    tags: dict[str, str] = Field(
        default={}, description="of every master: the album's gain, made anew when it is rendered"
    )

    @model_validator(mode="after")
    def _known_engineers(self) -> AlbumPlan:
        if not self.tracks:
            raise ValueError("tracks: expected at least one")
        names = {e.name for e in self.engineers}
        for number, track in enumerate(self.tracks, 1):
            if track.engineer is not None and track.engineer not in names:
                raise ValueError(f"track {number}: no engineer {track.engineer!r} in `engineers`")
        # Without their suffixes, which the plans beside the masters do not have.
        outputs = [Path(track.output).stem.casefold() for track in self.tracks]
        if len(set(outputs)) < len(outputs):
            raise ValueError("two tracks have the same output")
        return self


def track_plan(album: AlbumPlan, number: int) -> MasteringPlan:
    """Return the plan of one track, `number` counting from 0: the album's parts added up."""
    track = album.tracks[number]
    mid, width = track_curves(album, number)
    balance = album.common.left_over_right_db if track.mix.channels == 2 else 0.0
    mono_below_hz = album.requested.mono_below_hz if track.mix.channels == 2 else None
    ceiling = album.limiter.ceiling_dbtp if track.ceiling_dbtp is None else track.ceiling_dbtp
    plan = MasteringPlan(
        version=1,
        made_by=made_by(),
        mix=track.mix,
        references=(),  # the album follows them as a whole
        requested=album.requested,
        tone=Tone(
            why=track.why,
            phase=album.requested.phase,
            mid=mid,
            width=width,
            mono_below_hz=mono_below_hz,
        ),
        balance=Balance(why=album.common.why, left_over_right_db=balance),
        level=Level(why=f"its share in the album: {album.promise.why}", gain_db=track_gain_db(album, number)),
        limiter=album.limiter.model_copy(update={"ceiling_dbtp": ceiling}),
        output=Output(
            sample_rate_hz=album.output.sample_rate_hz or track.mix.sample_rate_hz,
            bit_depth=album.output.bit_depth,
            dither=True,
            dither_seed=album.output.dither_seed,
            loudness_tags=album.output.loudness_tags,
        ),
        promise=Promise(
            integrated_lufs=track.promise.integrated_lufs,
            tolerance_lu=TRACK_TOLERANCE_LU,
            true_peak_dbtp=album.promise.true_peak_dbtp,
            limited_by=None,
        ),
        tags=track.tags | album.tags,
    )
    return plan.as_derived()  # edits of the album plan are the album's, whose promises stand


def track_gain_db(album: AlbumPlan, number: int) -> float:
    """Return a track's gain in dB: common, its engineer's, its own."""
    track = album.tracks[number]
    engineer = _engineer(album, track)
    habit = 0.0 if engineer is None or "level" in track.keep else engineer.level_db * track.share
    return round(album.common.gain_db + round(habit, 3) + track.gain_db, 3) + 0.0


def track_curves(album: AlbumPlan, number: int) -> tuple[tuple[CurvePoint, ...], tuple[CurvePoint, ...]]:
    """Return the curves of mid and width that a track's plan has."""
    track = album.tracks[number]
    hz = band_centers_hz(track.mix.sample_rate_hz)
    mid, width = np.zeros(len(hz)), np.zeros(len(hz))
    engineer = _engineer(album, track)
    if "tone" not in track.keep:
        mid = curve_at(album.common.mid, hz)
        if engineer is not None:
            mid = mid + track.share * curve_at(engineer.mid, hz)
    if "width" not in track.keep:
        width = curve_at(album.common.width, hz)
        if engineer is not None:
            width = width + track.share * engineer.width_db
    own = _with_own(tone_points(hz, mid), track.mid)
    return own, () if track.mix.channels == 1 else _with_own(width_points(hz, mid, mid + width), track.width)


def with_track_plan(album: AlbumPlan, number: int, plan: MasteringPlan) -> AlbumPlan:
    """Return the album plan whose `track_plan` is `plan`: what differs becomes the track's own."""
    track = album.tracks[number].model_copy(update={"mid": (), "width": (), "gain_db": 0.0})
    bare = album.model_copy(update={"tracks": _replaced(album.tracks, number, track)})
    mid, width = track_curves(bare, number)
    ceiling = plan.limiter.ceiling_dbtp
    track = track.model_copy(
        update={
            "mid": _difference(plan.tone.mid, mid),
            "width": _difference(plan.tone.width, width),
            "gain_db": round(plan.level.solved_db - track_gain_db(bare, number), 3) + 0.0,
            "ceiling_dbtp": None if ceiling == album.limiter.ceiling_dbtp else ceiling,
            "promise": TrackPromise(integrated_lufs=plan.promise.integrated_lufs),
        }
    )
    return album.model_copy(update={"tracks": _replaced(album.tracks, number, track)})


def _engineer(album: AlbumPlan, track: TrackStage) -> EngineerStage | None:
    return next((e for e in album.engineers if e.name == track.engineer), None)


def _with_own(shared: tuple[CurvePoint, ...], own: tuple[CurvePoint, ...]) -> tuple[CurvePoint, ...]:
    """Return two curves added up, on the points of the own one where there is one."""
    if not own:
        return shared
    at = curve_at(shared, np.array([f for f, _ in own]))
    return tuple((f, round(float(a) + g, 2) + 0.0) for (f, g), a in zip(own, at, strict=True))


def _difference(whole: tuple[CurvePoint, ...], shared: tuple[CurvePoint, ...]) -> tuple[CurvePoint, ...]:
    """Return the own curve that `_with_own` turns into `whole`."""
    if whole == shared:
        return ()
    points = whole or tuple((f, 0.0) for f, _ in shared)
    at = curve_at(shared, np.array([f for f, _ in points]))
    return tuple((f, round(g - float(a), 3) + 0.0) for (f, g), a in zip(points, at, strict=True))


def _replaced(tracks: Sequence[TrackStage], number: int, track: TrackStage) -> tuple[TrackStage, ...]:
    return (*tracks[:number], track, *tracks[number + 1 :])


def format_album_plan(plan: AlbumPlan) -> str:
    """Return an album plan as YAML text."""
    header = (
        f"Album plan{f' of {plan.title}' if plan.title else ''}. Edit any value, then: "
        "refmaster album ALBUM-PLAN -o FOLDER\n"
        "A track's gain and curve are the sum of `common`, its engineer's and its own."
    )
    return emit_model(plan, header=header)


def relocated_album(plan: AlbumPlan, folder: Path, *, absolute: bool = False) -> AlbumPlan:
    """Return the plan with its paths, relative to the working folder until now, relative to `folder`."""
    tracks = []
    for number, track in enumerate(plan.tracks):
        if absolute:
            mix = track.mix.model_copy(update={"file": os.path.normpath(folder / track.mix.file)})
        else:
            mix = relocated(track_plan(plan, number), folder).mix
        tracks.append(track.model_copy(update={"mix": mix}))
    return plan.model_copy(update={"tracks": tuple(tracks)})


def is_album_plan(path: str | Path) -> bool:
    """Return whether a YAML file is an album plan rather than an album."""
    data = None if Path(path).is_dir() else read_document(path).data
    return isinstance(data, dict) and ALBUM_PLAN_KEY in data


def load_album_plan(path: str | Path) -> tuple[AlbumPlan, Document]:
    """Read an album plan; its paths become relative to the working folder.

    Raises
    ------
    SettingsError
        Naming every problem as ``file:line:column: key.path: message``.
    """
    document = read_document(path)
    plan = validate_document(AlbumPlan, document)
    return relocated_album(plan, Path(path).parent, absolute=True), document


def plan_digest(plan: MasteringPlan, output: str) -> str:
    """Return a digest of all that decides a master's audio: its plan without the tags, its name's end."""
    silent = {"why": ""}
    stages = {s: getattr(plan, s).model_copy(update=silent) for s in ("tone", "balance", "level", "limiter")}
    mix = plan.mix.model_copy(update={"file": ""})
    output_stage = plan.output.model_copy(update={"loudness_tags": None})
    rest = {"mix": mix, "references": (), "made_by": "", "output": output_stage, "tags": {}, "derived": {}}
    bare = plan.model_copy(update={**stages, **rest})
    return hashlib.sha256(f"{Path(output).suffix}\n{format_plan(bare)}".encode()).hexdigest()
