"""Reblocker: fixed blocks out of any cut, nothing lost, nothing changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.dsp.blocks import Reblocker


@given(
    cuts=st.lists(st.sampled_from([0, 1, 6, 7, 8, 20]), max_size=12),
    dtype=st.sampled_from([np.float32, np.float64, np.int32]),
)
def test_blocks_have_one_length_and_join_to_the_input(cuts: list[int], dtype: type) -> None:
    signal = np.arange(2 * sum(cuts), dtype=dtype).reshape(-1, 2)
    reblocker: Reblocker = Reblocker(7)
    blocks, start = [], 0
    for cut in cuts:
        blocks += reblocker.push(signal[start : start + cut])
        start += cut
        assert sum(len(block) for block in blocks) > start - 7
    assert all(block.shape == (7, 2) and block.dtype == dtype for block in blocks)
    rest = reblocker.remainder()
    assert (rest is None) == (len(signal) % 7 == 0)
    joined = np.concatenate([*blocks, signal[:0] if rest is None else rest])
    np.testing.assert_array_equal(joined, signal)
    assert reblocker.remainder() is None


def test_refuses_what_is_not_a_block() -> None:
    reblocker: Reblocker = Reblocker(4)
    with pytest.raises(ValueError, match="shape"):
        reblocker.push(np.zeros(4))
    reblocker.push(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="2 channels"):
        reblocker.push(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="at least 1"):
        Reblocker(0)
