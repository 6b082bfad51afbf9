"""Maxima of hops: each group in the hop of its first frame, whatever the rate and the cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refmaster.dsp.hops import HopMaxima


@given(
    rate=st.sampled_from([8000, 11025, 44100, 44101, 48000, 192000]),
    group_frames=st.sampled_from([1, 8, 32]),
    cuts=st.lists(st.sampled_from([0, 1, 2, 551, 552, 5000]), max_size=6),
)
def test_each_group_counts_where_its_first_frame_lies(rate: int, group_frames: int, cuts: list[int]) -> None:
    values = np.random.default_rng(1).random(sum(cuts))
    hops = HopMaxima(rate, group_frames)
    for piece in np.split(values, np.cumsum(cuts)[:-1] if cuts else []):
        hops.add(piece)
    places = [number * group_frames * 10 // rate for number in range(len(values))]
    wanted = np.zeros(places[-1] + 1 if places else 0)
    np.maximum.at(wanted, places, values)
    np.testing.assert_array_equal(hops.series(), wanted)
