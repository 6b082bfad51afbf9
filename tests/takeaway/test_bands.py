"""Parametric bands: the cookbook's response, and fits that find it again."""

import numpy as np
import pytest
from scipy.signal import sosfreqz

from refmaster.dsp.curves import curve_at
from refmaster.errors import SettingsError
from refmaster.profile.bands import BANDS_HZ, judged
from refmaster.takeaway.bands import ParametricBand, band_gains_db, fit_bands


def band(kind, hz, gain_db, q):
    return ParametricBand(kind=kind, hz=hz, gain_db=gain_db, q=q)


def cookbook_section(kind, hz, gain_db, q, rate):
    """The polynomials of the Audio EQ Cookbook, as SciPy takes them."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * hz / rate
    cos, alpha = np.cos(w), np.sin(w) / (2 * q)
    beta = 2 * np.sqrt(a) * alpha
    if kind == "bell":
        section = [1 + alpha * a, -2 * cos, 1 - alpha * a, 1 + alpha / a, -2 * cos, 1 - alpha / a]
    elif kind == "low_shelf":
        section = [
            a * ((a + 1) - (a - 1) * cos + beta),
            2 * a * ((a - 1) - (a + 1) * cos),
            a * ((a + 1) - (a - 1) * cos - beta),
            (a + 1) + (a - 1) * cos + beta,
            -2 * ((a - 1) + (a + 1) * cos),
            (a + 1) + (a - 1) * cos - beta,
        ]
    else:
        section = [
            a * ((a + 1) + (a - 1) * cos + beta),
            -2 * a * ((a - 1) + (a + 1) * cos),
            a * ((a + 1) + (a - 1) * cos - beta),
            (a + 1) - (a - 1) * cos + beta,
            2 * ((a - 1) - (a + 1) * cos),
            (a + 1) - (a - 1) * cos - beta,
        ]
    return np.array([section]) / section[3]


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("kind", ["low_shelf", "bell", "high_shelf"])
def test_gains_are_those_of_the_cookbooks_biquads(kind, rate, rng):
    frequencies = BANDS_HZ[BANDS_HZ / rate < 0.49]
    for _ in range(20):
        one = band(kind, rng.uniform(30, 0.45 * rate), rng.uniform(-24, 24), rng.uniform(0.3, 8))
        section = cookbook_section(kind, one.hz, one.gain_db, one.q, rate)
        expected = 20 * np.log10(np.abs(sosfreqz(section, frequencies, fs=rate)[1]))
        np.testing.assert_allclose(band_gains_db([one], frequencies, rate)[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "below", "at", "above"),
    [("low_shelf", 6.0, 3.0, 0.0), ("bell", 0.0, 6.0, 0.0), ("high_shelf", 0.0, 3.0, 6.0)],
)
def test_the_gain_stands_where_the_kind_says(kind, below, at, above):
    gains = band_gains_db([band(kind, 1000.0, 6.0, 0.7)], np.array([5.0, 1000.0, 23990.0]), 48000)
    np.testing.assert_allclose(gains, [[below, at, above]], atol=0.01)


def test_a_bell_has_half_its_gain_as_far_apart_as_its_q_says():
    low = 1000.0 * (np.sqrt(1 + 1 / 16) - 1 / 4)  # the edges of a band of 1 kHz / 2 around 1 kHz
    gains = band_gains_db([band("bell", 1000.0, 8.0, 2.0)], np.array([low, low + 500.0]), 192000)
    np.testing.assert_allclose(gains, 4.0, atol=0.01)


def test_a_curve_of_bands_is_found_again():
    bands = [
        band("low_shelf", 110.0, 3.0, 0.7),
        band("bell", 300.0, -4.0, 1.2),
        band("bell", 2500.0, 2.5, 2.0),
        band("high_shelf", 8000.0, -3.0, 0.7),
    ]
    fit = fit_bands(band_gains_db(bands, BANDS_HZ, 48000).sum(axis=0), 4, 48000)
    assert fit.rms_error_db < 0.05
    assert [found.kind for found in fit.bands] == [one.kind for one in bands]
    for found, one in zip(fit.bands, bands, strict=True):
        assert found.hz == pytest.approx(one.hz, rel=0.05)
        assert found.gain_db == pytest.approx(one.gain_db, abs=0.2)


def test_the_error_is_that_of_the_bands_as_they_are_written(make_plan):
    wanted = curve_at(make_plan().tone.mid, BANDS_HZ)
    fit = fit_bands(wanted, 6, 48000)
    error = (band_gains_db(fit.bands, BANDS_HZ, 48000).sum(axis=0) - wanted)[judged(BANDS_HZ)]
    assert fit.rms_error_db == pytest.approx(np.sqrt(np.mean(error**2)))
    assert fit.max_error_db == pytest.approx(np.abs(error).max())
    assert 0.0 < fit.rms_error_db < 0.5
    for found in fit.bands:
        assert (found.hz, found.gain_db, found.q) == (
            round(found.hz, 1),
            round(found.gain_db, 2),
            round(found.q, 3),
        )


def test_more_bands_come_nearer(make_plan):
    wanted = curve_at(make_plan().tone.mid, BANDS_HZ)
    errors = [fit_bands(wanted, count, 48000).rms_error_db for count in (2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 4


@pytest.mark.parametrize("rate", [8000, 96000])
def test_bands_stay_below_half_of_any_sample_rate(make_plan, rate):
    fit = fit_bands(curve_at(make_plan().tone.mid, BANDS_HZ), 5, rate)
    assert len(fit.bands) == 5
    assert max(found.hz for found in fit.bands) < 0.5 * rate
    assert fit.rms_error_db < 0.6


def test_a_flat_curve_needs_no_band():
    fit = fit_bands(np.zeros(len(BANDS_HZ)), 8, 48000)
    assert (fit.bands, fit.rms_error_db, fit.max_error_db) == ((), 0.0, 0.0)


def test_a_band_at_half_the_sample_rate_is_refused():
    with pytest.raises(SettingsError, match="needs a sample rate above 44100 Hz, found 44100 Hz"):
        band_gains_db([band("bell", 22050.0, 1.0, 1.0)], BANDS_HZ, 44100)
