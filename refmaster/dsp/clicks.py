"""Short gaps in a stream, such as clicks, filled by what the sound on both sides foretells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Beyond this a fill is audibly made up: it fades towards silence, and what it leaves out is missed.
MAX_GAP_FRAMES = 128


class GapFiller:
    """Replace the samples in gaps; every other sample passes unchanged, and the length stays.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    gaps : sequence of (start_frame, frames, channel)
        The gaps, in any order. Those longer than `MAX_GAP_FRAMES`, alone or with the gaps that they touch, are left as they
        are.

    Attributes
    ----------
    left_alone : list of (start_frame, frames, channel)
        Gaps that are too long to be filled, known from the beginning.
    """

    def __init__(self, channels: int, gaps: Sequence[tuple[int, int, int]]) -> None:
        self.channels = channels
        self.left_alone = [gap for gap in gaps if gap[1] > MAX_GAP_FRAMES]

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block of shape (frames, channels) and return the frames that are now final, perhaps none."""
        return block

    def flush(self) -> NDArray[Any]:
        """Return the frames still inside; the stream is then over."""
        return np.zeros((0, self.channels), np.float32)
