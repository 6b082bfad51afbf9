"""Quantiser: the physics of TPDF dither, the range of the words, and independence of the cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.dsp.dither import Quantiser


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_error_has_no_mean_and_the_variance_of_tpdf(bits: int, rng: np.random.Generator) -> None:
    block = rng.uniform(-0.9, 0.9, (100_000, 2))
    error_lsb = Quantiser(bits, seed=1).quantise(block) - block * 2.0 ** (bits - 1)
    assert abs(error_lsb.mean()) < 0.005
    assert error_lsb.std() == pytest.approx(0.5, abs=0.005)  # 1/12 of rounding, 2/12 of the dither
    assert np.abs(error_lsb).max() <= 1.5


def test_signals_below_one_step_survive_on_average() -> None:
    block = np.full((200_000, 1), 0.3 / 2**15)
    assert Quantiser(16, seed=1).quantise(block).mean() == pytest.approx(0.3, abs=0.01)
    assert not Quantiser(16, seed=None).quantise(block).any()


def test_error_does_not_depend_on_the_level(rng: np.random.Generator) -> None:
    powers = []
    for offset_lsb in (0.0, 0.25, 0.5):
        block = np.full((100_000, 1), offset_lsb / 2**15)
        powers.append(np.var(Quantiser(16, seed=5).quantise(block) - offset_lsb))
    np.testing.assert_allclose(powers, 0.25, atol=0.005)


def test_channels_and_seeds_are_independent() -> None:
    silence = np.zeros((50_000, 2), dtype=np.float32)
    one, other = Quantiser(16, seed=1).quantise(silence), Quantiser(16, seed=2).quantise(silence)
    assert abs(np.corrcoef(one.T)[0, 1]) < 0.02
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


@given(
    cuts=st.lists(st.sampled_from([0, 1, 2, 16383, 16384, 16385, 32769]), min_size=1, max_size=6),
    channels=st.integers(1, 3),
    seed=st.sampled_from([None, 0, 7]),
)
def test_any_cut_gives_the_same_words(cuts: list[int], channels: int, seed: int | None) -> None:
    signal = np.random.default_rng(3).uniform(-1, 1, (sum(cuts), channels)).astype(np.float32)
    whole = Quantiser(24, seed=seed).quantise(signal)
    quantiser = Quantiser(24, seed=seed)
    pieces = [quantiser.quantise(piece) for piece in np.split(signal, np.cumsum(cuts)[:-1])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_words_on_the_grid_come_back_and_full_scale_is_limited(bits: int) -> None:
    half = 2 ** (bits - 1)
    words = np.array([[-half], [-half + 1], [-1], [0], [1], [half - 1]])
    quantiser = Quantiser(bits, seed=None)
    np.testing.assert_array_equal(quantiser.quantise(words / half), words)
    assert quantiser.clipped_samples == 0
    np.testing.assert_array_equal(quantiser.quantise(np.array([[1.0], [-1.5], [7.0]]))[:, 0],
                                  [half - 1, -half, half - 1])  # fmt: skip
    assert quantiser.clipped_samples == 3


def test_what_is_not_finite_is_a_fault() -> None:
    with pytest.raises(ValueError, match="finite"):
        Quantiser(16, seed=1).quantise(np.array([[0.0], [np.nan]]))
