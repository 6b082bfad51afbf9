"""Render a plan as it stands: derived, edited, or written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from refmaster._types import Progress
from refmaster.check.preflight import require_planned_mix
from refmaster.check.promises import judge_edits, judge_master, judge_moves
from refmaster.check.repair import judge_repair
from refmaster.io.codecs import require_codecs
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource
from refmaster.plan import Level, MasteringPlan, beside, load_plan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.profile.obtain import PathLike
from refmaster.rendering.codec_safety import Safe, checked, made_safe
from refmaster.rendering.labels import checked_labels
from refmaster.rendering.loop import RenderLoop, expected_frames
from refmaster.rendering.outlets import FileOutlet
from refmaster.rendering.previews import checked_previews, with_previews
from refmaster.rendering.repaired import RepairedSource
from refmaster.rendering.result import MasterResult
from refmaster.rendering.stem_sum import planned_stems
from refmaster.settings.codecs import Codec
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings


def render_file(
    plan: MasteringPlan | PathLike,
    output: PathLike,
    *,
    mix: PathLike | None = None,
    codecs: Sequence[Codec | str] = (),
    previews: Sequence[Codec | str] = (),
    tags: Mapping[str, str] | None = None,
    art: PathLike | None = None,
    bext: bool | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    before_commit: Callable[[Path], None] | None = None,
) -> MasterResult:
    """Render a plan: the same bytes each time, checked against what the plan promises as it stands.

    A level that asks for a loudness is solved for the mix, through the limiter. Where stages were edited, the
    result's plan says so in place of the reasons and promises that no longer hold.

    Parameters
    ----------
    plan : MasteringPlan or path
        Paths in a plan file are relative to it.
    output : str or Path
        The file to write.
    mix : str or Path, optional
        Render this file instead of the plan's mix (a stem, an instrumental); its hash is not compared.
    codecs : sequence of Codec or str, optional
        In place of the plan's lossy codecs. The limiter's ceiling is lowered until the file decoded from each
        is safe, and the level solved again; the plan's own codecs are only checked.
    previews : sequence of Codec or str, optional
        As for `master_file`.
    tags : mapping of str to str, optional
        Tags besides, or in place of, those of the plan; as for `master_file`.
    art : str or Path, optional
        Cover art in place of the plan's.
    bext : bool, optional
        Write a bext chunk, in place of what the plan says.
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
    SettingsError
        Something in the plan is wrong; every problem is named with its place.
    """
    own = [] if isinstance(plan, MasteringPlan) else [Path(plan)]
    plan = checked_labels(tags, art, bext, output=output).on(planned(plan))
    asked = settings_from(OutputSettings, {"codecs": tuple(codecs)}).codecs
    if asked:
        plan = plan.model_copy(update={"output": plan.output.model_copy(update={"codecs": asked})})
    require_codecs(plan.output.codecs)
    inputs = [*planned_inputs(plan, mix), *own]
    outlet = FileOutlet(output, overwrite=overwrite, inputs=inputs, before_commit=before_commit)
    heard = checked_previews(output, previews, overwrite=overwrite, inputs=inputs)
    source = planned_source(plan, mix)
    mix_profile = measure(source, progress=progress, stage="measuring the mix")
    if mix is None:
        require_planned_mix(plan, mix_profile)
    if not plan.repair.is_at_rest:
        source = RepairedSource(source, plan.repair, mix_profile.source.frames)
    stated = plan.restated()
    with outlet:
        safe = _rendered(
            stated, RenderLoop(source, mix_profile, outlet, progress), mix_profile, asked, progress
        )
        done = safe.done
        findings = [
            *judge_repair(done.plan),
            *judge_moves(done.plan),
            *judge_edits(plan, done.master),
            *judge_master(
                done.plan,
                done.master,
                expected_frames=expected_frames(done.plan, mix_profile),
                gain_stands=stated.level.lufs is None and not asked,
            ),
            *safe.findings,
        ]
        outlet.keep(source, done.master)
    result = MasterResult(
        plan=done.plan,
        mix=mix_profile,
        master=done.master,
        references=(),
        findings=(*findings, *outlet.findings),
        limiter=done.renderer.activity,
        dynamics=done.renderer.dynamics_activity,
        output=Path(output),
        renders=done.renders,
        decoded=safe.decoded,
    )
    return with_previews(result, heard, overwrite=overwrite, progress=progress)


def _rendered(
    plan: MasteringPlan, loop: RenderLoop, mix: Profile, asked: Sequence[Codec], progress: Progress | None
) -> Safe:
    """Return the plan's master: its level solved where it asks for that, safe in codecs that are new."""
    if plan.level.lufs is None:
        first = loop.once(plan)
        if not asked and not first.master.source.lossy:
            return checked(first, progress)
        safe = made_safe(first, loop, progress)
    else:
        start, slope = first_level(plan, mix)
        safe = made_safe(loop.until_met(start, slope, corrects_tone=False), loop, progress)
    return safe._replace(done=safe.done._replace(plan=_recorded(safe.done.plan, plan)))


def planned(plan: MasteringPlan | PathLike) -> MasteringPlan:
    """Return a plan, read where it is a path, with its own paths led through its folder."""
    return plan if isinstance(plan, MasteringPlan) else beside(load_plan(plan), Path(plan).parent)


def planned_inputs(plan: MasteringPlan, mix: PathLike | None) -> list[Path]:
    """Return the files that a plan's render reads, `mix` in place of its mix or stems."""
    stems = [] if mix is not None else [Path(stem.file) for stem in plan.stems]
    return [*(stems or [Path(mix or plan.mix.file)]), *([Path(plan.art.file)] if plan.art else [])]


def planned_source(plan: MasteringPlan, mix: PathLike | None) -> AudioSource:
    """Open a plan's mix, the sum of its stems, or `mix`; AudioError where it cannot be read."""
    if plan.stems and mix is None:
        return planned_stems(plan.stems, Path(), plan.tone.phase)
    return open_audio(mix or plan.mix.file)


def first_level(plan: MasteringPlan, mix: Profile) -> tuple[MasteringPlan, float | None]:
    """Return the plan with a gain to start from, and the slope of its loudness where that is known.

    Through the limiter the gain is solved, so that 0 dB will do. Without one a dB of gain is 1 LU: the mix's
    own loudness tells the gain, and what the tone changes is corrected after the first render.
    """
    own, lufs = mix.levels.integrated_lufs, plan.level.lufs
    level, slope = Level(gain_db=0.0), None
    if not plan.limiter.enabled and own is not None and lufs is not None:
        why = f"brings the mix to {lufs:.1f} LUFS; the limiter is off"
        level, slope = Level(gain_db=round(lufs - own, 3) + 0.0, why=why), 1.0
    # It is asked for by name now, and no longer the reference's.
    requested = plan.requested.model_copy(update={"target_lufs": lufs, "loudness": True})
    return plan.model_copy(update={"level": level, "requested": requested}), slope


def _recorded(solved: MasteringPlan, asked: MasteringPlan) -> MasteringPlan:
    """Return a plan whose level was solved, recorded as derived with what the loop changed besides."""
    changed = [stage for stage in ("level", "limiter") if getattr(solved, stage) != getattr(asked, stage)]
    return solved.as_derived(*changed) if changed else solved
