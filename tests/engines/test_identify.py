"""Curves read off an engine's input and output."""

import numpy as np
import pytest
import soundfile as sf

from refmaster.dsp.fir import FirEqualizer, design_linear_phase
from refmaster.engines.identify import applied_curves, thinned
from refmaster.matching.curves import curve_at

HZ = np.array([30.0, 100.0, 400.0, 1500.0, 6000.0, 15000.0])
MID_DB = np.array([3.0, -2.0, 0.0, 4.0, -3.0, 1.0])
SIDE_DB = np.array([-6.0, 0.0, 6.0, 9.0, 3.0, -4.0])


@pytest.fixture
def equalized(tmp_path, rng):
    """Noise, and the same through two known curves."""
    noise = 0.05 * rng.standard_normal((44100 * 12, 2))
    equalizer = FirEqualizer(
        2, design_linear_phase(HZ, MID_DB, 44100), design_linear_phase(HZ, SIDE_DB, 44100)
    )
    after = np.concatenate([equalizer.push(noise), equalizer.flush()])
    sf.write(tmp_path / "before.wav", noise, 44100, "DOUBLE")
    sf.write(tmp_path / "after.wav", np.roll(after, 1, axis=0), 44100, "DOUBLE")  # as late as matchering
    return tmp_path


def test_known_curves_are_found(equalized):
    curves = applied_curves(equalized / "before.wav", equalized / "after.wav")
    inside = (curves.frequencies_hz > 30) & (curves.frequencies_hz < 18000)
    assert curves.mid_known[inside].all()
    for found, points in ((curves.mid_db, MID_DB), (curves.side_db, SIDE_DB)):
        wanted = np.interp(np.log2(curves.frequencies_hz), np.log2(HZ), points)
        assert np.abs(found - wanted)[inside].max() < 0.3
        assert np.sqrt(np.mean((found - wanted)[inside] ** 2)) < 0.06


def test_a_mono_input_has_no_side(tmp_path, rng):
    noise = 0.1 * rng.standard_normal(200000)
    sf.write(tmp_path / "mono.wav", noise, 44100, "FLOAT")
    sf.write(tmp_path / "twice.wav", 2 * np.column_stack([noise, noise]), 44100, "DOUBLE")
    curves = applied_curves(tmp_path / "mono.wav", tmp_path / "twice.wav")
    assert not curves.side_known.any()
    np.testing.assert_allclose(curves.mid_db, 6.02, atol=0.01)


def test_a_side_that_was_taken_away_is_known_to_be(tmp_path, rng):
    noise = 0.1 * rng.standard_normal((200000, 2))
    sf.write(tmp_path / "before.wav", noise, 44100, "FLOAT")
    sf.write(tmp_path / "after.wav", noise.mean(axis=1), 44100, "DOUBLE")
    curves = applied_curves(tmp_path / "before.wav", tmp_path / "after.wav")
    assert curves.side_known.all()
    assert curves.side_db.max() < -90


def test_thinned_curves_stay_within_the_tolerance(rng):
    hz = 20.0 * 2.0 ** (np.arange(400) / 48)
    gain = np.convolve(rng.standard_normal(448), np.hanning(49) / 5, mode="valid")[:400]
    kept = thinned(hz, gain, 0.05)
    points = tuple(zip(hz[kept], gain[kept], strict=True))
    assert len(kept) < 200
    assert np.abs(curve_at(points, hz) - gain).max() <= 0.05 + 1e-9
    assert thinned(hz, np.full(400, 3.0), 0.05) == [0, 399]
