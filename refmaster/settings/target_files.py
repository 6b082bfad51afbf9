"""Delivery targets by name: one YAML file each, those that come with refmaster and the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from refmaster.errors import SettingsError
from refmaster.settings.document import read_document
from refmaster.settings.folders import TARGET_SUFFIXES, target_paths
from refmaster.settings.model import validate_document
from refmaster.settings.targets import DeliveryTarget


def delivery_targets(folder: Path | None = None) -> dict[str, DeliveryTarget]:
    """Return all targets by name, those of `folder` and the user's own included."""
    return {name: load_target(path) for name, path in target_paths(folder).items()}


def delivery_target(name: str, folder: Path | None = None) -> DeliveryTarget:
    """Return a target by its name, or by the path of its YAML file.

    Parameters
    ----------
    name : str
        ``spotify``, or ``my-target.yaml``.
    folder : Path, optional
        Looked into before all others; see `refmaster.settings.folders.target_paths`.

    Raises
    ------
    SettingsError
        There is no such target: it names the known ones; or its file is wrong.
    """
    return load_target(_found(name, folder))


def asked_targets(
    asked: str | DeliveryTarget | Sequence[str | DeliveryTarget], folder: Path | None = None
) -> list[DeliveryTarget]:
    """Return targets by name or path, each once; SettingsError as of `delivery_target`."""
    several = [asked] if isinstance(asked, str | DeliveryTarget) else asked
    found = [one if isinstance(one, DeliveryTarget) else delivery_target(one, folder) for one in several]
    return list({target.name: target for target in found}.values())


def target_text(name: str, folder: Path | None = None) -> str:
    """Return the text of a target's file; SettingsError as of `delivery_target`."""
    path = _found(name, folder)
    load_target(path)
    return path.read_text("utf-8")


def _found(name: str, folder: Path | None) -> Path:
    if name.lower().endswith(TARGET_SUFFIXES):
        return Path(name)
    paths = target_paths(folder)
    if name not in paths:
        close = difflib.get_close_matches(name, paths, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(paths)}"
        raise SettingsError(f"unknown delivery target {name!r}; {hint}")
    return paths[name]


def load_target(path: Path) -> DeliveryTarget:
    """Read a target; SettingsError names every problem as ``file:line:column: key: message``."""
    target = validate_document(DeliveryTarget, read_document(path))
    return target if target.name else target.model_copy(update={"name": path.stem})
