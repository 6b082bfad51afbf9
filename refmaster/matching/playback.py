"""Playback translation: how loud and how balanced a recording is on other systems, from its profile alone.

Loudness is read segment by segment (third octaves, K-weighted, mid and side added) and gated as BS.1770 gates
blocks, since a system without bass is quieter where the bass carries the song. Within a third octave the
recording's long-term spectrum says where its energy lies against the system's response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array
from refmaster.dsp.curves import curve_at
from refmaster.matching.explain import REGIONS
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import THIRDS_HZ
from refmaster.profile.model import Profile
from refmaster.settings.playback import PlaybackSystem, playback_systems
from refmaster.units import db_to_power, lufs_to_power, power_to_db

# A region this far below the whole is not heard on a system: its balance says nothing.
HEARD_ABOVE_DB = -25.0
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_SILENT = 1e-30
_NOTHING_LEFT_LU = -100.0


@dataclass(frozen=True, kw_only=True)
class RegionOnSystem:
    """One region of the spectrum on a playback system.

    Attributes
    ----------
    name : str
    low_hz, high_hz : float
    level_db : float or None
        The region against the whole, K-weighted, in dB; None where it is not heard.
    reference_level_db : float or None
        The same of the reference, or the mean over several.
    """

    name: str
    low_hz: float
    high_hz: float
    level_db: float | None
    reference_level_db: float | None

    @property
    def difference_db(self) -> float | None:
        """The recording less the reference in dB; None where one of them is not heard, or there is none."""
        if self.level_db is None or self.reference_level_db is None:
            return None
        return self.level_db - self.reference_level_db


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A recording on one playback system.

    Attributes
    ----------
    system : PlaybackSystem
    change_lu : float
        How much louder the system makes it, in LU; negative is quieter.
    reference_change_lu : float or None
        The same of the reference; None without one.
    regions : tuple of RegionOnSystem
        From low to high.
    """

    system: PlaybackSystem
    change_lu: float
    reference_change_lu: float | None
    regions: tuple[RegionOnSystem, ...]

    @property
    def difference_lu(self) -> float | None:
        """The recording's change less the reference's, in LU; negative is worse; None without a reference."""
        return None if self.reference_change_lu is None else self.change_lu - self.reference_change_lu


def translate(profile: Profile, references: Sequence[Profile] = ()) -> tuple[Translation, ...]:
    """Return a recording on each of the playback systems, beside the mean of references if there are any."""
    own, others = _Heard(profile), [_Heard(reference) for reference in references]
    return tuple(_on_system(system, own, others) for system in playback_systems())


def _on_system(system: PlaybackSystem, own: _Heard, others: Sequence[_Heard]) -> Translation:
    beside = zip(*(other.region_levels_db(system) for other in others), strict=True)
    return Translation(
        system=system,
        change_lu=round(own.change_lu(system), 2) + 0.0,
        reference_change_lu=_mean([other.change_lu(system) for other in others]),
        regions=tuple(
            RegionOnSystem(
                name=name,
                low_hz=low,
                high_hz=high,
                level_db=level,
                reference_level_db=_mean(next(beside, ())),
            )
            for (name, low, high), level in zip(REGIONS, own.region_levels_db(system), strict=True)
        ),
    )


def _mean(levels: Sequence[float | None]) -> float | None:
    """Return the mean of those that there are, to 0.01; None where there is none."""
    known = [level for level in levels if level is not None]
    return round(sum(known) / len(known), 2) + 0.0 if known else None


class _Heard:
    """A recording's power in bands, and in third octaves over its segments, as K-weighting hears it."""

    def __init__(self, profile: Profile) -> None:
        spectrum, evidence = profile.spectrum, profile.evidence
        self._hz = np.asarray(spectrum.frequencies_hz)
        self._weight = k_weighting_power_gain(self._hz, profile.source.sample_rate_hz)
        self._bands = [db_to_power(np.asarray(spectrum.mid_db))]
        self._segments = [db_to_power(np.array(evidence.segment_mid_db))]
        if spectrum.side_db:
            self._bands.append(db_to_power(np.asarray(spectrum.side_db)))
            self._segments.append(db_to_power(np.array(evidence.segment_side_db)))
        thirds = np.asarray(evidence.frequencies_hz or THIRDS_HZ)
        self._thirds = len(thirds)
        self._third_of = np.argmin(np.abs(np.log2(self._hz[:, np.newaxis] / thirds)), axis=1)
        if not evidence.segment_mid_db:  # too short for any: the whole is one
            self._segments = [self._sums(bands)[np.newaxis] for bands in self._bands]
        self._before = self._loudness([np.ones(len(self._hz))] * len(self._bands))

    def change_lu(self, system: PlaybackSystem) -> float:
        """Return how much louder a system makes the recording, in LU."""
        return max(power_to_db(self._loudness(self._gains(system)) / self._before), _NOTHING_LEFT_LU)

    def region_levels_db(self, system: PlaybackSystem) -> list[float | None]:
        """Return the regions against the whole on a system, in dB; None for one that is not heard."""
        heard = self._weight * sum(
            gain * power for gain, power in zip(self._gains(system), self._bands, strict=True)
        )
        whole = float(heard.sum())
        levels = []
        for _, low, high in REGIONS:
            level = power_to_db(float(heard[(self._hz >= low) & (self._hz < high)].sum()) / whole)
            levels.append(round(level, 2) + 0.0 if level > HEARD_ABOVE_DB else None)
        return levels

    def _gains(self, system: PlaybackSystem) -> list[Array]:
        """Return the power gains of mid and, where there is one, of side."""
        response = db_to_power(curve_at(system.response, self._hz))
        side = 0.0 if system.side_db is None else db_to_power(system.side_db)
        return [response, side * response][: len(self._bands)]

    def _loudness(self, gains: list[Array]) -> float:
        """Return the gated mean of the segments' K-weighted power behind gains of mid and side."""
        power = np.zeros(len(self._segments[0]))
        for gain, bands, segments in zip(gains, self._bands, self._segments, strict=True):
            power += segments @ self._in_thirds(self._weight * gain, bands)
        loud = power[2.0 * power > lufs_to_power(_ABSOLUTE_GATE_LUFS)]  # of both channels: twice mid and side
        if len(loud):
            loud = loud[loud > db_to_power(_RELATIVE_GATE_LU) * loud.mean()]
        return float(max(loud.mean(), _SILENT)) if len(loud) else _SILENT

    def _in_thirds(self, gain: Array, bands: Array) -> Array:
        """Return a power gain per third octave: its mean over the bands inside, by the power they hold."""
        return self._sums(gain * bands) / np.maximum(self._sums(bands), _SILENT)

    def _sums(self, bands: Array) -> Array:
        return np.asarray(np.bincount(self._third_of, bands, self._thirds), np.float64)
