"""The settings of a match: how far to follow the reference, in which aspects, and how loud.

Levels are dB, LUFS or dBTP, frequencies Hz, as the names say. Every range and default stands here once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from refmaster.errors import SettingsError
from refmaster.settings.curves import MonoBelowHz
from refmaster.settings.limiter import DEFAULT_CEILING_DBTP, CeilingDbtp
from refmaster.settings.model import Model
from refmaster.settings.repair import RepairSettings
from refmaster.settings.target_files import delivery_target
from refmaster.settings.targets import TargetLufs

# `full` promises the reference's balance itself, so its bounds only stop what no recording needs: of 25 pairs
# of raw mixes and other songs one needs more. With the width on top it is what a plan can hold.
FULL_MAX_GAIN_DB = 48.0
DEFAULT_MAX_GAIN_DB = 12.0
# Side against mid: 3 dB at `evidence`, and of single bands about the whole side; at `balanced` the whole side
# moves within 6 dB, so a band within 9.
FULL_MAX_WIDTH_DB = 12.0
BALANCED_MAX_WIDTH_DB = 9.0
DEFAULT_MAX_WIDTH_DB = 3.0
FULL_RESOLUTION_OCTAVES = 1 / 3
DEFAULT_RESOLUTION_OCTAVES = 1.0

# Strengths that have a name, and where they lie on the dial.
EVIDENCE_PERCENT, BALANCED_PERCENT, FULL_PERCENT = 25.0, 60.0, 100.0
STRENGTH_PERCENT = {"evidence": EVIDENCE_PERCENT, "balanced": BALANCED_PERCENT, "full": FULL_PERCENT}
STRENGTH_NAMES = tuple(STRENGTH_PERCENT)

EngineName = Literal["refmaster", "matchering"]
# The settings that an engine honours, where that is not all of them: matchering makes its own curves.
_HONOURED: dict[str, frozenset[str]] = {
    "matchering": frozenset(
        {"engine", "loudness", "target_lufs", "ceiling_dbtp", "max_reduction_db", "mono_below_hz", "repair"}
    )
}

MIN_WEIGHT, MAX_WEIGHT = 1e-6, 1e6

Weight = Annotated[float, Field(ge=MIN_WEIGHT, le=MAX_WEIGHT)]
"""The weight of a reference among several; only the ratios count."""

Percent = Annotated[float, Field(ge=0.0, le=100.0)]
GainBoundDb = Annotated[float, Field(ge=0.0, le=40.0)]
Phase = Literal["linear", "minimum"]
# `clean` is kept as true: the same request is the same plan.
Loudness = Annotated[
    bool | Literal["clean", "full"], AfterValidator(lambda asked: True if asked == "clean" else asked)
]


class MatchSettings(Model):
    """The request: how far to follow the reference, in which aspects, and how loud.

    Strength is one dial from 0 to 100: `evidence` (25) does what is likely mastering and leaves what is
    likely song content; `balanced` (60) also follows most of the broad rest, within 6 dB; `full` (100) is
    the reference's balance in third octaves. Where a bound or the resolution is None, the strength decides:
    up to `balanced` curves are about an octave wide and bounded to 12 dB, `full` follows third octaves within
    48 dB, and between the two they are mixed. The side moves against the mid by at most 3 dB at `evidence`,
    at `balanced` by 6 dB as a whole and 3 dB more or less in single bands, at `full` by 12 dB.
    """

    omitted_when_empty: ClassVar[tuple[str, ...]] = ("repair",)

    engine: EngineName = Field(
        default="refmaster", description="whose curves: refmaster's, or those that matchering 2.0 makes"
    )
    strength: Percent | Literal["evidence", "balanced", "full"] = Field(
        default="balanced", description="0 to 100, or evidence (25), balanced (60), full (100)"
    )
    prior: str | None = Field(
        default=None, description="a file of refmaster learn: how songs differ; null: the one shipped"
    )
    low_hz: float = Field(default=25.0, ge=5.0, le=1000.0, description="Hz; no tone change is asked below")
    high_hz: float = Field(default=20000.0, ge=1000.0, le=96000.0, description="Hz; and none above")
    max_boost_db: GainBoundDb | None = Field(default=None, description="dB; null: by strength")
    max_cut_db: GainBoundDb | None = Field(default=None, description="dB; null: by strength")
    max_width_db: float | None = Field(
        default=None, ge=0.0, le=24.0, description="dB; most that side moves against mid; null: by strength"
    )
    resolution_octaves: float | None = Field(
        default=None, ge=1 / 12, le=3.0, description="octaves; smoothing of the curve; null: by strength"
    )
    tone: bool = Field(default=True, description="match the mid spectrum")
    side: bool = Field(default=True, description="match the side spectrum (width) against the mid")
    balance: bool = Field(default=True, description="match the left/right balance")
    dynamics: bool = Field(default=True, description="match the dynamics")
    sections: bool = Field(default=False, description="match loud parts with loud parts, quiet with quiet")
    loudness: Loudness = Field(
        default=True,
        description="true or clean: the reference's, as far as limiting stays clean; full: as far as it "
        "goes; false: the mix's own",
    )
    target: str | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="a delivery preset, such as spotify: stands for its target_lufs and ceiling_dbtp",
    )
    target_lufs: TargetLufs | None = Field(
        default=None, description="LUFS; null: the reference's integrated loudness"
    )
    ceiling_dbtp: CeilingDbtp = Field(
        default=DEFAULT_CEILING_DBTP, description="dBTP; the master stays below"
    )
    max_reduction_db: float | None = Field(
        default=None,
        ge=0.0,
        le=30.0,
        description="dB; the deepest limiting that loudness may cost; null: bounded by what is heard",
    )
    phase: Phase = Field(default="linear", description="of the equalizer")
    repair: RepairSettings = Field(default=RepairSettings(), description="of the mix, before all else")
    mono_below_hz: MonoBelowHz | None = Field(
        default=None, description="Hz; the side is removed below, as for vinyl; null: kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_target(cls, values: Any) -> Any:
        try:
            return with_target_values(values) if isinstance(values, dict) else values
        except SettingsError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _ordered(self) -> MatchSettings:
        if self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz ({self.low_hz:g}) must be below high_hz ({self.high_hz:g})")
        if self.target_lufs is not None and self.loudness is False:
            raise ValueError("a target_lufs and loudness: false contradict each other; drop one of them")
        return self

    @model_validator(mode="after")
    def _honoured(self) -> MatchSettings:
        fields = MatchSettings.model_fields
        changed = [name for name in fields if getattr(self, name) != fields[name].default]
        ignored = ignored_by(self.engine, changed)
        if ignored:
            raise ValueError(
                f"engine {self.engine} makes its own curves and cannot honour {', '.join(ignored)}; drop "
                "that, or use the engine refmaster"
            )
        return self

    @property
    def fraction(self) -> float:
        """Strength as a share, 0 to 1."""
        return self.percent / 100.0

    @property
    def percent(self) -> float:
        """Strength in percent, 0 to 100."""
        return STRENGTH_PERCENT[self.strength] if isinstance(self.strength, str) else float(self.strength)

    @property
    def smoothing_octaves(self) -> float:
        """Width in octaves of the smoothing of what is corrected after a render."""
        if self.resolution_octaves is not None:
            return self.resolution_octaves
        return FULL_RESOLUTION_OCTAVES if self.percent >= FULL_PERCENT else DEFAULT_RESOLUTION_OCTAVES

    def boost_bound_db(self, *, full: bool) -> float:
        """Return the largest boost in dB, of the `full` stop or of those below it."""
        return _bound(self.max_boost_db, FULL_MAX_GAIN_DB if full else DEFAULT_MAX_GAIN_DB)

    def cut_bound_db(self, *, full: bool) -> float:
        """Return the largest cut in dB, as a positive number."""
        return _bound(self.max_cut_db, FULL_MAX_GAIN_DB if full else DEFAULT_MAX_GAIN_DB)

    def width_bound_db(self, *, full: bool) -> float:
        """Return the largest move in dB of a band's side against its mid, about that of the whole side."""
        return _bound(self.max_width_db, FULL_MAX_WIDTH_DB if full else DEFAULT_MAX_WIDTH_DB)

    @property
    def side_bound_db(self) -> float:
        """The largest move in dB of a band's side against its mid, with that of the whole side."""
        evidence, balanced, full = DEFAULT_MAX_WIDTH_DB, BALANCED_MAX_WIDTH_DB, FULL_MAX_WIDTH_DB
        if self.percent <= BALANCED_PERCENT:
            share = max(self.percent - EVIDENCE_PERCENT, 0.0) / (BALANCED_PERCENT - EVIDENCE_PERCENT)
            return _bound(self.max_width_db, evidence + share * (balanced - evidence))
        share = (self.percent - BALANCED_PERCENT) / (FULL_PERCENT - BALANCED_PERCENT)
        return _bound(self.max_width_db, balanced + share * (full - balanced))


def with_target_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the name of a delivery preset replaced by the values it stands for.

    Raises
    ------
    SettingsError
        There is no such preset, or another of the settings contradicts it.
    """
    name = values.get("target")
    if not isinstance(name, str):
        return values
    given = {key: value for key, value in values.items() if key != "target"}
    levels = delivery_target(name).match_values
    _refuse_contradictions(name, levels, given)
    return {**levels, **given}


def _refuse_contradictions(name: str, levels: dict[str, float], given: dict[str, Any]) -> None:
    """Refuse another loudness than the preset's, or a higher ceiling; a lower one keeps the preset's."""
    asked = {key: given[key] for key in levels if isinstance(given.get(key), int | float)}
    loudness, ceiling = asked.get("target_lufs"), asked.get("ceiling_dbtp")
    if loudness is not None and loudness != levels["target_lufs"]:
        raise SettingsError(
            f"the target {name} is {levels['target_lufs']:g} LUFS and contradicts a loudness of "
            f"{loudness:g} LUFS; drop one of them"
        )
    if ceiling is not None and ceiling > levels["ceiling_dbtp"]:
        raise SettingsError(
            f"the target {name} allows {levels['ceiling_dbtp']:g} dBTP and contradicts a ceiling of "
            f"{ceiling:g} dBTP; drop one of them"
        )


def ignored_by(engine: str, names: Iterable[str]) -> list[str]:
    """Return which of the settings named an engine does not honour."""
    honoured = _HONOURED.get(engine)
    return [] if honoured is None else [name for name in names if name not in honoured]


def checked_weight(weight: float) -> float:
    """Return the weight of a reference, given beside it in a call or on the command line.

    Raises
    ------
    SettingsError
        It is out of range, infinite or no number.
    """
    if MIN_WEIGHT <= weight <= MAX_WEIGHT:
        return float(weight)
    raise SettingsError(
        f"a reference's weight must be above 0 and finite, {MIN_WEIGHT:g} to {MAX_WEIGHT:g}; found {weight:g}"
    )


def _bound(chosen: float | None, default: float) -> float:
    return default if chosen is None else chosen
