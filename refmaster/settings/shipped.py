"""Folders of data that ship with the package: in a checkout under ``configs/``, in a wheel inside of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: Literal["targets", "playback"]) -> Path:
    """Return the folder of the delivery targets, or of the playback systems, that ship with the package."""
    installed = _PACKAGE / f"{name}_data"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs" / name
