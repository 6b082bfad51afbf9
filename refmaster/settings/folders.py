"""The user's own folder, and the folders that delivery targets are looked for in.

Light, because help and completion list the names of targets.
"""

from __future__ import annotations

import os
from pathlib import Path

from refmaster.errors import SettingsError
from refmaster.settings.shipped import shipped_folder

TARGET_SUFFIXES = (".yaml", ".yml")
OWN_TARGETS = "targets"


def own_folder() -> Path:
    """Return the folder of own defaults and targets: ``$REFMASTER_CONFIG``, or the user's configuration."""
    named = os.environ.get("REFMASTER_CONFIG")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("refmaster", appauthor=False)


def target_paths(folder: Path | None = None) -> dict[str, Path]:
    """Return the file of each delivery target by name, in alphabetical order.

    A name that stands in several folders is taken from the first of: `folder`, the folder that
    ``$REFMASTER_TARGETS`` names, ``targets`` in the user's own folder, those that come with refmaster.

    Raises
    ------
    SettingsError
        A folder that was named is none.
    """
    named = os.environ.get("REFMASTER_TARGETS")
    asked = [*([folder] if folder is not None else []), *([Path(named)] if named else [])]
    for path in asked:
        if not path.is_dir():
            raise SettingsError(f"{path}: expected a folder with delivery targets (YAML), found none")
    found: dict[str, Path] = {}
    for path in (*asked, own_folder() / OWN_TARGETS, shipped_folder("targets")):
        for file in sorted(path.glob("*")) if path.is_dir() else ():
            if file.suffix.lower() in TARGET_SUFFIXES and not file.name.startswith("."):
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))
