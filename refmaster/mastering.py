"""One track end to end: measure, derive, solve the level, render, measure what was written, correct.

`master_file`, `plan_file` and `master_array` prepare a plan and close the loop over it: loudness, true peak
and tone of the written file are measured afresh, and where the limiter moved them the plan is corrected and
rendered again before anything is moved into place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Progress
from refmaster.check.preflight import (
    inspect_mix,
    inspect_reference,
    require_planned_mix,
    require_supported,
    require_usable,
)
from refmaster.check.promises import judge_master, judge_moves, judge_references
from refmaster.engines.registry import engine_named
from refmaster.io.formats import output_format_for
from refmaster.io.metadata.loudness import require_loudness_tags
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource, AudioSource
from refmaster.matching.derive import WeightedProfile, derive_plan
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Profile
from refmaster.profile.obtain import (
    PathLike,
    Recording,
    References,
    profiles_side_by_side,
    weighted_references,
)
from refmaster.rendering.loop import expected_frames, rendered_until_met
from refmaster.rendering.outlets import ArrayOutlet, FileOutlet, Outlet, SpoolOutlet
from refmaster.rendering.result import MasterResult
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings


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
    engine = engine_named(plan.requested.engine)
    rendered = rendered_until_met(
        source,
        mix,
        plan,
        outlet,
        progress,
        slope_lu_per_db=slope_lu_per_db,
        corrects_tone=engine.tone_is_corrected,
    )
    plan, master = rendered.plan.as_derived(), rendered.master
    findings = [
        *inspect_mix(mix),
        *(finding for profile, _ in references for finding in inspect_reference(profile, mix)),
        *judge_moves(plan),
        *judge_references(plan),
        *judge_master(plan, master, expected_frames=expected_frames(plan, mix)),
    ]
    outlet.keep(source, master)
    return MasterResult(
        plan=plan,
        mix=mix,
        master=master,
        references=tuple(profile for profile, _ in references),
        findings=(*engine.findings(findings, plan, mix), *outlet.findings),
        limiter=rendered.renderer.activity,
        dynamics=rendered.renderer.dynamics_activity,
        output=outlet.path,
        renders=rendered.renders,
    )
