"""Steady noise and hum beneath the music, from the frames of `refmaster.meters.spectrum`.

Noise is read in the quietest frames, per octave: its level, and how flat the spectrum is there (noise is flat
where many frames are averaged, music is not). Hum is read over the whole recording: the level that each bin
below 1.1 kHz exceeds in nine frames of ten. Notes come and go; what never goes is a line of the mains at 50
or 60 Hz or one of its multiples, and its frequency is read to a few tenths of a hertz, which tells it from
the notes beside it (49.0 and 51.9 Hz, 58.3 and 61.7 Hz).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Array
from refmaster.meters.spectrum import frame_length
from refmaster.settings.model import Model
from refmaster.units import power_to_db

# A frame below this is digital silence, or a fade's last step.
_HEARD_ABOVE = 10 ** (-95.0 / 10)
_QUIETEST = 16
OCTAVES_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)

_HUM_BELOW_HZ = 1100.0
_LOWEST_DB, _PER_DB, _CLASSES = -150, 5, 800
_EXCEEDED_SHARE = 0.9
MAINS_HZ = (50.0, 60.0)
HARMONICS = 8
# A line stands in the middle of its neighbourhood, its main lobe left out.
_NEIGHBOURHOOD_HZ, _LOBE_BINS = 22.0, 3
_NO_LINE_DB = -200.0
_SCALE = 16.0 / 3.0  # of the spectrum meter's Hann frames: powers add up to the mean square


class Noise(Model):
    """The quietest passages of a recording."""

    frames: int = Field(ge=0, description="frames that were averaged")
    level_dbfs: float | None = Field(description="dBFS of them; null: all is silence")
    octaves_dbfs: tuple[float, ...] = Field(description="dBFS per octave, 125 Hz to 16 kHz where there are")
    flatness: tuple[float, ...] = Field(description="0 to 1 per octave; steady noise is near 1")


class HumLine(Model):
    """A multiple of the mains' frequency."""

    frequency_hz: float = Field(description="Hz, as read; 0: no line there")
    level_dbfs: float = Field(description="dBFS, of the level that is exceeded nine tenths of the time")
    above_db: float = Field(description="dB over its neighbourhood")


class Hum(Model):
    """Lines at the multiples of 50 and 60 Hz, the lowest first."""

    mains_50_hz: tuple[HumLine, ...]
    mains_60_hz: tuple[HumLine, ...]


class NoiseMeter:
    """Watches a spectrum meter's frames for steady noise and hum.

    Parameters
    ----------
    sample_rate_hz : int
        Of the spectrum meter whose frames are watched.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        bins = frame_length(sample_rate_hz) // 2 + 1
        self._hz: Array = np.linspace(0.0, sample_rate_hz / 2, bins)
        self._step_hz = float(self._hz[1])
        self._low = min(int(_HUM_BELOW_HZ / self._step_hz), bins - 1)
        self._first = int(np.searchsorted(self._hz, 30.0))
        self._quiet = np.zeros((_QUIETEST, bins), np.float32)
        self._quiet_sums = np.full(_QUIETEST, np.inf)
        self._counts = np.zeros((self._low, _CLASSES), np.int32)
        self._places = np.arange(self._low)

    def watch(self, power: NDArray[np.float32]) -> None:
        """Take the power of frames, shape (signals, frames, bins)."""
        both = power.sum(axis=0) if len(power) > 1 else power[0]
        sums = both[:, self._first :].sum(axis=1).astype(np.float64) * _SCALE
        levels = 10.0 * np.log10(both[:, : self._low] * np.float32(_SCALE) + np.float32(1e-20))
        classes = np.clip((levels - _LOWEST_DB) * _PER_DB, 0, _CLASSES - 1).astype(np.intp)
        for number in np.flatnonzero(sums > _HEARD_ABOVE):
            self._counts[self._places, classes[number]] += 1
            loudest = int(np.argmax(self._quiet_sums))
            if sums[number] < self._quiet_sums[loudest]:
                self._quiet[loudest], self._quiet_sums[loudest] = both[number], sums[number]

    def hum(self) -> Hum:
        """Return the lines of the mains."""
        levels = self._steady_db()
        fifty, sixty = (self._lines(levels, hz) for hz in MAINS_HZ)
        return Hum(mains_50_hz=fifty, mains_60_hz=sixty)

    def noise(self) -> Noise:
        """Return what the quietest passages hold."""
        kept = np.isfinite(self._quiet_sums)
        if not kept.any():
            return Noise(frames=0, level_dbfs=None, octaves_dbfs=(), flatness=())
        power = self._quiet[kept].mean(axis=0, dtype=np.float64) * _SCALE
        octaves, flatness = [], []
        for center in OCTAVES_HZ:
            inside = power[(self._hz >= center / 2**0.5) & (self._hz < center * 2**0.5)]
            if not len(inside) or center * 2**0.5 > self._hz[-1]:
                break
            octaves.append(round(power_to_db(float(inside.sum()) + 1e-20), 1))
            flatness.append(round(float(np.exp(np.log(inside + 1e-24).mean()) / (inside.mean() + 1e-24)), 3))
        return Noise(
            frames=int(kept.sum()),
            level_dbfs=round(power_to_db(float(self._quiet_sums[kept].mean())), 1),
            octaves_dbfs=tuple(octaves),
            flatness=tuple(flatness),
        )

    def _lines(self, levels: Array, mains_hz: float) -> tuple[HumLine, ...]:
        multiples = [mains_hz * k for k in range(1, HARMONICS + 1)]
        return tuple(self._line(levels, hz) for hz in multiples if hz + _NEIGHBOURHOOD_HZ < _HUM_BELOW_HZ)

    def _steady_db(self) -> Array:
        """Return the level that each bin exceeds in nine frames of ten, interpolated within its class."""
        frames = self._counts.sum(axis=1, keepdims=True)
        if not frames.any():
            return np.full(self._low, float(_LOWEST_DB))
        below = np.cumsum(self._counts, axis=1)
        wanted = (1.0 - _EXCEEDED_SHARE) * frames
        place = np.argmax(below > wanted, axis=1)
        inside = self._counts[self._places, place]
        before = below[self._places, place] - inside
        inside_class = (wanted[:, 0] - before) / np.maximum(inside, 1)
        return np.asarray(_LOWEST_DB + (place + inside_class) / _PER_DB)

    def _line(self, levels: Array, hz: float) -> HumLine:
        """Return the line nearest to a frequency, where its bin is higher than those beside it."""
        reach = int(_NEIGHBOURHOOD_HZ / self._step_hz)
        center = round(hz / self._step_hz)
        if center - 2 < 0 or center + 2 >= len(levels):
            return HumLine(frequency_hz=0.0, level_dbfs=_NO_LINE_DB, above_db=0.0)
        peak = center - 1 + int(np.argmax(levels[center - 1 : center + 2]))
        low, top, high = levels[peak - 1 : peak + 2]
        bend = low - 2 * top + high
        if bend >= 0.0 or top < max(low, high):
            return HumLine(frequency_hz=0.0, level_dbfs=_NO_LINE_DB, above_db=0.0)
        shift = 0.5 * (low - high) / bend
        around = np.concatenate(
            [
                levels[max(0, peak - reach) : peak - _LOBE_BINS + 1],
                levels[peak + _LOBE_BINS : peak + reach + 1],
            ]
        )
        above = top - float(np.median(around)) if len(around) else 0.0
        return HumLine(
            frequency_hz=round((peak + shift) * self._step_hz, 2),
            level_dbfs=round(float(top - 0.25 * (low - high) * shift) + 1.76, 1),
            above_db=round(above, 1),
        )
