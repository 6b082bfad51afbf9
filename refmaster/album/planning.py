"""From measured mixes to an album plan whose levels are solved through the limiter.

Every track gets an integrated loudness of its own, its share in the album's, and its gain is solved so that
the limiter ends there: the songs' distances survive the limiting. Where one track would need more limiting
than is allowed, the whole album stays lower by as much, and that track is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Progress
from refmaster.album.effect_models import AlbumPrior
from refmaster.album.features import TONE_HZ, TrackFeatures, tone_at
from refmaster.album.moves import (
    EngineerMoves,
    common_gain_db,
    engineer_moves,
    integrated_targets_lufs,
    level_targets_lufs,
)
from refmaster.album.plan import (
    POOLED_TOLERANCE_LU,
    AlbumPlan,
    AlbumPromise,
    CommonStage,
    EngineerStage,
    TrackPromise,
    TrackStage,
    track_curves,
    track_gain_db,
    track_plan,
    with_track_plan,
)
from refmaster.album.pooled import album_lufs, pooled_profile
from refmaster.album.request import Album
from refmaster.album.tags import track_tags
from refmaster.io.open import open_audio
from refmaster.matching.curves import tone_points
from refmaster.matching.derive import WeightedProfile, derive_plan, target_lufs
from refmaster.plan import LimiterStage, MasteringPlan
from refmaster.profile.bands import band_centers_hz
from refmaster.profile.cache import cached_profile
from refmaster.rendering.drive import DriveSolution
from refmaster.rendering.level import bounds_of, cost_in_words, drive_analyzed, rounded_ratio
from refmaster.rendering.renderer import limiter_settings
from refmaster.settings.curves import CurvePoint
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.records import MixRecord
from refmaster.version import made_by

_UNFIT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_MAX_NAME = 100
# A second solution at lower targets may still ask a hair too much.
_HOLD_MARGIN_LU = 0.02


@dataclass(frozen=True, kw_only=True)
class PlannedAlbum:
    """An album plan and what led to it.

    Attributes
    ----------
    plan : AlbumPlan
    moves : EngineerMoves
    slopes : tuple of float
        How many LU the next dB of each track's gain brings.
    common : MasteringPlan or None
        The plan of the pooled album toward the references, for its regions and findings.
    """

    plan: AlbumPlan
    moves: EngineerMoves
    slopes: tuple[float, ...]
    common: MasteringPlan | None


def output_names(album: Album) -> list[str]:
    """Return the masters' names: the track's number and title."""
    digits = max(2, len(str(len(album.paths))))
    names = []
    for number, title in enumerate(album.titles, 1):
        names.append(f"{number:0{digits}d} {name_of(title)}".strip() + f".{album.settings.output.format}")
    return names


def name_of(title: str) -> str:
    """Return a title as a file's name can hold it."""
    return _UNFIT_IN_NAMES.sub(" ", title).strip(" .")[:_MAX_NAME].strip()


def plan_album(
    album: Album,
    features: Sequence[TrackFeatures],
    references: Sequence[WeightedProfile],
    progress: Progress | None = None,
    *,
    prior: AlbumPrior | None = None,
) -> PlannedAlbum:
    """Derive the album's plan and solve its levels; `prior` is the shipped one where none is given."""
    moves = engineer_moves(album, features, prior)
    common = _toward_references(album, moves, references)
    plan = _unlevelled(album, features, moves, common)
    curves = [track_curves(plan, i)[0] for i in range(len(features))]
    levels = level_targets_lufs(album, features, moves)
    targets = integrated_targets_lufs(features, levels, curves, album.settings.levels.anchor)
    asked, why = _asked_lufs(album, features, references)
    targets = targets + common_gain_db(features, targets, asked)
    plan = _promising(plan, integrated_lufs=round(asked, 3), why=why)
    solutions = _solved(plan, targets, progress)
    shortfalls = [
        0.0 if s.limited_by is None else float(target - s.found.lufs)
        for target, s in zip(targets, solutions, strict=True)
    ]
    if max(shortfalls) > 0.0:
        held = int(np.argmax(shortfalls))
        plan = _held_plan(plan, held, solutions[held], float(targets[held]))
        targets = targets - shortfalls[held] - _HOLD_MARGIN_LU
        solutions = _solved(plan, targets, progress)
    return PlannedAlbum(
        plan=_levelled(plan, targets, solutions),
        moves=moves,
        slopes=tuple(s.slope_lu_per_db for s in solutions),
        common=common,
    )


def _toward_references(
    album: Album, moves: EngineerMoves, references: Sequence[WeightedProfile]
) -> MasteringPlan | None:
    """Return the plan that brings the album, taken as one recording, toward its references."""
    if not references:
        return None
    profiles = [cached_profile(path) for path in album.paths]
    pooled = pooled_profile(profiles, moves.applied_tone_db, album.settings.title or "the album")
    # Tracks differ in their dynamics as songs do: nothing is taken from all of them alike.
    return derive_plan(pooled, references, album.settings.match.model_copy(update={"dynamics": False}))


def _unlevelled(
    album: Album, features: Sequence[TrackFeatures], moves: EngineerMoves, common: MasteringPlan | None
) -> AlbumPlan:
    match = album.settings.match
    names = output_names(album)
    return AlbumPlan(
        version=1,
        made_by=made_by(),
        title=album.settings.title,
        requested=match,
        references=() if common is None else common.references,
        levels_by=album.settings.levels.anchor,
        common=CommonStage(
            why="no reference: the tracks are only brought together" if common is None else common.tone.why,
            mid=() if common is None else common.tone.mid,
            width=() if common is None else common.tone.width,
            left_over_right_db=0.0 if common is None else common.balance.left_over_right_db,
            gain_db=0.0,
        ),
        engineers=tuple(_engineer_stages(album, moves)),
        tracks=tuple(_track_stage(album, i, f, moves, names[i]) for i, f in enumerate(features)),
        limiter=LimiterStage(
            why=f"holds {match.ceiling_dbtp:g} dBTP on every track; only peaks above it are touched",
            enabled=True,
            **LimiterSettings(ceiling_dbtp=match.ceiling_dbtp).model_dump(),
        ),
        output=album.settings.output,
        promise=AlbumPromise(
            integrated_lufs=None,
            tolerance_lu=POOLED_TOLERANCE_LU,
            true_peak_dbtp=match.ceiling_dbtp,
            limited_by=None,
            why="not solved yet",
        ),
    )


def _engineer_stages(album: Album, moves: EngineerMoves) -> list[EngineerStage]:
    stages = []
    tone, level = moves.tone_fit, moves.level_fit
    for place, name in enumerate(tone.engineers):
        tracks = [i for i, e in enumerate(album.engineers) if e == name]
        if not tracks:  # a track without a named engineer
            continue
        count = f"{len(tracks)} track{'s' if len(tracks) > 1 else ''}"
        known, worth = tone.reliability[place], tone.worth_share
        why = f"{count}: {known:.0%} of the habit in tone is known, {worth:.0%} of the prediction taken back"
        if len(tone.engineers) == 1:
            why = f"{count}; the album has no other engineer to compare with"
        if album.anchor == name:
            why = f"{count}; the album follows this engineer"
        stages.append(
            EngineerStage(
                name=name,
                why=why,
                tracks=len(tracks),
                reliability=round(float(tone.reliability[place]), 3),
                tone_std_db=round(float(np.sqrt(np.mean(tone.std_db[place] ** 2))), 2),
                level_std_db=round(float(level.std_db[place, 0]), 2),
                mid=_points(moves.tone_db[tracks[0]]),
                width_db=round(float(moves.width_db[tracks[0]]), 2) + 0.0,
                level_db=round(float(moves.level_db[tracks[0]]), 2) + 0.0,
                habit=tuple(
                    (round(float(f), 1), round(float(h), 2) + 0.0, round(float(s), 2))
                    for f, h, s in zip(TONE_HZ, tone.offsets_db[place], tone.std_db[place], strict=True)
                ),
                habit_level_db=round(float(level.offsets_db[place, 0]), 2) + 0.0,
            )
        )
    return stages


def _points(tone_db: Array) -> tuple[CurvePoint, ...]:
    if np.abs(tone_db).max() < 0.01:
        return ()
    return tuple(
        (round(float(f), 1), round(float(g), 2) + 0.0) for f, g in zip(TONE_HZ, tone_db, strict=True)
    )


def _track_stage(
    album: Album, number: int, found: TrackFeatures, moves: EngineerMoves, output: str
) -> TrackStage:
    track, source = album.settings.tracks[number], found.source
    own: tuple[CurvePoint, ...] = ()
    why = f"as {track.engineer}'s other tracks" if track.engineer else "no engineer is named: hardly moved"
    if track.engineer is None and "tone" not in track.keep:
        hz = band_centers_hz(source.sample_rate_hz)
        own = tone_points(hz, tone_at(moves.applied_tone_db[number], hz))
    keep = track.keep
    if found.one_sided and "width" not in keep:
        keep = (*keep, "width")
    if keep:
        why = f"keeps its own {', '.join(keep)}; otherwise {why}"
    return TrackStage(
        title=album.titles[number],
        engineer=track.engineer,
        output=output,
        mix=MixRecord(
            file=str(album.paths[number]),
            sha256=source.sha256,
            sample_rate_hz=source.sample_rate_hz,
            channels=source.channels,
            frames=source.frames,
        ),
        why=why,
        keep=keep,
        share=round(float(moves.share[number]), 4),
        mid=own,
        gain_db=0.0,
        promise=TrackPromise(integrated_lufs=None),
        tags=track_tags(album, number),
    )


def _asked_lufs(
    album: Album, features: Sequence[TrackFeatures], references: Sequence[WeightedProfile]
) -> tuple[float, str]:
    """Return the loudness that the album is to have, and why."""
    match = album.settings.match
    if match.target_lufs is not None:
        return match.target_lufs, f"the album comes to {match.target_lufs:g} LUFS, as asked"
    if references and match.loudness is not False:
        found = target_lufs(references[0][0], references, match)
        if found is not None:
            return found, f"the album comes to its references' {found:.1f} LUFS"
    own = album_lufs(features)
    own = max(f.integrated_lufs for f in features) if own is None else own
    return own, f"the album keeps its {own:.1f} LUFS: no other loudness was asked"


def _solved(plan: AlbumPlan, targets: Array, progress: Progress | None) -> list[DriveSolution]:
    """Return the gain that meets each track's loudness; one track's analysis is in memory at a time."""
    solutions = []
    for number, target in enumerate(targets):
        track = track_plan(plan, number)
        stage = f"solving {number + 1} of {len(targets)}"
        analyzer = drive_analyzed(track, open_audio(track.mix.file), progress, stage=stage)
        bounds = bounds_of(plan.requested, plan.references)
        solutions.append(analyzer.solve(float(target), limiter_settings(track), **bounds))
    return solutions


def _held_plan(plan: AlbumPlan, number: int, solution: DriveSolution, target: float) -> AlbumPlan:
    """Return the plan whose album stays lower for the sake of one track."""
    who = f'track {number + 1} ("{plan.tracks[number].title}")'
    bound = {
        "max_reduction": f"{plan.requested.max_reduction_db or 0.0:g} dB are not passed",
        "audibility": "its limiting stays clean",
        "saturation": "it keeps its place among the others: more gain hardly makes it louder",
    }[solution.limited_by or "saturation"]
    why = (
        f"at {plan.promise.integrated_lufs:.1f} LUFS {who} asks too much: {cost_in_words(solution, target)}; "
        f"the album stays lower, so that {bound}"
    )
    return _promising(plan, limited_by=solution.limited_by, why=why)


def _promising(plan: AlbumPlan, **values: object) -> AlbumPlan:
    return plan.model_copy(update={"promise": plan.promise.model_copy(update=values)})


def _levelled(plan: AlbumPlan, targets: Array, solutions: Sequence[DriveSolution]) -> AlbumPlan:
    """Return the plan with its gains: the mean is common, the rest is each track's own."""
    plans = []
    for number, (target, solution) in enumerate(zip(targets, solutions, strict=True)):
        track = track_plan(plan, number)
        level = track.level.model_copy(update={"gain_db": round(solution.found.gain_db, 3) + 0.0})
        promise = track.promise.model_copy(update={"integrated_lufs": round(float(target), 3)})
        plans.append(track.model_copy(update={"level": level, "promise": promise}))
    habits = [track_gain_db(plan, number) for number in range(len(plans))]
    common = np.mean([p.level.solved_db - h for p, h in zip(plans, habits, strict=True)])
    stage = plan.common.model_copy(update={"gain_db": round(float(common), 2) + 0.0})
    plan = plan.model_copy(update={"common": stage})
    worst = rounded_ratio(max(s.found.noise_to_mask_db for s in solutions))
    plan = _promising(plan, noise_to_mask_db=worst)
    for number, track in enumerate(plans):
        plan = with_track_plan(plan, number, track)
    return plan
