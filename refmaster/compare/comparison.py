"""Engines side by side on one mix and reference: each rendered in its own process, all measured alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from refmaster._types import Progress
from refmaster.check.findings import Finding, warning
from refmaster.check.preflight import require_stereo, require_usable
from refmaster.compare.process import Job, Outcome
from refmaster.engines.registry import engine_named
from refmaster.io.atomic import atomic_destination, check_destination
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.bands import energy_mask, judged, smooth_power_db
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.settings.match import MatchSettings

# A column's name, who renders it, and with which settings.
Entry = tuple[str, Literal["shell", "matchering"], MatchSettings]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One engine's master, measured on the written file.

    Attributes
    ----------
    name : str
    master : Profile or None
        None where the engine refused.
    distance_db : float or None
        Tone to the reference, third-octave RMS, level removed.
    largest_move_db, largest_move_hz : float or None
        Largest change of the octave-smoothed spectrum against the mix, level removed, and where.
    cpu_s : float
        Of the whole process.
    peak_mb : float or None
        Most memory that the process held; None where the system does not tell.
    findings : tuple of Finding
        Of its own render.
    kept : Path or None
        Where the master was kept.
    """

    name: str
    master: Profile | None
    distance_db: float | None
    largest_move_db: float | None
    largest_move_hz: float | None
    cpu_s: float
    peak_mb: float | None
    findings: tuple[Finding, ...]
    kept: Path | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All engines on one mix and reference."""

    settings: MatchSettings
    mix: Profile
    reference: Profile
    contenders: tuple[Contender, ...]

    @property
    def kept_promises(self) -> bool:
        """True where no render of refmaster's broke a promise (matchering makes none)."""
        return all(f.severity != "broken_promise" for c in self.contenders for f in c.findings)


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
        Recordings; a saved profile is nothing that matchering could hear.
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
    sources = (open_audio(mix), open_audio(reference))
    require_stereo(sources[0])
    kept = _destinations(Path(mix), keep, overwrite=overwrite, inputs=[Path(mix), Path(reference)])
    profiles = _measured(sources, progress)
    ours = engine_named(settings.engine).label
    entries: tuple[Entry, ...] = (
        (ours, "shell", settings),
        ("matchering", "matchering", settings),
        _gain_only(settings),
    )
    contenders: list[Contender] = []
    with tempfile.TemporaryDirectory(prefix="refmaster-") as name:
        folder = Path(name)
        for entry, destination in zip(entries, kept, strict=True):
            if progress is not None:
                progress(f"rendering: {entry[0]}", 0, None)
            output = folder / "master.wav"
            outcome = _in_own_process(_job(entry, mix, reference, output), folder)
            contenders.append(_judged(entry[0], output, outcome, profiles, destination, progress))
            if destination is not None and outcome.error is None:
                _copy(output, destination, overwrite=overwrite)
            output.unlink(missing_ok=True)
    return Comparison(settings=settings, mix=profiles[0], reference=profiles[1], contenders=tuple(contenders))


def _gain_only(settings: MatchSettings) -> Entry:
    chosen = MatchSettings(
        tone=False,
        side=False,
        balance=False,
        loudness=settings.loudness,
        target_lufs=settings.target_lufs,
        ceiling_dbtp=settings.ceiling_dbtp,
        max_reduction_db=settings.max_reduction_db,
    )
    return "gain", "shell", chosen


def _job(entry: Entry, mix: str | Path, reference: str | Path, output: Path) -> Job:
    _, engine, settings = entry
    return Job(
        engine=engine,
        mix=str(mix),
        reference=str(reference),
        output=str(output),
        outcome=str(output.with_name("outcome.json")),
        settings=settings,
    )


def _measured(sources: tuple[AudioSource, AudioSource], progress: Progress | None) -> tuple[Profile, Profile]:
    mix = measure(sources[0], progress=progress)
    require_usable(mix, "mix")
    reference = measure(sources[1], progress=progress, stage="measuring the reference")
    require_usable(reference, "reference")
    return mix, reference


def _destinations(
    mix: Path, keep: str | Path | None, *, overwrite: bool, inputs: list[Path]
) -> list[Path | None]:
    """Return where the masters are kept, checked before anything is rendered."""
    if keep is None:
        return [None, None, None]
    folder = Path(keep)
    found: list[Path | None] = []
    for name in ("refmaster", "matchering", "gain"):
        path = folder / f"{mix.stem}-{name}.wav"
        check_destination(path, overwrite=overwrite, inputs=inputs)
        found.append(path)
    return found


def _in_own_process(job: Job, folder: Path) -> Outcome:
    path = folder / "job.json"
    path.write_text(json.dumps(job.model_dump(mode="json")), encoding="utf-8")
    Path(job.outcome).unlink(missing_ok=True)
    command = [sys.executable, "-m", "refmaster.compare.process", str(path)]
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    if done.returncode != 0:
        raise RuntimeError(f"the render of {job.engine} failed:\n{done.stderr.decode(errors='replace')}")
    return Outcome.model_validate_json(Path(job.outcome).read_text(encoding="utf-8"))


def _judged(
    name: str,
    output: Path,
    outcome: Outcome,
    profiles: tuple[Profile, Profile],
    kept: Path | None,
    progress: Progress | None,
) -> Contender:
    if outcome.error is not None:
        refused = warning("engine_refused", f"{name}: {outcome.error}")
        return Contender(
            name=name,
            master=None,
            distance_db=None,
            largest_move_db=None,
            largest_move_hz=None,
            cpu_s=outcome.cpu_s,
            peak_mb=outcome.peak_mb,
            findings=(refused,),
            kept=None,
        )
    mix, reference = profiles
    master = measure(open_audio(output), progress=progress, stage=f"measuring: {name}", identify=False)
    move = largest_move(mix, master)
    return Contender(
        name=name,
        master=master,
        distance_db=tonal_distance_db(master, reference),
        largest_move_db=None if move is None else move[0],
        largest_move_hz=None if move is None else move[1],
        cpu_s=outcome.cpu_s,
        peak_mb=outcome.peak_mb,
        findings=outcome.findings,
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
    import shutil

    with atomic_destination(destination, overwrite=overwrite) as making:
        shutil.copyfile(source, making.path)
        making.commit()
