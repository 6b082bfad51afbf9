"""``manifest.json``: how delivered files were made, what was asked of them and what was measured on them.

Paths are relative to the manifest's folder and have forward slashes. Each delivery holds its whole plan, so
that it can be rendered again; what else was needed (mix, stems, cover art) is named with its SHA-256.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from refmaster.errors import OutputError
from refmaster.io.atomic import write_text
from refmaster.io.digest import sha256_of
from refmaster.io.open import open_audio
from refmaster.io.suffixes import is_url
from refmaster.plan import MasteringPlan, relocated
from refmaster.profile.model import Profile
from refmaster.rendering.result import MasterResult
from refmaster.settings.document import PROFILE_MAX_BYTES, PROFILE_MAX_VALUES, read_document
from refmaster.settings.model import Model, PathText, validate_document
from refmaster.version import __version__

MAX_DELIVERIES = 1000
_PACKAGES = ("numpy", "scipy", "soundfile", "soxr", "mutagen", "av")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    """Return the path of a delivered file; ValueError unless it stays below the manifest's folder."""
    parts = PurePosixPath(path).parts
    rooted = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or "\\" in path
    if not parts or rooted or ".." in parts or is_url(path) or "\0" in path:
        raise ValueError(
            "expected a file in the manifest's folder, by a relative path with forward slashes and without "
            f'"..", found {path!r}'
        )
    return path


DeliveredPath = Annotated[PathText, AfterValidator(_inside)]


class InputFile(Model):
    """A file that the render reads, or that the plan was derived from."""

    role: Literal["mix", "stem", "art", "reference"]
    file: PathText = Field(description="relative to the manifest, or a URL")
    sha256: Sha256 | None = Field(description="null: not known")


class AskedOfDelivery(Model):
    """Promises of the written file."""

    integrated_lufs: float | None = Field(description="LUFS; null: no loudness was asked for")
    tolerance_lu: float = Field(gt=0.0, le=10.0, description="LU")
    limited_by: str | None = Field(description="what kept the loudness below; null: nothing")
    true_peak_dbtp: float = Field(description="dBTP, never above")
    sample_rate_hz: int
    bit_depth: str | None = Field(description="null: as the mix")


class AchievedByDelivery(Model):
    """Measurements of the written file by refmaster's own meters, when it was written."""

    integrated_lufs: float | None = Field(description="LUFS; null: silence or under 0.4 s")
    loudness_range_lu: float | None = Field(description="LU")
    true_peak_dbtp: float | None = Field(description="dBTP")
    sample_peak_dbfs: float | None = Field(description="dBFS")
    container: str
    subtype: str
    lossy: bool
    sample_rate_hz: int
    channels: int
    frames: int
    duration_s: float = Field(description="s")


class Delivery(Model):
    """One written file."""

    file: DeliveredPath = Field(description="relative to the manifest, and below its folder")
    sha256: Sha256
    bytes: int = Field(ge=1)
    target: str | None = Field(description="the delivery target it was made for; null: none by name")
    inputs: tuple[InputFile, ...]
    asked: AskedOfDelivery
    achieved: AchievedByDelivery
    findings: tuple[str, ...] = Field(description="codes of the findings that were not only to explain")
    plan: MasteringPlan = Field(description="renders the file again; paths are relative to the manifest")


class Manifest(Model):
    """The deliveries of one run."""

    version: Literal[1] = 1
    made_by: str
    versions: dict[str, str] = Field(description="of what decides bytes: libraries and Python")
    deliveries: tuple[Delivery, ...] = Field(min_length=1, max_length=MAX_DELIVERIES)


def write_manifest(
    path: str | Path,
    results: Sequence[MasterResult],
    *,
    targets: Sequence[str | None] = (),
    overwrite: bool = False,
) -> Manifest:
    """Write the manifest of masters that were rendered and kept, complete or not at all.

    Parameters
    ----------
    path : str or Path
        Of the JSON file; the masters are in its folder or below.
    results : sequence of MasterResult
        Paths in their plans are relative to the working directory.
    targets : sequence of str or None, optional
        The delivery target of each master.
    overwrite : bool
        Replace an existing manifest.

    Raises
    ------
    OutputError
        A master is not below the manifest's folder, or the manifest cannot be written.
    AudioError
        A master cannot be read.
    """
    raise NotImplementedError
