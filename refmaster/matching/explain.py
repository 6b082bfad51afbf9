"""The tone stage of a plan and its reasons: distances, what is likely mastering, and why, per region.

Differences, what is likely mastering, and moves are told on one scale: their mean from 40 Hz to 16 kHz is 0,
so that they say what the shape is. The curve itself has the level at which the mix stays as loud.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.curves import tone_points, width_points
from refmaster.matching.posterior import LikelyGain
from refmaster.matching.tone import ToneMatch
from refmaster.matching.words import tone_in_words, width_in_words
from refmaster.plan import BandEstimate, Region, Tone
from refmaster.profile.bands import (
    JUDGED_THIRDS,
    THIRDS_HZ,
    mask_at_thirds,
    third_octave_rms_db,
    thirds_at_bands,
    values_at_thirds,
)
from refmaster.profile.model import Profile
from refmaster.settings.match import FULL_PERCENT, MatchSettings

REGIONS = (
    ("sub bass", 30.0, 60.0),
    ("bass", 60.0, 150.0),
    ("low mids", 150.0, 500.0),
    ("mids", 500.0, 2000.0),
    ("upper mids", 2000.0, 5000.0),
    ("presence", 5000.0, 10000.0),
    ("air", 10000.0, 20000.0),
)
# Differences and moves under this are not worth a word.
CLOSE_DB = 0.5
# A difference counts as followed where this share of it is applied, and as left where less than that is.
FOLLOWED_SHARE, LEFT_SHARE = 0.8, 0.3
# A region is followed where mix and reference have energy in at least this share of it.
HEARD_SHARE = 0.5


def explained_tone(
    match: ToneMatch, mix: Profile, references: Sequence[tuple[Profile, float]], settings: MatchSettings
) -> Tone:
    """Return the plan's tone stage: the curves and the reasons.

    Parameters
    ----------
    match : ToneMatch
        The curves.
    mix : Profile
        The mix that they are for; mono has no side curve.
    references : sequence of (Profile, weight)
        What it is matched to.
    settings : MatchSettings
        What was asked.
    """
    stereo = mix.source.channels == 2
    hz, known, likely = match.frequencies_hz, match.known, match.likely.mid
    distance = third_octave_rms_db(match.difference_db, known)
    applied = third_octave_rms_db(match.mid_db, known)
    moved = None if likely is None else third_octave_rms_db(thirds_at_bands(likely.gain_db, hz), known)
    regions = _regions(match, settings)
    heard = [region for region, share in regions if share >= HEARD_SHARE]
    prior = "shipped" if settings.prior is None else settings.prior
    return Tone(
        why=tone_in_words(heard, len(references), settings, distance, moved),
        width_why=width_in_words(match, mix, references, settings),
        phase=settings.phase,
        mid=tone_points(hz, match.mid_db),
        width=width_points(hz, match.mid_db, match.side_db) if stereo else (),
        regions=tuple(region for region, _ in regions),
        distance_db=_rounded(distance),
        likely_mastering_db=_rounded(moved),
        applied_db=_rounded(applied),
        prior=f"{prior}, {len(match.prior.tracks)} tracks, {match.prior.made_by}",
        likely_mid=_estimates(likely),
        likely_width=_estimates(match.likely.width) if stereo else (),
        corridor=tuple(
            (round(hz, 1), round(low, 1) + 0.0, round(high, 1) + 0.0) for hz, low, high in match.corridor
        ),
    )


def _estimates(likely: LikelyGain | None) -> tuple[BandEstimate, ...]:
    if likely is None:
        return ()
    spread = np.sqrt(np.maximum(np.diag(likely.covariance), 0.0))
    rows = zip(THIRDS_HZ, likely.gain_db, spread, likely.known, strict=True)
    return tuple(
        (round(float(hz), 1), round(float(gain), 2) + 0.0, round(float(std), 2))
        for hz, gain, std, known in rows
        if known
    )


def _regions(match: ToneMatch, settings: MatchSettings) -> list[tuple[Region, float]]:
    """Return each region below half the sample rate, with the share of it where both have energy."""
    hz, known = match.frequencies_hz, match.known
    difference_db, applied_db = (
        _without_level(values, known) for values in (match.difference_db, match.mid_db)
    )
    regions = []
    for name, low, high in REGIONS:
        inside = (hz >= low) & (hz < high)
        if not inside.any():
            continue
        share = float(known[inside].mean())
        heard = inside & known if share > 0.0 else inside
        difference, applied = float(difference_db[heard].mean()), float(applied_db[heard].mean())
        likely = _region_likely(match.likely.mid, low, high)
        region = Region(
            name=name,
            low_hz=low,
            high_hz=high,
            difference_db=round(difference, 1) + 0.0,
            likely_mastering_db=_rounded(likely[0], 1) if likely else None,
            uncertainty_db=_rounded(likely[1], 1) if likely else None,
            applied_db=round(applied, 1) + 0.0,
            why=_region_why(share, difference, applied, likely, settings),
        )
        regions.append((region, share))
    return regions


def _without_level(values: Array, known: Mask) -> Array:
    """Remove the mean over the judged third octaves, as it is removed from what is likely mastering."""
    counts = mask_at_thirds(known) & JUDGED_THIRDS
    return values - values_at_thirds(values)[counts].mean() if counts.any() else values


def _region_likely(likely: LikelyGain | None, low_hz: float, high_hz: float) -> tuple[float, float] | None:
    """Return the mean of what is likely mastering in a region and its standard deviation, or None."""
    if likely is None:
        return None
    inside = likely.known & JUDGED_THIRDS & (low_hz <= THIRDS_HZ) & (high_hz > THIRDS_HZ)
    if not inside.any():
        return None
    share = inside / inside.sum()
    variance = float(share @ likely.covariance @ share)
    return float(share @ likely.gain_db), float(np.sqrt(max(variance, 0.0)))


def _region_why(
    known_share: float,
    difference: float,
    applied: float,
    likely: tuple[float, float] | None,
    settings: MatchSettings,
) -> str:
    if known_share < HEARD_SHARE:
        return "mix or reference has no energy in much of it: not followed there"
    if not settings.tone:
        return "tone is switched off"
    full = settings.percent >= FULL_PERCENT
    bound = min(settings.boost_bound_db(full=full), settings.cut_bound_db(full=full))
    if abs(difference) - abs(applied) > 1.0 and abs(applied) > 0.8 * bound:
        return "held at the largest allowed gain"
    if abs(difference) < CLOSE_DB and abs(applied) < CLOSE_DB:
        return "close to the reference already"
    share = applied / difference if abs(difference) >= CLOSE_DB else 1.0
    estimate = ""
    if likely is not None:
        estimate = f" (likely mastering {likely[0]:+.1f} \N{PLUS-MINUS SIGN} {likely[1]:.1f} dB)"
    if share >= FOLLOWED_SHARE or full:
        return f"follows the reference{estimate}"
    if likely is not None and abs(likely[0]) >= CLOSE_DB and abs(applied) <= abs(likely[0]) + CLOSE_DB:
        return f"likely mastering is followed, the rest is song content{estimate}"
    if share < LEFT_SHARE:
        return f"song content, not followed{estimate}"
    return f"mostly song content, followed in part{estimate}"


def _rounded(value: float | None, decimals: int = 2) -> float | None:
    return None if value is None else round(value, decimals) + 0.0
