"""Origin of a file's samples: their true word length and bandwidth, and a codec's frames in them.

All is measured on a few short excerpts spread over the recording, at the end, save the word length, which
every sample has a say in. Memory does not grow with length. Of more than two channels two are heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.meters.framing import EXCERPT_FRAMES, Framing, find_framing
from refmaster.units import power_to_db

# Excerpts are kept evenly spread, at most so many; frames are looked for in the loudest and steadiest.
_KEPT_EXCERPTS = 16
_SEARCHED_EXCERPTS = 4
# The search is most of the cost. Two excerpts suffice where they say clearly that there are frames, or none.
_FIRST_EXCERPTS = 2
_UNCERTAIN = (5.0, 9.0)
_STEADY_FRAMES = 512
# Nobody codes above 48 kHz, and nothing is left of the frames after conversion from there.
_MAX_CODEC_RATE_HZ = 48000
WORD_LENGTHS = (8, 16, 20, 24, 32)
_SAMPLES_AT_ONCE = 16384  # stays in the cache
# Spectra are read in cells of so many bins: 43 Hz at 44.1 kHz.
_CELL_BINS = 16
_CELLS = EXCERPT_FRAMES // 2 // _CELL_BINS
# An edge: the level over 1 kHz below it (its lower quartile) against the highest from 0.2 kHz above it on.
_BELOW_CELLS, _EDGE_CELLS = 24, 5
_EDGE_DROP_DB = 20.0
_EDGE_ABOVE_HZ = 3000.0
_SOUND_ABOVE_ROUNDING = 16.0
_FINEST_BITS = 24


@dataclass(frozen=True, kw_only=True)
class OriginResult:
    """Signs in the samples of where they come from.

    Attributes
    ----------
    used_bits : int or None
        The shortest word length that holds every sample; None for silence, and where none does.
    bandwidth_hz, drop_db : float or None
        Where the spectrum ends, and by how much it falls there; None where it does not end abruptly.
    framing : Framing or None
        The codec whose frames stand out most; None where they were not looked for.
    searched_to_hz : float or None
        Up to here there is sound, and frames were looked for.
    """

    used_bits: int | None
    bandwidth_hz: float | None
    drop_db: float | None
    framing: Framing | None
    searched_to_hz: float | None


class OriginMeter:
    """Measures where a stream's samples come from.

    Parameters
    ----------
    sample_rate_hz : int
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._words = _WordLength()
        self._blocks: Reblocker[np.floating] = Reblocker(EXCERPT_FRAMES)
        self._number = 0
        self._stride = 1
        self._kept: list[tuple[int, Array32]] = []

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels)."""
        self._words.update(planar)
        for piece in self._blocks.push(planar):
            if self._number % self._stride == 0:
                self._keep(np.asfortranarray(piece[:, :2], dtype=np.float32))
            self._number += 1

    def result(self) -> OriginResult:
        """Return what was found; the meter is finished."""
        used_bits = self._words.bits
        # Excerpts with digital silence would have zeros wherever frames begin.
        excerpts = [
            (number * EXCERPT_FRAMES, samples)
            for number, samples in self._kept
            if _sounds_throughout(samples)
        ]
        if not excerpts:
            return OriginResult(
                used_bits=used_bits, bandwidth_hz=None, drop_db=None, framing=None, searched_to_hz=None
            )
        power = _cell_power([samples for _, samples in excerpts])
        rounding = 4.0 ** (1 - min(used_bits or _FINEST_BITS, _FINEST_BITS)) / 12.0
        cell_hz = self._rate_hz / 2 / _CELLS
        edge, drop_db = _edge(np.maximum(power, rounding), round(_EDGE_ABOVE_HZ / cell_hz))
        framing = searched_to_hz = None
        heard = np.flatnonzero(power > _SOUND_ABOVE_ROUNDING * rounding)
        if len(heard) and self._rate_hz <= _MAX_CODEC_RATE_HZ:
            searched_to_hz = float((heard[-1] + 1) * cell_hz)
            excerpts = sorted(excerpts, key=lambda excerpt: -_steady_level(excerpt[1]))[:_SEARCHED_EXCERPTS]
            few = excerpts[:_FIRST_EXCERPTS]
            framing = find_framing(few, self._rate_hz, searched_to_hz, rounding)[0]
            if _UNCERTAIN[0] <= framing.prominence < _UNCERTAIN[1] and len(excerpts) > len(few):
                framing = find_framing(excerpts, self._rate_hz, searched_to_hz, rounding)[0]
        return OriginResult(
            used_bits=used_bits,
            bandwidth_hz=None if edge is None else float((edge + 1) * cell_hz),
            drop_db=drop_db,
            framing=framing,
            searched_to_hz=searched_to_hz,
        )

    def _keep(self, samples: Array32) -> None:
        self._kept.append((self._number, samples.copy()))
        if len(self._kept) > _KEPT_EXCERPTS:
            self._stride *= 2
            self._kept = [kept for kept in self._kept if kept[0] % self._stride == 0]


class _WordLength:
    """The shortest word length that holds all samples so far."""

    def __init__(self) -> None:
        self._place = 0
        self._silent = True
        self._buffers: dict[np.dtype[np.floating], tuple[NDArray[np.floating], NDArray[np.floating]]] = {}

    @property
    def bits(self) -> int | None:
        """In bits; None for silence, and where no word length holds them."""
        found = not self._silent and self._place < len(WORD_LENGTHS)
        return WORD_LENGTHS[self._place] if found else None

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels)."""
        for channel in planar.T:
            for start in range(0, len(channel), _SAMPLES_AT_ONCE):
                if self._place == len(WORD_LENGTHS):
                    return
                samples = channel[start : start + _SAMPLES_AT_ONCE]
                self._silent = self._silent and not samples.any()
                while self._place < len(WORD_LENGTHS) and not self._holds(samples):
                    self._place += 1

    def _holds(self, samples: NDArray[np.floating]) -> bool:
        """Whether every sample is a whole number of steps."""
        if samples.dtype not in self._buffers:
            empty = np.empty(_SAMPLES_AT_ONCE, samples.dtype)
            self._buffers[samples.dtype] = (empty, empty.copy())
        scaled, whole = (buffer[: len(samples)] for buffer in self._buffers[samples.dtype])
        np.multiply(samples, samples.dtype.type(2.0 ** (WORD_LENGTHS[self._place] - 1)), out=scaled)
        np.rint(scaled, out=whole)
        return bool(np.array_equal(scaled, whole))


def _sounds_throughout(samples: Array32) -> bool:
    pieces = samples.reshape(-1, _STEADY_FRAMES, samples.shape[1])
    return bool(pieces.any(axis=(1, 2)).all())


def _steady_level(samples: Array32) -> float:
    """Return the mean level of the treble over pieces of an excerpt: high where it is loud without pause."""
    treble = np.diff(samples, n=2, axis=0)
    pieces = treble[: len(treble) // _STEADY_FRAMES * _STEADY_FRAMES].reshape(
        -1, _STEADY_FRAMES * samples.shape[1]
    )
    return float(np.log(np.mean(pieces**2, axis=1) + 1e-15).mean())


def _cell_power(excerpts: list[Array32]) -> Array:
    """Return the highest mean square per sample that white noise of each cell's level would have."""
    window = np.hanning(EXCERPT_FRAMES + 1)[:-1].astype(np.float32)
    scale = 1.0 / float(np.sum(window**2, dtype=np.float64))
    highest = np.zeros(_CELLS)
    for samples in excerpts:
        spectrum = np.fft.rfft(samples.T * window, axis=1)[:, :-1]
        power = np.square(np.abs(spectrum)).reshape(len(spectrum), _CELLS, _CELL_BINS)
        highest = np.maximum(highest, power.mean(axis=2).max(axis=0) * scale)
    return highest


def _edge(power: Array, lowest: int) -> tuple[int | None, float | None]:
    """Return the last cell before the spectrum ends, `lowest` or above, and by how many dB it falls there."""
    level = power_to_db(power)
    beyond = np.maximum.accumulate(level[::-1])[::-1]  # the highest from each cell on
    below = np.quantile(np.lib.stride_tricks.sliding_window_view(level, _BELOW_CELLS), 0.25, axis=1)
    cells = np.arange(max(lowest, _BELOW_CELLS - 1), len(level) - _EDGE_CELLS)
    if not len(cells):
        return None, None
    drop = below[cells - _BELOW_CELLS + 1] - beyond[cells + _EDGE_CELLS]
    steepest = int(np.argmax(drop))
    if drop[steepest] < _EDGE_DROP_DB:
        return None, None
    cell = int(cells[steepest])
    halfway = beyond[cell + _EDGE_CELLS] + 0.5 * drop[steepest]
    still_up = np.flatnonzero(level[: cell + _EDGE_CELLS] > halfway)
    return int(still_up[-1]), float(drop[steepest])
