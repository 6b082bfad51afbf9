"""One plan, a file for each delivery target.

Each target's plan is the one that was derived, adapted (`refmaster.delivery.adapt`), rendered through the
same loop as a master, and held against the target. No file gets its name before all are written and measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from refmaster._types import Progress
from refmaster.check.codecs import judge_decoded
from refmaster.check.delivery import judge_delivery
from refmaster.check.findings import Finding
from refmaster.check.preflight import require_planned_mix, require_supported
from refmaster.check.promises import judge_master, judge_moves
from refmaster.check.repair import judge_repair
from refmaster.delivery.adapt import adapted_plan, delivered_path
from refmaster.delivery.manifest import require_beside, write_manifest
from refmaster.delivery.unlimited import rendered_unlimited
from refmaster.errors import SettingsError
from refmaster.io.atomic import check_destinations
from refmaster.io.codecs import require_codecs
from refmaster.io.metadata.loudness import require_loudness_tags
from refmaster.io.names import check_text
from refmaster.io.source import AudioSource
from refmaster.plan import MasteringPlan, save_plan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import PathLike
from refmaster.rendering.codec_safety import Safe, checked, made_safe
from refmaster.rendering.labels import checked_labels
from refmaster.rendering.loop import RenderLoop, expected_frames
from refmaster.rendering.outlets import FileOutlet, format_of
from refmaster.rendering.render import first_level, planned, planned_inputs, planned_source
from refmaster.rendering.renderer import KeptBlocks
from refmaster.rendering.repaired import RepairedSource
from refmaster.rendering.result import MasterResult
from refmaster.settings.target_files import asked_targets
from refmaster.settings.targets import DeliveryTarget


@dataclass(frozen=True)
class _Job:
    """One file to deliver."""

    target: DeliveryTarget
    plan: MasteringPlan
    path: Path


def deliver(
    plan: MasteringPlan | MasterResult | PathLike,
    targets: str | DeliveryTarget | Sequence[str | DeliveryTarget],
    folder: PathLike,
    *,
    mix: PathLike | None = None,
    song: str | None = None,
    tags: Mapping[str, str] | None = None,
    art: PathLike | None = None,
    bext: bool | None = None,
    save_plans: PathLike | None = None,
    manifest: PathLike | None = None,
    named: Callable[[MasteringPlan], MasteringPlan] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[MasterResult, ...]:
    """Render a file for each delivery target from one plan; all of them, or none.

    ::

        derived = refmaster.plan_file("mix.wav", "reference.wav")
        refmaster.deliver(derived, ["spotify", "cd", "vinyl"], "Masters")

    Parameters
    ----------
    plan : MasteringPlan, MasterResult or path
        A plan, or the result of `plan_file`, whose measurements and findings are then taken over. Paths in a
        plan file are relative to it.
    targets : str, DeliveryTarget, or a sequence of those
        Names, as `refmaster targets` lists them, or paths of YAML files.
    folder : str or Path
        An existing folder. A file is named as its target says, by default ``<song>.<target>.wav``.
    mix : str or Path, optional
        Render this file instead of the plan's mix; its hash is not compared.
    song : str, optional
        In place of the mix's name in the names of the files.
    tags : mapping of str to str, optional
        Tags besides, or in place of, those of the plan; as for `master_file`.
    art : str or Path, optional
        Cover art in place of the plan's.
    bext : bool, optional
        Write bext chunks, in place of what the plan says.
    save_plans : str or Path, optional
        An existing folder for the plan of each file, under its name with ``.plan.yaml``.
    manifest : str or Path, optional
        One manifest of all files, for `refmaster verify`; by default one beside each, under its name with
        ``.manifest.json``.
    named : callable, optional
        Applied to each plan that is kept, to name the origins of files that are local copies.
    overwrite : bool
        Replace existing files.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Returns
    -------
    tuple of MasterResult
        One for each target, in their order. What a target asks for and the material cannot meet is among the
        findings. Each plan renders its file again, to the same bytes.

    Raises
    ------
    SettingsError
        A target is unknown (the known ones are named) or wrong, or the plan is.
    AudioError, OutputError
        The mix is not the one planned for, or a file cannot be written; nothing is left behind.
    """
    known = plan if isinstance(plan, MasterResult) else None
    own = [Path(plan)] if isinstance(plan, str | Path) else []
    begun = planned(plan.plan if isinstance(plan, MasterResult) else plan)
    begun = checked_labels(tags, art, bext).on(begun)
    inputs = [*planned_inputs(begun, mix), *own]
    asked = asked_targets(targets)
    if not asked:
        raise SettingsError("targets: expected one or more delivery targets, found none")
    source = planned_source(begun, mix)
    require_supported(source)
    measured = (
        known.mix if known and mix is None else measure(source, progress=progress, stage="measuring the mix")
    )
    if mix is None:
        require_planned_mix(begun, measured)
    if not begun.repair.is_at_rest:
        source = RepairedSource(source, begun.repair, measured.source.frames)
    stated = begun.restated()
    stems = bool(begun.stems) and mix is None
    song = song or song_of(mix or (begun.stems[0].file if stems else begun.mix.file), stems=stems)
    jobs = [
        _Job(
            target,
            adapted_plan(stated, target, source.format),
            delivered_path(Path(folder), song, target, source.format),
        )
        for target in asked
    ]
    plans = [] if save_plans is None else [Path(save_plans) / f"{job.path.stem}.plan.yaml" for job in jobs]
    manifests = manifest_paths([job.path for job in jobs], manifest)
    outputs = [*(job.path for job in jobs), *plans, *dict.fromkeys(manifests)]
    check_destinations(outputs, overwrite=overwrite, inputs=inputs)
    for job, path in zip(jobs, manifests, strict=True):
        require_beside(job.path, path)
        check_text(inputs, path.parent)
    for job in jobs:
        require_codecs(job.plan.output.codecs)
        format_of(job.path, source, job.plan)  # says before the work what a container cannot hold
        if job.plan.output.loudness_tags is not None:
            require_loudness_tags(job.path, job.plan.output.loudness_tags)
    told = _told(known) if known else (*judge_repair(stated), *judge_moves(stated))
    outlets = [FileOutlet(job.path, overwrite=overwrite, inputs=inputs) for job in jobs]
    with ExitStack() as stack:
        for outlet in outlets:
            stack.enter_context(outlet)
        done = _all_rendered(jobs, outlets, source, measured, progress)
        _keep_all(outlets, source, done)
    results = tuple(
        _result(job, rendered, outlet, measured, known, told)
        for job, rendered, outlet in zip(jobs, done, outlets, strict=True)
    )
    if named is not None:
        results = tuple(replace(result, plan=named(result.plan)) for result in results)
    for result, path in zip(results, plans, strict=False):
        save_plan(result.plan, path, overwrite=overwrite)
    for path in dict.fromkeys(manifests):
        chosen = [number for number, other in enumerate(manifests) if other == path]
        names = [jobs[number].target.name for number in chosen]
        write_manifest(path, [results[number] for number in chosen], targets=names, overwrite=overwrite)
    return results


def manifest_paths(files: Sequence[Path], manifest: PathLike | None) -> list[Path]:
    """Return the manifest of each delivered file: the one that is asked for, or one beside it."""
    if manifest is not None:
        return [Path(manifest)] * len(files)
    return [file.with_name(f"{file.stem}.manifest.json") for file in files]


def song_of(mix: PathLike, *, stems: bool) -> str:
    """Return the name of a song: that of its mix, or of the folder of its stems, of which `mix` is one."""
    return (Path(mix).absolute().parent.name or "master") if stems else Path(mix).stem


def _all_rendered(
    jobs: Sequence[_Job],
    outlets: Sequence[FileOutlet],
    source: AudioSource,
    mix: Profile,
    progress: Progress | None,
) -> list[Safe]:
    """Render each job; those of one sample rate follow each other, so that they are equalized once."""
    kept, done = KeptBlocks(), {}
    for number in sorted(range(len(jobs)), key=lambda n: jobs[n].plan.output.sample_rate_hz):
        job = jobs[number]
        done[number] = _rendered(job, outlets[number], source, mix, _named(progress, job.target.name), kept)
    return [done[number] for number in range(len(jobs))]


def _rendered(
    job: _Job,
    outlet: FileOutlet,
    source: AudioSource,
    mix: Profile,
    progress: Progress | None,
    kept: KeptBlocks,
) -> Safe:
    plan, loop = job.plan, RenderLoop(source, mix, outlet, progress, kept)
    if not plan.limiter.enabled:
        return checked(rendered_unlimited(source, plan, loop, progress, kept), progress)
    if plan.level.lufs is not None:
        plan, _ = first_level(plan, mix)
    # A gain that was edited promises no loudness and stands; any other is solved for this rate and ceiling.
    slope = 1.0 if plan.promise.integrated_lufs is None else None
    return made_safe(loop.until_met(plan, slope, corrects_tone=False), loop, progress)


def _named(progress: Progress | None, name: str) -> Progress | None:
    """Return a progress that says which target it is about."""
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)


def _keep_all(outlets: Sequence[FileOutlet], source: AudioSource, done: Sequence[Safe]) -> None:
    """Give all files their names; where one cannot have it, those that were new are taken back."""
    new = [not outlet.path.exists() for outlet in outlets]
    kept: list[Path] = []
    try:
        for outlet, rendered, is_new in zip(outlets, done, new, strict=True):
            outlet.keep(source, rendered.done.master)
            kept += [outlet.path] if is_new else []
    except BaseException:
        for path in kept:
            path.unlink(missing_ok=True)
        raise


def _told(derived: MasterResult) -> tuple[Finding, ...]:
    """Return the findings of a derivation that do not concern its trial render."""
    plan, master = derived.plan, derived.master
    of_trial = judge_master(plan, master, expected_frames=expected_frames(plan, derived.mix))
    of_trial += judge_decoded(plan, master, derived.decoded)
    return tuple(f for f in derived.findings if f not in of_trial and f.code != "codec_ceiling")


def _result(
    job: _Job,
    safe: Safe,
    outlet: FileOutlet,
    mix: Profile,
    derived: MasterResult | None,
    told: Sequence[Finding],
) -> MasterResult:
    rendered = safe.done
    plan, master = rendered.plan.as_derived(), rendered.master
    return MasterResult(
        plan=plan,
        mix=mix,
        master=master,
        references=derived.references if derived else (),
        findings=(
            *told,
            *judge_master(plan, master, expected_frames=expected_frames(plan, mix)),
            *safe.findings,
            *judge_delivery(master, job.target),
            *outlet.findings,
        ),
        limiter=rendered.renderer.activity,
        dynamics=rendered.renderer.dynamics_activity,
        output=outlet.path,
        renders=rendered.renders,
        decoded=safe.decoded,
    )
