"""The overall width: how far the side as a whole is moved against the mid.

The ratio of side to mid is one choice of the reference's engineer, and it is followed as one move, beside the
moves of single bands: up to `evidence` not at all (the evidence in the bands holds the likely part of it as
well as an estimate of its own would: benchmarks/width.py), at `balanced` most of the way, at `full` all of
it. No boost makes width of residue, widens the bass, or makes the side louder than the mid.

Arrays have the shape (bands,) of the profile's bands below half the mix's sample rate; gains are dB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.matching.dial import BALANCED_LIMIT_DB, BALANCED_SHARE
from refmaster.matching.image import image_aim_db
from refmaster.profile.bands import BandLevels, smooth_power_db
from refmaster.profile.model import Profile
from refmaster.settings.match import BALANCED_PERCENT, EVIDENCE_PERCENT, FULL_PERCENT, MatchSettings
from refmaster.units import db_to_power, power_to_db

# Low side is a mono-compatibility matter: it is never boosted here, whatever the reference does.
NO_WIDTH_BOOST_BELOW_HZ = 100.0
FULL_WIDTH_BOOST_FROM_HZ = 200.0
# Side as loud as mid: the channels' correlation is 0, and mono loses 3 dB. No mix is made wider than that.
WIDEST_SIDE_TO_MID_DB = 0.0
# Below the first the whole side is residue, above the second an image; between, boosts fade in. The narrowest
# of 28 recordings has -20 dB; what lossy codecs leave of less is largely noise (benchmarks/width.py).
RESIDUE_BELOW_DB, IMAGE_FROM_DB = -30.0, -20.0
# Bands that may not be boosted leave their share of a move to the others: enough steps to come within 0.1 dB.
FOLLOW_STEPS = 8
# The bands are not moved further than this beyond what they ask themselves: a reference with a wide bass must
# not make the treble wide. Set by hand in view of benchmarks/features.py: at 12 dB `full` meets the ratio
# more often (width 0.022, not 0.035) but misses the spectrum of the side (Bark 0.022, not 0.019).
MAX_OFFSET_DB = 6.0


@dataclass(frozen=True, kw_only=True)
class OverallWidth:
    """The side-to-mid ratio of a mix and of what it is matched to.

    Attributes
    ----------
    frequencies_hz, mid_db, side_db : ndarray, shape (bands,)
        The mix's levels.
    own_db, wanted_db : float
        The whole side over the whole mid, in the mix and in the references together.
    """

    frequencies_hz: Array
    mid_db: Array
    side_db: Array
    own_db: float
    wanted_db: float

    def moved_db(self, mid_db: Array, width_db: Array) -> float:
        """Return how far curves of the mid, and of the side against it, move the ratio, in dB."""
        mid, side, gain = (db_to_power(v) for v in (self.mid_db, self.side_db, mid_db))
        side_change = float(side @ (gain * db_to_power(width_db)) / side.sum())
        return power_to_db(side_change * float(mid.sum() / (mid @ gain)))

    def boostable(self, curve: Array) -> Array:
        """Return a width curve whose boosts spare the bass, and residue.

        Boosts fade out from 200 to 100 Hz, and there they do not lift the side above the mid.
        """
        octaves = np.log2(FULL_WIDTH_BOOST_FROM_HZ / NO_WIDTH_BOOST_BELOW_HZ)
        above = np.log2(self.frequencies_hz / NO_WIDTH_BOOST_BELOW_HZ) / octaves
        allowed = np.clip(above, 0.0, 1.0) * self._image_share
        room = smooth_power_db(self.mid_db, 1 / 3) - smooth_power_db(self.side_db, 1 / 3)
        most = np.where(above < 1.0, np.maximum(room, 0.0), np.inf)
        return np.where(curve > 0.0, np.minimum(curve * allowed, most), curve)

    def balanced_db(self, evidence_db: float, settings: MatchSettings) -> float:
        """Return how far `balanced` moves the ratio, in dB: most of the way, within its bound.

        Parameters
        ----------
        evidence_db : float
            How far `evidence` moves it.
        settings : MatchSettings
            With the bound.
        """
        asked = evidence_db + BALANCED_SHARE * (self.wanted_db - self.own_db - evidence_db)
        bound = min(BALANCED_LIMIT_DB, settings.width_bound_db(full=True))
        return float(np.clip(asked, -bound, bound))

    def followed(
        self,
        width_db: Array,
        mid_db: Array,
        balanced_db: float,
        placed: Callable[[Array], Array],
        settings: MatchSettings,
    ) -> Array:
        """Return the width curve with the move of the whole side that the strength asks for.

        Parameters
        ----------
        width_db, mid_db : ndarray, shape (bands,)
            The moves of single bands, and the curve of the mid, which moves the ratio too.
        balanced_db : float
            How far `balanced` moves the ratio.
        placed : callable
            Returns a curve without boosts where none may be.
        settings : MatchSettings
            The strength and its bound.
        """
        moved = self.moved_db(mid_db, width_db)
        full_bound = settings.width_bound_db(full=True)
        full_db = float(np.clip(self.wanted_db - self.own_db, -full_bound, full_bound))
        stops = (EVIDENCE_PERCENT, BALANCED_PERCENT, FULL_PERCENT)
        asked = float(np.interp(settings.percent, stops, (moved, balanced_db, full_db)))
        asked -= (1.0 - self._image_share) * max(asked - moved, 0.0)
        asked = min(asked, max(WIDEST_SIDE_TO_MID_DB - self.own_db, 0.0))
        curve, offset, bound = width_db, 0.0, settings.side_bound_db
        for _ in range(FOLLOW_STEPS):
            missed = asked - self.moved_db(mid_db, curve)
            offset = float(np.clip(offset + missed, -MAX_OFFSET_DB, MAX_OFFSET_DB))
            curve = np.clip(width_db + placed(np.full(len(width_db), offset)), -bound, bound)
        return curve

    @property
    def _image_share(self) -> float:
        """0 where the mix's side is residue, 1 where it is an image."""
        share = (self.own_db - RESIDUE_BELOW_DB) / (IMAGE_FROM_DB - RESIDUE_BELOW_DB)
        return float(np.clip(share, 0.0, 1.0))


def overall_width(
    mix: Profile, levels: BandLevels, references: Sequence[tuple[Profile, float]]
) -> OverallWidth | None:
    """Return the side-to-mid ratios, or None where the mix or every reference has none to compare."""
    own, wanted = mix.stereo.side_to_mid_db, image_aim_db(references, lambda stereo: stereo.side_to_mid_db)
    if own is None or wanted is None or levels.side_db is None:
        return None
    return OverallWidth(
        frequencies_hz=levels.frequencies_hz,
        mid_db=levels.mid_db,
        side_db=levels.side_db,
        own_db=own,
        wanted_db=wanted,
    )
