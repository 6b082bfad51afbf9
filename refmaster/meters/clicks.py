"""Clicks and pops: short errors in a channel that the sound before and after does not explain.

A first, cheap look measures the second difference of the signal, which holds little of music's power, in
blocks of a third of a millisecond. It keeps those that stand out of all blocks within 15 ms: this leaves out
most onsets, noise, and waveforms with an edge in every period, such as square waves. The second look
foretells the passage about each of the few that are left by linear prediction, from its past and from its
future:

* a click is foretold by neither, and so the smaller of both errors counts. The beginning of a note is
  foretold by what follows, its end by what was before, and a single edge has no length between the two;
* it is short and stands alone: all errors beyond 1.2 ms before and after it are far smaller;
* the sound goes on after it: where the level changes, a click has to stand out more, because that is how
  drums begin.

Longer pops, and those below the local level, are not looked for.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32, Block
from refmaster.dsp.attenuation import sliding_max
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.prediction import error_filter, filled
from refmaster.units import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db

# The rows that facts keep: the highest clicks.
MAX_ROWS = 200

# Of the first look: blocks of 16 frames at 44.1 and 48 kHz, at least 4.
_BLOCKS_PER_S = 2800.0
_MIN_BLOCK_FRAMES = 4
_FIRST_LOOK_DB = 3.0
# The sound on either side that a click is held against, and how far it reaches from its highest place at
# most.
_SIDE_S = 0.015
_HALF_CLICK_S = 0.0012
_ORDER = 24
# A short filter spares most of the work: beginnings of notes hardly stand out of its error, clicks do.
_SHORT_ORDER = 4
_SHORT_ISOLATION_DB = 8.0
# By how much the error of a click exceeds the largest beside it, for one without length and a level that
# stays. Longer ones have to stand out more, and so do those where the level changes: these are the ways in
# which drums begin. `python benchmarks/clicks.py --choose` tries other values of the first, the second and
# the last.
ISOLATION_DB = 14.0
ISOLATION_DB_PER_MS = 8.0
_ISOLATION_DB_PER_DB = 0.5
HEIGHT_DB = 3.0
# Errors belong to a click where they exceed the largest of the neighbourhood by this.
_EDGE_RATIO = 1.5
_EDGE_FRAMES = 1  # what is added on either side: a click fades in and out below that
_LOCAL_LEVEL_S = 0.010  # on either side of a click
_LOWEST_DBFS = -66.0  # below this a click is not heard, and steps of 16 bits in silence come near it
_SILENCE_DBFS = -100.0
_PIECE_BLOCKS = 4096


@dataclass(frozen=True, kw_only=True)
class ClickResult:
    """The clicks of a recording.

    Attributes
    ----------
    count : int
        All that were found.
    rows : tuple of (start_frame, frames, channel, height_db)
        The `MAX_ROWS` highest, by time. The height is the largest sample of what filling the gap takes
        away, over the root mean square of the 10 ms before and the 10 ms after the click.
    """

    count: int
    rows: tuple[tuple[int, int, int, float], ...]


class ClickMeter:
    """Find the clicks in a stream.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._examiner = _Examiner(sample_rate_hz)
        self._block = max(_MIN_BLOCK_FRAMES, 2 ** round(math.log2(sample_rate_hz / _BLOCKS_PER_S)))
        self._near = math.ceil(_HALF_CLICK_S * sample_rate_hz / self._block)  # in blocks, like the next
        self._side = max(self._near + 3, round(_SIDE_S * sample_rate_hz / self._block))
        self._margin = self._near + self._side + 1
        piece = self._block * _PIECE_BLOCKS
        self._pieces: Reblocker[np.floating] = Reblocker(piece)
        held = 2 * self._margin * self._block
        self._window = np.zeros((channels, held + piece), np.float32)  # what is held, then the piece
        self._held = held
        self._bent = np.zeros(held + piece, np.float32)
        self._start = -held - piece  # frame of the stream that the window begins with
        self._ones = np.ones(self._block, np.float32)
        self._rows: list[tuple[float, int, int, int]] = []  # a heap, the lowest first
        self._count = 0
        self._ends = [0] * channels  # of the last click
        self._frames = 0

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        self._frames += len(planar)
        for piece in self._pieces.push(planar):
            self._take(piece)

    def result(self) -> ClickResult:
        """Return the clicks; the meter is finished."""
        silence = self._pieces.filled_up(self._channels)
        for _ in range(2):  # the rest, and what follows the last frames
            self._take(next(silence))
        rows = sorted(
            (start, min(end, self._frames) - start, channel, height)
            for height, start, end, channel in self._rows
        )
        return ClickResult(count=self._count, rows=tuple(rows))

    def _take(self, piece: NDArray[np.floating]) -> None:
        self._window[:, : self._held] = self._window[:, -self._held :].copy()
        self._window[:, self._held :] = piece.T
        self._start += len(piece)
        for channel, line in enumerate(self._window):
            for middle in self._suspects(line):
                self._examine(line, middle, channel)

    def _suspects(self, line: Array32) -> list[int]:
        """Return the middles of the blocks that stand out of all their neighbours."""
        bent = self._bent
        np.subtract(line[1:], line[:-1], out=bent[:-1])
        np.subtract(bent[1:-1], bent[:-2], out=bent[:-2])
        bent[-2:] = 0.0
        np.multiply(bent, bent, out=bent)
        power = bent.reshape(-1, self._block) @ self._ones
        first, count = self._margin, len(power) - 2 * self._margin
        there = power[first : first + count]
        # A maximum over blocks is found under the first of them.
        near = sliding_max(power, self._near)[first - self._near :][:count]
        half = (self._side - self._near) // 2
        beside = sliding_max(power, half)
        before = beside[first - self._near - 2 * half - 1 :][:count]
        after = beside[first + self._near + 1 :][:count]
        least = np.maximum(np.maximum(before, after) * db_to_power(_FIRST_LOOK_DB), db_to_power(_LOWEST_DBFS))
        found = np.flatnonzero((there >= near) & (there > least))
        return [(first + int(place)) * self._block + self._block // 2 for place in found]

    def _examine(self, line: Array32, middle: int, channel: int) -> None:
        """Add the click about a frame, if there is one."""
        reach = (self._near + self._side) * self._block
        found = self._examiner.click(line[middle - reach : middle + reach].astype(np.float64))
        if found is None:
            return
        first, end, height_db = found
        offset = self._start + middle - reach
        start, end = max(0, offset + first), offset + end
        if start < self._ends[channel]:
            return  # seen already: two blocks of one click stand out alike
        self._ends[channel] = end
        self._count += 1
        row = (round(height_db, 1), start, end, channel)
        (heapq.heappush if len(self._rows) < MAX_ROWS else heapq.heappushpop)(self._rows, row)


class _Examiner:
    """Tells whether there is a click in the middle of a passage."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._half = math.ceil(_HALF_CLICK_S * sample_rate_hz)
        self._ms_per_frame = 1e3 / sample_rate_hz
        self._local = max(1, round(_LOCAL_LEVEL_S * sample_rate_hz))

    def click(self, passage: Array) -> tuple[int, int, float] | None:
        """Return first frame, end and height in dB of the click; None where there is none."""
        before, after = len(passage) // 2 - self._half, len(passage) // 2 + self._half
        if not self._stands_out(passage, before, after):
            return None
        order = min(_ORDER, before // 3)
        filter_ = error_filter((passage[:before], passage[after:]), order)
        forward, backward = _errors(passage, filter_)
        both = _in_both(forward, backward)
        peak = float(both[before:after].max())
        # Two frames farther than the inside: both errors of its edges are within.
        beside = max(float(both[order : before - 2].max()), float(both[after + 2 : -order].max()))
        needed_db = ISOLATION_DB
        if peak <= max(beside * db_to_amplitude(needed_db), db_to_amplitude(_LOWEST_DBFS)):
            return None
        first = before - _EDGE_FRAMES + int(np.argmax(forward[before:after] > beside * _EDGE_RATIO))
        end = after + _EDGE_FRAMES - int(np.argmax(backward[before:after][::-1] > beside * _EDGE_RATIO))
        if end - first <= 2 * _EDGE_FRAMES:
            return None  # a single edge
        around = (passage[max(0, first - self._local) : first], passage[end : end + self._local])
        power = [float(np.mean(part**2)) + db_to_power(_SILENCE_DBFS) for part in around]
        change_db = abs(power_to_db(power[1] / power[0]))
        needed_db += (
            ISOLATION_DB_PER_MS * (end - first) * self._ms_per_frame + _ISOLATION_DB_PER_DB * change_db
        )
        if peak <= beside * db_to_amplitude(needed_db):
            return None
        unknown = np.zeros(len(passage), np.bool_)
        unknown[first:end] = True
        excess = float(np.abs(passage - filled(passage, unknown, filter_)).max())
        height_db = amplitude_to_db(excess) - power_to_db(sum(power) / 2)
        return (first, end, height_db) if height_db >= HEIGHT_DB else None

    def _stands_out(self, passage: Array, before: int, after: int) -> bool:
        """Whether the middle of a passage stands out of the error of a short filter, forwards alone."""
        order = _SHORT_ORDER
        filter_ = error_filter((passage[:before], passage[after:]), order)
        errors = np.abs(np.convolve(passage, filter_, "valid"))  # the first belongs to frame `order`
        beside = max(float(errors[: before - order].max()), float(errors[after:].max()))
        return float(errors[before - order : after - order].max()) > beside * db_to_amplitude(
            _SHORT_ISOLATION_DB
        )


def _errors(passage: Array, filter_: Array) -> tuple[Array, Array]:
    """Return the errors with which the past foretells each sample, and the future; 0 beyond their reach."""
    order = len(filter_) - 1
    forward, backward = np.zeros((2, len(passage)))
    forward[order:] = np.abs(np.convolve(passage, filter_, "valid"))
    backward[: len(passage) - order] = np.abs(np.convolve(passage, filter_[::-1], "valid"))
    return forward, backward


def _in_both(forward: Array, backward: Array) -> Array:
    """Return the smaller of two errors, each the largest of three frames.

    Past and future see a single edge a frame apart.
    """
    errors = np.stack([forward, backward])
    wide = errors.copy()
    np.maximum(wide[:, 1:], errors[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], errors[:, 1:], out=wide[:, :-1])
    return wide.min(axis=0)
