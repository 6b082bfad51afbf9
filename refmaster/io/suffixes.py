"""The one list of file name suffixes, in lower case, and what else a name tells.

Light, because planning a batch imports it.
"""

from __future__ import annotations

import re
from pathlib import PurePath

CONTAINERS = {
    ".wav": "WAV", ".wave": "WAV", ".bwf": "WAV", ".rf64": "RF64", ".w64": "W64",
    ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".caf": "CAF", ".flac": "FLAC",
    ".mp3": "MP3", ".ogg": "OGG", ".oga": "OGG", ".opus": "OPUS", ".m4a": "M4A",
}  # fmt: skip
"""The container that a written file gets by its suffix."""

AUDIO_SUFFIXES = frozenset(CONTAINERS) | {".au", ".mp4", ".aac", ".wma", ".wv", ".ape", ".alac"}
"""Files taken from a folder as recordings; a file that is named outright is opened whatever its suffix."""

YAML_SUFFIXES = (".yaml", ".yml")

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(location: str) -> bool:
    """Return whether a location is a URL; anything else is a path."""
    return _URL.match(location) is not None


def is_yaml(name: str | PurePath) -> bool:
    """Return whether a name has the suffix of a YAML file, as saved profiles have where audio could stand."""
    return PurePath(name).suffix.lower() in YAML_SUFFIXES


def is_recording(name: str | PurePath) -> bool:
    """Return whether a file found in a folder counts as a recording: by its suffix, hidden files never."""
    path = PurePath(name)
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
