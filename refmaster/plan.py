"""The mastering plan: everything a render does, as data that a person reads and edits.

A plan is complete: rendering decides nothing and has no default of its own. Stages act in the order of its
parts: repair (of the mix, at its own rate), tone (equalizer), sections (what it adds in loud and quiet
parts), balance, dynamics, level (gain), limiter, output. Gains are dB, frequencies Hz, times ms unless their
names say s.

A plan records its stages as they were derived (`derived`), so a render knows which of them were edited. For
these the reasons and promises of the derivation no longer hold: `MasteringPlan.restated` is the plan without
them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from refmaster.dsp.curves import Points, combined_points, with_width
from refmaster.io.suffixes import is_url
from refmaster.settings.aspects import ServedAspect, serves
from refmaster.settings.curves import Curve, Hertz, MonoBelowHz, WholeSide, WidthCurve
from refmaster.settings.document import problems_error, read_document
from refmaster.settings.dynamics import Dynamics
from refmaster.settings.emit import emit_model
from refmaster.settings.limiter import HoldMs, LimiterCeilingDbtp, LookaheadMs, ReleaseMs, SustainMs
from refmaster.settings.match import MatchSettings, Phase
from refmaster.settings.model import Model, validate_document
from refmaster.settings.moves import MAX_MOVES, MAX_MOVES_DB, ToneMove
from refmaster.settings.output import BitDepth, Codecs, DitherSeed, LoudnessTags, SampleRateHz
from refmaster.settings.records import ArtRecord, MixRecord, ReferenceRecord
from refmaster.settings.repair import NO_REPAIRED_STEMS, Repair
from refmaster.settings.sections import Sections
from refmaster.settings.stems import StemStage
from refmaster.settings.summary import Summarized, measured
from refmaster.settings.tags import Tags
from refmaster.settings.targets import TargetLufs

# From the loudest mix that is read (+60 dBFS), through an equalizer at its bounds, to the lowest target.
MAX_LEVEL_GAIN_DB = 200.0

LevelGain = Annotated[float, Field(ge=-MAX_LEVEL_GAIN_DB, le=MAX_LEVEL_GAIN_DB)]
BandEstimate = tuple[Hertz, float, float]
BandCorridor = tuple[Hertz, float, float]

# The stages whose values decide the sound, in the order in which they act.
STAGES = ("repair", "tone", "sections", "balance", "dynamics", "level", "limiter")
# What stands in a stage for reading: to edit it changes nothing that is rendered.
_FOR_READING = {
    *("why", "width_why", "regions", "distance_db", "likely_mastering_db", "applied_db", "prior"),
    *("likely_mid", "likely_width", "corridor", "noise_to_mask_db"),
}
# Lists that an edit may leave without a row.
_ROWS = ("mid", "width", "moves", "kinds", "spans", "clicks", "overs", "dc")
AS_THE_PLAN_SAYS = "as the plan says"


class Region(Model):
    """One region of the spectrum: difference, change and reason (for reading; not rendered)."""

    name: str
    low_hz: float
    high_hz: float
    difference_db: float = Field(description="dB, reference minus mix, level removed")
    likely_mastering_db: float | None = Field(default=None, description="dB, what of it is likely mastering")
    uncertainty_db: float | None = Field(default=None, description="dB, standard deviation of that")
    applied_db: float = Field(description="dB, mean gain of the mid curve, level removed")
    why: str


class Tone(Model):
    """The equalizer."""

    why: str = ""
    width_why: str = ""
    phase: Phase
    mid: Curve = Field(default=(), description="[Hz, dB] of mid and side alike (or mono); []: no change")
    width: WidthCurve = Field(default=(), description="[Hz, dB] of the side against the mid; []: no change")
    moves: tuple[ToneMove, ...] = Field(
        default=(), max_length=MAX_MOVES, description="bells and shelves besides: hz, db, q, kind, on"
    )
    whole_side: WholeSide = None
    mono_below_hz: MonoBelowHz | None = Field(
        default=None,
        description="Hz, the side is removed below (3 dB there, 48 dB an octave lower); null: off",
    )
    regions: tuple[Region, ...] = Field(
        default=(), description="for reading; rendering uses the curves above"
    )
    distance_db: float | None = Field(
        default=None, description="dB RMS to the reference, third octaves, 40 Hz-16 kHz, level removed"
    )
    likely_mastering_db: float | None = Field(default=None, description="dB RMS of what is likely mastering")
    applied_db: float | None = Field(default=None, description="dB RMS of the mid curve")
    prior: str | None = Field(default=None, description="what told mastering from song content")
    likely_mid: tuple[BandEstimate, ...] = Field(
        default=(), description="[Hz, dB, standard deviation] likely mastering in the mid; for reading"
    )
    likely_width: tuple[BandEstimate, ...] = Field(
        default=(), description="[Hz, dB, standard deviation] likely mastering in side against mid"
    )
    corridor: tuple[BandCorridor, ...] = Field(
        default=(), description="[Hz, dB, dB] lowest and highest reference over the mix; for reading"
    )

    _with_width = model_validator(mode="after")(with_width)

    @model_validator(mode="after")
    def _bounded(self) -> Tone:
        total = sum(abs(move.db) for move in self.moves)
        if total > MAX_MOVES_DB:
            raise ValueError(f"moves: expected at most {MAX_MOVES_DB:g} dB in all, found {total:g} dB")
        return self

    @property
    def side(self) -> Points:
        """The side's own gain without the moves: mid and width together."""
        return combined_points(self.mid, self.width)

    @property
    def is_flat(self) -> bool:
        """Whether the stage leaves every signal as it is."""
        gains = [gain for _, gain in (*self.mid, *self.width)]
        return not any(gains) and not any(move.db for move in self.moves) and self.mono_below_hz is None

    def in_words(self) -> str:
        """Return what the values say, without a reason."""
        ranges = [
            f"{name} {min(g for _, g in points):+.1f}..{max(g for _, g in points):+.1f} dB"
            for name, points in (("mid", self.mid), ("width", self.width))
            if points
        ]
        phase = ["minimum phase"] if self.phase == "minimum" and not self.is_flat else []
        mono = [] if self.mono_below_hz is None else [f"mono below {self.mono_below_hz:g} Hz"]
        return ", ".join([*ranges, *(str(move) for move in self.moves), *mono, *phase]) or "no change"


class Balance(Model):
    """Left against right."""

    why: str = ""
    left_over_right_db: float = Field(
        ge=-12.0, le=12.0, description="dB; half to the left, half off the right"
    )


class Level(Model):
    """The gain into the limiter: stands as it is, or is solved for a loudness when the plan is rendered."""

    why: str = ""
    gain_db: LevelGain | None = Field(default=None, description="dB; null: as the loudness needs it")
    lufs: TargetLufs | None = Field(
        default=None, description="LUFS, to be met by a render; null: the gain stands"
    )
    noise_to_mask_db: float | None = Field(
        default=None, description="dB, of the limiting as predicted; null: nothing is heard of it"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Level:
        if self.gain_db is not None and self.lufs is not None:
            raise ValueError("expected gain_db or lufs, found both; keep the one that is meant")
        if self.gain_db is None and self.lufs is None:
            raise ValueError("expected gain_db (a gain in dB) or lufs (a loudness to meet), found neither")
        return self

    @property
    def solved_db(self) -> float:
        """The gain in dB; ValueError where a render has yet to solve it."""
        if self.gain_db is None:
            raise ValueError(f"the gain for {self.lufs:g} LUFS is not solved yet: render_file does that")
        return self.gain_db

    def in_words(self) -> str:
        """Return the gain or the loudness, and the reason for it where there is one."""
        stated = f"{self.gain_db:+.2f} dB" if self.gain_db is not None else f"what {self.lufs:g} LUFS need"
        return f"{stated}: {self.why}" if self.why else stated


class LimiterStage(Model):
    """The true-peak limiter."""

    why: str = ""
    enabled: bool
    ceiling_dbtp: LimiterCeilingDbtp = Field(description="dBTP, set on the limiter")
    lookahead_ms: LookaheadMs = Field(description="ms")
    hold_ms: HoldMs = Field(description="ms")
    sustain_ms: SustainMs = Field(description="ms")
    release_ms: ReleaseMs = Field(description="ms")


class Output(Model):
    """The written file; the container follows the name it is written to."""

    sample_rate_hz: SampleRateHz
    bit_depth: BitDepth | None = Field(description="null: as the mix")
    dither: bool = Field(description="TPDF where a word length is reduced")
    dither_seed: DitherSeed
    loudness_tags: LoudnessTags | None = Field(default=None, description="gains for players; null: none")
    bext: bool = Field(default=False, description="a broadcast chunk in WAV files, also if the mix has none")
    codecs: Codecs = Field(
        default=(), description="decoded from these (mp3:128, opus:96) it keeps the promised true peak too"
    )


class Promise(Model):
    """Loudness and true peak that the written file is checked for."""

    integrated_lufs: float | None = Field(description="LUFS; null: no loudness is promised")
    tolerance_lu: float = Field(gt=0.0, description="LU")
    true_peak_dbtp: float = Field(description="dBTP, never above")
    limited_by: Literal["max_reduction", "audibility", "saturation"] | None = Field(
        description="what keeps the loudness below the one that was asked; null: nothing"
    )


class MasteringPlan(Summarized, Model):
    """Everything a render does."""

    omitted_when_empty: ClassVar[tuple[str, ...]] = ("stems", "repair", "art")

    version: int = Field(ge=1, le=1)
    made_by: str
    mix: MixRecord
    stems: tuple[StemStage, ...] = Field(
        default=(), description="what sums to the mix, each behind its own equalizer; []: the mix is a file"
    )
    references: tuple[ReferenceRecord, ...]
    requested: MatchSettings
    repair: Repair = Field(default=Repair())
    tone: Tone
    sections: Sections = Field(default=Sections())
    balance: Balance
    dynamics: Dynamics = Field(default=Dynamics(why="", crossover_hz=(), bands=()))
    level: Level
    limiter: LimiterStage
    output: Output
    promise: Promise
    tags: Tags = Field(default={}, description="written in place of the mix's own")
    art: ArtRecord | None = Field(default=None, description="written in place of the mix's own pictures")
    derived: dict[str, str] = Field(
        default={}, description="digests of the stages as they were derived: they tell what was edited"
    )

    @property
    def edited(self) -> tuple[str, ...]:
        """The stages whose values are not those that were derived; without a record of these, all stages.

        A level was derived for the sound that enters it and for the limiter: it counts as edited with any
        other stage.
        """
        return tuple(stage for stage in self._stages if self.derived.get(stage) != self._digest(stage))

    def as_derived(self, *stages: str) -> MasteringPlan:
        """Return the plan with the present values of stages (by default all) recorded as derived."""
        digests = {stage: self._digest(stage) for stage in stages or self._stages}
        return self.model_copy(update={"derived": self.derived | digests})

    @property
    def repaired_frames(self) -> int:
        """The mix's length behind its repair, in frames at its own sample rate."""
        return self.repair.frames_of(self.mix.frames)

    def serving(self, aspect: ServedAspect) -> tuple[ReferenceRecord, ...]:
        """Return the references that serve an aspect."""
        return tuple(record for record in self.references if serves(record.aspects, aspect))

    @property
    def _stages(self) -> tuple[str, ...]:
        """The stages; without a repair where there is and was none, as in plans that do not know it."""
        has_repair = "repair" in self.derived or not self.repair.is_at_rest
        return STAGES if has_repair else STAGES[1:]

    def _digest(self, stage: str) -> str:
        # Without defaults, so that a key that comes with a later version leaves the digest as it is.
        values = {
            name: getattr(self, name).model_dump(
                mode="json", exclude=_FOR_READING, exclude_defaults=True, warnings=False
            )
            for name in (self._stages if stage == "level" else (stage,))
        }
        if self.stems and stage in ("tone", "level"):  # the stems' equalizers are part of the tone
            values["stems"] = [stem.model_dump(mode="json", include={"mid"}) for stem in self.stems]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def restated(self) -> MasteringPlan:
        """Return the plan as it stands after edits: without reasons and promises that no longer hold.

        An edited stage says what its values are. A loudness is promised where the level asks for one, or
        where the gain is still the one derived for it; a limiter whose ceiling was raised promises that.
        """
        edited, promise = self.edited, self.promise
        changes: dict[str, Any] = {
            stage: getattr(self, stage).model_copy(update={"why": AS_THE_PLAN_SAYS})
            for stage in edited
            if stage != "tone"
        }
        if "tone" in edited:
            stale = {"width_why": "", "regions": (), "applied_db": None}
            why = f"{AS_THE_PLAN_SAYS}: {self.tone.in_words()}"
            changes["tone"] = self.tone.model_copy(update={"why": why, **stale})
        if "level" in edited:
            changes["level"] = changes["level"].model_copy(update={"noise_to_mask_db": None})
        if "level" in edited or self.level.lufs is not None:
            lufs = {"integrated_lufs": self.level.lufs, "limited_by": None}
            promise = promise.model_copy(update=lufs)
        if "limiter" in edited and self.limiter.enabled:
            ceiling = max(promise.true_peak_dbtp, self.limiter.ceiling_dbtp)
            promise = promise.model_copy(update={"true_peak_dbtp": ceiling})
        return self.model_copy(update={**changes, "promise": promise})

    def summary(self) -> list[tuple[str, str]]:
        """Return what was asked and what each stage does, in words."""
        plan = self.restated()
        output, promise = plan.output, plan.promise
        limiter = f"{plan.limiter.ceiling_dbtp:g} dBTP" if plan.limiter.enabled else "off"
        return [
            ("mix", self.mix.file),
            *((f"stem {Path(stem.file).name}", stem.in_words()) for stem in self.stems),
            ("references", ", ".join(r.in_words() for r in self.references) or "none"),
            ("strength", str(self.requested.strength)),
            *([("repair", plan.repair.why)] if self.repair.why else []),
            ("tone", plan.tone.why),
            *([("sections", plan.sections.why)] if self.sections.why else []),
            ("balance", f"{plan.balance.left_over_right_db:+.2f} dB"),
            ("level", plan.level.in_words()),
            ("limiter", limiter),
            ("output", f"{output.sample_rate_hz} Hz, bit depth: {output.bit_depth or 'as the mix'}"),
            (
                "promise",
                f"{measured(promise.integrated_lufs, 'LUFS')}, at most {promise.true_peak_dbtp:g} dBTP",
            ),
        ]

    @property
    def is_identity(self) -> bool:
        """Whether rendering returns the mix bit for bit."""
        return (
            self.repair.is_at_rest
            and self.tone.is_flat
            and not any(stem.mid for stem in self.stems)
            and self.sections.is_at_rest
            and self.balance.left_over_right_db == 0.0
            and self.dynamics.is_at_rest
            and self.level.gain_db == 0.0
            and not self.limiter.enabled
            and self.output.sample_rate_hz == self.mix.sample_rate_hz
        )


def format_plan(plan: MasteringPlan) -> str:
    """Return a plan as YAML text."""
    name = Path(plan.mix.file).name
    header = f"Mastering plan for {name}. Edit any value, then: refmaster render PLAN -o MASTER"
    return emit_model(plan, header=header)


def save_plan(plan: MasteringPlan, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a plan as YAML, complete or not at all; paths become relative to the plan's folder."""
    from refmaster.io.atomic import write_text

    write_text(path, format_plan(relocated(plan, Path(path).parent)), overwrite=overwrite)


def relocated(plan: MasteringPlan, folder: Path, *, relative_to: Path = Path()) -> MasteringPlan:
    """Return the plan with its paths relative to `folder`; until now they are to `relative_to`."""

    def move(file: str) -> str:
        if is_url(file):
            return file
        try:
            return Path(os.path.relpath(relative_to / file, folder)).as_posix()
        except ValueError:  # another drive
            return str((relative_to / file).absolute())

    return _with_files(plan, move)


def beside(plan: MasteringPlan, folder: Path) -> MasteringPlan:
    """Return the plan of a file in `folder` with its paths led through that folder."""
    return _with_files(plan, lambda file: file if is_url(file) else (folder / file).as_posix())


def _with_files(plan: MasteringPlan, move: Callable[[str], str]) -> MasteringPlan:
    mix = plan.mix if plan.stems else plan.mix.model_copy(update={"file": move(plan.mix.file)})
    stems = tuple(stem.model_copy(update={"file": move(stem.file)}) for stem in plan.stems)
    references = tuple(r.model_copy(update={"file": move(r.file)}) for r in plan.references)
    requested = plan.requested
    if requested.prior is not None:
        requested = requested.model_copy(update={"prior": move(requested.prior)})
    art = plan.art and plan.art.model_copy(update={"file": move(plan.art.file)})
    moved = {"mix": mix, "stems": stems, "references": references, "requested": requested, "art": art}
    return plan.model_copy(update=moved)


def load_plan(path: str | Path) -> MasteringPlan:
    """Read a plan; SettingsError names every problem as ``file:line:column: key.path: message``."""
    document = read_document(path)
    data = document.data if isinstance(document.data, dict) else {}
    tone, mix, sections, repair = (data.get(name) for name in ("tone", "mix", "sections", "repair"))
    kinds = sections.get("kinds") if isinstance(sections, dict) else None
    for part in (tone, sections, repair, *(kinds if isinstance(kinds, list) else ())):
        for key in _ROWS if isinstance(part, dict) else ():
            if key in part and part[key] is None:  # its rows were all deleted
                part[key] = []
    if isinstance(tone, dict) and isinstance(mix, dict) and mix.get("channels") == 1:
        tone.pop("side", None)  # mono has none: an empty one is no width
    plan = validate_document(MasteringPlan, document)
    problems = plan.repair.problems_of(plan.mix.channels, plan.mix.frames, plan.mix.sample_rate_hz)
    if plan.stems and not plan.repair.is_at_rest:
        problems.append(((), NO_REPAIRED_STEMS))
    if problems:
        placed = [document.problem(("repair", *path), message) for path, message in problems]
        raise problems_error(document.name, placed)
    return plan
