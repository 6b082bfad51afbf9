"""An equalizer that moves between several banks of filters over time.

Conventions: as in `refmaster.dsp.fir`. A moment belongs to the span that it lies in, and to bank 0 outside of
all. The share that a bank has in the output is 1 in its spans and 0 elsewhere, smoothed over the length of a
crossfade: so it moves along half a cosine around each boundary, the shares of all banks add up to 1 at any
time, and no change is faster than the crossfade, however short a span is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmaster._types import Array
from refmaster.dsp.fir import FilterBanks

# What rounding leaves of 1 less the shares of adjoining spans.
_INAUDIBLE_SHARE = 1e-9


@dataclass(frozen=True)
class BankSpan:
    """The frames from `start` up to `end` (infinite: without one), which a bank filters."""

    start: float
    end: float
    bank: int


class SectionEqualizer(FilterBanks):
    """Filter a stream with the bank that each span names, crossfaded at their boundaries, without latency.

    Only banks that have a share in a block are computed. The result does not depend on how the caller cuts
    the stream, to the bit.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    banks : sequence of (mid_taps, side_taps)
        As for `FilterBanks`; the first serves outside of all spans.
    spans : sequence of BankSpan
        In order of time, not overlapping.
    crossfade_frames : float
        Length of a crossfade, above 0; half of it lies on each side of a boundary.
    delay_frames : int, optional
        As for `FilterBanks`.
    """

    def __init__(
        self,
        channels: int,
        banks: Sequence[tuple[ArrayLike, ArrayLike | None]],
        spans: Sequence[BankSpan],
        *,
        crossfade_frames: float,
        delay_frames: int | None = None,
    ) -> None:
        super().__init__(channels, banks, delay_frames=delay_frames)
        self._crossfade = crossfade_frames
        self._starts = np.array([span.start for span in spans], dtype=np.float64)
        self._ends = np.array([span.end for span in spans], dtype=np.float64)
        self._bank_of = [span.bank for span in spans]

    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        spectrum = self._transformed(block)
        shares = self._shares(self._frames_out, len(block))
        if len(shares) == 1:  # of everything
            return self._filtered(spectrum, next(iter(shares)))
        total = np.zeros((self.channels, len(block)), block.dtype).T
        for bank, share in shares.items():
            total += self._filtered(spectrum.copy(), bank) * share.astype(block.dtype)[:, np.newaxis]
        return total

    def _shares(self, first: int, count: int) -> dict[int, Array]:
        """Return the banks that have a share in frames from `first` on, each with it, shape (count,)."""
        half = self._crossfade / 2
        low = int(np.searchsorted(self._ends, first - half, side="right"))
        high = int(np.searchsorted(self._starts, first + count + half, side="left"))
        if low == high:
            return {0: np.ones(count)}
        inside = self._starts[low] <= first - half and first + count + half <= self._ends[low]
        if high == low + 1 and inside:
            return {self._bank_of[low]: np.ones(count)}
        frames = np.arange(first, first + count, dtype=np.float64)
        shares: dict[int, Array] = {}
        rest = np.ones(count)
        for number in range(low, high):
            share = self._risen(frames - self._starts[number]) - self._risen(frames - self._ends[number])
            bank = self._bank_of[number]
            shares[bank] = shares[bank] + share if bank in shares else share
            rest -= share
        shares[0] = shares[0] + rest if 0 in shares else rest
        return {bank: share for bank, share in shares.items() if share.max() > _INAUDIBLE_SHARE}

    def _risen(self, frames: Array) -> Array:
        """Return how far a crossfade around frame 0 has come: 0 before it, 1 after it."""
        return 0.5 + 0.5 * np.sin(np.pi * np.clip(frames / self._crossfade, -0.5, 0.5))
