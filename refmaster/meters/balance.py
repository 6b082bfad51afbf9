"""The balance of left and right over time, which two versions of a song have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmaster.units import power_to_db

HOPS_PER_VALUE = 10  # of 20 ms each (see `TopMeter`)
VALUE_S = 0.2
MAX_VALUES = 3000
_FLOOR = 1e-9  # silence on both sides is balanced


class BalanceMeter:
    """Follows the level of left over right in steps of 0.2 s, for the first ten minutes."""

    def __init__(self) -> None:
        self._powers: list[NDArray[np.float64]] = []
        self._hops = 0

    def watch(self, highest: NDArray[np.floating]) -> None:
        """Take the largest sample of each channel in every 20 ms (see `TopMeter`)."""
        if len(highest) == 2 and self._hops < MAX_VALUES * HOPS_PER_VALUE:
            self._powers.append(np.square(highest, dtype=np.float64))
            self._hops += highest.shape[1]

    def result(self) -> tuple[float, ...]:
        """Return the balance in dB, in order of time; nothing for other than two channels."""
        if not self._powers:
            return ()
        powers = np.concatenate(self._powers, axis=1)[:, : MAX_VALUES * HOPS_PER_VALUE]
        whole = powers.shape[1] // HOPS_PER_VALUE * HOPS_PER_VALUE
        left, right = powers[:, :whole].reshape(2, -1, HOPS_PER_VALUE).mean(axis=2) + _FLOOR
        return tuple((np.round(power_to_db(left / right), 1) + 0.0).tolist())
