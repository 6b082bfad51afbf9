"""What is kept between passes: the same blocks, made once, and only where they fit."""

from __future__ import annotations

import numpy as np

from refmaster.rendering.renderer import KeptBlocks


def blocks(made, count=4):
    def make():
        made.append(count)
        for number in range(count):
            yield np.full((10, 2), number, np.float32)

    return make


def values(found):
    return [int(block[0, 0]) for block in found]


def test_alike_stages_are_run_once():
    made, kept = [], KeptBlocks()
    for stages, runs in (("a", 1), ("a", 1), ("b", 2), ("a", 3)):
        assert values(kept.through(stages, blocks(made))) == [0, 1, 2, 3]
        assert len(made) == runs


def test_what_does_not_fit_is_made_again():
    made, kept = [], KeptBlocks(limit_bytes=3 * 80)
    for _ in range(2):
        assert values(kept.through("a", blocks(made))) == [0, 1, 2, 3]
    assert len(made) == 2


def test_a_pass_that_was_broken_off_is_not_kept():
    made, kept = [], KeptBlocks()
    broken_off = kept.through("a", blocks(made))
    next(broken_off)
    broken_off.close()
    assert values(kept.through("a", blocks(made))) == [0, 1, 2, 3]
    assert len(made) == 2


def test_peaks_are_those_of_their_stages():
    kept = KeptBlocks(limit_bytes=80)
    assert kept.peaks_of("a") is None
    kept.keep_peaks("a", [np.zeros((2, 4), np.float32)])
    assert len(kept.peaks_of("a")) == 1
    assert kept.peaks_of("b") is None
    assert kept.has_room_for(20)
    assert not kept.has_room_for(21)
