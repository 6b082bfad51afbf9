"""Cuts and fades, exact to the frame."""

import numpy as np
import pytest

from refmaster.dsp.edges import EdgeShaper

SAMPLES = np.random.default_rng(3).uniform(-1, 1, (1000, 2))


def shaped(cuts=(), samples=SAMPLES, **values):
    kernel = EdgeShaper(**({"start_frame": 0, "end_frame": len(samples)} | values))
    return np.concatenate([kernel.push(part) for part in np.split(samples, cuts)])


@pytest.mark.parametrize(("start", "end"), [(0, 1000), (0, 1), (999, 1000), (17, 801)])
def test_what_is_kept_is_kept_to_the_bit(start, end):
    assert np.array_equal(shaped(start_frame=start, end_frame=end), SAMPLES[start:end])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fades_are_half_a_cosine_over_what_is_kept(dtype):
    found = shaped(
        samples=SAMPLES.astype(dtype), start_frame=100, end_frame=900, fade_in_frames=200, fade_out_frames=50
    )
    gain = np.ones(800)
    gain[:200] = np.sin(0.5 * np.pi * (np.arange(200) + 0.5) / 200) ** 2
    gain[-50:] = np.cos(0.5 * np.pi * (np.arange(50) + 0.5) / 50) ** 2
    assert found.dtype == dtype
    np.testing.assert_allclose(found, SAMPLES[100:900] * gain[:, None], atol=1e-7)
    assert np.array_equal(found[200:750], SAMPLES.astype(dtype)[300:850])


def test_in_and_out_are_mirror_images():
    fade_in = shaped(samples=np.ones((64, 1)), fade_in_frames=64)
    fade_out = shaped(samples=np.ones((64, 1)), fade_out_frames=64)
    np.testing.assert_allclose(fade_in, fade_out[::-1], atol=1e-15)
    np.testing.assert_allclose(fade_in + fade_out, 1.0, atol=1e-15)


@pytest.mark.parametrize("cuts", [(0,), (1,), (99, 100, 101), (450,), (950,), tuple(range(0, 1000, 7))])
def test_blocks_of_any_length_give_the_same(cuts):
    values = {"start_frame": 100, "end_frame": 950, "fade_in_frames": 30, "fade_out_frames": 500}
    assert np.array_equal(shaped(cuts, **values), shaped(**values))
