"""Gaps are filled with what the sound on both sides foretells, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from refmaster.dsp.clicks import CONTEXT_FRAMES, MAX_GAP_FRAMES, GapFiller

RATE_HZ = 44100
Gap = tuple[int, int, int]


def music(frames: int = 12000, dtype: type = np.float64) -> NDArray[np.floating]:
    """Chords of decaying partials over a little noise, other ones in each channel."""
    rng = np.random.default_rng(3)
    time = np.arange(frames) / RATE_HZ
    channels = []
    for root in (110.0, 164.8):
        parts = [np.sin(2 * np.pi * root * k * time + k) / k**1.5 * np.exp(-k * time) for k in range(1, 16)]
        channels.append(0.2 * np.sum(parts, axis=0) + 1e-4 * rng.standard_normal(frames))
    return np.column_stack(channels).astype(dtype)


def through(samples: NDArray[np.floating], gaps: Sequence[Gap], cut: int = 0) -> NDArray[np.floating]:
    filler = GapFiller(samples.shape[1], gaps)
    cut = cut or max(1, len(samples))
    done = [filler.push(samples[at : at + cut]) for at in range(0, len(samples), cut)]
    return np.concatenate([*done, filler.flush()])


def inside(shape: tuple[int, ...], gaps: Sequence[Gap]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    for start, frames, channel in gaps:
        mask[start : start + frames, channel] = True
    return mask


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_changes_outside_gaps(dtype: type) -> None:
    samples = music(dtype=dtype)
    gaps = [(5000, 30, 0), (5010, 8, 1), (9000, 1, 1)]
    out = through(samples, gaps)
    mask = inside(samples.shape, gaps)
    assert out.dtype == samples.dtype
    assert out.shape == samples.shape
    assert np.array_equal(out[~mask], samples[~mask])
    assert not np.array_equal(out[mask], samples[mask])


def test_without_gaps_every_sample_passes_at_once() -> None:
    samples = music(1000)
    filler = GapFiller(2, [])
    assert np.array_equal(filler.push(samples), samples)
    assert len(filler.flush()) == 0


@pytest.mark.parametrize("frames", [1, 5, 40, MAX_GAP_FRAMES])
def test_a_gap_in_music_is_filled_15_db_below_what_stood_there(frames: int) -> None:
    clean = music()
    gaps = [(6000, frames, 0)]
    clicked = clean.copy()
    clicked[6000 : 6000 + frames, 0] += 0.5
    error = through(clicked, gaps) - clean
    assert np.sum(error**2) < 10 ** (-15 / 10) * np.sum((clicked - clean) ** 2)


def test_a_sine_is_filled_exactly() -> None:
    clean = np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(8000))[:, np.newaxis]
    clicked = clean.copy()
    clicked[4000:4040] = -1.0
    assert np.abs(through(clicked, [(4000, 40, 0)]) - clean).max() < 1e-3


@pytest.mark.parametrize("cut", [1, 7, 129, CONTEXT_FRAMES, CONTEXT_FRAMES + 1, 5000])
def test_blocks_do_not_matter(cut: int) -> None:
    samples = music(9000 if cut > 1 else 5500)
    gaps = [(0, 5, 0), (2500, 60, 0), (2590, 100, 0), (2500, 20, 1), (4000, 300, 0), (5400, 90, 1)]
    assert np.array_equal(through(samples, gaps, cut), through(samples, gaps))


def test_the_order_of_gaps_does_not_matter() -> None:
    samples, gaps = music(), [(8000, 10, 1), (3000, 20, 0), (3015, 20, 0)]
    assert np.array_equal(through(samples, gaps), through(samples, gaps[::-1]))


def test_swapped_channels_give_swapped_results() -> None:
    samples, gaps = music(), [(3000, 25, 0), (3010, 60, 1), (7000, 9, 1)]
    swapped = through(samples[:, ::-1], [(start, frames, 1 - channel) for start, frames, channel in gaps])
    assert np.array_equal(swapped[:, ::-1], through(samples, gaps))


def test_long_gaps_are_left_alone_and_said() -> None:
    samples = music()
    long, joined = (3000, MAX_GAP_FRAMES + 1, 0), [(6000, 100, 1), (6100, 100, 1)]
    filler = GapFiller(2, [long, *joined, (9000, MAX_GAP_FRAMES, 0)])
    assert filler.left_alone == [long, (6000, 200, 1)]
    out = np.concatenate([filler.push(samples), filler.flush()])
    assert np.array_equal(
        np.flatnonzero((out != samples).any(axis=1)), np.arange(9000, 9000 + MAX_GAP_FRAMES)
    )


def test_a_gap_beside_a_long_one_is_not_filled_from_it() -> None:
    clean = music()
    clicked = clean.copy()
    clicked[5000:5400, 0], clicked[5450:5460, 0] = 0.9, -0.9
    out = through(clicked, [(5000, 400, 0), (5450, 10, 0)])
    assert np.abs(out[5450:5460, 0] - clean[5450:5460, 0]).max() < 0.05


def test_a_gap_without_anything_around_it_is_left_alone() -> None:
    samples = music(40)
    filler = GapFiller(2, [(0, 40, 0)])
    out = np.concatenate([filler.push(samples), filler.flush()])
    assert np.array_equal(out, samples)
    assert filler.left_alone == [(0, 40, 0)]


@pytest.mark.parametrize("gap", [(-1, 5, 0), (0, 0, 0), (0, 5, 2), (0, 5, -1)])
def test_gaps_that_cannot_be_are_refused(gap: Gap) -> None:
    with pytest.raises(ValueError, match="expected gaps"):
        GapFiller(2, [gap])


@given(
    frames=st.integers(0, 400),
    kind=st.sampled_from(["silence", "constant", "noise", "sine", "alternating"]),
    gaps=st.lists(
        st.tuples(st.integers(0, 450), st.integers(1, 140), st.integers(0, 1)), min_size=1, max_size=6
    ),
    cut=st.integers(1, 500),
)
def test_hostile_signals_stay_finite_and_untouched_outside(
    frames: int, kind: str, gaps: list[Gap], cut: int
) -> None:
    time = np.arange(frames)
    line = {
        "silence": np.zeros(frames),
        "constant": np.ones(frames),
        "noise": np.random.default_rng(1).uniform(-1, 1, frames),
        "sine": np.sin(0.1 * time),
        "alternating": (-1.0) ** time,
    }[kind]
    samples = np.column_stack([line, -line])
    out = through(samples, gaps, cut)
    assert np.array_equal(out, through(samples, gaps))
    mask = inside(samples.shape, gaps)
    assert np.isfinite(out).all()
    assert np.array_equal(out[~mask], samples[~mask])
    assert np.abs(out).max(initial=0.0) < 10.0
