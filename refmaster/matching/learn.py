"""Learn from finished music how songs differ: the prior that tells mastering from song content.

Every half of a song is matched with its other half, and songs with songs, behind random gains such as
mastering applies; what the match leaves is content. From it come the shape of what is left where the
material is shared, and how the quality of a match tells its size. The long-term spectra give the covariance
of other music. Songs of one album count as nearer than others, so tell albums apart. The spread of levels is
learned likewise: from halves, by how far they share their material, and from songs.

Arrays have the bands of `LEARNED_THIRDS` as their last axis, in dB. The constants are conventions of the
fit, set by hand; their effect on held-out music is stated by `benchmarks/choose_matching.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refmaster._types import Array, Progress
from refmaster.errors import InputError
from refmaster.matching.content_prior import (
    LEARNED_HZ,
    LearnedContent,
    LearnedDynamics,
    LearnedTrack,
    Prior,
    lower_triangle,
    mid_gain_covariance,
)
from refmaster.matching.features import MatchFeatures, ThirdLevels, match_features
from refmaster.matching.level_spread import halves_difference, level_summary, statistics
from refmaster.matching.posterior import match_segments, shared_material
from refmaster.profile.bands import LEARNED_THIRDS
from refmaster.profile.model import Profile
from refmaster.version import made_by

MIN_TRACKS = 6
ENOUGH_TRACKS = 16
# Covariances of few songs are noisy: half of each goes to its diagonal, and a floor is added.
SHRINK = 0.5
NEAR_FLOOR, FAR_FLOOR_DB2 = 0.05, 1.0
# The same of dynamics, whose matrices are small; the floor also stands for what an equalizer does to levels.
SPREAD_SHRINK, SPREAD_FLOOR = 0.3, 0.02
# How much each kind of pair counts in the relation of quality to content.
SHARES = {"same": 0.5, "album": 0.25, "other": 0.25}
# Of a large collection a fixed random choice of pairs is matched.
MAX_PAIRS = {"album": 300, "other": 600}
MIN_HALF_SEGMENTS = 8


@dataclass(frozen=True, kw_only=True)
class Track:
    """A finished recording to learn from."""

    profile: Profile
    album: str


@dataclass(frozen=True, kw_only=True)
class Residual:
    """The content that one match left.

    `width_db` is None for mono, `spread` (the statistics of levels) for all but halves that are long enough.
    """

    kind: str
    albums: tuple[str, str]
    quality_db2: float
    mid_db: Array
    width_db: Array | None
    spread: Array | None = None


def match_residuals(tracks: Sequence[Track], progress: Progress | None = None) -> list[Residual]:
    """Match the halves and the pairs of the tracks, and return what each match left.

    Parameters
    ----------
    tracks : sequence of Track
        Finished music, measured.
    progress : callable, optional
        Called as ``progress(stage, pairs_done, pairs_in_all)``.
    """
    features = [match_features(track.profile) for track in tracks]
    chooser = np.random.default_rng(0)
    gain = mid_gain_covariance(LEARNED_HZ)
    root = np.linalg.cholesky(gain + 1e-6 * np.eye(len(gain)))
    jobs: list[tuple[str, int, int, MatchFeatures, MatchFeatures]] = []
    for i, whole in enumerate(features):
        halves = halves_of(whole)
        jobs += [("same", i, i, halves[h], halves[1 - h]) for h in (0, 1, 0, 1) if halves]
    for kind in ("album", "other"):
        found = [
            (i, j)
            for i, j in itertools.permutations(range(len(tracks)), 2)
            if (tracks[i].album == tracks[j].album) == (kind == "album")
        ]
        chosen = np.sort(chooser.permutation(len(found))[: MAX_PAIRS[kind]])
        jobs += [(kind, i, j, features[i], features[j]) for i, j in (found[k] for k in chosen)]
    spreads = [halves_difference(track.profile) for track in tracks]
    rows = []
    for number, (kind, i, j, own, its) in enumerate(jobs):
        hidden_by = root @ chooser.standard_normal(len(root))
        if len(own.mid.segments_db) and len(its.mid.segments_db):
            row = _residual(kind, (tracks[i].album, tracks[j].album), own, its, hidden_by, gain)
            rows.append(replace(row, spread=spreads[i]) if kind == "same" else row)
        if progress is not None:
            progress("comparing", number + 1, len(jobs))
    return rows


def fit_prior(
    tracks: Sequence[Track], residuals: Sequence[Residual], *, leave_out: str | None = None
) -> Prior:
    """Return the prior that tracks and their residuals give.

    Parameters
    ----------
    tracks : sequence of Track
        16 are enough, fewer than 6 are refused.
    residuals : sequence of Residual
        Of `match_residuals`, of the same tracks.
    leave_out : str, optional
        An album that no number may come from.

    Raises
    ------
    InputError
        Too few tracks that can be used.
    """
    kept = [track for track in tracks if track.album != leave_out]
    features = [match_features(track.profile) for track in kept]
    mids = [f.mid.long_term_db[LEARNED_THIRDS] for f in features]
    widths = [f.width.long_term_db[LEARNED_THIRDS] for f in features if f.width is not None]
    for kind, found in (("finished", mids), ("stereo", widths)):
        if len(found) < MIN_TRACKS:
            raise InputError(
                f"expected at least {MIN_TRACKS} {kind} recordings to learn from, found {len(found)}"
            )
    rows = [row for row in residuals if leave_out not in row.albums]
    return Prior(
        version=1,
        made_by=made_by(),
        segment_s=kept[0].profile.evidence.segment_s,
        frequencies_hz=tuple(np.round(LEARNED_HZ, 2).tolist()),
        tracks=tuple(
            LearnedTrack(file=t.profile.name, sha256=t.profile.source.sha256, album=t.album) for t in kept
        ),
        mid=_fit([(row, row.mid_db) for row in rows], [level - level.mean() for level in mids]),
        side=_fit([(row, row.width_db) for row in rows if row.width_db is not None], widths),
        dynamics=_fit_dynamics(kept, rows),
    )


def _fit_dynamics(tracks: Sequence[Track], rows: Sequence[Residual]) -> LearnedDynamics | None:
    """Fit the spread of levels; None where too few recordings are long enough."""
    levels = [level_summary(track.profile) for track in tracks]
    songs = np.array([statistics(found) for found in levels if found is not None])
    halves = [(row.spread, row.quality_db2) for row in rows if row.spread is not None]
    if len(songs) < MIN_TRACKS or not halves:
        return None
    differences = np.array([spread for spread, _ in halves])
    shared = shared_material(np.array([quality for _, quality in halves]))
    # Where no halves share their material, all of them count alike.
    weights = np.maximum(shared, 1e-3)
    songs = songs - songs.mean(axis=0)
    near = (differences.T * weights) @ differences / weights.sum()
    far = songs.T @ songs / (len(songs) - 1)
    return LearnedDynamics(
        near_covariance=lower_triangle(_shrunk(near, SPREAD_FLOOR, SPREAD_SHRINK), 4),
        far_covariance=lower_triangle(_shrunk(far, SPREAD_FLOOR, SPREAD_SHRINK), 4),
    )


def _fit(rows: Sequence[tuple[Residual, Array]], levels: Sequence[Array]) -> LearnedContent:
    """Fit content to residuals with what each left, and to long-term levels, one per track."""
    kinds = np.array([row.kind for row, _ in rows])
    if "same" not in kinds:
        raise InputError(
            "every recording is too short to learn from: expected 12 s of music and more in each"
        )
    residuals = np.array([left for _, left in rows])
    weights = np.array([SHARES[kind] / np.sum(kinds == kind) for kind in kinds])
    weights /= weights.sum()
    log_rms = 0.5 * np.log(np.maximum(np.mean(residuals**2, axis=1), 1e-6))
    design = np.column_stack([np.ones(len(rows)), np.log([row.quality_db2 for row, _ in rows])])
    root = np.sqrt(weights)
    fit = np.linalg.lstsq(design * root[:, None], log_rms * root, rcond=None)[0]
    spread = float(np.sqrt(weights @ (log_rms - design @ fit) ** 2))
    same = kinds == "same"
    unit = residuals[same] / np.exp(log_rms[same])[:, None]
    shape = _shrunk(unit.T @ unit / len(unit), NEAR_FLOOR)
    shape *= len(shape) / np.trace(shape)
    x = np.array(levels)
    x = x - x.mean(axis=0)
    return LearnedContent(
        near_log_rms=(round(float(fit[0]), 4), round(float(fit[1]), 4)),
        near_log_rms_sd=round(max(spread, 0.05), 4),
        near_shape=lower_triangle(shape, 4),
        far_covariance=lower_triangle(_shrunk(x.T @ x / (len(x) - 1), FAR_FLOOR_DB2), 3),
    )


def _residual(
    kind: str,
    albums: tuple[str, str],
    own: MatchFeatures,
    its: MatchFeatures,
    hidden_by: Array,
    gain_covariance: Array,
) -> Residual:
    """Hide the mix behind a gain, match it with the reference, and return what differs without the gain."""
    mix, reference = own.mid.segments_db[:, LEARNED_THIRDS], its.mid.segments_db[:, LEARNED_THIRDS]
    match = match_segments(mix - hidden_by, reference, np.zeros(len(hidden_by)), gain_covariance)
    mid = match.difference(mix, reference)
    width = None
    if own.width and its.width and len(own.width.segments_db) and len(its.width.segments_db):
        width = match.difference(own.width.segments_db, its.width.segments_db)[LEARNED_THIRDS]
    return Residual(
        kind=kind, albums=albums, quality_db2=match.quality_db2, mid_db=mid - mid.mean(), width_db=width
    )


def halves_of(whole: MatchFeatures) -> list[MatchFeatures]:
    """Return the first and the second half, as far as their segments go; nothing of a short recording."""
    count = len(whole.mid.segments_db) // 2
    if count < MIN_HALF_SEGMENTS:
        return []

    def cut(levels: ThirdLevels, part: slice) -> ThirdLevels:
        return replace(levels, segments_db=levels.segments_db[part])

    return [
        replace(whole, mid=cut(whole.mid, part), width=whole.width and cut(whole.width, part))
        for part in (slice(0, count), slice(count, None))
    ]


def _shrunk(covariance: Array, floor: float, share: float = SHRINK) -> Array:
    diagonal = np.diag(np.diag(covariance))
    return (1 - share) * covariance + share * diagonal + floor * np.eye(len(covariance))
