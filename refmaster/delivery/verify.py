"""Proof of delivered files: hashes, independent meters, and a render that gives the same bytes.

A manifest may come from anybody. Delivered files are read from its folder and below, never through a
symbolic link that leads out. Inputs (mix, stems, cover art), which may be anywhere, are touched only where a
render is asked for; they are hashed first, and read as audio only if the hash is the manifest's. URLs and
paths from the root are never followed. A render goes to a temporary folder, and nothing of it stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from refmaster._types import Progress
from refmaster.check.findings import Finding, Where, broken, info, kept_promises, warning
from refmaster.delivery.manifest import Delivery, InputFile, load_manifest, present_versions
from refmaster.delivery.meters import IndependentReading, independent_readings
from refmaster.delivery.same import samples_apart
from refmaster.errors import AudioError, InputError
from refmaster.io.digest import sha256_of
from refmaster.io.open import open_audio
from refmaster.io.suffixes import is_url
from refmaster.plan import beside
from refmaster.rendering.render import render_file
from refmaster.settings.summary import Summarized, measured
from refmaster.units import amplitude_to_db

# As far as meters of BS.1770 that are made independently differ on music.
METERS_LU = 0.1
# EBU Tech 3341 allows a true-peak meter 0.2 dB too much. Too little is no evidence: on clipped music the
# short filters of other meters read up to 0.85 dB less than refmaster's (`refmaster.meters.true_peak`).
METERS_DB, SHORT_FILTER_DB = 0.2, 1.0

Render = Literal["same bytes", "same samples", "differs", "not done", "not asked"]


@dataclass(frozen=True, kw_only=True)
class VerifiedFile:
    """One delivered file, as it is now.

    Attributes
    ----------
    delivery : Delivery
        What the manifest says of it.
    readings : tuple of IndependentReading
        Empty where it cannot be read.
    render : str
        ``same bytes``, ``same samples`` (lossy codecs), ``differs``, ``not done`` (an input is missing or
        another file) or ``not asked``.
    findings : tuple of Finding
    """

    delivery: Delivery
    readings: tuple[IndependentReading, ...]
    render: Render
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Verification(Summarized):
    """A verified manifest.

    Attributes
    ----------
    manifest : Path
    files : tuple of VerifiedFile
        In the manifest's order.
    """

    manifest: Path
    files: tuple[VerifiedFile, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, file by file."""
        return tuple(finding for file in self.files for finding in file.findings)

    @property
    def kept_promises(self) -> bool:
        """Whether no finding is a broken promise."""
        return kept_promises(self.findings)

    def summary(self) -> list[tuple[str, str]]:
        """Return what was found of each file."""
        rows = [("manifest", str(self.manifest))]
        for file in self.files:
            said = [
                f"{r.meter} {measured(r.integrated_lufs, 'LUFS', decimals=2)}"
                + (f", {measured(r.true_peak_dbtp, 'dBTP', decimals=2)}" if r.has_true_peak else "")
                for r in file.readings
            ]
            rows.append((file.delivery.file, "; ".join([*said, *map(str, file.findings)])))
        return [*rows, ("verified", "yes" if self.kept_promises else "no")]


def verify(manifest: str | Path, *, render: bool = False, progress: Progress | None = None) -> Verification:
    """Compare delivered files with their manifest, and measure them again with independent meters.

    Parameters
    ----------
    manifest : str or Path
        A ``manifest.json``.
    render : bool
        Render each file again from its plan as well, and compare the bytes; of lossy codecs the samples.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Raises
    ------
    SettingsError
        The manifest is damaged, of another version, or names files that it may not.
    InputError
        A delivered file is reached through a symbolic link that leads out of the manifest's folder.
    """
    path = Path(manifest)
    loaded = load_manifest(path)
    files = []
    for delivery in loaded.deliveries:
        file = _Check(delivery, path.parent, progress)
        file.check_file()
        if render:
            file.check_render(loaded.versions)
        files.append(
            VerifiedFile(
                delivery=delivery,
                readings=tuple(file.readings),
                render=file.render,
                findings=tuple(file.findings),
            )
        )
    return Verification(manifest=path, files=tuple(files))


@dataclass
class _Check:
    """The checks of one delivery, and what they have found so far."""

    delivery: Delivery
    folder: Path
    progress: Progress | None
    findings: list[Finding] = field(default_factory=list)
    readings: list[IndependentReading] = field(default_factory=list)
    render: Render = "not asked"

    @property
    def name(self) -> str:
        return self.delivery.file

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def tell(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(f"{stage} {self.name}", 0, None)

    def check_file(self) -> None:
        """Compare hash, form, loudness and true peak with the manifest."""
        if not _is_regular(self.path):
            self.findings.append(
                broken("file_missing", f"{self.name}: there is no such file beside the manifest")
            )
            return
        _require_below(self.path, self.folder)
        self.tell("hashing")
        found = sha256_of(self.path)
        if found != self.delivery.sha256:
            self.findings.append(
                broken(
                    "file_changed",
                    f"{self.name}: expected the file that was delivered (sha256 "
                    f"{self.delivery.sha256[:12]}...), found another ({found[:12]}...)",
                    "its samples, its tags or the whole file were changed since",
                )
            )
        self.tell("measuring")
        try:
            self._check_form()
            self.readings = independent_readings(self.path)
        except AudioError as error:
            self.findings.append(broken("file_unreadable", f"{self.name}: {error}"))
            return
        self._check_loudness()
        self._check_true_peak()

    def _check_form(self) -> None:
        achieved, found = self.delivery.achieved, open_audio(self.path).format
        expected = (achieved.sample_rate_hz, achieved.channels, achieved.frames)
        frames = achieved.frames if found.frames is None else found.frames
        there = (found.sample_rate_hz, found.channels, frames)
        if there != expected:
            self.findings.append(
                broken(
                    "format_differs",
                    f"{self.name}: expected {expected[0]} Hz, {expected[1]} channel(s) and {expected[2]} "
                    f"frames, found {there[0]} Hz, {there[1]} channel(s) and {there[2]} frames",
                )
            )

    def _check_loudness(self) -> None:
        asked, achieved = self.delivery.asked, self.delivery.achieved.integrated_lufs
        for reading in self.readings:
            found, tolerance = reading.integrated_lufs, METERS_LU + reading.resolution / 2
            if (found is None) != (achieved is None) or _apart(found, achieved) > tolerance:
                said, stated = (measured(lufs, "LUFS", decimals=2) for lufs in (found, achieved))
                self.findings.append(
                    broken(
                        "loudness_differs",
                        f"{self.name}: the manifest says {stated}, {reading.meter} measures {said}",
                        value=found,
                        limit=achieved,
                        unit="LUFS",
                    )
                )
            if asked.integrated_lufs is None or found is None:
                continue
            if _apart(found, asked.integrated_lufs) > asked.tolerance_lu + reading.resolution / 2 + METERS_LU:
                message = (
                    f"{self.name}: {asked.integrated_lufs:.1f} LUFS was asked for, {reading.meter} measures "
                    f"{found:.2f} LUFS"
                )
                where = Where(value=found, limit=asked.integrated_lufs, unit="LUFS")
                if asked.limited_by is not None and found < asked.integrated_lufs:
                    advice = "what keeps it below stands in the plan"
                    self.findings.append(warning("loudness_not_as_asked", message, advice, **where))
                else:
                    self.findings.append(broken("loudness_not_as_asked", message, **where))
                return

    def _check_true_peak(self) -> None:
        achieved, ceiling = self.delivery.achieved.true_peak_dbtp, self.delivery.asked.true_peak_dbtp
        readings = [reading for reading in self.readings if reading.has_true_peak]
        if not readings:
            self.findings.append(
                info(
                    "true_peak_not_measured",
                    f"{self.name}: there is no independent meter for the true peak",
                    "install pyebur128 (libebur128) or ffmpeg",
                )
            )
        for reading in readings:
            found = reading.true_peak_dbtp
            above = METERS_DB + reading.resolution / 2
            if (found is None) != (achieved is None) or not (
                found is None or achieved is None or -SHORT_FILTER_DB <= found - achieved <= above
            ):
                said, stated = (measured(dbtp, "dBTP", decimals=2) for dbtp in (found, achieved))
                self.findings.append(
                    broken(
                        "true_peak_differs",
                        f"{self.name}: the manifest says {stated}, {reading.meter} measures {said}",
                        value=found,
                        limit=achieved,
                        unit="dBTP",
                    )
                )
            if found is not None and found > ceiling + above:
                self.findings.append(
                    broken(
                        "true_peak_above",
                        f"{self.name}: at most {ceiling:g} dBTP was asked for, {reading.meter} measures "
                        f"{found:.2f} dBTP",
                        value=found,
                        limit=ceiling,
                        unit="dBTP",
                    )
                )

    def check_render(self, versions: dict[str, str]) -> None:
        """Render the file again and compare it with the manifest's hash."""
        needed = [item for item in self.delivery.inputs if item.role != "reference"]
        problems = [finding for item in needed for finding in self._input_problems(item)]
        self.findings += problems
        self.render = "not done"
        if problems:
            return
        with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
            again = Path(folder) / PurePosixPath(self.name).name
            try:
                render_file(beside(self.delivery.plan, self.folder), again, progress=self.progress)
            except InputError as error:
                self.findings.append(
                    broken("render_failed", f"{self.name}: cannot be rendered again: {error}")
                )
                return
            if sha256_of(again) == self.delivery.sha256:
                self.render = "same bytes"
                return
            self._compare_samples(again, versions)

    def _compare_samples(self, again: Path, versions: dict[str, str]) -> None:
        """Judge a render whose bytes are not those of the manifest by its samples."""
        damage = {"file_missing", "file_changed", "file_unreadable"}
        apart: float | None = None
        if damage & {finding.code for finding in self.findings}:
            said = "its samples cannot be compared, for the delivered file is not there as it was"
        else:
            apart = samples_apart(self.path, again)
            if apart == 0.0 and self.delivery.achieved.lossy:
                self.render = "same samples"
                return
            said = "sample rate, channels or length differ"
            if apart is not None:
                level = f"its samples differ by up to {amplitude_to_db(apart):.1f} dBFS"
                said = level if apart else "the samples are the same; tags or header differ"
        self.render = "differs"
        now = present_versions()
        others = [
            f"{n} {versions[n]} then, {now.get(n, 'none')} now" for n in versions if versions[n] != now.get(n)
        ]
        self.findings.append(
            broken(
                "render_differs",
                f"{self.name}: rendered again it is another file: {said}",
                f"other versions are installed: {'; '.join(others)}" if others else "",
                value=float(amplitude_to_db(apart)) if apart else None,
                unit="dBFS",
            )
        )

    def _input_problems(self, item: InputFile) -> Iterator[Finding]:
        place = f"{self.name}: the {item.role} {item.file}"
        rooted = PurePosixPath(item.file).is_absolute() or PureWindowsPath(item.file).drive
        path = self.folder / item.file
        if is_url(item.file) or rooted:
            advice = "put it beside the manifest, name it there by a relative path"
            yield broken("input_missing", f"{place} is not read: expected a relative path", advice)
        elif not _is_regular(path):
            yield broken("input_missing", f"{place} is not there", "put it where the manifest names it")
        elif item.sha256 is None or sha256_of(path) != item.sha256:
            yield broken("input_changed", f"{place} is not the file that was rendered: its sha256 is another")


def _is_regular(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _require_below(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{path}: expected a file in the manifest's folder, found a symbolic link that leads out of it"
        )


def _apart(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)
