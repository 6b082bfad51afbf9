"""Strength: one way from no change over `evidence` and `balanced` to `full`.

On the dial `evidence` lies at 25, `balanced` at 60, `full` at 100; between the stops curves are mixed in
proportion. Each leg is cut where it would lead away from the reference, so that the distance never rises
with the number (along a line it is convex). `evidence` asked by name is not cut: the gain that is likely
mastering may differ from the difference of the long-term spectra. Arrays have shape (bands,), gains are dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.settings.match import BALANCED_PERCENT, EVIDENCE_PERCENT

# Share of the remaining broad difference that `balanced` follows: of other music, and where the material is
# shared, so that the rest is known to be content. Set by hand in view of benchmarks/evidence.py: half of the
# broad difference to another song goes, and with the other half of the same master no EQ is still beaten.
BALANCED_SHARE, BALANCED_SHARE_NEAR = 0.8, 0.05
# A promise of the strength, set by hand.
BALANCED_LIMIT_DB = 6.0
# Whittaker smoother on third octaves, set by hand: half amplitude at a period of about 3 octaves.
BROAD_STIFFNESS = 4.0


@dataclass(frozen=True, kw_only=True)
class Stops:
    """The curves at the named stops, bounded and ranged; shape (bands,), dB."""

    evidence: Array
    balanced: Array
    full: Array


def broad(values: Array) -> Array:
    """Return values smoothed by ``(I + stiffness D'D)^-1``, D the second difference over third octaves."""
    n = len(values)
    if n < 3:
        return values.copy()
    second = np.diff(np.eye(n), 2, axis=0)
    return np.asarray(np.linalg.solve(np.eye(n) + BROAD_STIFFNESS * second.T @ second, values))


def limited(values: Array) -> Array:
    """Return values kept within `BALANCED_LIMIT_DB`: hardly touched below half of it, never reaching it."""
    return np.asarray(values / (1.0 + (np.abs(values) / BALANCED_LIMIT_DB) ** 4) ** 0.25)


def balanced_share(near_weight: float) -> float:
    """Return the share of what evidence leaves that `balanced` follows: less, the more material is shared."""
    return BALANCED_SHARE * (1.0 - near_weight) + BALANCED_SHARE_NEAR * near_weight


def balanced_curve(
    evidence_db: Array, difference_db: Array, near_weight: float, *, level_is_free: bool
) -> Array:
    """Return `balanced` on third octaves: the evidence and a share of the broad rest, within the limit.

    Where level is free the curve's mean is 0, so that the limit holds for moves as such.
    """
    asked = evidence_db + balanced_share(near_weight) * broad(difference_db - evidence_db)
    if not level_is_free:
        return limited(asked)
    low, high = -float(asked.max()), -float(asked.min())
    for _ in range(30):  # the mean rises with the offset: bisect
        offset = (low + high) / 2
        low, high = (low, offset) if limited(asked + offset).mean() > 0.0 else (offset, high)
    return limited(asked + offset)


def dial(percent: float, stops: Stops, difference_db: Array, counts: Mask, *, level_is_free: bool) -> Array:
    """Return the curve at `percent`.

    Parameters
    ----------
    percent : float
        0 to 100.
    stops : Stops
        Curves of shape (bands,).
    difference_db : ndarray, shape (bands,)
        Reference minus mix.
    counts : ndarray of bool, shape (bands,)
        Bands that distances are taken over.
    level_is_free : bool
        Distances leave out the mean.

    Returns
    -------
    ndarray, shape (bands,)
        Its distance to the difference, and to what `full` makes of it, never rises with `percent`.
    """
    aims = (difference_db, stops.full)
    evidence = _towards(np.zeros(len(difference_db)), stops.evidence, aims, counts, level_is_free)
    if percent <= EVIDENCE_PERCENT:
        return evidence * (percent / EVIDENCE_PERCENT)
    balanced = _towards(evidence, stops.balanced, aims, counts, level_is_free)
    if percent <= BALANCED_PERCENT:
        share = (percent - EVIDENCE_PERCENT) / (BALANCED_PERCENT - EVIDENCE_PERCENT)
        return evidence + (balanced - evidence) * share
    share = (percent - BALANCED_PERCENT) / (100.0 - BALANCED_PERCENT)
    return balanced + (stops.full - balanced) * share


def _towards(start: Array, stop: Array, aims: tuple[Array, ...], counts: Mask, level_is_free: bool) -> Array:
    """Return the last point of start..stop on the way to which no aim gets farther away."""
    way = stop - start
    inside = _judged(way, counts, level_is_free)
    size = float(inside @ inside)
    if size <= 0.0:
        return start
    shares = [float(inside @ _judged(aim - start, counts, level_is_free)) / size for aim in aims]
    return start + way * float(np.clip(min(shares), 0.0, 1.0))


def _judged(values: Array, counts: Mask, level_is_free: bool) -> Array:
    inside = values[counts]
    return inside - inside.mean() if level_is_free and len(inside) else inside
