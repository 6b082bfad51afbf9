"""Cut and fade the ends of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Block


class EdgeShaper:
    """Keep the frames from one to another, and fade what is kept in and out along half a cosine.

    Parameters
    ----------
    start_frame, end_frame : int
        First frame that is kept, and the frame after the last.
    fade_in_frames, fade_out_frames : int
        From the first and to the last frame that is kept; where both act at once they multiply.
    """

    def __init__(
        self, start_frame: int, end_frame: int, *, fade_in_frames: int = 0, fade_out_frames: int = 0
    ) -> None:
        self._start = start_frame
        self._end = end_frame
        self._fade_in = fade_in_frames
        self._fade_out = fade_out_frames
        self._at = 0

    def push(self, block: Block) -> Block:
        """Take a block of shape (frames, channels) and return what is left of it, perhaps nothing."""
        first = self._at
        self._at += len(block)
        low, high = max(self._start - first, 0), max(min(self._end - first, len(block)), 0)
        kept: Block = block[low : max(low, high)]
        frames = np.arange(first + low, first + low + len(kept))
        for since, length in (
            (frames - self._start, self._fade_in),
            (self._end - 1 - frames, self._fade_out),
        ):
            if len(kept) and int(since.min()) < length:
                gain = _raised_cosine(since, length)[:, np.newaxis]
                kept = np.multiply(kept, gain, dtype=kept.dtype, casting="same_kind")
        return kept


def _raised_cosine(since: NDArray[Any], length: int) -> Array:
    """Return the gain so many frames after a fade's first: between 0 and 1 within its length, 1 beyond it."""
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum((since + 0.5) / length, 1.0))
