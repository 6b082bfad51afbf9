"""Engines side by side on one mix and reference: each rendered in its own process, all measured alike."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refmaster._types import Progress
from refmaster.check.findings import Finding, kept_promises, warning
from refmaster.check.preflight import require_supported, require_usable
from refmaster.compare.process import RenderJob, RenderReport, render_in_own_process
from refmaster.engines.registry import engine_named
from refmaster.io.atomic import atomic_destination, check_destinations
from refmaster.io.names import check_text
from refmaster.io.open import open_audio
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.bands import energy_mask, judged, smooth_power_db
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import profiles_side_by_side
from refmaster.settings.match import MatchSettings

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
    distance_db : float or None
        Tone to the reference, third-octave RMS, level removed.
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
    distance_db: float | None = None
    largest_move_db: float | None = None
    largest_move_hz: float | None = None
    kept: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All engines on one mix and reference."""

    settings: MatchSettings
    mix: Profile
    reference: Profile
    masters: tuple[ComparedMaster, ...]

    @property
    def kept_promises(self) -> bool:
        """Whether no render of refmaster's broke a promise (matchering makes none)."""
        return all(kept_promises(master.findings) for master in self.masters)


def compare_engines(
    mix: str | Path,
    reference: str | Path,
    settings: MatchSettings | None = None,
    *,
    keep: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Render a mix with refmaster, with matchering and with plain gain, and measure what was written.

    Parameters
    ----------
    mix, reference : str or Path
        Recordings; matchering cannot listen to a saved profile.
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
    engine_named("matchering").check([reference])
    mix_source, reference_source = open_audio(mix), open_audio(reference)
    require_supported(mix_source)
    inputs = [Path(path) for path in (mix, reference, settings.prior) if path is not None]
    check_text(inputs)
    kept = _destinations(Path(mix), keep, overwrite=overwrite, inputs=inputs)
    mix_profile, (reference_profile,) = profiles_side_by_side(mix_source, [reference_source], progress)
    require_usable(mix_profile, "mix")
    require_usable(reference_profile, "reference")
    asked = {engine_named(settings.engine).label: settings, "matchering": None, "gain": _gain_only(settings)}
    masters: list[ComparedMaster] = []
    with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
        for (name, own_settings), destination in zip(asked.items(), kept, strict=True):
            if progress is not None:
                progress(f"rendering: {name}", 0, None)
            output = Path(folder) / "master.wav"
            job = RenderJob(mix=str(mix), reference=str(reference), output=str(output), settings=own_settings)
            report = render_in_own_process(job)
            mix_source.check_unchanged()  # the other process opened them anew
            reference_source.check_unchanged()
            if report.error is None:
                master = measure(
                    open_audio(output), progress=progress, stage=f"measuring: {name}", identify=False
                )
                masters.append(_compared(name, report, mix_profile, reference_profile, master, destination))
                if destination is not None:
                    _copy(output, destination, overwrite=overwrite)
            else:
                refused = warning("engine_refused", f"{name}: {report.error}")
                masters.append(
                    ComparedMaster(name=name, cpu_s=report.cpu_s, peak_mb=report.peak_mb, findings=(refused,))
                )
            output.unlink(missing_ok=True)
    return Comparison(settings=settings, mix=mix_profile, reference=reference_profile, masters=tuple(masters))


def _gain_only(settings: MatchSettings) -> MatchSettings:
    return MatchSettings(
        tone=False,
        side=False,
        balance=False,
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
    name: str, report: RenderReport, mix: Profile, reference: Profile, master: Profile, kept: Path | None
) -> ComparedMaster:
    moved_db, moved_hz = largest_move(mix, master) or (None, None)
    return ComparedMaster(
        name=name,
        cpu_s=report.cpu_s,
        peak_mb=report.peak_mb,
        findings=report.findings,
        master=master,
        distance_db=tonal_distance_db(master, reference),
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
