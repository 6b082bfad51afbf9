"""Findings on a mix's balance: too much in the bass, the low mids or the presence.

A region is held against those beside it, so that neither level nor a broad tilt counts, and that contrast is
held against the contrasts of finished songs, or against a reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from refmaster._types import Array, Mask
from refmaster.check.findings import Finding, Where, warning
from refmaster.profile.bands import energy_mask
from refmaster.profile.model import Profile
from refmaster.units import db_to_power, power_to_db

# A region counts where most of its bands carry sound.
_PRESENT_SHARE = 0.75
# So many standard deviations of finished songs beyond their mean; of a reference, as far beyond its own.
_DEVIATIONS = 2.5
# Mastering moves are smaller than this: beyond, it is for the mix to mend.
SMALLEST_EXCESS_DB = 6.0


class Contrast(NamedTuple):
    """A region in Hz, those on either side, and its contrast in finished songs in dB.

    Mean and standard deviation are learned by ``benchmarks/preflight.py --learn``.
    """

    hz: tuple[float, float]
    below_hz: tuple[float, float]
    above_hz: tuple[float, float]
    mean_db: float
    sd_db: float

    @property
    def limit_db(self) -> float:
        """Excess over the usual contrast that a mix may have."""
        return max(SMALLEST_EXCESS_DB, round(_DEVIATIONS * self.sd_db, 1))


BOOMY = Contrast((45.0, 120.0), (22.0, 36.0), (160.0, 400.0), 9.1, 3.7)
MUDDY = Contrast((150.0, 500.0), (70.0, 130.0), (600.0, 1200.0), 0.3, 2.6)
HARSH = Contrast((2000.0, 5000.0), (1000.0, 1800.0), (6000.0, 9000.0), 0.7, 3.3)


def inspect_tone(mix: Profile, references: Sequence[Profile] = ()) -> list[Finding]:
    """Return the findings on a mix's balance, against references or else against finished songs."""
    findings = []
    against = "in the reference" if references else "usual in finished songs"
    if where := _beyond(mix, BOOMY, references):
        findings.append(
            warning(
                "mix_boomy",
                f"the mix is boomy: 45-120 Hz stands {where['value']:.1f} dB further out than {against}",
                "turn down or shorten what rings there, bass or kick",
                **where,
            )
        )
    if where := _beyond(mix, MUDDY, references):
        findings.append(
            warning(
                "mix_muddy",
                f"the mix is muddy: 150-500 Hz stands {where['value']:.1f} dB further out than {against}",
                "cut there in the tracks that pile up, rather than in the sum",
                **where,
            )
        )
    if where := _beyond(mix, HARSH, references):
        findings.append(
            warning(
                "mix_harsh",
                f"the mix is harsh: 2-5 kHz stands {where['value']:.1f} dB further out than {against}",
                "look for a voice, guitar or cymbal that is too bright",
                **where,
            )
        )
    return findings


def _beyond(mix: Profile, region: Contrast, references: Sequence[Profile]) -> Where | None:
    """Return place and measure of an excess beyond the region's limit; None where there is none."""
    over = excess_db(mix, region, references)
    if over is None or over <= region.limit_db:
        return None
    return Where(band_hz=region.hz, value=over, limit=region.limit_db, unit="dB")


def excess_db(mix: Profile, region: Contrast, references: Sequence[Profile] = ()) -> float | None:
    """Return how far a region of a mix stands out beyond what is usual; None where it holds too little."""
    own = contrast_db(mix, region)
    theirs = [c for c in (contrast_db(r, region) for r in references) if c is not None]
    usual = float(np.mean(theirs)) if theirs else region.mean_db
    return None if own is None else round(own - usual, 1)


def contrast_db(profile: Profile, region: Contrast) -> float | None:
    """Return a region's mean level over the mean of those beside it, in dB; None where they hold little."""
    hz, power = np.array(profile.spectrum.frequencies_hz), db_to_power(np.array(profile.spectrum.mid_db))
    if profile.spectrum.side_db:
        power = power + db_to_power(np.array(profile.spectrum.side_db))
    level = power_to_db(power)
    present = energy_mask(hz, level)
    inside, below, above = (
        _mean_level(level, present & _within(hz, band), _within(hz, band))
        for band in (region.hz, region.below_hz, region.above_hz)
    )
    if inside is None or below is None or above is None:
        return None
    return inside - 0.5 * (below + above)


def _within(hz: Array, band_hz: tuple[float, float]) -> Mask:
    return np.asarray((hz >= band_hz[0]) & (hz < band_hz[1]))


def _mean_level(level_db: Array, present: Mask, wanted: Mask) -> float | None:
    if not wanted.any() or present.sum() < _PRESENT_SHARE * wanted.sum():
        return None
    return float(level_db[present].mean())
