"""The stereo image, DC, sample peak and crest of a stream, from running sums in double precision.

Correlation is the normalised cross-correlation at lag 0; balance is the level of left over right; side to
mid is the level of (L-R)/2 over (L+R)/2. Values that do not exist (mono, silence) are None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Block
from refmaster.dsp.blocks import Reblocker
from refmaster.units import amplitude_to_db, power_to_db

# Sums of so many samples keep full accuracy in pairs of float32 products; so many of them are taken at once.
_SUM_FRAMES = 16384
_SUMS_AT_ONCE = 4
# A clipped peak is a flat top of this many equal samples at the recording's own maximum.
CLIPPED_RUN_FRAMES = 3
_SILENCE = 1e-15


@dataclass(frozen=True, kw_only=True)
class StereoResult:
    """The stereo image of a recording.

    Attributes
    ----------
    correlation : float or None
        -1 to 1.
    balance_db, side_to_mid_db : float or None
    dc : tuple of float
        Mean sample value of each channel, full scale is 1.
    sample_peak_dbfs : float
        Largest sample over all channels; ``-inf`` for silence.
    crest_factor_db : float or None
        Largest sample over the root mean square, over all channels; a sine has 3.01.
    clipped_runs : int
        Flat tops: runs of 3 and more equal samples at the peak of a channel.
    """

    correlation: float | None
    balance_db: float | None
    side_to_mid_db: float | None
    dc: tuple[float, ...]
    sample_peak_dbfs: float
    crest_factor_db: float | None
    clipped_runs: int


class StereoMeter:
    """Measures image, DC, sample peak and crest of a stream.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._frames = 0
        self._sum = np.zeros(channels)
        self._square = np.zeros(channels)
        self._product = 0.0
        self._clipping = [_FlatTops() for _ in range(channels)]
        self._blocks: Reblocker[np.floating] = Reblocker(_SUM_FRAMES * _SUMS_AT_ONCE)

    def update(self, block: Block) -> None:
        """Take a block of shape (frames, channels)."""
        for piece in self._blocks.push(block):
            self._take(piece)

    def result(self) -> StereoResult:
        """Return the values; the meter is finished."""
        rest = self._blocks.remainder()
        if rest is not None:
            whole = len(rest) // _SUM_FRAMES * _SUM_FRAMES
            for piece in (rest[:whole], rest[whole:]):
                if len(piece):
                    self._take(piece)
        for tops in self._clipping:
            tops.finish()
        frames = max(self._frames, 1)
        mean_square = float(self._square.sum()) / frames / self._channels
        peak = max(tops.peak for tops in self._clipping)
        silent = mean_square < _SILENCE**2 or peak == 0.0
        correlation, balance, width = self._image()
        return StereoResult(
            correlation=correlation,
            balance_db=balance,
            side_to_mid_db=width,
            dc=tuple(float(v) for v in self._sum / frames),
            sample_peak_dbfs=amplitude_to_db(max(tops.largest for tops in self._clipping)),
            crest_factor_db=None if silent else amplitude_to_db(peak) - power_to_db(mean_square),
            clipped_runs=0 if silent else sum(tops.runs for tops in self._clipping),
        )

    def _take(self, piece: NDArray[np.floating]) -> None:
        self._frames += len(piece)
        lines = np.ascontiguousarray(piece.T)
        parts = lines.reshape(self._channels, -1, min(len(piece), _SUM_FRAMES))
        self._sum += parts.sum(axis=2).sum(axis=1, dtype=np.float64)
        self._square += np.vecdot(parts, parts).sum(axis=1, dtype=np.float64)
        if self._channels == 2:
            self._product += float(np.vecdot(parts[0], parts[1]).sum(dtype=np.float64))
        for line, tops in zip(lines, self._clipping, strict=True):
            tops.take(line)

    def _image(self) -> tuple[float | None, float | None, float | None]:
        """Return correlation, balance and width."""
        if self._channels != 2 or not self._square.any():
            return None, None, None
        left, right = self._square
        if not left or not right:
            return None, None, None
        correlation = float(np.clip(self._product / np.sqrt(left * right), -1.0, 1.0))
        mid, side = left + right + 2 * self._product, left + right - 2 * self._product
        floor = 1e-12 * (left + right)
        width = None if side <= floor or mid <= floor else float(power_to_db(side / mid))
        return correlation, float(power_to_db(left / right)), width


class _FlatTops:
    """Counts runs of equal samples at the running peak of one channel."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.peak = 0.0  # the same, to 1e-6
        self.runs = 0
        self._tail: NDArray[np.floating] = np.zeros(0, np.float32)

    def take(self, line: NDArray[np.floating]) -> None:
        """Take the next samples; a run across blocks is seen once."""
        highest = float(max(line.max(), -line.min()))
        self.largest = max(self.largest, highest)
        if highest > self.peak * (1 + 1e-6):
            self.peak, self.runs, self._tail = highest, 0, self._tail[:0]
        elif highest < self.peak * (1 - 1e-6):
            self.finish()
            return
        joined = np.concatenate([self._tail, line])
        at_top = np.abs(joined) >= self.peak * (1 - 1e-6)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], at_top, [False]])))
        lengths = edges[1::2] - edges[::2]
        self.runs += int(np.count_nonzero(lengths >= CLIPPED_RUN_FRAMES))
        # A run that is still open is taken back and starts the next block.
        open_run = int(lengths[-1]) if len(lengths) and edges[-1] == len(joined) else 0
        self.runs -= open_run >= CLIPPED_RUN_FRAMES
        self._tail = joined[len(joined) - open_run :]

    def finish(self) -> None:
        """Count the run that was open at the end."""
        self.runs += len(self._tail) >= CLIPPED_RUN_FRAMES and self.peak > 0.0
        self._tail = self._tail[:0]
