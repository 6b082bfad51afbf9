"""Curves of tone in words: the range of the spectrum in which a curve says most, and how much it says there.

Curves are dB at `refmaster.album.features.TONE_HZ`. A range is a run of neighbouring regions, each one region
(`refmaster.matching.explain.REGIONS`) or more, but not the whole spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.album.features import TONE_HZ
from refmaster.matching.explain import REGIONS

# Moves and habits that would be printed as 0.0 dB.
UNHEARD_DB = 0.05


@dataclass(frozen=True, kw_only=True)
class ToneRange:
    """A range of the spectrum; `inside` says which of `TONE_HZ` it holds."""

    place: str
    too_little: str
    too_much: str
    inside: Mask

    def mean_db(self, tone_db: Array) -> float:
        """Return a curve's mean over the range."""
        return float(tone_db[self.inside].mean())

    def rms_db(self, tone_db: Array) -> float:
        """Return the root mean square of values over the range."""
        return float(np.sqrt((tone_db[self.inside] ** 2).mean()))


def telling_range(tone_db: Array) -> ToneRange:
    """Return the range whose mean explains most of a curve's energy."""
    return max(_RANGES, key=lambda r: abs(r.mean_db(tone_db)) * np.sqrt(r.inside.sum()))


def tone_words(tone_db: Array) -> str:
    """Return a change of tone in words, such as ``+0.9 dB above 5 kHz``; empty where nothing is heard."""
    found = telling_range(tone_db)
    mean = found.mean_db(tone_db)
    return f"{mean:+.1f} dB {found.place}" if abs(mean) >= UNHEARD_DB else ""


def hertz(frequency_hz: float) -> str:
    """Return a frequency as it is said: ``150 Hz``, ``5 kHz``."""
    return f"{frequency_hz:g} Hz" if frequency_hz < 1000.0 else f"{frequency_hz / 1000.0:g} kHz"


def _ranges() -> list[ToneRange]:
    ranges = []
    last = len(REGIONS) - 1
    for first in range(len(REGIONS)):
        for end in range(first, len(REGIONS)):
            low, high = REGIONS[first][1], REGIONS[end][2]
            inside = (low <= TONE_HZ) & (high > TONE_HZ)
            if inside.all() or not inside.any():
                continue
            unit = hertz(high).split()[1]
            place = f"from {hertz(low).removesuffix(f' {unit}')} to {hertz(high)}"
            little, much = "weak", "strong"
            if first == 0:
                place, little, much = f"below {hertz(high)}", "thin", "heavy"
            elif end == last:
                place, little, much = f"above {hertz(low)}", "dark", "bright"
            ranges.append(ToneRange(place=place, too_little=little, too_much=much, inside=inside))
    return ranges


_RANGES = _ranges()
