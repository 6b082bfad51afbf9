"""Curves as points: their sums, and moves against the cookbook's biquads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import freqz

from refmaster.dsp.curves import combined_points, curve_at, move_gain_db, with_moves
from refmaster.settings.moves import ToneMove

points = st.lists(
    st.tuples(st.integers(20, 20000).map(float), st.floats(-12, 12)),
    max_size=8,
    unique_by=lambda point: point[0],
).map(lambda found: tuple(sorted(found)))


def cookbook_db(move: ToneMove, frequencies_hz: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return the gain of the biquad, coefficient by coefficient as the cookbook prints them."""
    a, w0 = 10 ** (move.db / 40), 2 * np.pi * move.hz / rate_hz
    cos, alpha = np.cos(w0), np.sin(w0) / (2 * move.q)
    root = 2 * np.sqrt(a) * alpha
    if move.kind == "bell":
        above = [1 + alpha * a, -2 * cos, 1 - alpha * a]
        below = [1 + alpha / a, -2 * cos, 1 - alpha / a]
    elif move.kind == "low_shelf":
        above = [
            a * ((a + 1) - (a - 1) * cos + root),
            2 * a * ((a - 1) - (a + 1) * cos),
            a * ((a + 1) - (a - 1) * cos - root),
        ]
        below = [
            (a + 1) + (a - 1) * cos + root,
            -2 * ((a - 1) + (a + 1) * cos),
            (a + 1) + (a - 1) * cos - root,
        ]
    else:
        above = [
            a * ((a + 1) + (a - 1) * cos + root),
            -2 * a * ((a - 1) + (a + 1) * cos),
            a * ((a + 1) + (a - 1) * cos - root),
        ]
        below = [
            (a + 1) - (a - 1) * cos + root,
            2 * ((a - 1) - (a + 1) * cos),
            (a + 1) - (a - 1) * cos - root,
        ]
    return 20 * np.log10(np.abs(freqz(above, below, frequencies_hz, fs=rate_hz)[1]))


@given(
    hz=st.floats(20, 20000),
    db=st.floats(-24, 24),
    q=st.floats(0.1, 5),
    kind=st.sampled_from(["bell", "low_shelf", "high_shelf"]),
)
def test_a_move_is_the_cookbooks_far_below_half_the_sample_rate(hz, db, q, kind):
    move = ToneMove(hz=hz, db=db, q=q, kind=kind)
    frequencies = hz * np.geomspace(1 / 20, 20, 101)
    np.testing.assert_allclose(
        move_gain_db(move, frequencies), cookbook_db(move, frequencies, 4000 * hz), atol=0.01
    )


@pytest.mark.parametrize(
    ("kind", "low_db", "at_db", "high_db"),
    [("bell", 0.0, -6.0, 0.0), ("low_shelf", -6.0, -3.0, 0.0), ("high_shelf", 0.0, -3.0, -6.0)],
)
def test_a_moves_ends_and_middle(kind, low_db, at_db, high_db):
    found = move_gain_db(ToneMove(hz=1000.0, db=-6.0, kind=kind), np.array([1.0, 1000.0, 1e6]))
    np.testing.assert_allclose(found, [low_db, at_db, high_db], atol=0.001)


@given(one=points, other=points)
def test_sums_and_differences_of_curves_are_exact(one, other):
    hz = np.geomspace(10, 30000, 200)
    whole = combined_points(one, other)
    np.testing.assert_allclose(curve_at(whole, hz), curve_at(one, hz) + curve_at(other, hz), atol=1e-5)
    back = combined_points(whole, other, sign=-1.0)
    np.testing.assert_allclose(curve_at(back, hz), curve_at(one, hz), atol=1e-5)


def test_written_numbers_stay_written_numbers():
    mid, width = ((100.0, -1.62), (200.0, 0.1)), ((100.0, 2.81), (200.0, 0.2))
    assert combined_points(mid, width) == ((100.0, 1.19), (200.0, 0.3))


def test_moves_stand_on_the_curve():
    curve = ((100.0, 1.0), (10000.0, -3.0))
    bell, shelf = ToneMove(hz=250.0, db=-2.0, q=1.0), ToneMove(hz=5000.0, db=1.5, kind="high_shelf")
    hz = np.geomspace(20, 20000, 300)
    wanted = curve_at(curve, hz) + move_gain_db(bell, hz) + move_gain_db(shelf, hz)
    np.testing.assert_allclose(curve_at(with_moves(curve, [bell, shelf], 24000.0), hz), wanted, atol=0.002)
    assert with_moves(curve, [ToneMove(hz=250.0, db=0.0)], 24000.0) == curve
