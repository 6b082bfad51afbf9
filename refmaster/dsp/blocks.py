"""Re-blocking: turn a stream of blocks of any length into blocks of one fixed length.

Kernels that work on fixed blocks (FFTs, meters with hops) use it so that their result does not depend
on how the caller cut the signal. Arrays are ``(frames, channels)``; the dtype is kept.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)


class Reblocker(Generic[S]):
    """Collect blocks of any length and hand out blocks of exactly ``block_frames``.

    The blocks returned may be views of the input or of an internal buffer that is never written again:
    they stay valid, but a caller who changes its input in place afterwards changes them too.

    Parameters
    ----------
    block_frames : int
        Length of every block handed out, in frames, at least 1.
    """

    def __init__(self, block_frames: int) -> None:
        if block_frames < 1:
            raise ValueError(f"block_frames must be at least 1, got {block_frames}")
        self.block_frames = block_frames
        self._held: list[NDArray[S]] = []
        self._held_frames = 0
        self._channels: int | None = None

    @property
    def held_frames(self) -> int:
        """Frames that wait for the next full block."""
        return self._held_frames

    def push(self, block: NDArray[S]) -> list[NDArray[S]]:
        """Take a block and return the full blocks that are now complete, oldest first.

        Parameters
        ----------
        block : ndarray, shape (frames, channels)
            Any number of frames, none included.

        Returns
        -------
        list of ndarray, each of shape (block_frames, channels)
        """
        if block.ndim != 2:
            raise ValueError(f"a block must have the shape (frames, channels), got {block.shape}")
        if self._channels is None:
            self._channels = block.shape[1]
        elif block.shape[1] != self._channels:
            raise ValueError(f"the stream has {self._channels} channels, got a block of {block.shape[1]}")
        if self._held_frames + len(block) < self.block_frames:
            if len(block):
                self._held.append(block)
                self._held_frames += len(block)
            return []
        done: list[NDArray[S]] = []
        start = 0
        if self._held_frames:
            start = self.block_frames - self._held_frames
            done.append(np.concatenate([*self._held, block[:start]]))
        while start + self.block_frames <= len(block):
            done.append(block[start : start + self.block_frames])
            start += self.block_frames
        self._held = [block[start:]] if start < len(block) else []
        self._held_frames = len(block) - start
        return done

    def remainder(self) -> NDArray[S] | None:
        """Return the frames left at the end, fewer than ``block_frames``, and forget them.

        Returns
        -------
        ndarray of shape (frames, channels), or None when nothing is left
        """
        held, self._held, self._held_frames = self._held, [], 0
        if not held:
            return None
        return held[0] if len(held) == 1 else np.concatenate(held)
