"""The band grids, and spectra read on them."""

import numpy as np
import pytest

from refmaster.profile.bands import (
    BANDS_HZ,
    BANDS_PER_OCTAVE,
    JUDGED_THIRDS,
    LEARNED_THIRDS,
    THIRDS_HZ,
    band_centers_hz,
    band_edges_hz,
    cutoff_hz,
    energy_mask,
    mask_at_thirds,
    smooth,
    third_centers_hz,
    third_octave_rms_db,
    thirds_at_bands,
    values_at_thirds,
)

HZ = band_centers_hz(44100)


def pink_db(hz):
    return -40.0 - 3.0 * np.log2(hz / 1000.0)


@pytest.mark.parametrize(
    ("grid", "per_octave", "fitting"),
    [(BANDS_HZ, BANDS_PER_OCTAVE, band_centers_hz), (THIRDS_HZ, 3, third_centers_hz)],
)
def test_bands_adjoin_and_fit_below_half_the_rate(grid, per_octave, fitting):
    assert np.abs(grid / 1000.0 - 1.0).min() == 0.0  # 1 kHz is a centre
    np.testing.assert_allclose(grid[1:] / grid[:-1], 2.0 ** (1 / per_octave))
    edges = band_edges_hz(grid, per_octave)
    assert len(edges) == len(grid) + 1
    np.testing.assert_allclose(np.sqrt(edges[1:] * edges[:-1]), grid)
    for rate in (8000, 16000, 44100, 96000):
        centers = fitting(rate)
        np.testing.assert_array_equal(centers, grid[: len(centers)])
        assert band_edges_hz(centers, per_octave)[-1] < 0.49 * rate
    assert len(fitting(96000)) == len(grid)


def test_third_octaves_have_the_ranges_that_are_said():
    assert (len(THIRDS_HZ), JUDGED_THIRDS.sum(), LEARNED_THIRDS.sum()) == (31, 27, 26)
    np.testing.assert_allclose(THIRDS_HZ[JUDGED_THIRDS][[0, -1]], [39.37, 16000.0], rtol=1e-4)
    np.testing.assert_allclose(THIRDS_HZ[LEARNED_THIRDS][[0, -1]], [39.37, 12699.2], rtol=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        THIRDS_HZ[0] = 20.0


def test_values_find_their_third_octaves_and_back():
    """A curve of log frequency comes back from the thirds; only the lowest third is not on the grid."""
    thirds = values_at_thirds(pink_db(BANDS_HZ))
    np.testing.assert_allclose(thirds[1:], pink_db(THIRDS_HZ[1:]), atol=1e-9)
    inside = slice(8, -8)
    np.testing.assert_allclose(
        thirds_at_bands(pink_db(THIRDS_HZ), BANDS_HZ)[inside], pink_db(BANDS_HZ)[inside], atol=1e-9
    )
    low = band_centers_hz(8000)
    assert values_at_thirds(pink_db(low))[-1] == pink_db(low)[-1]


def test_third_octaves_count_where_most_of_their_bands_do():
    counts = mask_at_thirds((HZ > 100.0) & (HZ < 5000.0))
    np.testing.assert_array_equal(counts, (THIRDS_HZ > 110.0) & (THIRDS_HZ < 4500.0))


def test_rms_over_third_octaves_leaves_out_level_and_what_does_not_count():
    tilt = np.log2(HZ / 1000.0)
    expected = np.std(np.arange(-13, 13) / 3)  # 50 Hz to 16 kHz
    assert third_octave_rms_db(tilt + 7.0, np.ones(len(HZ), bool)) == pytest.approx(expected)
    wild = np.where(HZ > 2000.0, 1e6, tilt)
    assert third_octave_rms_db(wild, HZ < 1500.0) == pytest.approx(np.std(np.arange(-13, 2) / 3))
    assert third_octave_rms_db(tilt, np.zeros(len(HZ), bool)) is None


def test_masks_and_cutoffs():
    assert cutoff_hz(HZ, pink_db(HZ)) is None
    assert cutoff_hz(HZ, np.where(HZ < 16000, pink_db(HZ), -130.0)) == pytest.approx(16000, rel=0.06)
    assert not energy_mask(HZ, np.full(len(HZ), -150.0)).any()


def test_smoothing_keeps_constants_and_ignores_what_does_not_count(rng):
    mask = rng.random(len(HZ)) > 0.3
    values = np.where(mask, 3.0, 1e6)
    for octaves in (1 / 12, 1 / 3, 1.0, 2.0):
        kept = smooth(values, mask, octaves)
        np.testing.assert_allclose(kept[mask], 3.0)
