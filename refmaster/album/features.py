"""The features of a track that the album's model works on, taken from its profile.

Tone is the power mean of order 2 over the gated segments of each third octave, at `TONE_HZ`: loud segments
count more than in the long-term mean, which separates engineers from songs a little better on simulated
albums. Levels are LUFS, dBTP and dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Mask
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.meters.loudness import RANGE_GATE_LU, RANGE_PERCENTILES, gate_block_powers
from refmaster.profile.bands import (
    BANDS_PER_OCTAVE,
    JUDGED_THIRDS,
    THIRDS_HZ,
    BandLevels,
    band_centers_hz,
    band_levels,
)
from refmaster.profile.model import FLOOR_DB, Profile, SourceFacts
from refmaster.units import db_to_power, lufs_to_power, power_to_db, power_to_lufs

# Third octaves of the model, 40 Hz to 16 kHz.
TONE_HZ: Array = THIRDS_HZ[JUDGED_THIRDS]
WIDTH_FROM_HZ = 100.0
LOUD_PERCENTILE = RANGE_PERCENTILES[1]
_POWER_MEAN = 2.0
_SEGMENTS_PER_SHORT_TERM = 4  # of 0.75 s
_TINY = 1e-20


@dataclass(frozen=True, kw_only=True)
class TrackFeatures:
    """One track as the album sees it.

    Attributes
    ----------
    source : SourceFacts
    tone_db : ndarray, shape (27,)
        Third octaves at `TONE_HZ`, of the mid.
    tone_present : ndarray of bool, shape (27,)
        Where the track has energy.
    width_db : float or None
        Side to mid, averaged over its third octaves above 100 Hz; None for mono.
    integrated_lufs : float
    loud_lufs : float
        95th percentile of gated short-term loudness: the top of the loudness range.
    max_short_term_lufs : float
        Equal to the integrated loudness where the track is under 3 s, as `loud_lufs` is.
    true_peak_dbtp : float
    plr_db : float or None
    segment_hz : ndarray, shape (bands,)
    segments : ndarray, shape (segments, bands)
        K-weighted power of mid and side together, per gated segment and third octave.
    momentary_lufs : ndarray
        The 400 ms gating blocks.
    measured : dict
        Single values of the profile, for the report.
    """

    source: SourceFacts
    tone_db: Array
    tone_present: Mask
    width_db: float | None
    integrated_lufs: float
    loud_lufs: float
    max_short_term_lufs: float
    true_peak_dbtp: float
    plr_db: float | None
    segment_hz: Array
    segments: NDArray[np.float32]
    momentary_lufs: NDArray[np.float32]
    measured: dict[str, Any]

    def level_lufs(self, anchor: str) -> float:
        """Return the level that `LevelSettings.anchor` names."""
        levels = {"integrated": self.integrated_lufs, "max_short_term": self.max_short_term_lufs}
        return levels.get(anchor, self.loud_lufs)

    def level_change_db(self, gain_db: Array, anchor: str) -> float:
        """Return how gains per third octave (of `segment_hz`) change the level that `anchor` names."""
        if not len(self.segments):
            return 0.0
        before = self.segments.sum(axis=1, dtype=np.float64)
        after = self.segments @ db_to_power(gain_db)
        return _level_db(after, anchor) - _level_db(before, anchor)


def track_features(profile: Profile) -> TrackFeatures:
    """Return a usable track's features (see `check.preflight.require_usable`)."""
    levels = profile.levels
    integrated = levels.integrated_lufs if levels.integrated_lufs is not None else FLOOR_DB
    short_term = np.asarray(profile.series.short_term_lufs)
    maximum = levels.max_short_term_lufs
    spectrum = band_levels(profile, band_centers_hz(profile.source.sample_rate_hz))
    tone, present = _tone(profile, spectrum)
    hz, segments = _weighted_segments(profile)
    return TrackFeatures(
        source=profile.source,
        tone_db=tone,
        tone_present=present,
        width_db=_width_db(spectrum),
        integrated_lufs=integrated,
        loud_lufs=loud_sections_lufs(short_term) if len(short_term) else integrated,
        max_short_term_lufs=maximum if maximum is not None else integrated,
        true_peak_dbtp=levels.true_peak_dbtp if levels.true_peak_dbtp is not None else integrated,
        plr_db=levels.plr_db,
        segment_hz=hz,
        segments=segments,
        momentary_lufs=np.asarray(profile.series.momentary_lufs, dtype=np.float32),
        measured=profile.single_values(),
    )


def loud_sections_lufs(short_term_lufs: Array) -> float:
    """Return the top of the loudness range: the 95th percentile of what passes the gates of Tech 3342."""
    powers = gate_block_powers(lufs_to_power(short_term_lufs), relative_gate_lu=RANGE_GATE_LU)
    if not len(powers):
        return float(short_term_lufs.max())
    return power_to_lufs(float(np.percentile(powers, LOUD_PERCENTILE)))


def tone_at(tone_db: Array, frequencies_hz: Array) -> Array:
    """Return values at `TONE_HZ`, shape (27,), at other frequencies: linear over log frequency."""
    return np.asarray(np.interp(np.log2(frequencies_hz), np.log2(TONE_HZ), tone_db))


def _tone(profile: Profile, spectrum: BandLevels) -> tuple[Array, Mask]:
    """Return third-octave levels of the mid at `TONE_HZ`, and where they carry music."""
    mid = np.asarray(profile.evidence.segment_mid_db, dtype=np.float64)
    if not len(mid):
        return np.full(len(TONE_HZ), FLOOR_DB), np.zeros(len(TONE_HZ), dtype=bool)
    distance = np.abs(np.log2(np.asarray(profile.evidence.frequencies_hz)[:, None] / TONE_HZ))
    half_a_third = BANDS_PER_OCTAVE / 3 / 2
    present = [spectrum.mid_present[_inside(spectrum, f)].sum() >= half_a_third for f in TONE_HZ]
    power = db_to_power(mid[:, distance.argmin(axis=0)])
    top = power.max(axis=0) + _TINY
    mean = ((power / top) ** _POWER_MEAN).mean(axis=0)
    tone = power_to_db(top) + power_to_db(mean + _TINY) / _POWER_MEAN
    return tone, np.array(present) & (distance.min(axis=0) < 0.1)


def _width_db(spectrum: BandLevels) -> float | None:
    if spectrum.side_db is None:
        return None
    ratios = []
    for f in TONE_HZ[TONE_HZ > WIDTH_FROM_HZ]:
        inside = _inside(spectrum, f)
        if spectrum.side_present[inside].sum() * 2 >= max(inside.sum(), 1):
            side, mid = (db_to_power(level[inside]).sum() for level in (spectrum.side_db, spectrum.mid_db))
            ratios.append(power_to_db((side + _TINY) / (mid + _TINY)))
    return float(np.mean(ratios)) if ratios else None


def _inside(spectrum: BandLevels, center_hz: float) -> Mask:
    return np.asarray(np.abs(np.log2(spectrum.frequencies_hz / center_hz)) < 1 / 6)


def _weighted_segments(profile: Profile) -> tuple[Array, NDArray[np.float32]]:
    evidence = profile.evidence
    hz = np.asarray(evidence.frequencies_hz)
    power = db_to_power(np.asarray(evidence.segment_mid_db, dtype=np.float64).reshape(-1, len(hz)))
    if evidence.segment_side_db:
        power = power + db_to_power(np.asarray(evidence.segment_side_db))
    weighted = power * k_weighting_power_gain(hz, profile.source.sample_rate_hz)
    return hz, weighted.astype(np.float32)


def _level_db(power: Array, anchor: str) -> float:
    """Return the level of successive segments: their mean, or a statistic over 3 s of them."""
    if anchor != "integrated" and len(power) >= _SEGMENTS_PER_SHORT_TERM:
        power = np.convolve(power, np.full(_SEGMENTS_PER_SHORT_TERM, 1.0 / _SEGMENTS_PER_SHORT_TERM), "valid")
        found = power.max() if anchor == "max_short_term" else np.percentile(power, LOUD_PERCENTILE)
    else:
        found = power.mean()
    return power_to_db(float(found) + _TINY)
