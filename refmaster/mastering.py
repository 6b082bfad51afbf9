"""One track end to end: measure, derive, solve the level, render, measure what was written, correct.

`master_file`, `plan_file` and `master_array` prepare a plan and close the loop over it: loudness, true peak
and tone of the written file are measured afresh, and where the limiter moved them the plan is corrected and
rendered again before anything is moved into place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Progress
from refmaster.check.findings import Finding
from refmaster.check.playback import judge_playback
from refmaster.check.preflight import (
    inspect_mix,
    inspect_reference,
    require_planned_mix,
    require_supported,
    require_usable,
)
from refmaster.check.promises import judge_master, judge_moves, judge_references
from refmaster.check.repair import judge_repair, still_there
from refmaster.engines.registry import engine_named
from refmaster.errors import SettingsError
from refmaster.io.codecs import require_codecs
from refmaster.io.formats import output_format_for
from refmaster.io.metadata.loudness import require_loudness_tags
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource, AudioSource
from refmaster.matching.derive import WeightedProfile, derive_plan
from refmaster.matching.playback import translate
from refmaster.matching.posterior import NearGain
from refmaster.matching.repair import derive_repair
from refmaster.matching.stems import derive_stems
from refmaster.plan import MasteringPlan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import (
    PathLike,
    Recording,
    References,
    profile_of,
    profiles_side_by_side,
    recording_key,
    weighted_references,
)
from refmaster.rendering.codec_safety import made_safe
from refmaster.rendering.labels import checked_labels
from refmaster.rendering.loop import RenderLoop, expected_frames
from refmaster.rendering.outlets import ArrayOutlet, FileOutlet, Outlet, SpoolOutlet
from refmaster.rendering.previews import checked_previews, with_previews
from refmaster.rendering.repaired import RepairedSource
from refmaster.rendering.result import MasterResult
from refmaster.rendering.stem_sum import StemSum, open_stems, stem_stages
from refmaster.settings.aspects import AskedReference, serves
from refmaster.settings.codecs import Codec
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings
from refmaster.settings.repair import NO_REPAIRED_STEMS, RepairSettings
from refmaster.settings.stems import Stems, StemStage


def master_file(
    mix: PathLike | Stems,
    references: References,
    output: PathLike,
    settings: MatchSettings | None = None,
    *,
    bit_depth: str | None = None,
    sample_rate_hz: int | None = None,
    dither_seed: int = 0,
    loudness_tags: str | None = None,
    codecs: Sequence[Codec | str] = (),
    previews: Sequence[Codec | str] = (),
    tags: Mapping[str, str] | None = None,
    art: PathLike | None = None,
    bext: bool = False,
    overwrite: bool = False,
    use_cache: bool = False,
    progress: Progress | None = None,
) -> MasterResult:
    """Master a file against one or several references and write the result.

    Parameters
    ----------
    mix : str, Path or Stems
        A mono or stereo recording, or the stems that sum to it: a stem that explains what the mix misses gets
        an equalizer of its own, and the rest is done to their sum.
    references : path, Profile, (path or Profile, weight), a sequence of those, or a mapping to those
        A path may name audio or a saved profile. An empty sequence matches nothing but the loudness. A
        mapping says what each serves: ``{"tone": "a.wav", "loudness": ["b.wav", ("c.wav", 2.0)]}`` with the
        aspects tone, width, balance, dynamics and loudness; an aspect that none serves is not matched.
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
    codecs : sequence of Codec or str, optional
        Lossy codecs, such as ``"mp3:128"``: decoded from each, the master keeps the promised true peak too.
    previews : sequence of Codec or str, optional
        Lossy codecs of which an audition is kept beside the master (``master.mp3-128.wav``): decoded, at the
        master's loudness and in time with it.
    tags : mapping of str to str, optional
        Title, artist, isrc, barcode and others (`refmaster.settings.tags.TAGS`), in place of the mix's.
    art : str or Path, optional
        Cover art, JPEG or PNG, in place of the mix's.
    bext : bool
        Give a WAV master a broadcast chunk (EBU Tech 3285) with its loudness if the mix has none.
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
    asked_for = weighted_references(references)
    inputs = [*mix.files] if isinstance(mix, Stems) else [Path(mix)]
    inputs += [Path(r.recording) for r in asked_for if isinstance(r.recording, str | Path)]
    inputs += [Path(art)] if art is not None else []
    inputs += [Path(settings.prior)] if settings is not None and settings.prior is not None else []
    outlet = FileOutlet(output, overwrite=overwrite, inputs=inputs)
    source = open_mix(mix)
    asked = _output_settings(bit_depth, sample_rate_hz, dither_seed, loudness_tags, codecs)
    output_format_for(output, source.format, **asked.model_dump(exclude={"loudness_tags", "codecs"}))
    if asked.loudness_tags is not None:
        require_loudness_tags(output, asked.loudness_tags)
    labels = checked_labels(tags, art, bext, output=output)
    measured = mix if use_cache and not isinstance(mix, Stems) else source
    require_codecs(asked.codecs)
    heard = checked_previews(output, previews, overwrite=overwrite, inputs=inputs)
    prepared = _prepare(source, measured, asked_for, settings, asked, progress, use_cache=use_cache)
    prepared = prepared._replace(plan=labels.on(prepared.plan))
    with outlet:
        result = prepared.finished(outlet, progress)
    return with_previews(result, heard, overwrite=overwrite, progress=progress)


def plan_file(
    mix: PathLike | Stems,
    references: References,
    settings: MatchSettings | None = None,
    *,
    bit_depth: str | None = None,
    sample_rate_hz: int | None = None,
    dither_seed: int = 0,
    loudness_tags: str | None = None,
    codecs: Sequence[Codec | str] = (),
    tags: Mapping[str, str] | None = None,
    art: PathLike | None = None,
    bext: bool = False,
    use_cache: bool = False,
    progress: Progress | None = None,
) -> MasterResult:
    """Derive the plan that `master_file` would render; the trial render is measured and thrown away."""
    source = open_mix(mix)
    asked = _output_settings(bit_depth, sample_rate_hz, dither_seed, loudness_tags, codecs)
    labels = checked_labels(tags, art, bext)
    measured = mix if use_cache and not isinstance(mix, Stems) else source
    asked_for = weighted_references(references)
    require_codecs(asked.codecs)
    prepared = _prepare(source, measured, asked_for, settings, asked, progress, use_cache=use_cache)
    prepared = prepared._replace(plan=labels.on(prepared.plan))
    with SpoolOutlet() as outlet:
        return prepared.finished(outlet, progress)


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
        Of the mix's dtype, and of its length where it is not trimmed; not dithered.
    result : MasterResult
    """
    source = ArraySource(mix, sample_rate_hz, name="mix")
    require_supported(source)
    recording: Recording = (
        reference
        if isinstance(reference, Profile)
        else ArraySource(reference, reference_rate_hz or sample_rate_hz, name="reference")
    )
    prepared = _prepare(source, source, [AskedReference(recording)], settings, OutputSettings(), progress)
    with ArrayOutlet() as outlet:
        result = prepared.finished(outlet, progress)
        return outlet.samples, result


def _output_settings(
    bit_depth: str | None,
    sample_rate_hz: int | None,
    dither_seed: int,
    loudness_tags: str | None,
    codecs: Sequence[Codec | str],
) -> OutputSettings:
    values = {
        "bit_depth": bit_depth,
        "sample_rate_hz": sample_rate_hz,
        "dither_seed": dither_seed,
        "loudness_tags": loudness_tags,
        "codecs": tuple(codecs),
    }
    names = {
        "bit_depth": "bit depth",
        "sample_rate_hz": "sample rate",
        "dither_seed": "seed",
        "loudness_tags": "loudness tags",
        "codecs": "codecs",
    }
    return settings_from(OutputSettings, values, names=names)


def open_mix(mix: PathLike | Stems) -> AudioSource:
    """Open a mix, or the sum of its stems; AudioError where it cannot be read or mastered."""
    source = open_stems(mix.files) if isinstance(mix, Stems) else open_audio(mix)
    require_supported(source)
    return source


class _Prepared(NamedTuple):
    """A mix, the same repaired where that is needed, and its first plan."""

    source: AudioSource
    mix: Profile
    repaired: Profile | None
    references: list[WeightedProfile]
    plan: MasteringPlan

    def finished(self, outlet: Outlet, progress: Progress | None) -> MasterResult:
        """Close the loop over the plan; see `close_loop`."""
        return close_loop(
            self.source, self.mix, self.references, self.plan, outlet, progress, repaired=self.repaired
        )


def _prepare(
    source: AudioSource,
    measured: Recording,
    references: Sequence[AskedReference[Any]],
    settings: MatchSettings | None,
    asked: OutputSettings,
    progress: Progress | None,
    *,
    use_cache: bool = False,
) -> _Prepared:
    """Measure mix (`source`, or its path in `measured`) and references, and derive the first plan."""
    settings = settings or MatchSettings()
    engine = engine_named(settings.engine)
    recordings, aspects = [r.recording for r in references], [r.aspects for r in references]
    engine.check(recordings, source, aspects)
    if isinstance(source, StemSum) and settings.engine != "refmaster":
        raise SettingsError(f"engine: expected refmaster for stems, found {settings.engine}; give it the mix")
    if isinstance(source, StemSum) and settings.repair != RepairSettings():
        raise SettingsError(f"repair: {NO_REPAIRED_STEMS}")
    each = {recording_key(recording): recording for recording in recordings}
    mix, measured_each = profiles_side_by_side(measured, [*each.values()], progress, use_cache=use_cache)
    require_usable(mix, "mix")
    for profile in measured_each:
        require_usable(profile, "reference")
    profiles = dict(zip(each, measured_each, strict=True))
    weighted = [(profiles[recording_key(r.recording)], r.weight) for r in references]
    stems: tuple[StemStage, ...] = ()
    known_near: NearGain | None = None
    if isinstance(source, StemSum):
        toned = [r for r, its in zip(weighted, aspects, strict=True) if serves(its, "tone")]
        match = derive_stems(source.measured(progress), mix, toned, settings)
        stems, known_near = stem_stages(source, match.curves), match.bus
        source = source.corrected([curve.points for curve in match.curves], settings.phase)
        mix = profile_of(source, progress, stage="measuring the mix")
    repair, repaired = derive_repair(mix, settings.repair), None
    if not repair.is_at_rest:
        source = RepairedSource(source, repair, mix.source.frames)
        repaired = measure(source, progress=progress, stage="measuring the repaired mix")
        require_usable(repaired, "mix")
    plan = derive_plan(
        repaired or mix, weighted, settings, aspects=aspects, known_near=known_near, **asked.model_dump()
    )
    record = plan.mix.model_copy(update={"frames": mix.source.frames})
    plan = plan.model_copy(update={"mix": record, "stems": stems, "repair": repair})
    plan = engine.with_curves(plan, source, recordings, progress)
    return _Prepared(source, mix, repaired, weighted, plan)


def close_loop(
    source: AudioSource,
    mix: Profile,
    references: list[WeightedProfile],
    plan: MasteringPlan,
    outlet: Outlet,
    progress: Progress | None,
    *,
    slope_lu_per_db: float | None = None,
    repaired: Profile | None = None,
) -> MasterResult:
    """Solve, render, measure and correct until the written file keeps its promises, then keep it.

    Where `slope_lu_per_db` is given, the plan's level is solved already, and a dB of gain brings that much.
    `repaired` is the profile of `source` where that is not the mix as it was.
    """
    require_planned_mix(plan, mix)
    engine = engine_named(plan.requested.engine)
    loop = RenderLoop(source, repaired or mix, outlet, progress)
    first = loop.until_met(plan, slope_lu_per_db, corrects_tone=engine.tone_is_corrected)
    safe = made_safe(first, loop, progress)
    rendered = safe.done
    plan, master = rendered.plan.as_derived(), rendered.master
    findings = [
        *still_there(inspect_mix(mix), plan.repair),
        *judge_repair(plan, mix.faults),
        *_reference_findings(plan, mix, [profile for profile, _ in references]),
        *judge_moves(plan),
        *judge_references(plan),
        *judge_master(plan, master, expected_frames=expected_frames(plan, mix)),
        *safe.findings,
        *judge_playback(translate(master, _toned(plan, [profile for profile, _ in references]))),
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
        decoded=safe.decoded,
    )


def _toned(plan: MasteringPlan, references: Sequence[Profile]) -> list[Profile]:
    """Return the references that serve the tone."""
    records = plan.references if references else ()
    return [p for p, record in zip(references, records, strict=True) if serves(record.aspects, "tone")]


def _reference_findings(
    plan: MasteringPlan, mix: Profile, references: Sequence[Profile]
) -> Iterator[Finding]:
    """Yield the findings on each reference, those of a recording that stands twice once."""
    told: set[str] = set()
    for profile, record in zip(references, plan.references if references else (), strict=True):
        found = [f for f in inspect_reference(profile, mix, record.aspects) if str(f) not in told]
        told |= {str(f) for f in found} if record.aspects else set()
        yield from found
