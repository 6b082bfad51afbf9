"""``manifest.json``: how delivered files were made, what was asked of them and what was measured on them.

Paths are relative to the manifest's folder and have forward slashes. Each delivery holds its whole plan, so
that it can be rendered again; the files that this needs (mix, stems, cover art) are named with their SHA-256.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from refmaster.errors import OutputError, SettingsError
from refmaster.io.atomic import write_text
from refmaster.io.digest import sha256_of
from refmaster.io.names import check_text
from refmaster.io.suffixes import is_url
from refmaster.plan import MasteringPlan, relocated
from refmaster.profile.model import Profile
from refmaster.rendering.result import MasterResult
from refmaster.settings.document import PROFILE_MAX_BYTES, PROFILE_MAX_VALUES, parse_document, read_text
from refmaster.settings.model import Model, PathText, validate_document
from refmaster.settings.records import MixRecord
from refmaster.version import __version__, made_by

VERSION = 1
MAX_DELIVERIES = 1000
# The packages whose version may decide the bytes of a master.
_PACKAGES = ("numpy", "scipy", "soundfile", "soxr", "mutagen", "av")
# What YAML takes for a line end or does not take at all; JSON takes its escape for the same.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# A character beyond 16 bits as JSON escapes it, in two parts, which YAML does not take.
_PAIRS = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    """Return the path of a delivered file; ValueError unless it stays below the manifest's folder."""
    parts = PurePosixPath(path).parts
    rooted = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or "\\" in path
    if not parts or rooted or ".." in parts or is_url(path) or "\0" in path:
        raise ValueError(
            "expected a file in the manifest's folder, by a relative path with forward slashes and without "
            f'"..", found {path[:60]!r}'
        )
    return path


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

    file: Annotated[PathText, AfterValidator(_inside)] = Field(
        description="relative to the manifest, and below its folder"
    )
    sha256: Sha256
    bytes: int = Field(ge=1)
    target: str | None = Field(description="the delivery target it was made for; null: none by name")
    inputs: tuple[InputFile, ...]
    asked: AskedOfDelivery
    achieved: AchievedByDelivery
    findings: tuple[str, ...] = Field(description="codes of its findings, but for those that only explain")
    plan: MasteringPlan = Field(description="renders the file again; paths are relative to the manifest")

    @model_validator(mode="after")
    def _read_are_listed(self) -> Delivery:
        listed = {(item.role, item.file, item.sha256) for item in self.inputs}
        for item in _read_by(self.plan):
            if (item.role, item.file, item.sha256) not in listed:
                raise ValueError(
                    f"inputs: expected the {item.role} that the plan reads, {item.file[:60]!r} with its "
                    "sha256; found none such"
                )
        return self


class Manifest(Model):
    """The deliveries of one run."""

    version: int = Field(ge=VERSION, le=VERSION)
    made_by: str
    versions: dict[str, str] = Field(description="of what may decide the bytes: Python and libraries")
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
    path = Path(path)
    named = targets or [None] * len(results)
    deliveries = [_delivery(result, target, path) for result, target in zip(results, named, strict=True)]
    manifest = Manifest(
        version=VERSION, made_by=made_by(), versions=present_versions(), deliveries=tuple(deliveries)
    )
    text = _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", _json(manifest.model_dump(mode="json")))
    write_text(path, text + "\n", overwrite=overwrite, inputs=[path.parent / d.file for d in deliveries])
    return manifest


def load_manifest(path: str | Path) -> Manifest:
    """Read a manifest; SettingsError names every problem as ``file:line:column: key.path: message``."""
    text = read_text(path, max_bytes=PROFILE_MAX_BYTES, expected="a manifest")
    text = _PAIRS.sub(lambda match: match[1] + json.loads(f'"{match[2]}"'), text)
    document = parse_document(text, name=str(path), max_values=PROFILE_MAX_VALUES)
    found = document.data.get("version") if isinstance(document.data, dict) else None
    if isinstance(found, int) and found > VERSION and "deliveries" in document.data:
        raise SettingsError(
            f"{path}: expected a manifest of version {VERSION}, found {found}: a later refmaster wrote "
            f"it, and this is {__version__}"
        )
    return validate_document(Manifest, document)


def present_versions() -> dict[str, str]:
    """Return the versions of what may decide the bytes of a master, by name."""
    import soundfile
    import soxr

    found = {
        "refmaster": __version__,
        "python": platform.python_version(),
        "libsndfile": str(soundfile.__libsndfile_version__),
        "libsoxr": str(soxr.__libsoxr_version__),
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def require_beside(output: str | Path, manifest: str | Path) -> None:
    """Refuse a manifest that is not in the folder of a master or above it.

    Raises
    ------
    OutputError
        Naming both; also for a URL.
    """
    _relative(output, Path(manifest))


def _delivery(result: MasterResult, target: str | None, manifest: Path) -> Delivery:
    if result.output is None:
        raise OutputError(f"{manifest}: expected masters that were written, found one that was not kept")
    file, output = _relative(result.output, manifest), Path(result.output)
    plan = relocated(_of_what_was_read(result), manifest.parent)
    inputs = [*_read_by(plan)]
    inputs += [InputFile(role="reference", file=r.file, sha256=r.sha256) for r in plan.references]
    check_text(item.file for item in inputs)
    promise = plan.promise
    return Delivery(
        file=file,
        sha256=sha256_of(output),
        bytes=output.stat().st_size,
        target=target,
        inputs=tuple(inputs),
        asked=AskedOfDelivery(
            integrated_lufs=promise.integrated_lufs,
            tolerance_lu=promise.tolerance_lu,
            limited_by=promise.limited_by,
            true_peak_dbtp=promise.true_peak_dbtp,
            sample_rate_hz=plan.output.sample_rate_hz,
            bit_depth=plan.output.bit_depth,
        ),
        achieved=_achieved(result.master),
        findings=tuple(dict.fromkeys(f.code for f in result.findings if f.severity != "info")),
        plan=plan,
    )


def _relative(output: str | Path, manifest: Path) -> str:
    if not is_url(str(output)) and not is_url(str(manifest)):
        try:
            return _inside(Path(os.path.relpath(output, manifest.parent)).as_posix())
        except ValueError:  # another drive, or not below
            pass
    raise OutputError(
        f"{manifest}: expected the manifest in the folder of {output}, or above it; name one there"
    )


def _of_what_was_read(result: MasterResult) -> MasteringPlan:
    """Return the plan, with the mix that was rendered in place of the plan's where that was another."""
    plan, read = result.plan, result.mix.source
    if plan.stems or read.sha256 in (None, plan.mix.sha256):
        return plan
    mix = MixRecord(
        file=read.file,
        sha256=read.sha256,
        sample_rate_hz=read.sample_rate_hz,
        channels=read.channels,
        frames=read.frames,
    )
    return plan.model_copy(update={"mix": mix})


def _read_by(plan: MasteringPlan) -> Iterator[InputFile]:
    """Yield the files that a render of the plan reads."""
    if not plan.stems:
        yield InputFile(role="mix", file=plan.mix.file, sha256=plan.mix.sha256)
    for stem in plan.stems:
        yield InputFile(role="stem", file=stem.file, sha256=stem.sha256)
    if plan.art is not None:
        yield InputFile(role="art", file=plan.art.file, sha256=plan.art.sha256)


def _achieved(master: Profile) -> AchievedByDelivery:
    levels, source = master.levels, master.source
    return AchievedByDelivery(
        integrated_lufs=levels.integrated_lufs,
        loudness_range_lu=levels.loudness_range_lu,
        true_peak_dbtp=levels.true_peak_dbtp,
        sample_peak_dbfs=levels.sample_peak_dbfs,
        container=source.container,
        subtype=source.subtype,
        lossy=source.lossy,
        sample_rate_hz=source.sample_rate_hz,
        channels=source.channels,
        frames=source.frames,
        duration_s=source.duration_s,
    )


def _json(value: Any, indent: str = "") -> str:
    """Return JSON in which keys stand in lines of their own, and rows of numbers in one."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{json.dumps(k, ensure_ascii=False)}: {_json(v, inner)}" for k, v in value.items()]
        opened, closed = "{}"
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        rows, opened, closed = [_json(item, inner) for item in value], "[", "]"
    else:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return opened + "\n" + ",\n".join(inner + row for row in rows) + "\n" + indent + closed
