"""Engines side by side on one mix: each renders it in a process of its own, and all are measured alike."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refmaster._types import Progress
from refmaster.check.findings import Finding, kept_promises, warning
from refmaster.check.preflight import require_supported, require_usable
from refmaster.comparison.process import RenderJob, RenderReport, render_in_own_process
from refmaster.engines.registry import engine_named
from refmaster.errors import SettingsError
from refmaster.io.atomic import atomic_destination, check_destinations
from refmaster.io.names import check_text
from refmaster.io.open import open_audio
from refmaster.io.suffixes import is_yaml
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.bands import energy_mask, judged, smooth_power_db
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import References, profiles_side_by_side, weighted_references
from refmaster.settings.match import MatchSettings
from refmaster.settings.summary import Summarized, measured

KEPT_NAMES = ("refmaster", "matchering", "gain")


@dataclass(frozen=True, kw_only=True)
class ComparedMaster:
    """One engine's master, measured on the written file.

    Attributes
    ----------
    name : str
        The engine, as a column's heading.
    cpu_s : float
        Of the whole process.
    peak_mb : float or None
        Most memory that the process held; None where the system does not tell.
    findings : tuple of Finding
        Of its own render.
    master : Profile or None
        None where the engine refused, as is all that follows.
    distances_db : tuple of (float or None)
        Tone to each reference, third-octave RMS, level removed.
    largest_move_db, largest_move_hz : float or None
        Largest change of the octave-smoothed spectrum against the mix, level removed, and where.
    kept : Path or None
        Where the master was kept.
    """

    name: str
    cpu_s: float
    peak_mb: float | None
    findings: tuple[Finding, ...]
    master: Profile | None = None
    distances_db: tuple[float | None, ...] = ()
    largest_move_db: float | None = None
    largest_move_hz: float | None = None
    kept: Path | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Summarized):
    """All engines on one mix and its references."""

    settings: MatchSettings
    mix: Profile
    references: tuple[Profile, ...]
    masters: tuple[ComparedMaster, ...]

    @property
    def kept_promises(self) -> bool:
        """Whether no render of refmaster's broke a promise (matchering makes none)."""
        return all(kept_promises(master.findings) for master in self.masters)

    def summary(self) -> list[tuple[str, str]]:
        """Return mix, references and each engine's master in words."""

        def levels(profile: Profile | None) -> str:
            found = None if profile is None else profile.levels
            return "refused" if found is None else measured(found.integrated_lufs, "LUFS")

        def of_master(master: ComparedMaster) -> str:
            tone = ", ".join(measured(d, "dB RMS") for d in master.distances_db)
            return f"{levels(master.master)}" + (f", tone to reference {tone}" if tone else "")

        return [
            ("mix", f"{self.mix.name}, {levels(self.mix)}"),
            ("references", "; ".join(f"{r.name}, {levels(r)}" for r in self.references)),
            *((master.name, of_master(master)) for master in self.masters),
            ("promises", "kept" if self.kept_promises else "broken"),
        ]


def compare(
    mix: str | Path,
    references: References,
    settings: MatchSettings | None = None,
    *,
    keep: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Render a mix with refmaster, with matchering and with plain gain, and measure what was written.

    Parameters
    ----------
    mix : str or Path
        A mono or stereo recording.
    references : path, (path, weight), or a sequence of those
        As for `master_file`. matchering takes one: it hears the recording that weighs most, and a finding
        says which. It cannot listen to a saved profile, so one recording at least is needed.
    settings : MatchSettings, optional
        For refmaster's own render; plain gain takes loudness, ceiling and reduction from it. matchering
        runs as its users run it: its own level and limiter, 24 bit, 44.1 kHz.
    keep : str or Path, optional
        A folder to keep the masters in.
    overwrite : bool
        Replace masters that are there.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Raises
    ------
    AudioError, SettingsError, OutputError
        Bad input or destination. Where matchering alone refuses, that is a finding instead.
    """
    settings = settings or MatchSettings()
    weighted = _with_paths(weighted_references(references))
    paths = [path for path, _ in weighted]
    heard = _heaviest_recording(weighted)
    mix_source = open_audio(mix)
    require_supported(mix_source)
    inputs = [Path(path) for path in (mix, *paths, settings.prior) if path is not None]
    check_text(inputs)
    kept = _destinations(Path(mix), keep, overwrite=overwrite, inputs=inputs)
    mix_profile, profiles = profiles_side_by_side(mix_source, paths, progress)
    require_usable(mix_profile, "mix")
    for profile in profiles:
        require_usable(profile, "reference")
    asked = {engine_named(settings.engine).label: settings, "matchering": None, "gain": _gain_only(settings)}
    masters: list[ComparedMaster] = []
    with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
        for (name, own_settings), destination in zip(asked.items(), kept, strict=True):
            if progress is not None:
                progress(f"rendering: {name}", 0, None)
            output = Path(folder) / "master.wav"
            its = [(heard, 1.0)] if own_settings is None else weighted
            job = RenderJob(
                mix=str(mix),
                references=tuple((str(path), weight) for path, weight in its),
                output=str(output),
                settings=own_settings,
            )
            report = render_in_own_process(job)
            mix_source.check_unchanged()  # the other process opened it anew
            if own_settings is None and len(weighted) > 1:
                report = _told_which(report, heard, len(weighted))
            if report.error is None:
                master = measure(
                    open_audio(output), progress=progress, stage=f"measuring: {name}", identify=False
                )
                masters.append(_compared(name, report, mix_profile, profiles, master, destination))
                if destination is not None:
                    _copy(output, destination, overwrite=overwrite)
            else:
                refused = warning("engine_refused", f"{name}: {report.error}")
                masters.append(
                    ComparedMaster(name=name, cpu_s=report.cpu_s, peak_mb=report.peak_mb, findings=(refused,))
                )
            output.unlink(missing_ok=True)
    return Comparison(settings=settings, mix=mix_profile, references=tuple(profiles), masters=tuple(masters))


def _with_paths(references: Iterable[tuple[str | Path | Profile, float]]) -> list[tuple[Path, float]]:
    found = []
    for reference, weight in references:
        if isinstance(reference, Profile):
            raise SettingsError("compare: expected the paths of references, found a profile; save it first")
        found.append((Path(reference), weight))
    return found


def _heaviest_recording(weighted: Sequence[tuple[Path, float]]) -> Path:
    """Return the reference for matchering; one that it refuses where there is no recording."""
    if not weighted:
        raise SettingsError("compare: expected a reference recording, found none")
    recordings = [pair for pair in weighted if not is_yaml(pair[0])]
    heard, _ = max(recordings or weighted, key=lambda pair: pair[1])
    engine_named("matchering").check([heard])
    return heard


def _told_which(report: RenderReport, heard: Path, count: int) -> RenderReport:
    told = warning(
        "engine_one_reference",
        f"matchering takes one reference: of the {count} it heard {heard.name}",
        "give it more weight than the others, or less, to choose which",
    )
    return report.model_copy(update={"findings": (*report.findings, told)})


def _gain_only(settings: MatchSettings) -> MatchSettings:
    return MatchSettings(
        tone=False,
        side=False,
        balance=False,
        dynamics=False,
        loudness=settings.loudness,
        target_lufs=settings.target_lufs,
        ceiling_dbtp=settings.ceiling_dbtp,
        max_reduction_db=settings.max_reduction_db,
    )


def _destinations(
    mix: Path, keep: str | Path | None, *, overwrite: bool, inputs: list[Path]
) -> list[Path | None]:
    """Return where the masters are kept, checked before anything is rendered."""
    if keep is None:
        return [None] * len(KEPT_NAMES)
    paths = [Path(keep) / f"{mix.stem}-{name}.wav" for name in KEPT_NAMES]
    check_destinations(paths, overwrite=overwrite, inputs=inputs)
    return [*paths]


def _compared(
    name: str,
    report: RenderReport,
    mix: Profile,
    references: Sequence[Profile],
    master: Profile,
    kept: Path | None,
) -> ComparedMaster:
    moved_db, moved_hz = largest_move(mix, master) or (None, None)
    return ComparedMaster(
        name=name,
        cpu_s=report.cpu_s,
        peak_mb=report.peak_mb,
        findings=report.findings,
        master=master,
        distances_db=tuple(tonal_distance_db(master, reference) for reference in references),
        largest_move_db=moved_db,
        largest_move_hz=moved_hz,
        kept=kept,
    )


def largest_move(before: Profile, after: Profile) -> tuple[float, float] | None:
    """Return the largest octave-smoothed change of the mid in dB, level removed, and its place in Hz."""
    count = min(len(before.spectrum.frequencies_hz), len(after.spectrum.frequencies_hz))
    hz = np.asarray(before.spectrum.frequencies_hz)[:count]
    own, its = (np.asarray(p.spectrum.mid_db)[:count] for p in (before, after))
    counts = energy_mask(hz, own) & judged(hz)
    if not counts.any():
        return None
    moved = smooth_power_db(its, 1.0) - smooth_power_db(own, 1.0)
    moved -= moved[counts].mean()
    worst = int(np.flatnonzero(counts)[np.argmax(np.abs(moved[counts]))])
    return float(moved[worst]), float(hz[worst])


def _copy(source: Path, destination: Path, *, overwrite: bool) -> None:
    with atomic_destination(destination, overwrite=overwrite) as making:
        shutil.copyfile(source, making.path)
        making.commit()
