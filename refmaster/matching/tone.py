"""The tonal match: mid and side curves from the difference between reference and mix.

The difference is taken between third-octave readings on the 1/24-octave grid, its level removed, so that
tone and loudness are separate matters. How much of it is followed, and where, is the strength's (dial.py)
and the evidence's (wanted.py). A curve exists only where mix and reference both have energy; beyond
that it runs out to 0 dB within a sixth of an octave, so that no treble and no width is made of noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.dial import Stops, balanced_curve, dial
from refmaster.matching.features import features_of, long_term_thirds_db
from refmaster.matching.prior import Prior, load_prior
from refmaster.matching.wanted import Wanted, wanted_gains
from refmaster.profile.bands import (
    BANDS_PER_OCTAVE,
    JUDGED_HIGH_HZ,
    JUDGED_LOW_HZ,
    JUDGED_THIRDS,
    THIRDS_HZ,
    BandLevels,
    band_centers_hz,
    band_levels,
    judged,
    mask_at_thirds,
    smooth,
    smooth_power_db,
    thirds_at_bands,
    values_at_thirds,
)
from refmaster.profile.model import Profile
from refmaster.settings.match import FULL_RESOLUTION_OCTAVES, MatchSettings

RUN_OUT_OCTAVES = 1 / 6
RANGE_EDGE_OCTAVES = 1 / 3
OPEN_FROM_HZ = 20000.0  # a range that ends here or above is open
# Low side is a mono-compatibility matter: it is never boosted here, whatever the reference does.
NO_WIDTH_BOOST_BELOW_HZ = 100.0
FULL_WIDTH_BOOST_FROM_HZ = 200.0
# Third-octave exactness of `full`: the curve is corrected by what its own prediction misses.
FULL_ITERATIONS = 40
FULL_STEP = 0.8


@dataclass(frozen=True, kw_only=True)
class ToneMatch:
    """The curves of a match on the band grid, and what they were derived from.

    Attributes
    ----------
    frequencies_hz : ndarray, shape (bands,)
    mid_db, side_db : ndarray, shape (bands,)
        Gains; `side_db` is what the side gets in all (the mid's curve plus the width's).
    difference_db : ndarray, shape (bands,)
        Reference minus mix, third-octave readings, level removed; 0 where nothing is known.
    thirds_difference_db : ndarray, shape (thirds,)
        The same in the third octaves proper, which `full` meets.
    width_difference_db : ndarray, shape (bands,)
        Side-to-mid of the reference minus that of the mix; 0 where nothing is known.
    known, width_known : ndarray of bool, shape (bands,)
        Where mix and reference both have energy.
    likely_db : ndarray, shape (bands,)
        What of the difference is likely mastering, level removed.
    wanted, width_wanted : Wanted or None
        The same on third octaves with its uncertainty; None where too little is known.
    prior : Prior
        What told it from content.
    """

    frequencies_hz: Array
    mid_db: Array
    side_db: Array
    difference_db: Array
    thirds_difference_db: Array
    width_difference_db: Array
    known: Mask
    width_known: Mask
    likely_db: Array
    wanted: Wanted | None
    width_wanted: Wanted | None
    prior: Prior


def derive_tone(mix: Profile, references: list[tuple[Profile, float]], settings: MatchSettings) -> ToneMatch:
    """Derive the mid and side curves.

    Parameters
    ----------
    mix : Profile
        What is to be matched.
    references : list of (Profile, weight)
        At least one; weights are relative.
    settings : MatchSettings
        How far, in which range, within which bounds.
    """
    frequencies = band_centers_hz(mix.source.sample_rate_hz)
    spectrum = band_levels(mix, frequencies)
    others = [(band_levels(profile, frequencies), weight) for profile, weight in references]
    difference, known = _mid_difference(spectrum, others)
    width_difference, width_known = _width_difference(spectrum, others)

    prior = load_prior(settings.prior)
    features = [(features_of(profile), weight) for profile, weight in references]
    wanted, width_wanted = wanted_gains(features_of(mix), features, prior)

    at_bands = _thirds_difference(mix, references, values_at_thirds(difference), mask_at_thirds(known))
    mid = np.zeros(len(frequencies))
    if settings.tone and known.any():
        mid = _mid_curve(spectrum, difference, known, wanted, settings, at_bands)
    width = np.zeros(len(frequencies))
    if settings.side and width_known.any():
        near = wanted.posterior.near_weight if wanted is not None else 0.0
        width = _width_curve(frequencies, width_difference, width_known, width_wanted, near, settings)
    likely = np.zeros(len(frequencies)) if wanted is None else thirds_at_bands(wanted.gain_db, frequencies)
    return ToneMatch(
        frequencies_hz=frequencies,
        mid_db=mid,
        side_db=mid + width,
        difference_db=difference,
        thirds_difference_db=at_bands,
        width_difference_db=width_difference,
        known=known,
        width_known=width_known,
        likely_db=likely * run_out(known),
        wanted=wanted,
        width_wanted=width_wanted,
        prior=prior,
    )


def _mid_difference(mix: BandLevels, references: list[tuple[BandLevels, float]]) -> tuple[Array, Mask]:
    """Return the weighted mean difference to the references, level removed, and where it is known."""
    mix_db = smooth_power_db(mix.mid_db, 1 / 3)
    total = np.zeros(len(mix_db))
    weights = np.zeros(len(mix_db))
    for reference, weight in references:
        both = mix.mid_present & reference.mid_present
        each = smooth_power_db(reference.mid_db, 1 / 3) - mix_db
        counts = both & judged(mix.frequencies_hz)
        level = float(each[counts].mean()) if counts.any() else 0.0
        total += np.where(both, weight * (each - level), 0.0)
        weights += np.where(both, weight, 0.0)
    known = weights > 0.0
    return np.divide(total, weights, out=np.zeros_like(total), where=known), known


def _width_difference(mix: BandLevels, references: list[tuple[BandLevels, float]]) -> tuple[Array, Mask]:
    total = np.zeros(len(mix.mid_db))
    weights = np.zeros(len(mix.mid_db))
    if mix.side_db is not None:
        own = smooth_power_db(mix.side_db, 1 / 3) - smooth_power_db(mix.mid_db, 1 / 3)
        for reference, weight in references:
            if reference.side_db is None:
                continue
            both = mix.side_present & reference.side_present
            its = smooth_power_db(reference.side_db, 1 / 3) - smooth_power_db(reference.mid_db, 1 / 3)
            total += np.where(both, weight * (its - own), 0.0)
            weights += np.where(both, weight, 0.0)
    known = weights > 0.0
    return np.divide(total, weights, out=np.zeros_like(total), where=known), known


def _mid_curve(
    mix: BandLevels,
    difference: Array,
    known: Mask,
    wanted: Wanted | None,
    settings: MatchSettings,
    at_bands: Array,
) -> Array:
    """Return the curve that the strength asks for, bounded, ranged and run out."""
    frequencies = mix.frequencies_hz

    def bounded(asked: Array, *, full: bool) -> Array:
        curve = np.clip(asked, -settings.cut_bound_db(full=full), settings.boost_bound_db(full=full))
        return shaped(curve, frequencies, known, settings)

    likely = np.zeros(len(THIRDS_HZ)) if wanted is None else wanted.gain_db
    near = 0.0 if wanted is None else wanted.posterior.near_weight
    stops = Stops(
        evidence=bounded(_broad_stop(likely, frequencies, settings), full=False),
        balanced=bounded(
            _broad_stop(
                _balanced(likely, difference, known, near, level_is_free=True), frequencies, settings
            ),
            full=False,
        ),
        full=_full_curve(mix, difference, known, bounded, settings, at_bands),
    )
    return _at_strength(settings, stops, difference, known & judged(frequencies), level_is_free=True)


def _thirds_difference(
    mix: Profile, references: list[tuple[Profile, float]], running: Array, bands: Mask
) -> Array:
    """Return the difference in the third octaves proper; the running one where there are no segments."""
    own = long_term_thirds_db(mix)
    theirs = [(long_term_thirds_db(profile), weight) for profile, weight in references]
    if own is None or any(level is None for level, _ in theirs) or not bands.any():
        return running
    total = sum(weight for _, weight in theirs)
    found = sum(weight * (level - own) for level, weight in theirs if level is not None) / total
    return np.where(bands, found - np.mean((found - running)[bands]), running)


def _full_curve(
    mix: BandLevels,
    difference: Array,
    known: Mask,
    bounded: Callable[..., Array],
    settings: MatchSettings,
    at_bands: Array,
) -> Array:
    octaves = settings.resolution_octaves or FULL_RESOLUTION_OCTAVES
    asked = smooth(difference, known, octaves)
    # A band that is known in part (a codec's cut-off runs through it) tells nothing to correct by.
    bands = mask_at_thirds(known) & (
        values_at_thirds(smooth(known.astype(np.float64), np.ones(len(known)), 1 / 3)) > 0.99
    )
    if octaves > FULL_RESOLUTION_OCTAVES + 1e-9 or not bands.any():
        return bounded(asked, full=True)
    # Gains within a band act on its loudest part: the third octaves' gains, straight between their centres,
    # are corrected by what they miss when applied, until every band is where the reference has it.
    octave, center = np.log2(mix.frequencies_hz), np.log2(THIRDS_HZ)
    corrections = np.zeros(int(bands.sum()))
    before = smooth_power_db(mix.mid_db, 1 / 3)
    curve = bounded(asked, full=True)
    for _ in range(FULL_ITERATIONS):
        gains = values_at_thirds(asked) + np.interp(center, center[bands], corrections)
        curve = bounded(np.interp(octave, center, gains), full=True)
        reached = smooth_power_db(mix.mid_db + curve, 1 / 3) - before
        missed = (at_bands - values_at_thirds(reached))[bands]
        corrections = corrections + FULL_STEP * (missed - missed.mean())
    return curve


def _width_curve(
    frequencies: Array,
    difference: Array,
    known: Mask,
    wanted: Wanted | None,
    near_weight: float,
    settings: MatchSettings,
) -> Array:
    octaves = np.log2(FULL_WIDTH_BOOST_FROM_HZ / NO_WIDTH_BOOST_BELOW_HZ)
    allowed = np.clip(np.log2(frequencies / NO_WIDTH_BOOST_BELOW_HZ) / octaves, 0.0, 1.0)

    def bounded(asked: Array, *, full: bool) -> Array:
        bound = settings.width_bound_db(full=full)
        curve = np.clip(asked, -bound, bound)
        curve = np.where(curve > 0.0, curve * allowed, curve)
        return shaped(curve, frequencies, known, settings)

    likely = np.zeros(len(THIRDS_HZ)) if wanted is None else wanted.gain_db
    balanced = _balanced(likely, difference, known, near_weight, level_is_free=False)
    full = smooth(difference, known, max(settings.resolution_octaves or 0.0, FULL_RESOLUTION_OCTAVES))
    stops = Stops(
        evidence=bounded(_broad_stop(likely, frequencies, settings), full=False),
        balanced=bounded(_broad_stop(balanced, frequencies, settings), full=False),
        full=bounded(full, full=True),
    )
    return _at_strength(settings, stops, difference, known & judged(frequencies), level_is_free=False)


def _balanced(
    likely_db: Array, difference: Array, known: Mask, near_weight: float, *, level_is_free: bool
) -> Array:
    """Return the `balanced` stop on third octaves; beyond what is known its end values are held."""
    at = np.flatnonzero(mask_at_thirds(known) & JUDGED_THIRDS)
    if not len(at):
        return likely_db
    found = balanced_curve(
        likely_db[at], values_at_thirds(difference)[at], near_weight, level_is_free=level_is_free
    )
    return np.interp(np.arange(len(likely_db)), at, found)


def _broad_stop(thirds: Array, frequencies: Array, settings: MatchSettings) -> Array:
    """Return a curve of third octaves on the band grid, smoothed where the settings ask for more."""
    curve = thirds_at_bands(thirds, frequencies)
    if settings.resolution_octaves is not None and settings.resolution_octaves > FULL_RESOLUTION_OCTAVES:
        curve = smooth(curve, np.ones(len(curve), dtype=bool), settings.resolution_octaves)
    return curve


def _at_strength(
    settings: MatchSettings, stops: Stops, difference: Array, counts: Mask, *, level_is_free: bool
) -> Array:
    if settings.strength == "evidence":
        return stops.evidence
    return dial(settings.percent, stops, difference, counts, level_is_free=level_is_free)


def shaped(curve: Array, frequencies: Array, known: Mask, settings: MatchSettings) -> Array:
    """Return a curve run out beyond what is known, and to 0 dB beyond the asked range.

    Beyond what is known a boost falls to 0 dB; a cut is held, because to let go of it would lift what nobody
    knows against all the rest.
    """
    window = range_window(frequencies, settings.low_hz, settings.high_hz)
    return np.asarray(np.where(known, curve, _beyond(curve, known)) * window)


def _beyond(curve: Array, known: Mask) -> Array:
    """Return what a curve comes to outside of `known`, from its mean over the nearest third of an octave."""
    places = np.flatnonzero(known)
    if not len(places):
        return np.zeros(len(curve))
    index = np.arange(len(curve))
    after = np.searchsorted(places, index).clip(0, len(places) - 1)
    before = (after - 1).clip(0)
    nearest = np.where(np.abs(index - places[before]) <= np.abs(index - places[after]), before, after)
    ends = smooth(curve, known, 2 / 3)[places[nearest]]
    return np.where(ends > 0.0, ends * run_out(known), ends)


def run_out(known: Mask) -> Array:
    """Return 1 where the difference is known, falling to 0 within a sixth of an octave outside."""
    places = np.flatnonzero(known)
    if not len(places):
        return np.zeros(len(known))
    index = np.arange(len(known))
    after = np.searchsorted(places, index).clip(0, len(places) - 1)
    before = (after - 1).clip(0)
    distance = np.minimum(np.abs(index - places[after]), np.abs(index - places[before]))
    share = np.clip(distance / (RUN_OUT_OCTAVES * BANDS_PER_OCTAVE), 0.0, 1.0)
    return 0.5 + 0.5 * np.cos(np.pi * share)


def range_window(frequencies: Array, low_hz: float, high_hz: float) -> Array:
    """Return 1 inside the asked range, falling to 0 within a third of an octave inside its ends."""
    octaves = np.full(len(frequencies), np.inf)
    if low_hz > frequencies[0]:
        octaves = np.minimum(octaves, np.log2(frequencies / low_hz))
    if high_hz < min(frequencies[-1], OPEN_FROM_HZ):
        octaves = np.minimum(octaves, np.log2(high_hz / frequencies))
    share = np.clip(octaves / RANGE_EDGE_OCTAVES, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * share)


def third_octave_rms_db(values: Array, frequencies: Array, known: Mask) -> float | None:
    """Return the RMS in dB over the third octaves from 40 Hz to 16 kHz, their mean removed, or None."""
    counts = known & (frequencies >= 0.99 * JUDGED_LOW_HZ) & (frequencies <= JUDGED_HIGH_HZ)
    centers = np.zeros(len(frequencies), dtype=bool)
    centers[
        int(np.argmin(np.abs(frequencies - 1000.0))) % (BANDS_PER_OCTAVE // 3) :: BANDS_PER_OCTAVE // 3
    ] = True
    counts &= centers
    if not counts.any():
        return None
    chosen = values[counts] - values[counts].mean()
    return float(np.sqrt(np.mean(chosen**2)))


def tonal_distance_db(profile: Profile, reference: Profile) -> float | None:
    """Return how far two recordings' tone is apart: third-octave RMS in dB, 40 Hz-16 kHz, level removed.

    Only bands in which both have energy count; None where there are none.
    """
    frequencies = band_centers_hz(min(profile.source.sample_rate_hz, reference.source.sample_rate_hz))
    own, its = band_levels(profile, frequencies), band_levels(reference, frequencies)
    difference, known = _mid_difference(own, [(its, 1.0)])
    return third_octave_rms_db(difference, frequencies, known)
