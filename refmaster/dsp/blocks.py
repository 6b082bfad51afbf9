"""Streams of blocks of any length, worked on in blocks of one fixed length.

Kernels that work on fixed blocks (FFTs, meters with hops) use this so that their result does not depend on
how the caller cut the signal.

Conventions: arrays are ``(frames, channels)`` and keep their dtype. Kernels are quickest where each channel's
frames lie side by side in memory (Fortran order), and their own blocks are of that kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from refmaster._types import Block

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

    def filled_up(self, channels: int, dtype: npt.DTypeLike = np.float32) -> Iterator[NDArray[Any]]:
        """Yield the frames left at the end, filled up with silence to a block, then silence without end.

        Parameters
        ----------
        channels : int
            Channels of the stream, which may have been empty.
        dtype : dtype
            Type of the blocks.
        """
        rest = self.remainder()
        while True:
            block = np.zeros((channels, self.block_frames), dtype).T
            if rest is not None:
                block[: len(rest)] = rest
                rest = None
            yield block


def interleaved(block: Block) -> Block:
    """Return a block with each frame's channels side by side in memory, as files hold them."""
    if block.flags.c_contiguous:
        return block
    samples: Block = np.empty(block.shape, block.dtype)
    for channel in range(block.shape[1]):  # several times faster than one strided copy
        samples[:, channel] = block[:, channel]
    return samples


class StreamKernel(Protocol):
    """A kernel that takes a stream in blocks and gives it back in others."""

    def push(self, block: Block, /) -> Block:
        """Take a block and return what is ready."""
        ...

    def flush(self) -> Block:
        """Return the rest."""
        ...


def through(kernel: StreamKernel, blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield a stream as a kernel gives it back, its rest included."""
    for block in blocks:
        ready = kernel.push(block)
        if len(ready):
            yield ready
    rest = kernel.flush()
    if len(rest):
        yield rest


class BlockKernel(ABC):
    """A streaming kernel without latency that works on blocks of one length.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    block_frames : int
        Length of the blocks that `_process` takes.
    delay_frames : int
        Frames by which the results of `_process` trail its input. As many are left out at the start, and
        taken from silence at the end.
    """

    def __init__(self, channels: int, block_frames: int, delay_frames: int) -> None:
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        self.channels = channels
        self._input: Reblocker[Any] = Reblocker(block_frames)
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._frames_in = 0
        self._frames_out = -delay_frames

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block and return the frames that are now final, perhaps none.

        Parameters
        ----------
        block : ndarray of float32 or float64, shape (frames, channels)
            Any number of frames, of one dtype for the whole stream.

        Returns
        -------
        ndarray, shape (frames', channels)
        """
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"expected blocks of shape (frames, {self.channels}), got {block.shape}")
        self._dtype = block.dtype
        self._frames_in += len(block)
        return self._joined([self._of_stream(self._process(full)) for full in self._input.push(block)])

    def flush(self) -> NDArray[Any]:
        """Return the frames still inside, as if silence followed; the stream is then over."""
        done = []
        for block in self._input.filled_up(self.channels, self._dtype):
            if not self._frames_in or self._frames_out >= self._frames_in:
                break
            done.append(self._of_stream(self._process(block)))
        return self._joined(done)

    @abstractmethod
    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block of the fixed length and return the frames that are final, from `_frames_out` on."""

    def _of_stream(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return the next frames without those before the first and after the last of the stream."""
        first = max(0, -self._frames_out)
        last = max(first, self._frames_in - self._frames_out)
        self._frames_out += len(frames)
        return frames[first:last]

    def _joined(self, done: Sequence[NDArray[Any]]) -> NDArray[Any]:
        if not done:
            return np.zeros((0, self.channels), self._dtype)
        return done[0] if len(done) == 1 else np.concatenate(done)
