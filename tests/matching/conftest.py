"""Profiles made of numbers, so that matching is tested without audio."""

import numpy as np
import pytest

from refmaster.profile import bands
from refmaster.profile.bands import band_centers_hz
from refmaster.profile.model import (
    FLOOR_DB,
    BandSpectrum,
    Levels,
    Profile,
    SegmentLevels,
    SourceFacts,
    StereoFacts,
    TimeSeries,
)

THIRDS_HZ = tuple(np.round(bands.THIRDS_HZ, 1).tolist())


def build_profile(
    mid_db,
    side_db=None,
    *,
    rate=44100,
    lufs=-20.0,
    balance_db=0.0,
    name="made.wav",
    true_peak_dbtp=-6.0,
    segments=((), ()),
):
    """A profile of the given band spectrum; `mid_db` and `side_db` are functions of Hz, or arrays.

    `segments` are rows of third-octave levels at THIRDS_HZ, of mid and side.
    """
    hz = band_centers_hz(rate)
    mid = np.asarray(mid_db(hz) if callable(mid_db) else mid_db, dtype=float)
    side = (
        np.asarray(side_db(hz) if callable(side_db) else side_db, dtype=float)
        if side_db is not None
        else None
    )
    channels = 1 if side is None else 2
    return Profile(
        version=1,
        made_by="test",
        source=SourceFacts(
            file=name,
            sha256=None,
            container="WAV",
            subtype="PCM_24",
            lossy=False,
            sample_rate_hz=rate,
            channels=channels,
            frames=rate * 60,
            duration_s=60.0,
        ),
        levels=Levels(
            integrated_lufs=lufs,
            max_momentary_lufs=lufs + 3,
            max_short_term_lufs=lufs + 2,
            loudness_range_lu=5.0,
            loudness_range_stable=True,
            true_peak_dbtp=true_peak_dbtp,
            true_peak_filter="test",
            sample_peak_dbfs=true_peak_dbtp - 0.2,
            plr_db=true_peak_dbtp - lufs,
            psr_db=10.0,
            crest_factor_db=14.0,
            clipped_runs=0,
            gate_passed_share=1.0,
        ),
        stereo=StereoFacts(
            correlation=0.5 if side is not None else None,
            balance_db=balance_db if side is not None else None,
            side_to_mid_db=None if side is None else ratio_db(side, mid),
            dc=(0.0,) * channels,
        ),
        spectrum=BandSpectrum(
            frequencies_hz=tuple(hz),
            mid_db=tuple(np.maximum(mid, FLOOR_DB)),
            side_db=() if side is None else tuple(np.maximum(side, FLOOR_DB)),
            frames_passed_share=1.0,
        ),
        evidence=SegmentLevels(
            segment_s=0.743,
            frequencies_hz=THIRDS_HZ,
            mid_std_db=(2.0,) * len(THIRDS_HZ),
            side_std_db=() if side is None else (2.0,) * len(THIRDS_HZ),
            segment_mid_db=rows(segments[0]),
            segment_side_db=rows(segments[1]),
        ),
        series=TimeSeries(hop_s=0.1, momentary_lufs=(), short_term_lufs=()),
    )


def ratio_db(side, mid):
    """The whole side over the whole mid, as the meter has it."""
    return float(10.0 * np.log10(np.sum(10.0 ** (side / 10.0)) / np.sum(10.0 ** (mid / 10.0))))


def rows(values):
    return tuple(tuple(np.round(row, 1).tolist()) for row in values)


def smooth_noise(rng, sd_db, octaves, hz=THIRDS_HZ):
    """A random curve over third octaves with a correlation length of `octaves`."""
    place = np.log2(hz)
    covariance = np.exp(-0.5 * ((place[:, None] - place[None]) / octaves) ** 2)
    return (
        sd_db * np.linalg.cholesky(covariance + 1e-6 * np.eye(len(place))) @ rng.standard_normal(len(place))
    )


def build_song(seed, *, mastering_db=0.0, width_db=0.0, part=slice(None), name="song.wav", **options):
    """A song of six sounds in a random order, behind a gain; `part` cuts its 120 segments.

    `mastering_db` is added on THIRDS_HZ, `width_db` to its side on top.
    """
    rng = np.random.default_rng(seed)
    own = np.array(pink(np.array(THIRDS_HZ))) + 9.0 + smooth_noise(rng, 4.0, 0.7)
    sounds = own + np.array([smooth_noise(rng, 5.0, 0.3) for _ in range(6)])
    widths = -8.0 + np.array([smooth_noise(rng, 2.0, 0.5) for _ in range(6)])
    order = rng.integers(6, size=120)
    noise = rng.normal(0.0, 0.5, (120, len(THIRDS_HZ)))
    mid = (sounds[order] + noise)[part] + mastering_db
    side = mid + widths[order][part] + width_db
    hz = band_centers_hz(44100)

    def spectrum(levels):  # a third octave holds eight of the profile's bands
        mean = 10.0 * np.log10(np.mean(10.0 ** (levels / 10.0), axis=0)) - 9.03
        return np.interp(np.log2(hz), np.log2(THIRDS_HZ), mean)

    return build_profile(spectrum(mid), spectrum(side), segments=(mid, side), name=name, **options)


def pink(hz):
    """-40 dB per band at 1 kHz, falling 3 dB per octave."""
    return -40.0 - 3.0 * np.log2(hz / 1000.0)


@pytest.fixture
def make_profile():
    return build_profile


@pytest.fixture
def pink_db():
    return pink


@pytest.fixture
def make_song():
    return build_song


@pytest.fixture
def broad_curve():
    """A function of a seed: a random gain over third octaves such as mastering applies."""
    return lambda seed, sd_db=1.5: smooth_noise(np.random.default_rng(seed), sd_db, 1.5)
