"""An album end to end: take in, plan, render each track, measure the album as written, correct, report.

Tracks are rendered one after another, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from refmaster._types import Progress
from refmaster.album.effect_models import AlbumPrior
from refmaster.album.features import TrackFeatures, track_features
from refmaster.album.folder import ALBUM_PLAN_NAME, AlbumFolder, RunRecord
from refmaster.album.intake import take_in
from refmaster.album.judge import judge_album, judge_tracks
from refmaster.album.moves import engineer_moves
from refmaster.album.plan import AlbumPlan, load_album_plan, plan_digest, track_plan, with_track_plan
from refmaster.album.planning import PlannedAlbum, output_names, plan_album
from refmaster.album.pooled import album_lufs
from refmaster.album.previous import request_digest
from refmaster.album.request import Album, load_album
from refmaster.album.result import AlbumResult, TrackResult, plan_changes
from refmaster.album.tags import tagged
from refmaster.check.preflight import inspect_mix
from refmaster.check.promises import judge_master, judge_moves, judge_references
from refmaster.errors import AudioError, OutputError
from refmaster.io.digest import sha256_of
from refmaster.io.open import open_audio
from refmaster.mastering import close_loop
from refmaster.plan import MasteringPlan
from refmaster.profile.cache import cached_profile, content_sha256, keep_profile
from refmaster.rendering.drive import SATURATED_SLOPE
from refmaster.rendering.outlets import FileOutlet, said_tags
from refmaster.rendering.render import render_file
from refmaster.rendering.result import MasterResult
from refmaster.settings.document import problems_error

# The written album is corrected once where it misses its loudness by more than this.
POOLED_OFF_LU = 0.07


def master_album(
    source: str | Path | Album,
    folder: str | Path,
    *,
    dry_run: bool = False,
    overwrite: bool = False,
    prior: AlbumPrior | None = None,
    progress: Progress | None = None,
    **overrides: Any,
) -> AlbumResult:
    """Master an album from album.yaml or from a folder of mixes.

    Parameters
    ----------
    source : str, Path or Album
        album.yaml, a folder whose mixes are taken in the order of their names, or what was loaded
        from one of these.
    folder : str or Path
        For the masters, their plans and the album plan; finished masters of the same plan are kept.
    dry_run : bool
        Plan, write the plans, render nothing.
    overwrite : bool
        Replace masters of another plan, and texts that were edited.
    prior : AlbumPrior, optional
        How songs differ; the one that is shipped otherwise.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    overrides : optional
        As for `request.load_album`.

    Raises
    ------
    InputError
        Naming everything that is wrong; nothing has been rendered then.
    """
    album = source if isinstance(source, Album) else load_album(source, **overrides)
    source = album.name
    if Path(source).is_dir() and Path(folder).exists() and Path(folder).samefile(source):
        raise OutputError(f"{folder}: is the folder of the mixes; give another one for the masters")
    prior_file = [] if album.settings.match.prior is None else [Path(album.settings.match.prior)]
    inputs = (*album.paths, *(path for path, _ in album.references), *prior_file, Path(source))
    place = AlbumFolder(folder, overwrite=overwrite, inputs=tuple(p for p in inputs if p.is_file()))
    outputs = output_names(album)
    request = request_digest(album, place.path, prior)
    run = None if request is None else place.standing(request, outputs, rendered=not dry_run)
    if run is not None:
        return _standing_result(album, place, run, prior)
    place.check(outputs, masters=not dry_run)
    features, references = take_in(album, outputs, progress)
    planned = plan_album(album, features, references, progress, prior=prior)
    place.prepare()
    before = place.earlier_plan()
    plan = _with_finished(planned.plan, place)
    if before is not None and before.output == plan.output:  # until the masters are rendered
        plan = plan.model_copy(update={"tags": before.tags})
    place.write_plans(plan)
    if dry_run:
        tracks = _unrendered(plan, features, place)
    else:
        plan, tracks = tagged(*_rendered(planned, features, place, progress), place)
        place.write_plans(plan)
    findings = judge_album(plan, tracks)
    if planned.common is not None:
        findings += [*judge_moves(planned.common), *judge_references(planned.common)]
    result = AlbumResult(
        plan=plan,
        tracks=judge_tracks(plan, tracks, planned.moves),
        folder=place.path,
        findings=tuple(findings),
        moves=planned.moves,
        changed=() if before is None else tuple(plan_changes(before, plan)),
    )
    if request is not None:
        place.end_run(
            request,
            rendered=not dry_run,
            findings=result.findings,
            track_findings=[track.findings for track in result.tracks],
        )
    return result


def render_album_plan(
    source: str | Path, folder: str | Path, *, overwrite: bool = False, progress: Progress | None = None
) -> AlbumResult:
    """Render an album plan: every number comes from it, and the album is checked against its promises.

    Parameters
    ----------
    source : str or Path
        The album plan; its paths are relative to it.
    folder : str or Path
        As for `master_album`; may be the plan's own folder.
    overwrite : bool
        As for `master_album`.
    progress : callable, optional
        As for `master_album`.

    Raises
    ------
    InputError
        Naming every mix that is missing or is not the one the plan was made for.
    """
    source = Path(source)
    plan = _plan_with_its_mixes(source)
    inputs = tuple(Path(track.mix.file) for track in plan.tracks)
    place = AlbumFolder(folder, overwrite=overwrite, inputs=inputs)
    place.check([track.output for track in plan.tracks], masters=True, source=source)
    place.prepare()
    place.write_plans(plan, source=source)
    tracks = []
    for number, track in enumerate(plan.tracks):
        before = track_features(cached_profile(track.mix.file))
        single, output = track_plan(plan, number), place.path / track.output
        asked = plan_digest(single, track.output)
        done = place.master(track.output)
        if done is not None and plan_digest(done.plan, track.output) == asked:
            tracks.append(_kept(before, single, output))
            continue
        place.begin_master(track.output, asked, single)
        result = render_file(
            single,
            output,
            overwrite=place.may_replace(track.output),
            progress=_numbered(progress, number, plan),
            before_commit=_announcing(place, track.output),
        )
        tracks.append(_finished(before, result, place, track.output))
    plan, tracks = tagged(plan, tracks, place)
    place.write_plans(plan, source=source)
    return AlbumResult(
        plan=plan,
        tracks=judge_tracks(plan, tracks),
        folder=place.path,
        findings=tuple(judge_album(plan, tracks)),
    )


def _plan_with_its_mixes(source: Path) -> AlbumPlan:
    """Return an album plan, once every mix is there and is the one that the plan was made for."""
    plan, document = load_album_plan(source)
    problems = []
    for number, track in enumerate(plan.tracks):
        try:
            found = content_sha256(Path(track.mix.file))
        except AudioError as error:
            problems.append(document.problem(("tracks", number, "mix", "file"), str(error)))
            continue
        if track.mix.sha256 not in (None, found):
            message = "another file than the plan was made for; plan the album again, or set this to null"
            problems.append(document.problem(("tracks", number, "mix", "sha256"), message))
    if problems:
        raise problems_error(str(source), problems)
    return plan


def _standing_result(
    album: Album, place: AlbumFolder, run: RunRecord, prior: AlbumPrior | None
) -> AlbumResult:
    """Return the result of the last run, whose files all stand: nothing is planned or written."""
    plan, _ = load_album_plan(place.path / ALBUM_PLAN_NAME)
    features = [track_features(cached_profile(path)) for path in album.paths]
    tracks = []
    for number, (before, findings) in enumerate(zip(features, run.track_findings, strict=True)):
        output = place.path / plan.tracks[number].output
        after = track_features(cached_profile(output)) if run.rendered else None
        tracks.append(
            TrackResult(
                before=before,
                after=after,
                plan=track_plan(plan, number),
                output=output,
                findings=findings,
                kept=run.rendered,
            )
        )
    return AlbumResult(
        plan=plan,
        tracks=tuple(tracks),
        folder=place.path,
        findings=run.findings,
        moves=engineer_moves(album, features, prior),
        unchanged=True,
    )


def _with_finished(plan: AlbumPlan, place: AlbumFolder) -> AlbumPlan:
    """Return the plan in which every finished master has the plan that it was rendered by."""
    for number in range(len(plan.tracks)):
        done = place.finished(plan, number)
        if done is not None:
            plan = with_track_plan(plan, number, done)
    return plan


def _rendered(
    planned: PlannedAlbum, features: Sequence[TrackFeatures], place: AlbumFolder, progress: Progress | None
) -> tuple[AlbumPlan, list[TrackResult]]:
    """Render the missing masters; correct all of them once where the album misses its loudness."""
    plan = planned.plan
    tracks = []
    for number, before in enumerate(features):
        done = place.finished(planned.plan, number)
        if done is not None:
            track = _kept(before, done, place.path / plan.tracks[number].output)
        else:
            track = _render(planned, number, track_plan(plan, number), before, place, progress)
        plan = with_track_plan(plan, number, track.plan)
        tracks.append(track)
    missed = _missed_lu(plan, tracks)
    if abs(missed) <= POOLED_OFF_LU:
        return plan, tracks
    for number, (track, slope) in enumerate(zip(tracks, planned.slopes, strict=True)):
        louder = _louder(track.plan, missed, slope)
        tracks[number] = _render(planned, number, louder, track.before, place, progress)
        plan = with_track_plan(plan, number, tracks[number].plan)
    return plan, tracks


def _render(
    planned: PlannedAlbum,
    number: int,
    plan: MasteringPlan,
    before: TrackFeatures,
    place: AlbumFolder,
    progress: Progress | None,
) -> TrackResult:
    name = planned.plan.tracks[number].output
    path, output = Path(plan.mix.file), place.path / name
    outlet = FileOutlet(
        output,
        overwrite=place.may_replace(name),
        inputs=place.inputs,
        before_commit=_announcing(place, name),
    )
    place.begin_master(name, plan_digest(track_plan(planned.plan, number), name), plan)
    with outlet:
        result = close_loop(
            open_audio(path),
            cached_profile(path),
            [],
            plan,
            outlet,
            _numbered(progress, number, planned.plan),
            slope_lu_per_db=planned.slopes[number],
        )
    return _finished(before, result, place, name)


def _announcing(place: AlbumFolder, name: str) -> Callable[[Path], None]:
    """Return what is to be done with a complete file before it gets its name."""
    return lambda path: place.announce_master(name, sha256_of(path))


def _finished(before: TrackFeatures, result: MasterResult, place: AlbumFolder, name: str) -> TrackResult:
    output = place.path / name
    place.finish_master(name, result.plan, said_tags(result.plan, result.master))
    keep_profile(output, result.master)
    after = track_features(result.master)
    return TrackResult(before=before, after=after, plan=result.plan, output=output, findings=result.findings)


def _kept(before: TrackFeatures, plan: MasteringPlan, output: Path) -> TrackResult:
    """Return the result of a master that was made by an earlier run, measured as it is now."""
    master = cached_profile(output)
    source, rate_hz = before.source, plan.output.sample_rate_hz
    frames = round(source.frames * rate_hz / source.sample_rate_hz)
    findings = tuple(judge_master(plan, master, expected_frames=frames))
    after = track_features(master)
    return TrackResult(before=before, after=after, plan=plan, output=output, findings=findings, kept=True)


def _unrendered(plan: AlbumPlan, features: Sequence[TrackFeatures], place: AlbumFolder) -> list[TrackResult]:
    tracks = []
    for number, (track, before) in enumerate(zip(plan.tracks, features, strict=True)):
        findings = tuple(inspect_mix(cached_profile(track.mix.file)))
        single, output = track_plan(plan, number), place.path / track.output
        tracks.append(TrackResult(before=before, plan=single, output=output, findings=findings))
    return tracks


def _missed_lu(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> float:
    """Return how much louder the written album must become; 0 where a limit keeps it down."""
    reached = album_lufs([t.after for t in tracks if t.after is not None])
    asked = plan.promise.integrated_lufs
    if plan.promise.limited_by is not None or asked is None or reached is None:
        return 0.0
    return asked - reached


def _louder(plan: MasteringPlan, by_lu: float, slope_lu_per_db: float) -> MasteringPlan:
    gain = round(plan.level.solved_db + by_lu / max(slope_lu_per_db, SATURATED_SLOPE), 3)
    target = plan.promise.integrated_lufs
    promise = {"integrated_lufs": None if target is None else round(target + by_lu, 3)}
    return plan.model_copy(
        update={
            "level": plan.level.model_copy(update={"gain_db": gain}),
            "promise": plan.promise.model_copy(update=promise),
        }
    )


def _numbered(progress: Progress | None, number: int, plan: AlbumPlan) -> Progress | None:
    if progress is None:
        return None

    def report(stage: str, done: int, total: int | None) -> None:
        progress(f"{number + 1} of {len(plan.tracks)}: {stage}", done, total)

    return report
