"""The album as one recording: its loudness, and one profile of all its tracks together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.album.features import TONE_HZ
from refmaster.meters.loudness import integrated_lufs_from_block_powers
from refmaster.profile.bands import band_centers_hz
from refmaster.profile.model import FLOOR_DB, BandSpectrum, Profile, SegmentLevels, TimeSeries

# As many segments as one recording has at most; more would add nothing but time.
MAX_SEGMENTS = 1024
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
        10.0 ** ((np.asarray(lufs, dtype=np.float64) + shift + 0.691) / 10.0)
        for lufs, shift in zip(blocks, shifts_db, strict=True)
    ]
    return integrated_lufs_from_block_powers(np.concatenate(powers)) if powers else None


def pooled_profile(profiles: Sequence[Profile], tone_db: Array, name: str) -> Profile:
    """Return one profile of several tracks, as they are after their engineers' curves.

    Every track is taken at the same loudness and counts by its length. Where there are stereo tracks, the
    mono ones do not count: they would say that the album is narrow.

    Parameters
    ----------
    profiles : sequence of Profile
        At least one.
    tone_db : ndarray, shape (tracks, 27)
        What is added to each, at `TONE_HZ`.
    name : str
        What the pooled recording is called.
    """
    rate = min(p.source.sample_rate_hz for p in profiles)
    stereo = [i for i, p in enumerate(profiles) if p.spectrum.side_db]
    chosen = stereo or list(range(len(profiles)))
    base = profiles[chosen[0]]
    weights = np.array([profiles[i].source.duration_s for i in chosen])
    shifts = [_shift(profiles[i], tone_db[i]) for i in chosen]
    hz = band_centers_hz(rate)
    mids = [_bands(profiles[i].spectrum.mid_db, len(hz)) for i in chosen]
    sides = [_bands(profiles[i].spectrum.side_db, len(hz)) for i in chosen] if stereo else []
    gains = [_at(hz, tone_db[i]) + shift for i, shift in zip(chosen, shifts, strict=True)]
    levels = base.levels.model_copy(update={"integrated_lufs": _LEVEL_LUFS})
    balances = np.array([profiles[i].stereo.balance_db or 0.0 for i in chosen])
    image = base.stereo.model_copy(
        update={"balance_db": round(float(weights @ balances / weights.sum()), 3) if stereo else None}
    )
    frames = round(sum(profiles[i].source.duration_s for i in chosen) * rate)
    source = base.source.model_copy(
        update={
            "file": name,
            "sha256": None,
            "sample_rate_hz": rate,
            "frames": frames,
            "duration_s": round(frames / rate, 3),
        }
    )
    return base.model_copy(
        update={
            "source": source,
            "levels": levels,
            "stereo": image,
            "spectrum": BandSpectrum(
                frequencies_hz=tuple(float(f) for f in np.round(hz, 3)),
                mid_db=_mean_db(mids, gains, weights),
                side_db=_mean_db(sides, gains, weights) if stereo else (),
                frames_passed_share=1.0,
            ),
            "evidence": _evidence([profiles[i] for i in chosen], tone_db[chosen], shifts),
            "series": TimeSeries(hop_s=0.1, momentary_lufs=(), short_term_lufs=()),
        }
    )


def _shift(profile: Profile, tone_db: Array) -> float:
    """Return what brings a track to the common level (its curve has no mean worth counting)."""
    own = profile.levels.integrated_lufs
    return _LEVEL_LUFS - (own if own is not None else _LEVEL_LUFS) - float(tone_db.mean())


def _at(hz: Array, tone_db: Array) -> Array:
    return np.asarray(np.interp(np.log2(hz), np.log2(TONE_HZ), tone_db))


def _bands(values: Sequence[float], count: int) -> Array:
    padded = np.full(count, FLOOR_DB)
    padded[: min(count, len(values))] = values[:count]
    return padded


def _mean_db(levels: list[Array], gains: list[Array], weights: Array) -> tuple[float, ...]:
    power = sum(
        (w * 10.0 ** ((level + gain) / 10.0) for w, level, gain in zip(weights, levels, gains, strict=True)),
        np.zeros(len(gains[0])),
    )
    mean = 10.0 * np.log10(power / weights.sum() + 1e-30)
    return tuple(np.round(np.maximum(mean, FLOOR_DB), 3).tolist())


def _evidence(profiles: Sequence[Profile], tone_db: Array, shifts: Sequence[float]) -> SegmentLevels:
    count = min(len(p.evidence.frequencies_hz) for p in profiles)
    hz = np.asarray(profiles[0].evidence.frequencies_hz[:count])
    total = sum(len(p.evidence.segment_mid_db) for p in profiles)
    step = max(1, -(-total // MAX_SEGMENTS))
    mids, sides = [], []
    for profile, tone, shift in zip(profiles, tone_db, shifts, strict=True):
        gain = _at(hz, tone) + shift
        mids += _shifted(profile.evidence.segment_mid_db[::step], gain)
        sides += _shifted(profile.evidence.segment_side_db[::step], gain)
    return SegmentLevels(
        segment_s=profiles[0].evidence.segment_s,
        frequencies_hz=profiles[0].evidence.frequencies_hz[:count],
        mid_std_db=_std(mids),
        side_std_db=_std(sides),
        segment_mid_db=tuple(mids),
        segment_side_db=tuple(sides),
    )


def _shifted(rows: Sequence[Sequence[float]], gain: Array) -> list[tuple[float, ...]]:
    return [
        tuple(np.round(np.maximum(np.asarray(row[: len(gain)]) + gain, FLOOR_DB), 1).tolist()) for row in rows
    ]


def _std(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.round(np.std(rows, axis=0), 2).tolist()) if rows else ()
