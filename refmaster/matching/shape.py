"""The shape of a curve: kept to the asked range, and run out where mix and reference are not both known."""

from __future__ import annotations

import numpy as np

from refmaster._types import Array, Mask
from refmaster.profile.bands import BANDS_PER_OCTAVE, smooth
from refmaster.settings.match import MatchSettings

RUN_OUT_OCTAVES = 1 / 6
RANGE_EDGE_OCTAVES = 1 / 3
OPEN_FROM_HZ = 20000.0  # a range that ends here or above is open


class CurveShape:
    """Shapes curves of one difference.

    Parameters
    ----------
    frequencies_hz : ndarray, shape (bands,)
    known : ndarray of bool, shape (bands,)
        Where mix and reference both have energy; at least one band.
    settings : MatchSettings
        With the range.
    """

    def __init__(self, frequencies_hz: Array, known: Mask, settings: MatchSettings) -> None:
        self._known = known
        places, index = np.flatnonzero(known), np.arange(len(known))
        self._nearest = places[np.abs(index[:, None] - places).argmin(axis=1)]
        self._run_out = _fade(np.abs(index - self._nearest) / (RUN_OUT_OCTAVES * BANDS_PER_OCTAVE))
        self._window = range_window(frequencies_hz, settings)

    def __call__(self, curve: Array) -> Array:
        """Return a curve run out beyond what is known, and to 0 dB beyond the asked range.

        Beyond what is known a curve goes on from its mean over the nearest third of an octave. A boost falls
        to 0 dB; a cut is held, because to let go of it would lift the unknown against all the rest.
        """
        ends = smooth(curve, self._known, 2 / 3)[self._nearest]
        beyond = np.where(ends > 0.0, ends * self._run_out, ends)
        return np.asarray(np.where(self._known, curve, beyond) * self._window)


def range_window(frequencies_hz: Array, settings: MatchSettings) -> Array:
    """Return 1 inside the asked range, falling to 0 within a third of an octave inside its ends."""
    octaves = np.full(len(frequencies_hz), np.inf)
    if settings.low_hz > frequencies_hz[0]:
        octaves = np.minimum(octaves, np.log2(frequencies_hz / settings.low_hz))
    if settings.high_hz < min(frequencies_hz[-1], OPEN_FROM_HZ):
        octaves = np.minimum(octaves, np.log2(settings.high_hz / frequencies_hz))
    return 1.0 - _fade(octaves / RANGE_EDGE_OCTAVES)


def _fade(share: Array) -> Array:
    """Return 1 at 0 and below, 0 at 1 and above, half a cosine between."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0))
