"""The album as one recording: its loudness, and one profile of all its tracks together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.album.features import TrackFeatures, tone_at
from refmaster.matching.image import has_silent_channel
from refmaster.meters.loudness import integrated_lufs_from_block_powers
from refmaster.profile.bands import band_centers_hz
from refmaster.profile.model import FLOOR_DB, BandSpectrum, Profile, SegmentLevels, TimeSeries
from refmaster.units import db_to_power, lufs_to_power, power_to_db

# The pooled profile has at most about as many segments; more would cost time and change nothing.
POOLED_SEGMENTS = 1024
# Every track counts at this loudness; only that it is the same for all matters.
_LEVEL_LUFS = -23.0


def pooled_lufs(blocks: Iterable[NDArray[np.floating]], shifts_db: Iterable[float]) -> float | None:
    """Return the loudness of several recordings as one: gated over all 400 ms blocks together (BS.1770-5).

    Parameters
    ----------
    blocks : iterable of ndarray
        Momentary loudness of each recording, in LUFS.
    shifts_db : iterable of float
        Gain of each recording.
    """
    powers = [
        lufs_to_power(np.asarray(lufs, dtype=np.float64) + shift)
        for lufs, shift in zip(blocks, shifts_db, strict=True)
    ]
    return integrated_lufs_from_block_powers(np.concatenate(powers)) if powers else None


def album_lufs(tracks: Sequence[TrackFeatures]) -> float | None:
    """Return the pooled loudness of tracks as one recording; None where all is silence."""
    lufs = pooled_lufs([f.momentary_lufs for f in tracks], [0.0] * len(tracks))
    return None if lufs is None or not np.isfinite(lufs) else lufs


def pooled_profile(profiles: Sequence[Profile], tone_db: Array, name: str) -> Profile:
    """Return one profile of several tracks, as they are after their engineers' curves.

    Every track is taken at the same loudness and counts by its length. Where there are stereo tracks, the
    mono ones do not count, nor those with a silent channel: they would say that the album is narrow, or wide.

    Parameters
    ----------
    profiles : sequence of Profile
        At least one.
    tone_db : ndarray, shape (tracks, 27)
        Added to each, at `TONE_HZ`.
    name : str
        The pooled recording's name.
    """
    rate = min(p.source.sample_rate_hz for p in profiles)
    stereo = [i for i, p in enumerate(profiles) if p.spectrum.side_db and not has_silent_channel(p)]
    chosen = stereo or list(range(len(profiles)))
    profiles, tone_db = [profiles[i] for i in chosen], tone_db[chosen]
    base = profiles[0]
    seconds = np.array([p.source.duration_s for p in profiles])
    shifts = [_shift_db(p, tone) for p, tone in zip(profiles, tone_db, strict=True)]
    hz = band_centers_hz(rate)
    gains = [tone_at(tone, hz) + shift for tone, shift in zip(tone_db, shifts, strict=True)]
    side = _mean_db([p.spectrum.side_db for p in profiles], gains, seconds) if stereo else ()
    balance = float(seconds @ [p.stereo.balance_db or 0.0 for p in profiles] / seconds.sum())
    frames = round(sum(p.source.duration_s for p in profiles) * rate)
    source = {
        "file": name,
        "sha256": None,
        "sample_rate_hz": rate,
        "frames": frames,
        "duration_s": round(frames / rate, 3),
    }
    return base.model_copy(
        update={
            "source": base.source.model_copy(update=source),
            "levels": base.levels.model_copy(update={"integrated_lufs": _LEVEL_LUFS}),
            "stereo": base.stereo.model_copy(update={"balance_db": round(balance, 3) if stereo else None}),
            "spectrum": BandSpectrum(
                frequencies_hz=tuple(float(f) for f in np.round(hz, 3)),
                mid_db=_mean_db([p.spectrum.mid_db for p in profiles], gains, seconds),
                side_db=side,
                frames_passed_share=1.0,
            ),
            "evidence": _evidence(profiles, tone_db, shifts),
            "series": TimeSeries(hop_s=0.1, momentary_lufs=(), short_term_lufs=()),
        }
    )


def _shift_db(profile: Profile, tone_db: Array) -> float:
    """Return the gain that brings a track to the common level (its curve has no mean worth counting)."""
    own = profile.levels.integrated_lufs
    return _LEVEL_LUFS - (own if own is not None else _LEVEL_LUFS) - float(tone_db.mean())


def _mean_db(spectra: Sequence[Sequence[float]], gains: list[Array], weights: Array) -> tuple[float, ...]:
    """Return the weighted power mean of spectra after their gains; each is at the floor where it ends."""
    total = np.zeros(len(gains[0]))
    for spectrum, gain, weight in zip(spectra, gains, weights, strict=True):
        level = np.full(len(gain), FLOOR_DB)
        level[: len(spectrum)] = spectrum[: len(gain)]
        total = total + weight * db_to_power(level + gain)
    mean = power_to_db(total / weights.sum() + 1e-30)
    return tuple(np.round(np.maximum(mean, FLOOR_DB), 3).tolist())


def _evidence(profiles: Sequence[Profile], tone_db: Array, shifts: Sequence[float]) -> SegmentLevels:
    count = min(len(p.evidence.frequencies_hz) for p in profiles)
    hz = profiles[0].evidence.frequencies_hz[:count]
    total = sum(len(p.evidence.segment_mid_db) for p in profiles)
    step = max(1, -(-total // POOLED_SEGMENTS))
    mids, sides = [], []
    for profile, tone, shift in zip(profiles, tone_db, shifts, strict=True):
        gain = tone_at(tone, np.asarray(hz)) + shift
        mids += _moved(profile.evidence.segment_mid_db[::step], gain)
        sides += _moved(profile.evidence.segment_side_db[::step], gain)
    return SegmentLevels(
        segment_s=profiles[0].evidence.segment_s,
        frequencies_hz=hz,
        mid_std_db=_std(mids),
        side_std_db=_std(sides),
        segment_mid_db=tuple(mids),
        segment_side_db=tuple(sides),
    )


def _moved(rows: Sequence[Sequence[float]], gain: Array) -> list[tuple[float, ...]]:
    return [
        tuple(np.round(np.maximum(np.asarray(row[: len(gain)]) + gain, FLOOR_DB), 1).tolist()) for row in rows
    ]


def _std(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.round(np.std(rows, axis=0), 2).tolist()) if rows else ()
