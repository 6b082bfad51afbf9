"""Silences, and how a recording begins and ends, from the largest sample of every 20 ms.

Times are seconds from the start; levels are of the largest samples, full scale 1.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Block
from refmaster.meters.tops import hop_frames
from refmaster.settings.model import Model
from refmaster.units import amplitude_to_db, db_to_amplitude

SILENT_BELOW_DBFS = -60.0
# A pause of music is shorter.
LISTED_SILENCE_S = 1.0
MAX_SILENCES = 100
_EDGE_HOPS, _BEFORE_HOPS = 2, 25


class Silence(Model):
    """A stretch below -60 dBFS within a recording."""

    start_s: float = Field(ge=0.0)
    duration_s: float = Field(ge=0.0)


class Edges(Model):
    """The way a recording begins and ends, and its silences between."""

    first_sample_dbfs: float | None = Field(description="dBFS; null: zero")
    last_sample_dbfs: float | None = Field(description="dBFS; null: zero")
    head_silence_s: float = Field(ge=0.0, description="s below -60 dBFS at the start")
    tail_silence_s: float = Field(ge=0.0, description="s below -60 dBFS at the end")
    head_dbfs: float | None = Field(description="dBFS of the first 40 ms; null: silence")
    tail_dbfs: float | None = Field(description="dBFS of the last 40 ms; null: silence")
    before_tail_dbfs: float | None = Field(description="dBFS of the 0.5 s before; null: silence")
    silences: tuple[Silence, ...] = Field(description="within it, of a second and more; at most 100")


class EdgeMeter:
    """Measures the ends and the silences of a stream.

    Parameters
    ----------
    sample_rate_hz : int
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._hop_s = hop_frames(sample_rate_hz) / sample_rate_hz
        self._frames = 0
        self._first = self._last = 0.0
        self._head: list[float] = []
        self._late: deque[float] = deque(maxlen=_EDGE_HOPS + _BEFORE_HOPS)
        self._hops = 0
        self._heard_from: int | None = None
        self._heard_to = 0
        self._silences: list[Silence] = []

    def update(self, block: Block) -> None:
        """Take a block of shape (frames, channels)."""
        if len(block):
            self._first = self._first if self._frames else float(np.abs(block[0]).max())
            self._last = float(np.abs(block[-1]).max())
            self._frames += len(block)

    def watch(self, highest: NDArray[np.floating]) -> None:
        """Take the largest sample of each channel in every 20 ms (see `TopMeter`)."""
        highest = highest.max(axis=0)
        self._head += highest[: _EDGE_HOPS - len(self._head)].tolist() if self._hops < _EDGE_HOPS else []
        self._late.extend(highest.tolist())
        for hop in np.flatnonzero(highest > db_to_amplitude(SILENT_BELOW_DBFS)).tolist():
            self._heard(self._hops + hop)
        self._hops += len(highest)

    def result(self) -> Edges:
        """Return what was found; the meter is finished."""
        late = list(self._late)
        length_s = self._frames / self._rate
        head_s = length_s if self._heard_from is None else self._heard_from * self._hop_s
        return Edges(
            first_sample_dbfs=_level_dbfs([self._first]),
            last_sample_dbfs=_level_dbfs([self._last]),
            head_silence_s=round(head_s, 3),
            tail_silence_s=round(max(0.0, length_s - self._heard_to * self._hop_s), 3),
            head_dbfs=_level_dbfs(self._head),
            tail_dbfs=_level_dbfs(late[-_EDGE_HOPS:]),
            before_tail_dbfs=_level_dbfs(late[:-_EDGE_HOPS]),
            silences=tuple(self._silences),
        )

    def _heard(self, hop: int) -> None:
        """Note a hop that is not silent, and the silence before it."""
        silent_s = (hop - self._heard_to) * self._hop_s
        if self._heard_from is None:
            self._heard_from = hop
        elif silent_s >= LISTED_SILENCE_S and len(self._silences) < MAX_SILENCES:
            start_s = self._heard_to * self._hop_s
            self._silences.append(Silence(start_s=round(start_s, 3), duration_s=round(silent_s, 3)))
        self._heard_to = hop + 1


def _level_dbfs(peaks: list[float]) -> float | None:
    """Return the level of the largest to 0.001 dB; None for zero."""
    peak = max(peaks, default=0.0)
    return round(amplitude_to_db(peak), 3) if peak else None
