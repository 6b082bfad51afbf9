"""Delivery targets by name, from the dated table that ships with the package."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from refmaster.errors import SettingsError
from refmaster.settings.document import read_document
from refmaster.settings.limiter import DEFAULT_CEILING_DBTP, CeilingDbtp
from refmaster.settings.model import Model, validate_document

TargetLufs = Annotated[float, Field(ge=-60.0, le=-1.0)]
"""A loudness to ask for."""


class LevelTarget(Model):
    """A loudness and a ceiling to reach."""

    integrated_lufs: TargetLufs | None = Field(
        default=None, description="LUFS; null: the reference's loudness"
    )
    true_peak_dbtp: CeilingDbtp = Field(default=DEFAULT_CEILING_DBTP, description="dBTP; masters stay below")

    @property
    def match_values(self) -> dict[str, float]:
        """The fields of `MatchSettings` that the target sets."""
        values = {"ceiling_dbtp": self.true_peak_dbtp}
        if self.integrated_lufs is not None:
            values["target_lufs"] = self.integrated_lufs
        return values


class DeliveryTarget(LevelTarget):
    """The levels that a platform or a standard asks for."""

    grade: Literal["official", "standard", "secondary"] = Field(
        description="the platform's own page, a standard, or as others report it"
    )
    source: str = Field(description="who says so")
    note: str


class DeliveryTable(Model):
    """The table of targets."""

    version: int = Field(ge=1, le=1)
    as_of: str = Field(description="year and month in which the table was last checked")
    targets: dict[str, DeliveryTarget]


@cache
def delivery_table() -> DeliveryTable:
    """Return the table that ships with the package."""
    return validate_document(DeliveryTable, read_document(Path(__file__).with_name("targets.yaml")))


def delivery_targets() -> dict[str, DeliveryTarget]:
    """Return all targets by name."""
    return delivery_table().targets


def delivery_target(name: str) -> DeliveryTarget:
    """Return the target called `name`; SettingsError lists the known ones."""
    targets = delivery_targets()
    if name not in targets:
        close = difflib.get_close_matches(name, targets, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(targets)}"
        raise SettingsError(f"unknown delivery target {name!r}; {hint}")
    return targets[name]
