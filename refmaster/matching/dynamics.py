"""The dynamics stage: gentle compression or expansion of the upper half of a mix's levels, and its reason.

How far the reference is followed is one dial, as for tone: `evidence` does what is likely mastering,
`balanced` also a share of the rest, `full` all of it, within a ratio of 0.67 to 2 and 3 dB. What two songs
differ by anyway is no part of `balanced`, unless the recordings share their material. Slopes are those of
level_spread.py: the logarithm to the base 2, positive where the mix is expanded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster._types import Array
from refmaster.dsp.dynamics import static_change_db
from refmaster.matching.compressed import is_over_compressed
from refmaster.matching.content_prior import load_prior, slope_model
from refmaster.matching.dial import balanced_share
from refmaster.matching.features import match_features
from refmaster.matching.level_spread import LikelySlope, band_at, level_summary, likely_slope
from refmaster.matching.likely import Likely, likely_gains
from refmaster.meters.loudness import momentary_spread_lu
from refmaster.profile.model import Profile
from refmaster.settings.dynamics import Dynamics
from refmaster.settings.match import BALANCED_PERCENT, EVIDENCE_PERCENT, FULL_PERCENT, MatchSettings

# A ratio of 2 at most, and of 0.67 at least. Set by hand: beyond them it is heard as an effect.
LOWEST_SLOPE, HIGHEST_SLOPE = -1.0, 0.585
# Halves of one song, never compressed, differ by slopes of 0.84 to 1.34: about 1.25 either way is no
# difference worth following.
DEAD_ZONE_SLOPE = 0.32
# A stage that never moves a level further than this is left out: nobody hears it.
NEGLIGIBLE_CHANGE_DB = 0.25


def derive_dynamics(
    mix: Profile,
    references: Sequence[tuple[Profile, float]],
    settings: MatchSettings,
    likely: Likely | None = None,
) -> Dynamics:
    """Derive the dynamics stage.

    Parameters
    ----------
    mix : Profile
        What is to be matched.
    references : sequence of (Profile, weight)
        Those that are too short do not count.
    settings : MatchSettings
        Whether, and how far.
    likely : Likely, optional
        Of mix and references, where tone or width was matched: how far they share their material.
    """
    if not settings.dynamics:
        return _at_rest("switched off")
    if not references:
        return _at_rest("no reference was given")
    own = level_summary(mix)
    theirs = [level_summary(profile) for profile, _ in references]
    if own is None or all(levels is None for levels in theirs):
        who = "the mix" if own is None else "the reference"
        return _at_rest(f"{who} is too short to tell its dynamics: expected 10 s of music and more")
    prior = load_prior(settings.prior)
    if likely is None:
        features = [(match_features(profile), weight) for profile, weight in references]
        likely = likely_gains(match_features(mix), features, prior)
    heard = [
        (levels, weight, shared)
        for levels, (_, weight), shared in zip(theirs, references, likely.shared, strict=True)
        if levels is not None
    ]
    found = likely_slope(own, heard, slope_model(prior))
    asked = slope_at(settings.percent, found, max(shared for _, _, shared in heard))
    wanted = np.average(
        [momentary_spread_lu(levels) for levels, _, _ in heard], weights=[weight for _, weight, _ in heard]
    )
    difference = float(wanted) - (momentary_spread_lu(own) or 0.0)
    if asked < 0.0 and is_over_compressed(mix):
        return _at_rest(f"{_said(difference)}, but the mix is compressed enough already")
    return _stage(own, asked, found, difference)


def slope_at(percent: float, found: LikelySlope, near_weight: float) -> float:
    """Return the slope at a strength; its size never falls with the strength, nor does its sign change.

    Parameters
    ----------
    percent : float
        0 to 100.
    found : LikelySlope
        What is likely mastering, and the whole difference.
    near_weight : float
        Probability that mix and reference share their material: then the rest is known to be content.
    """
    whole = float(np.clip(found.whole, LOWEST_SLOPE, HIGHEST_SLOPE))
    low, high = min(whole, 0.0), max(whole, 0.0)
    evidence = float(np.clip(found.likely, low, high))
    beyond = np.sign(whole) * max(abs(whole) - (1.0 - near_weight) * DEAD_ZONE_SLOPE, abs(evidence))
    balanced = evidence + balanced_share(near_weight) * (beyond - evidence)
    stops = (0.0, EVIDENCE_PERCENT, BALANCED_PERCENT, FULL_PERCENT)
    return float(np.interp(percent, stops, (0.0, evidence, balanced, whole)))


def _stage(levels: Array, slope: float, found: LikelySlope, difference_db: float) -> Dynamics:
    band = band_at(levels, slope)
    changes = static_change_db(levels, band)
    largest = float(np.abs(changes).max())
    said = _said(difference_db)
    likely = f"{_share(found)} of the difference is likely mastering"
    if largest < NEGLIGIBLE_CHANGE_DB:
        return _at_rest(f"{said}: songs differ by that much anyway" if abs(difference_db) >= 0.1 else said)
    verb = "turns up" if slope > 0.0 else "turns down"
    why = (
        f"{said}: ratio {band.ratio:.2f} above {band.threshold_db:.1f} LUFS {verb} the loudest by "
        f"{largest:.1f} dB; {likely}"
    )
    return Dynamics(why=why, crossover_hz=(), bands=(band,))


def _said(difference_db: float) -> str:
    if abs(difference_db) < 0.1:
        return "the reference's loud parts stand as far above its middle as the mix's"
    word = "more" if difference_db > 0.0 else "less"
    return (
        f"the reference's loud parts stand {abs(difference_db):.1f} dB {word} above its middle than the mix's"
    )


def _share(found: LikelySlope) -> str:
    if found.whole == 0.0:
        return "none"
    return f"{float(np.clip(found.likely / found.whole, 0.0, 1.0)):.0%}"


def _at_rest(why: str) -> Dynamics:
    return Dynamics(why=why, crossover_hz=(), bands=())
