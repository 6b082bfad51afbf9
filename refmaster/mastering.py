"""One track end to end: measure, derive, solve the level, render, measure what was written, correct.

`master_file`, `plan_file` and `master_array` prepare a plan and close the loop over it: loudness, true peak
and tone of the written file are measured afresh, and where the limiter moved them the plan is corrected and
rendered again before anything is moved into place. `render_file` renders a plan as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Progress
from refmaster.check.findings import Finding, kept_promises
from refmaster.check.preflight import (
    inspect_mix,
    inspect_reference,
    require_planned_mix,
    require_supported,
    require_usable,
)
from refmaster.check.promises import judge_master, judge_moves, judge_references
from refmaster.dsp.dynamics import BandActivity
from refmaster.dsp.limiter import LimiterActivity
from refmaster.engines.registry import engine_named
from refmaster.io.formats import output_format_for
from refmaster.io.metadata.loudness import require_loudness_tags
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource, AudioSource, counted
from refmaster.matching.correct import corrected_level, corrected_peak, corrected_tone
from refmaster.matching.derive import WeightedProfile, derive_plan
from refmaster.plan import MasteringPlan, load_plan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import (
    PathLike,
    Recording,
    References,
    profiles_side_by_side,
    weighted_references,
)
from refmaster.rendering.level import drive_analyzed, level_solved
from refmaster.rendering.outlets import ArrayOutlet, FileOutlet, Outlet, SpoolOutlet
from refmaster.rendering.renderer import KeptBlocks, Renderer
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings
from refmaster.settings.summary import Summarized, measured

# Each attempt costs a whole render; the first is right in most cases, the second in nearly all.
MAX_ATTEMPTS = 4


@dataclass(frozen=True, kw_only=True, repr=False)
class MasterResult(Summarized):
    """A master: what was asked and what was achieved.

    Attributes
    ----------
    plan : MasteringPlan
        Renders to the same bytes again.
    mix, master : Profile
        Before, and after as measured on what was written.
    references : tuple of Profile
    findings : tuple of Finding
    limiter : LimiterActivity or None
        The limiter's gain reduction; None where it is off.
    dynamics : tuple of BandActivity
        What each band of the dynamics stage did; empty where it is off.
    output : Path or str or None
        The URL of what was stored there; None for an array.
    renders : int
        How often the audio was rendered until every promise was met (or could not be).
    """

    plan: MasteringPlan
    mix: Profile
    master: Profile
    references: tuple[Profile, ...]
    findings: tuple[Finding, ...]
    limiter: LimiterActivity | None
    dynamics: tuple[BandActivity, ...]
    output: Path | str | None
    renders: int

    @property
    def kept_promises(self) -> bool:
        """Whether no finding is a broken promise."""
        return kept_promises(self.findings)

    def summary(self) -> list[tuple[str, str]]:
        """Return what was made of what, how loud it is, and whether the promises were kept."""

        def levels(profile: Profile) -> str:
            found = profile.levels
            lufs, dbtp = found.integrated_lufs, found.true_peak_dbtp
            return f"{profile.name}, {measured(lufs, 'LUFS')}, {measured(dbtp, 'dBTP', decimals=2)}"

        broken = [str(f) for f in self.findings if f.severity == "broken_promise"]
        return [
            ("mix", levels(self.mix)),
            ("references", "; ".join(levels(reference) for reference in self.references) or "none"),
            ("master", levels(self.master)),
            ("output", str(self.output or "no file was kept")),
            ("tone", self.plan.tone.why),
            ("level", f"{self.plan.level.gain_db:+.2f} dB: {self.plan.level.why}"),
            ("promises", f"broken: {'; '.join(broken)}" if broken else "kept"),
            ("findings", str(len(self.findings))),
        ]


def master_file(
    mix: PathLike,
    references: References,
    output: PathLike,
    settings: MatchSettings | None = None,
    *,
    bit_depth: str | None = None,
    sample_rate_hz: int | None = None,
    dither_seed: int = 0,
    loudness_tags: str | None = None,
    overwrite: bool = False,
    use_cache: bool = False,
    progress: Progress | None = None,
) -> MasterResult:
    """Master a file against one or several references and write the result.

    Parameters
    ----------
    mix : str or Path
        A mono or stereo recording.
    references : path, Profile, (path or Profile, weight), or a sequence of those
        A path may name audio or a saved profile. An empty sequence matches nothing but the loudness.
    output : str or Path
        Written beside its place and moved there only when complete and measured.
    settings : MatchSettings, optional
        What to match, how far, how loud.
    bit_depth : {"16", "24", "32f", "64f"}, optional
        The mix's by default.
    sample_rate_hz : int, optional
        The mix's by default.
    dither_seed : int
        The same seed gives the same bytes.
    loudness_tags : {"replaygain", "r128"}, optional
        Gains for players, written as tags.
    overwrite : bool
        Replace an existing file.
    use_cache : bool
        Take the profiles of mix and references from the user's profile cache where it has them, and put
        them there where it does not. The written master is always measured.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``, from the calling thread.

    Returns
    -------
    MasterResult

    Raises
    ------
    AudioError, SettingsError, OutputError
        Bad input or destination; nothing is left behind.
    """
    weighted = list(weighted_references(references))
    inputs = [Path(mix), *(Path(r) for r, _ in weighted if isinstance(r, str | Path))]
    inputs += [Path(settings.prior)] if settings is not None and settings.prior is not None else []
    outlet = FileOutlet(output, overwrite=overwrite, inputs=inputs)
    source = _open_mix(mix)
    asked = _output_settings(bit_depth, sample_rate_hz, dither_seed, loudness_tags)
    output_format_for(output, source.format, **asked.model_dump(exclude={"loudness_tags"}))
    if asked.loudness_tags is not None:
        require_loudness_tags(output, asked.loudness_tags)
    measured = mix if use_cache else source
    prepared = _prepare(source, measured, weighted, settings, asked, progress, use_cache=use_cache)
    with outlet:
        return close_loop(*prepared, outlet, progress)


def plan_file(
    mix: PathLike,
    references: References,
    settings: MatchSettings | None = None,
    *,
    bit_depth: str | None = None,
    sample_rate_hz: int | None = None,
    dither_seed: int = 0,
    loudness_tags: str | None = None,
    use_cache: bool = False,
    progress: Progress | None = None,
) -> MasterResult:
    """Derive the plan that `master_file` would render; the trial render is measured and thrown away."""
    source = _open_mix(mix)
    asked = _output_settings(bit_depth, sample_rate_hz, dither_seed, loudness_tags)
    measured = mix if use_cache else source
    weighted = list(weighted_references(references))
    prepared = _prepare(source, measured, weighted, settings, asked, progress, use_cache=use_cache)
    with SpoolOutlet() as outlet:
        return close_loop(*prepared, outlet, progress)


def master_array(
    mix: NDArray[np.floating],
    reference: NDArray[np.floating] | Profile,
    sample_rate_hz: int,
    settings: MatchSettings | None = None,
    *,
    reference_rate_hz: int | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.floating], MasterResult]:
    """Master an array against another, or against a profile.

    Parameters
    ----------
    mix : ndarray, shape (frames,) or (frames, channels)
        Float samples, full scale 1; one or two channels.
    reference : ndarray or Profile
        Shape and scale as the mix.
    sample_rate_hz : int
        Of the mix, and of the reference unless `reference_rate_hz` says otherwise.
    settings : MatchSettings, optional
        What to match, how far, how loud.
    reference_rate_hz : int, optional
        The reference need not have the mix's rate.
    progress : callable, optional
        As for `master_file`.

    Returns
    -------
    master : ndarray, shape (frames, channels)
        Of the mix's length and dtype, not dithered.
    result : MasterResult
    """
    source = ArraySource(mix, sample_rate_hz, name="mix")
    require_supported(source)
    recording: Recording = (
        reference
        if isinstance(reference, Profile)
        else ArraySource(reference, reference_rate_hz or sample_rate_hz, name="reference")
    )
    prepared = _prepare(source, source, [(recording, 1.0)], settings, OutputSettings(), progress)
    with ArrayOutlet() as outlet:
        result = close_loop(*prepared, outlet, progress)
        return outlet.samples, result


def render_file(
    plan: MasteringPlan | PathLike,
    output: PathLike,
    *,
    mix: PathLike | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    before_commit: Callable[[Path], None] | None = None,
) -> MasterResult:
    """Render a plan: the same bytes each time, checked against the plan's own promises.

    Parameters
    ----------
    plan : MasteringPlan or path
        Paths in a plan file are relative to it.
    output : str or Path
        The file to write.
    mix : str or Path, optional
        Render this file instead of the plan's mix (a stem, an instrumental); its hash is not compared.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        As for `master_file`.
    before_commit : callable, optional
        As for `refmaster.rendering.outlets.FileOutlet`.

    Raises
    ------
    AudioError
        The mix is not the file that the plan was made for.
    """
    folder, inputs = Path(), []
    if not isinstance(plan, MasteringPlan):
        folder, inputs = Path(plan).parent, [Path(plan)]
        plan = load_plan(plan)
    path = Path(mix) if mix is not None else folder / plan.mix.file
    outlet = FileOutlet(output, overwrite=overwrite, inputs=[path, *inputs], before_commit=before_commit)
    source = open_audio(path)
    mix_profile = measure(source, progress=progress, stage="measuring the mix")
    if mix is None:
        require_planned_mix(plan, mix_profile)
    with outlet:
        master, rendered = _render_once(source, plan, outlet, progress)
        findings = [
            *judge_moves(plan),
            *judge_master(plan, master, expected_frames=_frames(plan, mix_profile)),
        ]
        outlet.keep(source, master)
    return MasterResult(
        plan=plan,
        mix=mix_profile,
        master=master,
        references=(),
        findings=(*findings, *outlet.findings),
        limiter=rendered.activity,
        dynamics=rendered.dynamics_activity,
        output=Path(output),
        renders=1,
    )


def _output_settings(
    bit_depth: str | None, sample_rate_hz: int | None, dither_seed: int, loudness_tags: str | None
) -> OutputSettings:
    values = {
        "bit_depth": bit_depth,
        "sample_rate_hz": sample_rate_hz,
        "dither_seed": dither_seed,
        "loudness_tags": loudness_tags,
    }
    names = {
        "bit_depth": "bit depth",
        "sample_rate_hz": "sample rate",
        "dither_seed": "seed",
        "loudness_tags": "loudness tags",
    }
    return settings_from(OutputSettings, values, names=names)


def _open_mix(path: PathLike) -> AudioSource:
    source = open_audio(path)
    require_supported(source)
    return source


class _Prepared(NamedTuple):
    """A mix and its first plan, in the order in which `close_loop` takes them."""

    source: AudioSource
    mix: Profile
    references: list[WeightedProfile]
    plan: MasteringPlan


def _prepare(
    source: AudioSource,
    measured: Recording,
    references: Sequence[tuple[Recording, float]],
    settings: MatchSettings | None,
    asked: OutputSettings,
    progress: Progress | None,
    *,
    use_cache: bool = False,
) -> _Prepared:
    """Measure mix (`source`, or its path in `measured`) and references, and derive the first plan."""
    settings = settings or MatchSettings()
    engine = engine_named(settings.engine)
    recordings = [recording for recording, _ in references]
    engine.check(recordings, source)
    mix, profiles = profiles_side_by_side(measured, recordings, progress, use_cache=use_cache)
    require_usable(mix, "mix")
    for profile in profiles:
        require_usable(profile, "reference")
    weighted = [(profile, weight) for profile, (_, weight) in zip(profiles, references, strict=True)]
    plan = derive_plan(mix, weighted, settings, **asked.model_dump())
    return _Prepared(source, mix, weighted, engine.with_curves(plan, source, recordings, progress))


def close_loop(
    source: AudioSource,
    mix: Profile,
    references: list[WeightedProfile],
    plan: MasteringPlan,
    outlet: Outlet,
    progress: Progress | None,
    *,
    slope_lu_per_db: float | None = None,
) -> MasterResult:
    """Solve, render, measure and correct until the written file keeps its promises, then keep it.

    Where `slope_lu_per_db` is given, the plan's level is solved already, and a dB of gain brings that much.
    """
    require_planned_mix(plan, mix)
    kept = KeptBlocks()
    if slope_lu_per_db is None:
        plan, slope_lu_per_db = _solve(source, plan, progress, kept)
    engine = engine_named(plan.requested.engine)
    tone_is_final = not engine.tone_is_corrected
    for attempt in range(1, MAX_ATTEMPTS + 1):
        master, rendered = _render_once(source, plan, outlet, progress, kept)
        if attempt == MAX_ATTEMPTS:
            break
        retoned = None if tone_is_final else corrected_tone(plan, mix, master)
        if retoned is not None:
            tone_is_final = True
            plan, slope_lu_per_db = _solve(source, retoned, progress, kept)
            continue
        again = corrected_peak(plan, master) or corrected_level(plan, master, slope_lu_per_db)
        if again is None:
            break
        plan = again
    findings = [
        *inspect_mix(mix),
        *(finding for profile, _ in references for finding in inspect_reference(profile, mix)),
        *judge_moves(plan),
        *judge_references(plan),
        *judge_master(plan, master, expected_frames=_frames(plan, mix)),
    ]
    outlet.keep(source, master)
    return MasterResult(
        plan=plan,
        mix=mix,
        master=master,
        references=tuple(profile for profile, _ in references),
        findings=(*engine.findings(findings, plan, mix), *outlet.findings),
        limiter=rendered.activity,
        dynamics=rendered.dynamics_activity,
        output=outlet.path,
        renders=attempt,
    )


def _solve(
    source: AudioSource, plan: MasteringPlan, progress: Progress | None, kept: KeptBlocks
) -> tuple[MasteringPlan, float]:
    """Return the plan with its level solved, and how many LU a dB of drive brings there."""
    return level_solved(plan, drive_analyzed(plan, source, progress, kept=kept))


def _render_once(
    source: AudioSource,
    plan: MasteringPlan,
    outlet: Outlet,
    progress: Progress | None,
    kept: KeptBlocks | None = None,
) -> tuple[Profile, Renderer]:
    renderer = Renderer(plan, source, kept)
    total = source.format.frames
    written = outlet.write(counted(renderer.blocks(), "rendering", total, progress), source, plan)
    master = measure(written, progress=progress, stage="measuring the master", identify=False)
    return master, renderer


def _frames(plan: MasteringPlan, mix: Profile) -> int:
    return round(mix.source.frames * plan.output.sample_rate_hz / mix.source.sample_rate_hz)
