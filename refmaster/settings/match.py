"""What a person asks of a match: the settings of one master, every default once.

Levels are dB, LUFS or dBTP, frequencies Hz, as the names say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from refmaster.settings.model import Model

# `full` promises the reference's balance itself, so its bounds only stop what no recording needs.
FULL_MAX_GAIN_DB = 30.0
DEFAULT_MAX_GAIN_DB = 12.0
FULL_MAX_WIDTH_DB = 12.0
DEFAULT_MAX_WIDTH_DB = 3.0
FULL_RESOLUTION_OCTAVES = 1 / 3
DEFAULT_RESOLUTION_OCTAVES = 1.0

# Strengths that have a name instead of a number.
STRENGTH_NAMES = ("full",)

# What the rest of the job honours whichever engine makes the curves; with another engine than refmaster's
# own nothing else may be asked.
ENGINE_FREE_FIELDS = ("engine", "loudness", "target_lufs", "ceiling_dbtp", "max_reduction_db")

Percent = Annotated[float, Field(ge=0.0, le=100.0)]


class MatchSettings(Model):
    """The request: how far to follow the reference, in which aspects, and how loud.

    Where a bound or the resolution is None, the strength decides: `full` follows third octaves within
    30 dB (width 12 dB), percentages follow octaves within 12 dB (width 3 dB).
    """

    engine: Literal["refmaster", "matchering"] = Field(
        default="refmaster", description="whose curves: refmaster's, or those that matchering 2.0 makes"
    )
    strength: Percent | Literal["full"] = Field(
        default=60.0, description="percent of the difference, or full: the reference's balance"
    )
    low_hz: float = Field(default=25.0, ge=5.0, le=1000.0, description="Hz; no tone change is asked below")
    high_hz: float = Field(default=20000.0, ge=1000.0, le=96000.0, description="Hz; and none above")
    max_boost_db: float | None = Field(default=None, ge=0.0, le=40.0, description="dB; null: by strength")
    max_cut_db: float | None = Field(default=None, ge=0.0, le=40.0, description="dB; null: by strength")
    max_width_db: float | None = Field(
        default=None, ge=0.0, le=24.0, description="dB; most that side moves against mid; null: by strength"
    )
    resolution_octaves: float | None = Field(
        default=None, ge=1 / 12, le=3.0, description="octaves; smoothing of the curve; null: by strength"
    )
    tone: bool = Field(default=True, description="match the mid spectrum")
    side: bool = Field(default=True, description="match the side spectrum (width) against the mid")
    balance: bool = Field(default=True, description="match the left/right balance")
    loudness: bool = Field(default=True, description="match the loudness; false keeps the mix's own")
    target_lufs: float | None = Field(
        default=None, ge=-60.0, le=-1.0, description="LUFS; null: the reference's integrated loudness"
    )
    ceiling_dbtp: float = Field(default=-1.0, ge=-20.0, le=0.0, description="dBTP; the master stays below")
    max_reduction_db: float = Field(
        default=8.0, ge=0.0, le=30.0, description="dB; the deepest limiting that loudness may cost"
    )
    phase: Literal["linear", "minimum"] = Field(default="linear", description="of the equalizer")

    @model_validator(mode="after")
    def _ordered(self) -> MatchSettings:
        if self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz ({self.low_hz:g}) must be below high_hz ({self.high_hz:g})")
        if self.target_lufs is not None and not self.loudness:
            raise ValueError("a target_lufs and loudness: false contradict each other; drop one of them")
        return self

    @model_validator(mode="after")
    def _honoured(self) -> MatchSettings:
        if self.engine == "refmaster":
            return self
        fields = type(self).model_fields
        asked = [
            name
            for name in fields
            if name not in ENGINE_FREE_FIELDS and getattr(self, name) != fields[name].default
        ]
        if asked:
            raise ValueError(
                f"engine {self.engine} makes its own curves and cannot honour {', '.join(asked)}; drop that, "
                "or use the engine refmaster"
            )
        return self

    @property
    def fraction(self) -> float:
        """Strength as a share of the difference, 0 to 1."""
        return 1.0 if self.strength == "full" else float(self.strength) / 100.0

    @property
    def boost_bound_db(self) -> float:
        """Largest boost in dB."""
        return self._bound(self.max_boost_db, FULL_MAX_GAIN_DB, DEFAULT_MAX_GAIN_DB)

    @property
    def cut_bound_db(self) -> float:
        """Largest cut in dB, as a positive number."""
        return self._bound(self.max_cut_db, FULL_MAX_GAIN_DB, DEFAULT_MAX_GAIN_DB)

    @property
    def width_bound_db(self) -> float:
        """Largest move of side against mid in dB."""
        return self._bound(self.max_width_db, FULL_MAX_WIDTH_DB, DEFAULT_MAX_WIDTH_DB)

    @property
    def smoothing_octaves(self) -> float:
        """Width of the curve's smoothing in octaves."""
        return self._bound(self.resolution_octaves, FULL_RESOLUTION_OCTAVES, DEFAULT_RESOLUTION_OCTAVES)

    def _bound(self, chosen: float | None, full: float, percent: float) -> float:
        if chosen is not None:
            return chosen
        return full if self.strength == "full" else percent
