"""The strength dial: one way from nothing to full on which the reference only comes nearer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.matching.dial import BALANCED_LIMIT_DB, Stops, balanced_curve, broad, dial

BANDS = 30
PERCENTS = np.linspace(0.0, 100.0, 41)


def stops_of(seed):
    rng = np.random.default_rng(seed)
    difference = rng.normal(0.0, 4.0, BANDS)
    curves = Stops(
        evidence=rng.normal(0.0, 1.5, BANDS),
        balanced=broad(difference) + rng.normal(0.0, 1.0, BANDS),
        full=difference + rng.normal(0.0, 0.2, BANDS),
    )
    return difference, curves, rng.random(BANDS) > 0.2


def distance(values, counts, level_is_free):
    inside = values[counts]
    return float(np.linalg.norm(inside - (inside.mean() if level_is_free else 0.0)))


@given(seed=st.integers(0, 10000), level_is_free=st.booleans())
def test_distance_never_rises(seed, level_is_free):
    difference, stops, counts = stops_of(seed)
    curves = [dial(p, stops, difference, counts, level_is_free=level_is_free) for p in PERCENTS]
    to_full = [distance(stops.full - curve, counts, level_is_free) for curve in curves]
    assert np.diff(to_full).max() < 1e-9
    below = [distance(difference - c, counts, level_is_free) for c in curves[:25]]  # up to balanced
    assert np.diff(below).max() < 1e-9


def test_its_ends_are_nothing_and_full():
    difference, stops, counts = stops_of(1)
    assert not dial(0.0, stops, difference, counts, level_is_free=True).any()
    np.testing.assert_allclose(dial(100.0, stops, difference, counts, level_is_free=True), stops.full)


def test_stops_that_lead_on_are_reached():
    difference = np.linspace(-6.0, 6.0, BANDS)
    stops = Stops(evidence=0.2 * difference, balanced=0.6 * difference, full=difference)
    counts = np.ones(BANDS, dtype=bool)
    for percent, curve in ((25, stops.evidence), (60, stops.balanced), (80, 0.8 * difference)):
        np.testing.assert_allclose(
            dial(percent, stops, difference, counts, level_is_free=True), curve, atol=1e-9
        )


@given(seed=st.integers(0, 10000), near=st.floats(0.0, 1.0))
def test_balanced_holds_its_limit_and_is_no_level(seed, near):
    rng = np.random.default_rng(seed)
    difference = rng.normal(0.0, 12.0, BANDS)
    curve = balanced_curve(rng.normal(0.0, 1.5, BANDS), difference, near, level_is_free=True)
    assert np.abs(curve).max() < BALANCED_LIMIT_DB
    assert curve.mean() == pytest.approx(0.0, abs=1e-3)


def test_balanced_copies_no_peak_of_a_song():
    """A peak of one third octave is hardly followed, a tilt of the same height is."""
    peak = np.where(np.arange(BANDS) == 12, 6.0, 0.0)
    tilt = np.linspace(-6.0, 6.0, BANDS)
    nothing = np.zeros(BANDS)
    assert np.abs(balanced_curve(nothing, peak, 0.0, level_is_free=True)).max() < 2.0
    assert np.abs(balanced_curve(nothing, tilt, 0.0, level_is_free=True)).max() > 3.5
