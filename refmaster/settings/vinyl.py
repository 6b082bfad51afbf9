"""Sides of vinyl records, from the dated table that ships with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from refmaster.errors import SettingsError
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document

Seconds = Annotated[float, Field(gt=0.0)]


class VinylSide(Model):
    """A side of one size and speed."""

    size_inch: int
    speed_rpm: int
    best_s: Seconds = Field(description="s, up to which nothing is lost")
    most_s: Seconds = Field(description="s, the longest that plants take")
    level: tuple[tuple[Seconds, float], ...] = Field(
        min_length=2, description="[s, dB] of a side against the standard reference level, by length"
    )

    @property
    def name(self) -> str:
        """Size and speed in words."""
        return f"{self.size_inch}-inch side at {self.speed_rpm} rpm"

    def cost_db(self, length_s: float) -> float:
        """Return how much quieter a side of a length is cut than one of the best length, in dB, 0 or more."""
        return max(self._level_db(self.best_s) - self._level_db(length_s), 0.0)

    def _level_db(self, length_s: float) -> float:
        seconds, level = np.array(self.level).T
        if length_s > seconds[-1]:  # as steep as the last part
            slope = (level[-1] - level[-2]) / (seconds[-1] - seconds[-2])
            return float(level[-1] + slope * (length_s - seconds[-1]))
        return float(np.interp(length_s, seconds, level))


class VinylTable(Model):
    """The table of sides."""

    version: int = Field(ge=1, le=1)
    checked_on: str = Field(description="the day on which the table was last checked")
    sides: tuple[VinylSide, ...]
    source: str = Field(description="who says so")


@cache
def vinyl_table() -> VinylTable:
    """Return the table that ships with the package."""
    return validate_document(VinylTable, read_document(Path(__file__).with_name("vinyl.yaml")))


def vinyl_side(size_inch: int = 12, speed_rpm: int = 33) -> VinylSide:
    """Return the side of a size and speed; SettingsError names those that there are."""
    sides = vinyl_table().sides
    for side in sides:
        if (side.size_inch, side.speed_rpm) == (size_inch, speed_rpm):
            return side
    known = ", ".join(f"{side.size_inch} inch at {side.speed_rpm} rpm" for side in sides)
    raise SettingsError(f"vinyl: expected one of {known}; found {size_inch} inch at {speed_rpm} rpm")
