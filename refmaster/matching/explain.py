"""What a tonal match says of itself in the plan: distances, what is likely mastering, and why, per region."""

from __future__ import annotations

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.advice import Advice
from refmaster.matching.curves import tone_points
from refmaster.matching.prior import Prior
from refmaster.matching.tone import ToneMatch, third_octave_rms_db
from refmaster.matching.wanted import Wanted
from refmaster.plan import BandEstimate, Region, Tone
from refmaster.profile.bands import JUDGED_THIRDS, THIRDS_HZ
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


def explained_tone(match: ToneMatch, advice: Advice, settings: MatchSettings, *, stereo: bool) -> Tone:
    """Return the plan's tone stage: the curves and the reasons.

    Parameters
    ----------
    match : ToneMatch
        The curves.
    advice : Advice
        Of the references, for their corridor.
    settings : MatchSettings
        What was asked.
    stereo : bool
        Mono has no side curve.
    """
    hz, known = match.frequencies_hz, match.known
    distance = third_octave_rms_db(match.difference_db, hz, known)
    return Tone(
        why=_why(match, settings),
        phase=settings.phase,
        mid=tone_points(hz, match.mid_db),
        side=tone_points(hz, match.side_db) if stereo else (),
        regions=_regions(match, settings),
        distance_db=_rounded(distance),
        likely_mastering_db=_rounded(_likely_rms_db(match)),
        applied_db=_rounded(third_octave_rms_db(match.mid_db, hz, known)),
        prior=_prior_name(match.prior, settings),
        likely_mid=_estimates(match.wanted),
        likely_width=_estimates(match.width_wanted) if stereo else (),
        corridor=tuple(
            (round(float(f), 1), round(float(low), 1) + 0.0, round(float(high), 1) + 0.0)
            for f, low, high in zip(advice.frequencies_hz, advice.lowest_db, advice.highest_db, strict=True)
        ),
    )


def _why(match: ToneMatch, settings: MatchSettings) -> str:
    hz, known = match.frequencies_hz, match.known
    distance = third_octave_rms_db(match.difference_db, hz, known)
    if distance is None:
        return "mix and reference share no band with energy: nothing is matched"
    if not settings.tone:
        return f"the reference is {distance:.1f} dB RMS away; tone is switched off"
    applied = third_octave_rms_db(match.mid_db, hz, known) or 0.0
    left = third_octave_rms_db(match.difference_db - match.mid_db, hz, known) or 0.0
    likely = _likely_rms_db(match)
    mastering = (
        "too few bands to tell mastering from song content"
        if likely is None
        else f"a move of {likely:.1f} dB is likely mastering, the rest song content"
    )
    return (
        f"the reference is {distance:.1f} dB RMS away (third octaves, 40 Hz-16 kHz); {mastering}; strength "
        f"{_strength_name(settings)} applies {applied:.1f} dB and leaves {left:.1f} dB"
    )


def _strength_name(settings: MatchSettings) -> str:
    return settings.strength if isinstance(settings.strength, str) else f"{settings.strength:g} %"


def _likely_rms_db(match: ToneMatch) -> float | None:
    if match.wanted is None:
        return None
    return third_octave_rms_db(match.likely_db, match.frequencies_hz, match.known)


def _prior_name(prior: Prior, settings: MatchSettings) -> str:
    name = "shipped" if settings.prior is None else settings.prior
    return f"{name}, {len(prior.tracks)} tracks, {prior.made_by}"


def _estimates(wanted: Wanted | None) -> tuple[BandEstimate, ...]:
    if wanted is None:
        return ()
    spread = np.sqrt(np.maximum(np.diag(wanted.covariance), 0.0))
    at = np.flatnonzero(wanted.known)
    return tuple(
        (round(float(f), 1), round(float(gain), 2) + 0.0, round(float(std), 2))
        for f, gain, std in zip(THIRDS_HZ[at], wanted.gain_db[at], spread[at], strict=True)
    )


def _regions(match: ToneMatch, settings: MatchSettings) -> tuple[Region, ...]:
    regions = []
    for name, low, high in REGIONS:
        inside = (match.frequencies_hz >= low) & (match.frequencies_hz < high)
        known = inside & match.known
        if not inside.any():
            continue
        difference = float(match.difference_db[known].mean()) if known.any() else 0.0
        applied = float(match.mid_db[inside].mean())
        likely, spread = _region_likely(match.wanted, low, high)
        regions.append(
            Region(
                name=name,
                low_hz=low,
                high_hz=high,
                difference_db=round(difference, 1) + 0.0,
                likely_mastering_db=_rounded(likely, 1),
                uncertainty_db=_rounded(spread, 1),
                applied_db=round(applied, 1) + 0.0,
                why=_region_why(
                    float(known.sum() / inside.sum()), difference, applied, (likely, spread), settings
                ),
            )
        )
    return tuple(regions)


def _region_likely(wanted: Wanted | None, low_hz: float, high_hz: float) -> tuple[float | None, float | None]:
    """Return the mean of what is likely mastering in a region, and its standard deviation."""
    if wanted is None:
        return None, None
    share = _region_share(wanted.known & JUDGED_THIRDS, low_hz, high_hz)
    if share is None:
        return None, None
    variance = float(share @ wanted.covariance @ share)
    return float(share @ wanted.gain_db), float(np.sqrt(max(variance, 0.0)))


def _region_share(counts: Mask, low_hz: float, high_hz: float) -> Array | None:
    inside = counts & (low_hz <= THIRDS_HZ) & (high_hz > THIRDS_HZ)
    return inside / inside.sum() if inside.any() else None


def _region_why(
    known_share: float,
    difference: float,
    applied: float,
    likely: tuple[float | None, float | None],
    settings: MatchSettings,
) -> str:
    if known_share < 0.5:
        return "mix or reference has no energy in much of it: not followed there"
    if not settings.tone:
        return "tone is switched off"
    bound = min(
        settings.boost_bound_db(full=settings.percent >= FULL_PERCENT),
        settings.cut_bound_db(full=settings.percent >= FULL_PERCENT),
    )
    if abs(difference) - abs(applied) > 1.0 and abs(applied) > 0.8 * bound:
        return "held at the largest allowed gain"
    if abs(difference) < CLOSE_DB and abs(applied) < CLOSE_DB:
        return "close to the reference already"
    share = applied / difference if abs(difference) >= CLOSE_DB else 1.0
    gain, spread = likely
    estimate = "" if gain is None else f" (likely mastering {gain:+.1f} \N{PLUS-MINUS SIGN} {spread:.1f} dB)"
    if share >= FOLLOWED_SHARE or settings.percent >= FULL_PERCENT:
        return f"follows the reference{estimate}"
    if gain is not None and abs(gain) >= CLOSE_DB and abs(applied) <= abs(gain) + CLOSE_DB:
        return f"likely mastering is followed, the rest is song content{estimate}"
    if share < LEFT_SHARE:
        return f"song content, not followed{estimate}"
    return f"mostly song content, followed in part{estimate}"


def _rounded(value: float | None, decimals: int = 2) -> float | None:
    return None if value is None else round(value, decimals) + 0.0
