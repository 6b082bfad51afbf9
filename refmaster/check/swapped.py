"""Swapped channels: told by another version of the same song, whose balance moves the other way."""

from __future__ import annotations

import numpy as np

from refmaster._types import Array
from refmaster.check.findings import Finding, warning
from refmaster.meters.balance import VALUE_S
from refmaster.profile.model import Profile

# Versions may begin up to this far apart, and must share at least so much.
FARTHEST_S, SHORTEST_S = 60.0, 20.0
# Of 372 pairs of other songs none is below -0.49; 24 of 28 recordings against themselves, distorted and
# swapped, are below this (benchmarks/preflight.py --swapped).
SWAPPED_BELOW = -0.6
# A balance that hardly moves tells nothing.
_MOVES_DB = 0.2


def inspect_swapped(mix: Profile, reference: Profile) -> list[Finding]:
    """Return the finding that one of two versions of a song has its channels swapped, if it has."""
    if mix.faults is None or reference.faults is None:
        return []
    found = strongest_correlation(np.array(mix.faults.balance_db), np.array(reference.faults.balance_db))
    if found > SWAPPED_BELOW:
        return []
    return [
        warning(
            "channels_swapped",
            f"the mix and the reference {reference.name} are the same music with left and right swapped",
            "find out which of them is right: listen for instruments whose side you know",
            value=round(found, 2),
            limit=SWAPPED_BELOW,
            unit="correlation of their balance over time",
        )
    ]


def strongest_correlation(one: Array, other: Array) -> float:
    """Return the correlation of two balances that is farthest from 0 over all shifts between them."""
    farthest, shortest = round(FARTHEST_S / VALUE_S), round(SHORTEST_S / VALUE_S)
    strongest = 0.0
    for shift in range(-farthest, farthest + 1):
        a, b = one[max(0, shift) :], other[max(0, -shift) :]
        frames = min(len(a), len(b))
        if frames < shortest:
            continue
        a, b = a[:frames] - a[:frames].mean(), b[:frames] - b[:frames].mean()
        moves = np.sqrt(a @ a / frames), np.sqrt(b @ b / frames)
        if min(moves) >= _MOVES_DB:
            found = float(a @ b / frames / moves[0] / moves[1])
            strongest = max(strongest, found, key=abs)
    return strongest
