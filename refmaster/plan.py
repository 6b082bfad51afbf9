"""The mastering plan: everything a render does, as data that a person reads and edits.

A plan is complete: rendering decides nothing and has no default of its own. Stages act in the order of its
parts: tone (equalizer), sections (what it adds in loud and quiet parts), balance, dynamics, level (gain),
limiter, output. Gains are dB, frequencies Hz, times ms unless their names say s.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from refmaster.io.suffixes import is_url
from refmaster.settings.document import read_document
from refmaster.settings.dynamics import (
    MAX_DYNAMICS_BANDS,
    AttackMs,
    DynamicsReleaseMs,
    KneeDb,
    MakeupDb,
    MaxChangeDb,
    Parallel,
    Ratio,
    ThresholdDb,
)
from refmaster.settings.emit import emit_model
from refmaster.settings.limiter import HoldMs, LimiterCeilingDbtp, LookaheadMs, ReleaseMs, SustainMs
from refmaster.settings.match import MatchSettings, Phase, Weight
from refmaster.settings.model import Model, validate_document
from refmaster.settings.output import BitDepth, DitherSeed, LoudnessTags, SampleRateHz
from refmaster.settings.sections import MAX_SECTION_KINDS, CrossfadeS, SectionName, SpanTimeS
from refmaster.settings.summary import Summarized, measured

MAX_GAIN_DB = 60.0
# From the loudest mix that is read (+60 dBFS), through an equalizer at its bounds, to the lowest target.
MAX_LEVEL_GAIN_DB = 200.0
DEFAULT_CROSSFADE_S = 2.0

Gain = Annotated[float, Field(ge=-MAX_GAIN_DB, le=MAX_GAIN_DB)]
LevelGain = Annotated[float, Field(ge=-MAX_LEVEL_GAIN_DB, le=MAX_LEVEL_GAIN_DB)]
Hertz = Annotated[float, Field(gt=0.0, le=384000.0)]
CurvePoint = tuple[Hertz, Gain]
BandEstimate = tuple[Hertz, float, float]
BandCorridor = tuple[Hertz, float, float]
SectionSpan = tuple[SpanTimeS, SpanTimeS, SectionName]


class MixRecord(Model):
    """The mix that the plan was made for."""

    file: str = Field(description="path; relative paths are relative to this plan")
    sha256: str | None = Field(description="render refuses another file; null: any")
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(ge=1, le=2)
    frames: int = Field(ge=1)


class ReferenceRecord(Model):
    """A reference that the plan was derived from; rendering does not need it."""

    file: str
    sha256: str | None
    weight: Weight = Field(description="relative")
    fit: float | None = Field(
        default=None, description="log likelihood that the mix is like it, under the best; null: the only one"
    )
    oddness: float | None = Field(
        default=None, description="distance to the others; 1: as songs differ, above 2: the odd one out"
    )


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

    why: str
    width_why: str = ""
    phase: Phase
    mid: tuple[CurvePoint, ...] = Field(description="[Hz, dB] of the mid (or mono); empty: no change")
    side: tuple[CurvePoint, ...] = Field(description="[Hz, dB] of the side; empty: no change")
    regions: tuple[Region, ...] = Field(description="for reading; rendering uses the curves above")
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

    @model_validator(mode="after")
    def _rising(self) -> Tone:
        _require_rising(mid=self.mid, side=self.side)
        return self


class SectionKind(Model):
    """A kind of part, and what the equalizer adds to the tone while it plays."""

    name: SectionName
    mid: tuple[CurvePoint, ...] = Field(description="[Hz, dB] on top of the tone's mid; empty: nothing")
    side: tuple[CurvePoint, ...] = Field(description="[Hz, dB] on top of its side; empty: nothing")

    @model_validator(mode="after")
    def _rising(self) -> SectionKind:
        _require_rising(mid=self.mid, side=self.side)
        return self


class Sections(Model):
    """Parts of the song that get something else than the tone alone."""

    why: str
    crossfade_s: CrossfadeS = Field(description="s, over which it moves; half on each side of a boundary")
    kinds: tuple[SectionKind, ...] = Field(max_length=MAX_SECTION_KINDS, description="empty: off")
    spans: tuple[SectionSpan, ...] = Field(
        description="[start s, end s, name of the kind]; the tone alone outside of them"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Sections:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) != len(names):
            raise ValueError(f"kinds: expected a name of its own for each, found {', '.join(names)}")
        last = 0.0
        for start, end, name in self.spans:
            if not last <= start < end:
                raise ValueError(
                    f"spans: expected each to end after it starts and to start where the one before it ends "
                    f"or later, found {start:g} to {end:g} s after {last:g} s"
                )
            if name not in names:
                raise ValueError(
                    f"spans: expected one of the kinds ({', '.join(names) or 'there are none'}), found {name}"
                )
            last = end
        return self

    @property
    def is_at_rest(self) -> bool:
        """Whether the tone alone serves all of the song."""
        playing = {name for _, _, name in self.spans}
        return all(
            gain == 0.0 for kind in self.kinds if kind.name in playing for _, gain in (*kind.mid, *kind.side)
        )


class Balance(Model):
    """Left against right."""

    why: str
    left_over_right_db: float = Field(
        ge=-12.0, le=12.0, description="dB; half to the left, half off the right"
    )


class DynamicsBand(Model):
    """A level-dependent gain in one band; all channels get the same."""

    threshold_db: ThresholdDb = Field(description="dB, level of the band from which it acts")
    ratio: Ratio = Field(description="above 1 compresses, below 1 expands, 1: no change")
    knee_db: KneeDb = Field(description="dB, over which it sets in, half on each side of the threshold")
    attack_ms: AttackMs = Field(description="ms")
    release_ms: DynamicsReleaseMs = Field(description="ms")
    max_change_db: MaxChangeDb = Field(description="dB, most that it turns down or up")
    parallel: Parallel = Field(description="share of the signal that is treated; the rest is added as it is")
    makeup_db: MakeupDb = Field(description="dB, constant gain of the band")


class Dynamics(Model):
    """Gentle compression or expansion in bands that sum to the signal."""

    why: str
    crossover_hz: tuple[Hertz, ...] = Field(description="Hz, between the bands, rising")
    bands: tuple[DynamicsBand, ...] = Field(
        max_length=MAX_DYNAMICS_BANDS, description="from low to high; empty: off"
    )

    @model_validator(mode="after")
    def _fitting(self) -> Dynamics:
        for low, high in itertools.pairwise(self.crossover_hz):
            if high <= low:
                raise ValueError(f"crossover_hz: frequencies must rise, found {low:g} Hz before {high:g} Hz")
        if len(self.crossover_hz) != max(0, len(self.bands) - 1):
            raise ValueError(
                f"expected one crossover frequency between two bands, found {len(self.crossover_hz)} for "
                f"{len(self.bands)} band(s)"
            )
        return self

    @property
    def is_at_rest(self) -> bool:
        """Whether the stage leaves every signal as it is."""
        return all(
            band.makeup_db == 0.0 and (band.ratio == 1.0 or band.max_change_db == 0.0 or band.parallel == 0.0)
            for band in self.bands
        )


class Level(Model):
    """The gain into the limiter."""

    why: str
    gain_db: LevelGain = Field(description="dB")


class LimiterStage(Model):
    """The true-peak limiter."""

    why: str
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


class Promise(Model):
    """Loudness and true peak that the written file is checked for."""

    integrated_lufs: float | None = Field(description="LUFS; null: no loudness is promised")
    tolerance_lu: float = Field(gt=0.0, description="LU")
    true_peak_dbtp: float = Field(description="dBTP, never above")
    limited_by: Literal["max_reduction", "saturation"] | None = Field(
        description="what keeps the loudness below the one that was asked; null: nothing"
    )


class MasteringPlan(Summarized, Model):
    """Everything a render does."""

    version: int = Field(ge=1, le=1)
    made_by: str
    mix: MixRecord
    references: tuple[ReferenceRecord, ...]
    requested: MatchSettings
    tone: Tone
    sections: Sections = Field(default=Sections(why="", crossfade_s=DEFAULT_CROSSFADE_S, kinds=(), spans=()))
    balance: Balance
    dynamics: Dynamics = Field(default=Dynamics(why="", crossover_hz=(), bands=()))
    level: Level
    limiter: LimiterStage
    output: Output
    promise: Promise
    tags: dict[str, str] = Field(default={}, description="written in place of the mix's own")

    def summary(self) -> list[tuple[str, str]]:
        """Return what was asked and what each stage does, in words."""
        output, promise = self.output, self.promise
        limiter = f"{self.limiter.ceiling_dbtp:g} dBTP" if self.limiter.enabled else "off"
        return [
            ("mix", self.mix.file),
            ("references", ", ".join(f"{r.file} (weight {r.weight:g})" for r in self.references) or "none"),
            ("strength", str(self.requested.strength)),
            ("tone", self.tone.why),
            *([("sections", self.sections.why)] if self.sections.why else []),
            ("balance", f"{self.balance.left_over_right_db:+.2f} dB"),
            ("level", f"{self.level.gain_db:+.2f} dB: {self.level.why}"),
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
        flat = all(gain == 0.0 for _, gain in (*self.tone.mid, *self.tone.side))
        return (
            flat
            and self.sections.is_at_rest
            and self.balance.left_over_right_db == 0.0
            and self.dynamics.is_at_rest
            and self.level.gain_db == 0.0
            and not self.limiter.enabled
            and self.output.sample_rate_hz == self.mix.sample_rate_hz
        )


def _require_rising(**curves: tuple[CurvePoint, ...]) -> None:
    for name, points in curves.items():
        for (low, _), (high, _) in itertools.pairwise(points):
            if high <= low:
                raise ValueError(f"{name}: frequencies must rise, found {low:g} Hz before {high:g} Hz")


def format_plan(plan: MasteringPlan) -> str:
    """Return a plan as YAML text."""
    name = Path(plan.mix.file).name
    header = f"Mastering plan for {name}. Edit any value, then: refmaster render PLAN -o MASTER"
    return emit_model(plan, header=header)


def save_plan(plan: MasteringPlan, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a plan as YAML, complete or not at all; paths become relative to the plan's folder."""
    from refmaster.io.atomic import write_text

    write_text(path, format_plan(relocated(plan, Path(path).parent)), overwrite=overwrite)


def relocated(plan: MasteringPlan, folder: Path) -> MasteringPlan:
    """Return the plan with its paths, relative to the working folder until now, relative to `folder`."""

    def move(file: str) -> str:
        if is_url(file):
            return file
        try:
            return Path(os.path.relpath(file, folder)).as_posix()
        except ValueError:  # another drive
            return str(Path(file).absolute())

    mix = plan.mix.model_copy(update={"file": move(plan.mix.file)})
    references = tuple(r.model_copy(update={"file": move(r.file)}) for r in plan.references)
    requested = plan.requested
    if requested.prior is not None:
        requested = requested.model_copy(update={"prior": move(requested.prior)})
    return plan.model_copy(update={"mix": mix, "references": references, "requested": requested})


def load_plan(path: str | Path) -> MasteringPlan:
    """Read a plan; SettingsError names every problem as ``file:line:column: key.path: message``."""
    return validate_document(MasteringPlan, read_document(path))
