"""The highest peaks against the dense interpolation they must equal, on what is hard to rule out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.dsp.highest import BLOCK_FRAMES, PART_FRAMES, ROW_FRAMES, HighestPeaks
from tests.oracles.true_peak import eightfold_peaks


def signals():
    rng = np.random.default_rng(3)
    time = np.arange(3 * BLOCK_FRAMES + 777)
    noise = rng.standard_normal(len(time))
    near_nyquist = np.sin(np.pi * 0.997 * time) * (time > 40000)
    # signs as they add up half way between two samples: 8 dB and more between the samples
    overs = 0.01 * noise
    overs[50000 - 60 : 50000 + 60] = 0.1 * np.sign(np.sinc(np.arange(-60, 60) + 0.5))
    return {
        "noise": noise,
        "clipped": np.clip(4 * noise, -1, 1),
        "bass": np.sin(time * 0.01) + 0.02 * noise,
        "near Nyquist": near_nyquist,
        "overs": overs,
    }


def run(kernel, samples, cuts=()):
    parts = [kernel.push(part) for part in np.split(samples, cuts)]
    return np.concatenate([*parts, kernel.flush()])


@pytest.mark.parametrize("name", signals())
def test_every_parts_highest_peak_is_that_of_the_dense_interpolation(name):
    signal = signals()[name].astype(np.float32)
    samples = np.stack([signal, -0.3 * signal[::-1]], axis=1)
    found = run(HighestPeaks(2), samples)
    starts = range(0, len(samples), ROW_FRAMES)
    dense = np.maximum.reduceat(eightfold_peaks(samples).max(axis=1), starts)
    assert found.shape == dense.shape
    assert np.all(found <= dense * (1 + 1e-5))
    assert np.all(found >= np.maximum.reduceat(np.abs(samples).max(axis=1), starts))
    rows = PART_FRAMES // ROW_FRAMES
    late = 5  # parts are counted from where their surroundings are known
    for start in range(0, len(found), rows):
        part = slice(max(start - late, 0), start - late + rows)
        np.testing.assert_allclose(found[part].max(), dense[part].max(), rtol=1e-5)


@settings(max_examples=10)
@given(
    frames=st.sampled_from([0, 1, 31, 32, 33, BLOCK_FRAMES - 160, BLOCK_FRAMES, BLOCK_FRAMES + 1])
    | st.integers(0, 160000),
    data=st.data(),
)
def test_cuts_change_nothing(frames, data):
    samples = np.random.default_rng(1).standard_normal((frames, 2)).astype(np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=4)))
    whole, cut = run(HighestPeaks(2), samples), run(HighestPeaks(2), samples, cuts)
    assert len(whole) == -(-frames // ROW_FRAMES)
    np.testing.assert_array_equal(whole, cut)
