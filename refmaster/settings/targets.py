"""Delivery targets by name, from the dated table that ships with the package."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from refmaster.errors import SettingsError
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document


class DeliveryTarget(Model):
    """What one platform or standard asks for."""

    integrated_lufs: float | None = Field(description="LUFS; null: none")
    true_peak_dbtp: float = Field(description="dBTP")
    grade: Literal["official", "standard", "secondary"]
    note: str


class DeliveryTable(Model):
    """The table of targets."""

    version: int = Field(ge=1, le=1)
    targets: dict[str, DeliveryTarget]


@cache
def delivery_targets() -> dict[str, DeliveryTarget]:
    """Return all targets by name."""
    path = Path(__file__).with_name("targets.yaml")
    return validate_document(DeliveryTable, read_document(path)).targets


def delivery_target(name: str) -> DeliveryTarget:
    """Return the target called `name`; SettingsError lists the known ones."""
    targets = delivery_targets()
    if name not in targets:
        close = difflib.get_close_matches(name, targets, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(targets)}"
        raise SettingsError(f"unknown delivery target {name!r}; {hint}")
    return targets[name]
