"""The tonal match: mid and side curves from the difference between reference and mix.

The difference is taken between third-octave readings in the profile's bands, its level removed, so that tone
and loudness are separate matters. How much of it is followed, and where, is decided by the strength (dial.py)
and by what is likely mastering (likely.py). A curve exists only where mix and reference both have energy;
beyond that it runs out to 0 dB within a sixth of an octave, so that no treble and no width is made of noise.
Whatever the strength, the curves leave the mix as loud as it was (neutral.py): level is the gain's business.

Arrays have the shape (bands,) of the profile's bands below half the mix's sample rate, or (thirds,) of
`THIRDS_HZ`; levels and gains are dB, masks are True where a band counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.content_prior import Prior, load_prior
from refmaster.matching.dial import Stops, balanced_curve, dial
from refmaster.matching.features import MatchFeatures, long_term_thirds_db, match_features
from refmaster.matching.image import has_image_to_follow, has_silent_channel, without_side
from refmaster.matching.likely import Likely, likely_gains
from refmaster.matching.neutral import MixLoudness, loudness_neutral
from refmaster.matching.posterior import LikelyGain, NearGain
from refmaster.matching.shape import CurveShape, range_window
from refmaster.matching.width import OverallWidth, overall_width
from refmaster.profile.bands import (
    JUDGED_THIRDS,
    THIRDS_HZ,
    BandLevels,
    band_centers_hz,
    band_levels,
    judged,
    mask_at_thirds,
    smooth,
    smooth_power_db,
    third_octave_rms_db,
    thirds_at_bands,
    values_at_thirds,
)
from refmaster.profile.model import Profile
from refmaster.settings.curves import MAX_GAIN_DB
from refmaster.settings.match import FULL_MAX_GAIN_DB, FULL_RESOLUTION_OCTAVES, MatchSettings

# Third-octave exactness of `full`: the curve is corrected by what its own prediction misses. Set by hand:
# enough steps to come within 0.1 dB RMS.
FULL_ITERATIONS = 40
FULL_STEP = 0.8

WeightedProfiles = Sequence[tuple[Profile, float]]


@dataclass(frozen=True, kw_only=True)
class ToneMatch:
    """The curves of a match, and what they were derived from.

    Attributes
    ----------
    frequencies_hz : ndarray, shape (bands,)
    mid_db, side_db : ndarray, shape (bands,)
        Gains; `side_db` is the side's whole gain (the mid's curve plus the width's). They leave the mix as
        loud as it is, unless bounds that were asked for are too tight for that, or no tone is asked.
    difference_db : ndarray, shape (bands,)
        Reference minus mix, third-octave readings, level removed; 0 where nothing is known.
    known, width_known : ndarray of bool, shape (bands,)
        Where mix and reference both have energy, and where their sides do.
    likely : Likely
        The gains that are likely mastering, in third octaves.
    prior : Prior
        The prior that told them from content.
    corridor : tuple of (Hz, dB, dB)
        Lowest and highest reference over the mix in third octaves, level removed, where all have energy;
        empty for a single reference.
    """

    frequencies_hz: Array
    mid_db: Array
    side_db: Array
    difference_db: Array
    known: Mask
    width_known: Mask
    likely: Likely
    prior: Prior
    corridor: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class _Compared:
    """References without the sides that cannot be followed, and how a mix compares with them."""

    references: list[tuple[Profile, float]]
    levels: list[tuple[BandLevels, float]]
    features: list[MatchFeatures]
    likely: Likely

    @classmethod
    def to(
        cls,
        references: WeightedProfiles,
        mix: MatchFeatures,
        frequencies_hz: Array,
        prior: Prior,
        known_near: NearGain | None = None,
    ) -> _Compared:
        """Compare a mix with references."""
        own = [(p if has_image_to_follow(p) else without_side(p), weight) for p, weight in references]
        features = [(match_features(profile), weight) for profile, weight in own]
        return cls(
            references=own,
            levels=[(band_levels(profile, frequencies_hz), weight) for profile, weight in own],
            features=[found for found, _ in features],
            likely=likely_gains(mix, features, prior, known_near),
        )

    @property
    def near_weight(self) -> float:
        """Probability that mix and references share their material."""
        return 0.0 if self.likely.mid is None else self.likely.mid.near_weight


@dataclass(frozen=True)
class _Difference:
    """The difference that a curve is made from, and the part of it that is likely mastering."""

    frequencies_hz: Array
    db: Array
    known: Mask
    likely_db: Array  # third octaves
    near_weight: float
    level_is_free: bool


def derive_tone(
    mix: Profile,
    references: WeightedProfiles,
    settings: MatchSettings,
    width_references: WeightedProfiles | None = None,
    known_near: NearGain | None = None,
) -> ToneMatch:
    """Derive the mid and side curves.

    Parameters
    ----------
    mix : Profile
        What is to be matched.
    references : sequence of (Profile, weight)
        Those of the mid; weights are relative. Without one the mid stays as it is.
    settings : MatchSettings
        How far, in which range, within which bounds.
    width_references : sequence of (Profile, weight), optional
        Those of the side against the mid, where they are others.
    known_near : NearGain, optional
        The gain of the mid behind shared material, where it is known already.
    """
    frequencies = band_centers_hz(mix.source.sample_rate_hz)
    loudness = MixLoudness(mix, frequencies)
    if has_silent_channel(mix):
        mix = without_side(mix)
    levels, own, prior = band_levels(mix, frequencies), match_features(mix), load_prior(settings.prior)
    toned = _Compared.to(references, own, frequencies, prior, known_near)
    widened = toned if width_references is None else _Compared.to(width_references, own, frequencies, prior)
    references, likely = toned.references, replace(toned.likely, width=widened.likely.width)
    difference, known = _difference(levels, toned.levels, _mid_reading, level_is_free=True)

    mid, width = np.zeros(len(frequencies)), np.zeros(len(frequencies))
    width_difference, width_known = _difference(levels, widened.levels, _width_reading, level_is_free=False)
    if settings.tone and known.any():
        gain, near = _gain_db(likely.mid), toned.near_weight
        tone = _Difference(frequencies, difference, known, gain, near_weight=near, level_is_free=True)
        at_thirds = _thirds_difference(mix, references, difference, known)
        asked = _mid_curve(levels, tone, at_thirds, settings)
        shape = CurveShape(frequencies, known, settings)

        def placed(curve: Array) -> Array:
            return shape(np.clip(curve, -FULL_MAX_GAIN_DB, FULL_MAX_GAIN_DB))

        mid = loudness_neutral(asked, width, loudness, placed, settings)
    overall = overall_width(mix, levels, widened.references)
    if settings.side and overall is not None and width_known.any():
        gain, near = _gain_db(likely.width), widened.near_weight
        image = _Difference(
            frequencies, width_difference, width_known, gain, near_weight=near, level_is_free=False
        )
        width = _width_curve(image, overall, mid, settings)
        if settings.tone and known.any():  # the width has a loudness of its own
            mid = loudness_neutral(asked, width, loudness, placed, settings)
    return ToneMatch(
        frequencies_hz=frequencies,
        mid_db=mid,
        side_db=np.clip(mid + width, -MAX_GAIN_DB, MAX_GAIN_DB),
        difference_db=difference,
        known=known,
        width_known=width_known,
        likely=likely,
        prior=prior,
        corridor=_corridor(own, toned.features) if likely.mid and len(references) > 1 else (),
    )


def tonal_distance_db(profile: Profile, reference: Profile) -> float | None:
    """Return how far two recordings' tone is apart: third-octave RMS in dB, 40 Hz-16 kHz, level removed.

    Only bands in which both have energy count; None where there are none.
    """
    return distance_to_aim_db(profile, [(reference, 1.0)])


def distance_to_aim_db(profile: Profile, references: Sequence[tuple[Profile, float]]) -> float | None:
    """Return the tonal distance, as `tonal_distance_db` does, to the weighted mean of references."""
    rates = [p.source.sample_rate_hz for p in (profile, *(reference for reference, _ in references))]
    frequencies = band_centers_hz(min(rates))
    others = [(band_levels(reference, frequencies), weight) for reference, weight in references]
    difference, known = _difference(
        band_levels(profile, frequencies), others, _mid_reading, level_is_free=True
    )
    return third_octave_rms_db(difference, known)


def _gain_db(likely: LikelyGain | None) -> Array:
    return np.zeros(len(THIRDS_HZ)) if likely is None else likely.gain_db


def _mid_reading(levels: BandLevels) -> tuple[Array, Mask]:
    return smooth_power_db(levels.mid_db, 1 / 3), levels.mid_present


def _width_reading(levels: BandLevels) -> tuple[Array, Mask] | None:
    """Return side over mid and where there is any, or None for mono."""
    if levels.side_db is None:
        return None
    return smooth_power_db(levels.side_db, 1 / 3) - smooth_power_db(levels.mid_db, 1 / 3), levels.side_present


def _difference(
    mix: BandLevels,
    references: list[tuple[BandLevels, float]],
    reading: Callable[[BandLevels], tuple[Array, Mask] | None],
    *,
    level_is_free: bool,
) -> tuple[Array, Mask]:
    """Return the weighted mean difference to the references, 0 where it is unknown, and where it is known."""
    own = reading(mix)
    total, weights = np.zeros(len(mix.mid_db)), np.zeros(len(mix.mid_db))
    for reference, weight in references:
        its = reading(reference)
        if own is None or its is None:
            continue
        each, both = its[0] - own[0], own[1] & its[1]
        counts = both & judged(mix.frequencies_hz)
        if level_is_free and counts.any():
            each = each - each[counts].mean()
        total += np.where(both, weight * each, 0.0)
        weights += np.where(both, weight, 0.0)
    known = weights > 0.0
    return np.divide(total, weights, out=np.zeros_like(total), where=known), known


def _thirds_difference(
    mix: Profile, references: Sequence[tuple[Profile, float]], running: Array, known: Mask
) -> Array:
    """Return the difference in the third octaves proper; the running one where there are no segments."""
    at_thirds, bands = values_at_thirds(running), mask_at_thirds(known)
    own = long_term_thirds_db(mix)
    theirs = [(long_term_thirds_db(profile), weight) for profile, weight in references]
    if own is None or any(level is None for level, _ in theirs) or not bands.any():
        return at_thirds
    total = sum(weight for _, weight in theirs)
    found = sum(weight * (level - own) for level, weight in theirs if level is not None) / total
    return np.where(bands, found - np.mean((found - at_thirds)[bands]), at_thirds)


def _mid_curve(mix: BandLevels, difference: _Difference, at_thirds: Array, settings: MatchSettings) -> Array:
    """Return the curve of the mid that the strength asks for, its level and its shape still to come."""

    def bounded(asked: Array, *, full: bool) -> Array:
        return np.clip(asked, -settings.cut_bound_db(full=full), settings.boost_bound_db(full=full))

    full = _full_curve(mix, difference, at_thirds, bounded, settings)
    return _at_strength(difference, full, bounded, settings)


def _width_curve(
    difference: _Difference, overall: OverallWidth, mid: Array, settings: MatchSettings
) -> Array:
    """Return the curve of the side over the mid that the strength asks for, beside a curve of the mid."""
    shape = CurveShape(difference.frequencies_hz, difference.known, settings)

    def placed(curve: Array) -> Array:
        return shape(overall.boostable(curve))

    def bounded(asked: Array, *, full: bool, about_db: float = 0.0) -> Array:
        bound = settings.width_bound_db(full=full)
        return placed(np.clip(asked, about_db - bound, about_db + bound))

    octaves = max(settings.resolution_octaves or 0.0, FULL_RESOLUTION_OCTAVES)
    full = bounded(smooth(difference.db, difference.known, octaves), full=True)
    likely = bounded(thirds_at_bands(difference.likely_db, difference.frequencies_hz), full=False)
    balanced_db = overall.balanced_db(overall.moved_db(np.zeros(len(mid)), likely), settings)
    curve = _at_strength(difference, full, bounded, settings, about_db=balanced_db)
    return overall.followed(curve, mid, balanced_db, placed, settings)


def _full_curve(
    mix: BandLevels,
    difference: _Difference,
    at_thirds: Array,
    bounded: Callable[..., Array],
    settings: MatchSettings,
) -> Array:
    """Return the `full` stop: the reference's third octaves, within the bounds and the range."""
    octaves, known = settings.resolution_octaves or FULL_RESOLUTION_OCTAVES, difference.known
    asked = smooth(difference.db, known, octaves)
    curve = bounded(asked, full=True)
    # A band that is known in part (a codec's cut-off runs through it) tells nothing to correct by.
    whole = values_at_thirds(smooth(known.astype(np.float64), np.ones(len(known)), 1 / 3)) > 0.99
    in_range = values_at_thirds(range_window(mix.frequencies_hz, settings)) > 0.9
    bands = mask_at_thirds(known) & whole & in_range
    if octaves > FULL_RESOLUTION_OCTAVES + 1e-9 or not bands.any():
        return curve
    # Gains within a band act on its loudest part: the third octaves' gains, straight between their centres,
    # are corrected by what they miss when applied, until every band is where the reference has it.
    octave, center = np.log2(mix.frequencies_hz), np.log2(THIRDS_HZ)
    asked_at_thirds, before = values_at_thirds(asked), smooth_power_db(mix.mid_db, 1 / 3)
    gains = bounded(asked_at_thirds[bands], full=True)
    for _ in range(FULL_ITERATIONS):
        at_centers = asked_at_thirds + np.interp(center, center[bands], gains - asked_at_thirds[bands])
        curve = bounded(np.interp(octave, center, at_centers), full=True)
        reached = smooth_power_db(mix.mid_db + curve, 1 / 3) - before
        missed = (at_thirds - values_at_thirds(reached))[bands]
        step = FULL_STEP * (missed - missed.mean())
        moved = bounded(gains + step, full=True)
        # A gain that its bound holds back must not lift all the others, time and again.
        gains = moved - (moved - gains).mean()
    return curve


def _at_strength(
    difference: _Difference,
    full: Array,
    bounded: Callable[..., Array],
    settings: MatchSettings,
    **balanced: float,
) -> Array:
    """Return the curve at the asked strength, from the stops of the dial.

    `balanced` is what `bounded` is told beside the curve at that stop.
    """
    frequencies, known = difference.frequencies_hz, difference.known

    def stop(thirds: Array, **told: float) -> Array:
        """Return a curve of third octaves in the bands, smoothed where the settings ask for more."""
        curve, octaves = thirds_at_bands(thirds, frequencies), settings.resolution_octaves
        if octaves is not None and octaves > FULL_RESOLUTION_OCTAVES:
            curve = smooth(curve, np.ones(len(curve)), octaves)
        return bounded(curve, full=False, **told)

    likely = difference.likely_db
    evidence = stop(likely)
    if settings.strength == "evidence":
        return evidence
    asked = likely
    at = np.flatnonzero(mask_at_thirds(known) & JUDGED_THIRDS)
    if len(at):  # beyond what is known its end values are held
        found = balanced_curve(
            likely[at],
            values_at_thirds(difference.db)[at],
            difference.near_weight,
            level_is_free=difference.level_is_free,
        )
        asked = np.interp(np.arange(len(likely)), at, found)
    stops = Stops(evidence=evidence, balanced=stop(asked, **balanced), full=full)
    counts = known & judged(frequencies) & (range_window(frequencies, settings) > 0.0)
    return dial(settings.percent, stops, difference.db, counts, level_is_free=difference.level_is_free)


def _corridor(
    mix: MatchFeatures, references: Sequence[MatchFeatures]
) -> tuple[tuple[float, float, float], ...]:
    known = mix.mid_present & JUDGED_THIRDS
    for reference in references:
        known = known & reference.mid_present
    above = np.array([(reference.mid.long_term_db - mix.mid.long_term_db)[known] for reference in references])
    above -= above.mean(axis=1, keepdims=True)
    rows = zip(THIRDS_HZ[known], above.min(axis=0), above.max(axis=0), strict=True)
    return tuple((float(hz), float(low), float(high)) for hz, low, high in rows)
