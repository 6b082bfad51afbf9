"""Learn from finished music how songs differ: the prior that separates mastering from content.

Every half of a song is matched with its other half, and songs with songs, behind random gains such as
mastering applies; what the match leaves is content. From it come the shape of what is left where the
material is shared, and how the quality of a match tells its size. The long-term spectra give the covariance
of other music. Songs of one album count as nearer than others, so tell albums apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.errors import InputError
from refmaster.matching.features import Features, features_of
from refmaster.matching.posterior import match_segments
from refmaster.matching.prior import (
    LearnedContent,
    LearnedTrack,
    Prior,
    gain_covariance,
    lower_triangle,
)
from refmaster.profile.bands import LEARNED_THIRDS, THIRDS_HZ
from refmaster.profile.model import Profile
from refmaster.version import made_by

MIN_TRACKS = 6
ENOUGH_TRACKS = 16
# Covariances of few songs are noisy: half of each goes to its diagonal.
SHRINK = 0.5
NEAR_FLOOR, FAR_FLOOR_DB2 = 0.05, 1.0
# How much each kind of pair counts for what quality says of content.
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
    """What one match left: `mid_db` and `width_db` (None for mono) have the learned bands."""

    kind: str
    albums: tuple[str, str]
    quality_db2: float
    mid_db: Array
    width_db: Array | None


def learn_prior(
    tracks: Sequence[Track], progress: Callable[[str, int, int | None], None] | None = None
) -> Prior:
    """Learn a prior.

    Parameters
    ----------
    tracks : sequence of Track
        Finished music, measured; 16 are enough, fewer than 6 are refused.
    progress : callable, optional
        Called as ``progress(stage, pairs_done, pairs_in_all)``.

    Raises
    ------
    InputError
        Too few tracks that can be used.
    """
    return fit_prior(tracks, match_residuals(tracks, progress))


def match_residuals(
    tracks: Sequence[Track], progress: Callable[[str, int, int | None], None] | None = None
) -> list[Residual]:
    """Match the halves and pairs of the tracks; what is left of each."""
    features = [features_of(track.profile) for track in tracks]
    chooser = np.random.default_rng(0)
    root = np.linalg.cholesky(_gain() + 1e-6 * np.eye(int(LEARNED_THIRDS.sum())))
    jobs: list[tuple[str, int, int, Features, Features]] = []
    for i, whole in enumerate(features):
        halves = _halves(whole)
        jobs += [("same", i, i, halves[h], halves[1 - h]) for h in (0, 1, 0, 1) if halves]
    pairs: dict[str, list[tuple[int, int]]] = {"album": [], "other": []}
    for i, one in enumerate(tracks):
        for j, other in enumerate(tracks):
            if i != j:
                pairs["album" if one.album == other.album else "other"].append((i, j))
    for kind, found in pairs.items():
        chosen = np.sort(chooser.permutation(len(found))[: MAX_PAIRS[kind]])
        jobs += [(kind, i, j, features[i], features[j]) for i, j in (found[k] for k in chosen)]
    rows = []
    for number, (kind, i, j, own, its) in enumerate(jobs):
        gain = root @ chooser.standard_normal(len(root))
        if len(own.segment_mid_db) and len(its.segment_mid_db):
            rows.append(_residual(kind, (tracks[i].album, tracks[j].album), own, its, gain))
        if progress is not None:
            progress("comparing", number + 1, len(jobs))
    return rows


def fit_prior(
    tracks: Sequence[Track], residuals: Sequence[Residual], *, leave_out: str | None = None
) -> Prior:
    """Return the prior of residuals; `leave_out` names an album that no number may come from."""
    kept = [track for track in tracks if track.album != leave_out]
    if len(kept) < MIN_TRACKS:
        raise InputError(
            f"expected at least {MIN_TRACKS} finished recordings to learn from, found {len(kept)}"
        )
    rows = [row for row in residuals if leave_out not in row.albums]
    features = [features_of(track.profile) for track in kept]
    mid_levels = [f.mid_db[LEARNED_THIRDS] for f in features]
    mid = _fit(rows, [row.mid_db for row in rows], [level - level.mean() for level in mid_levels])
    stereo = [row for row in rows if row.width_db is not None]
    widths = [f.width_db[LEARNED_THIRDS] for f in features if f.width_db is not None]
    if len(widths) < MIN_TRACKS:
        raise InputError(
            f"expected at least {MIN_TRACKS} stereo recordings to learn from, found {len(widths)}"
        )
    side = _fit(stereo, [row.width_db for row in stereo if row.width_db is not None], widths)
    return Prior(
        version=1,
        made_by=made_by(),
        segment_s=kept[0].profile.evidence.segment_s,
        frequencies_hz=tuple(np.round(THIRDS_HZ[LEARNED_THIRDS], 2).tolist()),
        tracks=tuple(
            LearnedTrack(file=t.profile.name, sha256=t.profile.source.sha256, album=t.album) for t in kept
        ),
        mid=mid,
        side=side,
    )


def _fit(rows: Sequence[Residual], left: Sequence[Array], levels: Sequence[Array]) -> LearnedContent:
    kinds = np.array([row.kind for row in rows])
    residuals = np.array(left)
    if "same" not in kinds:
        raise InputError(
            "every recording is too short to learn from: expected 12 s of music and more in each"
        )
    weights = np.array([SHARES[kind] / np.sum(kinds == kind) for kind in kinds])
    weights /= weights.sum()
    log_rms = 0.5 * np.log(np.maximum(np.mean(residuals**2, axis=1), 1e-6))
    design = np.column_stack([np.ones(len(rows)), np.log([row.quality_db2 for row in rows])])
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


def _residual(kind: str, albums: tuple[str, str], own: Features, its: Features, gain: Array) -> Residual:
    hidden, reference = own.segment_mid_db[:, LEARNED_THIRDS], its.segment_mid_db[:, LEARNED_THIRDS]
    match = match_segments(hidden - gain, reference, np.zeros(len(gain)), _gain())
    mid = match.difference(hidden, reference)
    width = None
    if own.segment_width_db is not None and its.segment_width_db is not None:
        width = match.difference(
            own.segment_width_db[:, LEARNED_THIRDS], its.segment_width_db[:, LEARNED_THIRDS]
        )
    return Residual(
        kind=kind, albums=albums, quality_db2=match.quality_db2, mid_db=mid - mid.mean(), width_db=width
    )


def _halves(whole: Features) -> list[Features]:
    """Return the first and the second half, as far as their segments go; nothing of a short recording."""
    count = len(whole.segment_mid_db) // 2
    if count < MIN_HALF_SEGMENTS:
        return []
    halves = []
    for part in (slice(0, count), slice(count, None)):
        width = whole.segment_width_db
        halves.append(
            Features(
                mid_db=whole.mid_db,
                width_db=whole.width_db,
                segment_mid_db=whole.segment_mid_db[part],
                segment_width_db=None if width is None else width[part],
                mid_present=whole.mid_present,
                side_present=whole.side_present,
            )
        )
    return halves


def _gain() -> Array:
    return gain_covariance(THIRDS_HZ[LEARNED_THIRDS])


def _shrunk(covariance: Array, floor: float) -> Array:
    diagonal = np.diag(np.diag(covariance))
    return (1 - SHRINK) * covariance + SHRINK * diagonal + floor * np.eye(len(covariance))
