"""Settings in files: one that a person names, and the person's own defaults in the configuration folder.

The keys are those of a job: all settings of a match (`target` among them), `bit_depth`, `sample_rate_hz` and
`dither_seed`. What is set later wins: own defaults, then a settings file, then the options of a command.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refmaster.settings.document import read_document
from refmaster.settings.folders import own_folder
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import validate_document
from refmaster.settings.output import OutputSettings
from refmaster.settings.repair import updated

DEFAULTS_NAME = "settings.yaml"


class SettingsFile(MatchSettings, OutputSettings):
    """The keys of a settings file."""


@dataclass(frozen=True)
class SettingsLayer:
    """The settings of one file.

    Attributes
    ----------
    path : Path
    match : dict
        Fields of `MatchSettings`; a target is replaced by its values.
    output : dict
        Fields of `OutputSettings`.
    """

    path: Path
    match: dict[str, Any]
    output: dict[str, Any]


def load_settings(path: Path) -> SettingsLayer:
    """Read a settings file; the path of a prior is relative to it.

    Raises
    ------
    SettingsError
        Naming every problem with its line.
    """
    found = validate_document(SettingsFile, read_document(path))
    values = found.model_dump(exclude_unset=True)
    if values.get("prior") is not None:
        values["prior"] = str(path.parent / values["prior"])
    output = {name: values.pop(name) for name in OutputSettings.model_fields if name in values}
    return SettingsLayer(path, values, output)


def own_defaults() -> SettingsLayer | None:
    """Return the user's own defaults; None where there is no such file."""
    path = own_defaults_path()
    return load_settings(path) if path.is_file() else None


def own_defaults_path() -> Path:
    """Return the file of own defaults, in ``$REFMASTER_CONFIG`` or the user's configuration folder."""
    return own_folder() / DEFAULTS_NAME


def merged_layers(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of all layers, the last one's first; a loudness to reach and none undo each other."""
    merged: dict[str, Any] = {}
    for layer in layers:
        if layer.get("loudness") is False:
            merged.pop("target_lufs", None)
        elif layer.get("target_lufs") is not None:
            merged.pop("loudness", None)
        merged = updated(merged, layer)
    return merged
