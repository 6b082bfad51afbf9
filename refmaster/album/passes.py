"""An album end to end: take in, plan, render each track, measure the album as written, correct, report.

Tracks are rendered one after another, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refmaster._types import Progress
from refmaster.album.effect_models import AlbumPrior
from refmaster.album.features import TrackFeatures, track_features
from refmaster.album.folder import ALBUM_PLAN_NAME, AlbumFolder
from refmaster.album.intake import take_in
from refmaster.album.judge import judge_album, judge_tracks
from refmaster.album.plan import AlbumPlan, load_album_plan, plan_digest, track_plan, with_track_plan
from refmaster.album.planning import PlannedAlbum, output_names, plan_album
from refmaster.album.pooled import album_lufs
from refmaster.album.request import load_album
from refmaster.album.result import AlbumResult, TrackResult, plan_changes
from refmaster.check.preflight import inspect_mix
from refmaster.check.promises import judge_master, judge_moves, judge_references
from refmaster.errors import AudioError, OutputError, SettingsError
from refmaster.io.open import open_audio
from refmaster.mastering import MasterResult, close_loop, render_file
from refmaster.plan import MasteringPlan
from refmaster.profile.cache import cached_profile, content_sha256
from refmaster.rendering.drive import SATURATED_SLOPE
from refmaster.rendering.outlets import FileOutlet
from refmaster.settings.document import problems_error

# The written album is corrected once where it misses its loudness by more than this.
POOLED_OFF_LU = 0.07


def master_album(
    source: str | Path,
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
    source : str or Path
        album.yaml, or a folder whose mixes are taken in the order of their names.
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
    album = load_album(source, **overrides)
    if Path(source).is_dir() and Path(folder).exists() and Path(folder).samefile(source):
        raise OutputError(f"{folder}: is the folder of the mixes; give another one for the masters")
    prior_file = [] if album.settings.match.prior is None else [Path(album.settings.match.prior)]
    inputs = (*album.paths, *(path for path, _ in album.references), *prior_file, Path(source))
    place = AlbumFolder(folder, overwrite=overwrite, inputs=tuple(p for p in inputs if p.is_file()))
    features, references = take_in(album, output_names(album), progress)
    planned = plan_album(album, features, references, progress, prior=prior)
    place.check(planned.plan, masters=not dry_run)
    changed = _changes(place, planned.plan)
    place.write_plans(planned.plan)
    if dry_run:
        plan, tracks = planned.plan, _unrendered(planned.plan, features, place)
    else:
        plan, tracks = _rendered(planned, features, place, progress)
        place.write_plans(plan)
    findings = judge_album(plan, tracks)
    if planned.common is not None:
        findings += [*judge_moves(planned.common), *judge_references(planned.common)]
    return AlbumResult(
        plan=plan,
        tracks=judge_tracks(plan, tracks, planned.moves),
        folder=place.path,
        findings=tuple(findings),
        moves=planned.moves,
        changed=changed,
    )


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
    place.check(plan, masters=True, source=source)
    place.write_plans(plan, source=source)
    tracks = []
    for number, track in enumerate(plan.tracks):
        before = track_features(cached_profile(track.mix.file))
        single, output = track_plan(plan, number), place.path / track.output
        asked = plan_digest(single, track.output)
        done = place.finished(plan, number)
        if done is not None and plan_digest(done, track.output) == asked:
            tracks.append(_kept(before, done, output))
            continue
        free = place.may_replace(track.output)
        place.note_master(track.output, asked, single, finished=False)
        result = render_file(single, output, overwrite=free, progress=_numbered(progress, number, plan))
        place.note_master(track.output, asked, single, finished=True)
        tracks.append(_finished(before, result, output))
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
        tracks[number] = _render(planned, number, louder, track.before, place, progress, overwrite=True)
        plan = with_track_plan(plan, number, tracks[number].plan)
    return plan, tracks


def _render(
    planned: PlannedAlbum,
    number: int,
    plan: MasteringPlan,
    before: TrackFeatures,
    place: AlbumFolder,
    progress: Progress | None,
    *,
    overwrite: bool = False,
) -> TrackResult:
    name = planned.plan.tracks[number].output
    path, output = Path(plan.mix.file), place.path / name
    asked = plan_digest(track_plan(planned.plan, number), name)
    outlet = FileOutlet(output, overwrite=overwrite or place.may_replace(name), inputs=place.inputs)
    place.note_master(name, asked, plan, finished=False)
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
    place.note_master(name, asked, result.plan, finished=True)
    return _finished(before, result, output)


def _finished(before: TrackFeatures, result: MasterResult, output: Path) -> TrackResult:
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
    gain = round(plan.level.gain_db + by_lu / max(slope_lu_per_db, SATURATED_SLOPE), 3)
    target = plan.promise.integrated_lufs
    promise = {"integrated_lufs": None if target is None else round(target + by_lu, 3)}
    return plan.model_copy(
        update={
            "level": plan.level.model_copy(update={"gain_db": gain}),
            "promise": plan.promise.model_copy(update=promise),
        }
    )


def _changes(place: AlbumFolder, plan: AlbumPlan) -> tuple[str, ...]:
    """Return the differences from the album plan that is in the folder; none where it cannot be read."""
    path = place.path / ALBUM_PLAN_NAME
    try:
        return tuple(plan_changes(load_album_plan(path)[0], plan)) if path.is_file() else ()
    except SettingsError:
        return ()


def _numbered(progress: Progress | None, number: int, plan: AlbumPlan) -> Progress | None:
    if progress is None:
        return None

    def report(stage: str, done: int, total: int | None) -> None:
        progress(f"{number + 1} of {len(plan.tracks)}: {stage}", done, total)

    return report
