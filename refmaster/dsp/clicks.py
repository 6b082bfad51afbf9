"""Short gaps in a stream, such as clicks, filled with what the sound on both sides foretells.

The samples in a gap are those that leave the least linear prediction error, with a filter that is made from
about 46 ms on either side (at 44.1 kHz).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Mask
from refmaster.dsp.prediction import error_filter, filled
from refmaster.settings.repair import MAX_CLICK_FRAMES

# A longer fill fades towards silence in its middle: it would be heard as a hole.
MAX_GAP_FRAMES = MAX_CLICK_FRAMES

# Set by hand: with orders of 32 to 160 and contexts of 1024 to 4096 frames, clicks in music are filled within
# 1 dB of each other.
CONTEXT_FRAMES = 2048
ORDER = 100
# Frames of sound for each coefficient that is made from them, where there are fewer than the context has.
_FRAMES_PER_COEFFICIENT = 4
_MOST_OVER_AROUND = 2.0


@dataclass(frozen=True)
class _Gap:
    start: int
    end: int
    channel: int


class GapFiller:
    """Fill gaps in a stream; every other sample passes unchanged, and the length stays.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    gaps : sequence of (start_frame, frames, channel)
        In any order. Those longer than `MAX_GAP_FRAMES`, alone or with others that they touch, are left as
        they are.

    Attributes
    ----------
    left_alone : list of (start_frame, frames, channel)
        Gaps that are left as they are: from the beginning those that are too long, and at the end also those
        with no sound around them to fill them from.

    Raises
    ------
    ValueError
        A gap is empty, begins before the stream, or names a channel that is not there.
    """

    def __init__(self, channels: int, gaps: Sequence[tuple[int, int, int]]) -> None:
        for start, frames, channel in gaps:
            if start < 0 or frames < 1 or not 0 <= channel < channels:
                raise ValueError(
                    f"expected gaps of at least 1 frame from frame 0 on in one of {channels} channels, got "
                    f"({start}, {frames}, {channel})"
                )
        self.channels = channels
        joined = _joined(_Gap(start, start + frames, channel) for start, frames, channel in gaps)
        self._due = deque(gap for gap in joined if gap.end - gap.start <= MAX_GAP_FRAMES)
        self._refused = [gap for gap in joined if gap.end - gap.start > MAX_GAP_FRAMES]
        self.left_alone = [(gap.start, gap.end - gap.start, gap.channel) for gap in self._refused]
        self._held: NDArray[Any] = np.zeros((0, channels), np.float32)
        self._start = 0  # frame of the stream that `_held` begins with: some that are out already
        self._out = 0  # frames that are out

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
        self._held = np.concatenate([self._held.astype(block.dtype, copy=False), block])
        return self._advance(CONTEXT_FRAMES)

    def flush(self) -> NDArray[Any]:
        """Return the frames still inside; the stream is then over."""
        return self._advance(0)

    def _advance(self, ahead: int) -> NDArray[Any]:
        """Fill the gaps with so many frames after them, and return the frames before the next gap."""
        end = self._start + len(self._held)
        over = ahead == 0
        while self._due and (over or self._due[0].end + ahead <= end):
            gap = self._due.popleft()
            if gap.start < end:
                self._fill(gap)
        stop = min(end, self._due[0].start) if self._due else end
        done = self._held[self._out - self._start : stop - self._start].copy()
        self._out = stop
        kept = max(self._start, stop - CONTEXT_FRAMES)
        self._held, self._start = self._held[kept - self._start :], kept
        return done

    def _fill(self, gap: _Gap) -> None:
        first, unknown = self._surroundings(gap)
        passage = self._held[first - self._start :][: len(unknown), gap.channel].astype(np.float64)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], unknown, [True]]).astype(np.int8)))
        known = [passage[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        order = min(ORDER, sum(map(len, known)) // _FRAMES_PER_COEFFICIENT)
        order = min(order, max(map(len, known), default=0) // 2)
        if order < 1:
            self.left_alone.append((gap.start, gap.end - gap.start, gap.channel))
            return
        whole = filled(passage, unknown, error_filter(known, order))
        # With little sound, or with none on one side, what is foretold may grow without end.
        most = _MOST_OVER_AROUND * max(float(np.abs(part).max()) for part in known if len(part))
        fill = whole[gap.start - first : gap.end - first].clip(-most, most)
        self._held[gap.start - self._start : gap.end - self._start, gap.channel] = fill

    def _surroundings(self, gap: _Gap) -> tuple[int, Mask]:
        """Return the first frame of the passage that a gap is filled from, and its unknown frames.

        Gaps before this one are filled already. The passage ends at one that is left alone, and where gaps
        after this one would hold too much of it.
        """
        first = max(self._start, gap.start - CONTEXT_FRAMES)
        last = min(self._start + len(self._held), gap.end + CONTEXT_FRAMES)
        for refused in self._refused:
            if refused.channel == gap.channel:
                if refused.end <= gap.start:
                    first = max(first, refused.end)
                else:
                    last = min(last, refused.start)
        unknown = np.zeros(last - first, np.bool_)
        unknown[gap.start - first : gap.end - first] = True
        count = 0
        for later in self._due:
            if later.start >= last:
                break
            if later.channel == gap.channel:
                count += later.end - later.start
                if count > MAX_GAP_FRAMES:
                    unknown = unknown[: later.start - first]
                    break
                unknown[later.start - first : later.end - first] = True
        return first, unknown


def _joined(gaps: Iterable[_Gap]) -> list[_Gap]:
    """Return gaps by time, those of a channel that touch or overlap as one."""
    joined: list[_Gap] = []
    for gap in sorted(gaps, key=lambda gap: (gap.channel, gap.start)):
        if joined and joined[-1].channel == gap.channel and gap.start <= joined[-1].end:
            joined[-1] = _Gap(joined[-1].start, max(joined[-1].end, gap.end), gap.channel)
        else:
            joined.append(gap)
    return sorted(joined, key=lambda gap: (gap.start, gap.channel))
