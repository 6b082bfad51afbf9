"""Faults made on purpose in excerpts of raw mixes, and where each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfiltfilt

from refmaster.dsp.limiter import Limiter
from refmaster.settings.limiter import LimiterSettings

Samples = NDArray[np.float64]
Made = tuple[Samples, "Where"]

EXCERPT_S = 40


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a fault was put; what is empty does not count."""

    times_s: tuple[float, ...] = ()
    band_hz: tuple[float, float] | None = None
    channel: str | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fault: its name, the code that should tell of it, and how it is made."""

    name: str
    code: str
    make: Callable[[Samples, int], Made]


def excerpt(samples: Samples, rate: int) -> Samples:
    """Return 40 s from 15 s on, faded in and out over half a second, with 0.2 s of silence at the ends."""
    start = min(15 * rate, max(0, len(samples) - EXCERPT_S * rate))
    piece = samples[start : start + EXCERPT_S * rate].copy()
    ramp = np.linspace(0.0, 1.0, rate // 2)[:, None] ** 2
    piece[: len(ramp)] *= ramp
    piece[-len(ramp) :] *= ramp[::-1]
    silence = np.zeros((rate // 5, piece.shape[1]))
    return np.concatenate([silence, piece, silence])


def peaking_at(samples: Samples, dbfs: float) -> Samples:
    """Return samples at a peak level."""
    return samples * (10 ** (dbfs / 20) / np.abs(samples).max())


def in_band(samples: Samples, rate: int, band_hz: tuple[float, float], gain_db: float) -> Samples:
    """Return samples with a band raised, without a change of phase."""
    band = sosfiltfilt(butter(2, band_hz, "bandpass", fs=rate, output="sos"), samples, axis=0)
    return peaking_at(samples + (10 ** (gain_db / 20) - 1) * band, -6.0)


def limited(samples: Samples, rate: int, gain_db: float) -> Samples:
    """Return samples driven into a limiter, back at a peak of -6 dBFS."""
    limiter = Limiter(rate, samples.shape[1], LimiterSettings(), gain_db=gain_db)
    out = np.concatenate([limiter.push(np.asfortranarray(samples)), limiter.flush()])
    return peaking_at(out, -6.0)


def muted(samples: Samples, rate: int, start_s: float, length_s: float) -> Samples:
    """Return samples with a stretch of silence."""
    out = samples.copy()
    out[round(start_s * rate) : round((start_s + length_s) * rate)] = 0.0
    return out


def mains(samples: Samples, rate: int, hz: float, dbfs: float) -> Samples:
    """Return samples with hum of four harmonics."""
    time_s = np.arange(len(samples)) / rate
    hum = sum(
        a * np.sin(2 * np.pi * k * hz * time_s + k) for k, a in ((1, 1.0), (2, 0.5), (3, 0.6), (5, 0.2))
    )
    return samples + (10 ** (dbfs / 20) * np.sqrt(2) * np.asarray(hum))[:, None]


def clipped_between(samples: Samples, rate: int, depth_db: float, at_dbfs: float) -> Made:
    """Return samples of which a few passages are clipped, and the times of those."""
    out = peaking_at(samples, at_dbfs)
    starts = (6.0, 14.0, 22.0, 30.0)
    for start_s in starts:
        part = slice(round(start_s * rate), round((start_s + 1.5) * rate))
        top = 10 ** (at_dbfs / 20)
        piece = out[part] * top / np.abs(out[part]).max() * 10 ** (depth_db / 20)
        out[part] = np.clip(piece, -top, top)
    return out, Where(times_s=starts)


def over(samples: Samples, rate: int) -> Made:
    """Return samples with two bursts that lie above full scale between their samples only."""
    out = peaking_at(samples, -3.0)
    times = (9.0, 27.0)
    for time_s in times:
        n = np.arange(64)
        burst = 0.99 * np.sqrt(2) * np.sin(2 * np.pi * n / 4 + np.pi / 4) * np.hanning(64)
        start = round(time_s * rate)
        out[start : start + 64] *= 0.0
        out[start : start + 64, :] += np.clip(burst, -0.999, 0.999)[:, None]
    return out, Where(times_s=times)


def band_inverted(samples: Samples, rate: int) -> Made:
    """Return samples whose right channel is inverted between 500 Hz and 2 kHz."""
    out = samples.copy()
    band = sosfiltfilt(butter(4, (450.0, 2200.0), "bandpass", fs=rate, output="sos"), out[:, 1])
    out[:, 1] -= 2.0 * band
    return peaking_at(out, -6.0), Where(band_hz=(500.0, 2000.0))


def low_passed_noise(samples: Samples, rate: int) -> Samples:
    """Return samples with the noise of a tape, over which the music stops twice."""
    noise = np.random.default_rng(4).standard_normal(samples.shape)
    noise = sosfilt(butter(1, 6000.0, fs=rate, output="sos"), noise, axis=0)
    quiet = muted(muted(samples, rate, 12.0, 2.5), rate, 28.0, 2.0)
    return quiet + 10 ** (-58 / 20) * noise / noise.std()


def kinds() -> Iterator[Kind]:
    """Yield every kind of fault."""

    def kind(name: str, code: str, make: Callable[[Samples, int], Samples], **where: object) -> Kind:
        return Kind(name=name, code=code, make=lambda x, r: (make(x, r), Where(**where)))  # type: ignore[arg-type]

    end = 0.4 + EXCERPT_S
    yield kind("peaks at -1 dBFS", "mix_hot", lambda x, r: peaking_at(x, -1.0))
    yield Kind(name="clipped by 6 dB", code="mix_clipped", make=lambda x, r: clipped_between(x, r, 6.0, 0.0))
    yield Kind(
        name="clipped by 3 dB at -8 dBFS",
        code="mix_clipped",
        make=lambda x, r: clipped_between(x, r, 3.0, -8.0),
    )
    yield Kind(name="over between samples", code="mix_over", make=over)
    yield kind("limited by 8 dB", "mix_limited", lambda x, r: limited(x, r, 14.0))
    yield kind("limited by 20 dB", "over_compressed", lambda x, r: limited(x, r, 26.0))
    yield kind("DC of 0.01 on the left", "mix_dc", lambda x, r: x + np.array([0.01, 0.0]), channel="left")
    yield kind(
        "4 s of silence before",
        "mix_silence",
        lambda x, r: np.concatenate([np.zeros((4 * r, 2)), x]),
        times_s=(0.0,),
    )
    yield kind("4 s of silence within", "mix_silence", lambda x, r: muted(x, r, 17.0, 4.0), times_s=(17.0,))
    yield kind(
        "9 s of silence after",
        "mix_silence",
        lambda x, r: np.concatenate([x, np.zeros((9 * r, 2))]),
        times_s=(end - 0.2,),
    )
    yield kind("head cut off", "mix_cut_head", lambda x, r: x[_loud_frame(x, r, 5.0) :], times_s=(0.0,))
    yield kind("tail cut off", "mix_cut_tail", lambda x, r: x[: _loud_frame(x, r, 30.0)])
    yield kind(
        "+14 dB at 50-110 Hz", "mix_boomy", lambda x, r: in_band(x, r, (50, 110), 14.0), band_hz=(50.0, 110.0)
    )
    yield kind(
        "+10 dB at 150-500 Hz",
        "mix_muddy",
        lambda x, r: in_band(x, r, (150, 500), 10.0),
        band_hz=(150.0, 500.0),
    )
    yield kind(
        "+12 dB at 2-5 kHz",
        "mix_harsh",
        lambda x, r: in_band(x, r, (2000, 5000), 12.0),
        band_hz=(2000.0, 5000.0),
    )
    yield kind("right inverted", "mix_out_of_phase", lambda x, r: x * [1.0, -1.0], band_hz=(20.0, 120.0))
    yield Kind(name="right inverted at 500-2000 Hz", code="mix_mono_loss", make=band_inverted)
    yield kind("right 12 dB down", "mix_imbalanced", lambda x, r: x * [1.0, 0.25], channel="left")
    yield kind("right dead", "mix_one_sided", lambda x, r: x * [1.0, 0.0])
    yield kind("noise at -58 dBFS", "mix_noisy", low_passed_noise, band_hz=(1000.0, 8000.0))
    yield kind(
        "hum of 50 Hz, -54 dBFS", "mix_hum", lambda x, r: mains(x, r, 50.0, -54.0), band_hz=(50.0, 150.0)
    )
    yield kind(
        "hum of 60 Hz, -54 dBFS", "mix_hum", lambda x, r: mains(x, r, 60.0, -54.0), band_hz=(60.0, 180.0)
    )


def _loud_frame(samples: Samples, rate: int, from_s: float) -> int:
    """Return a frame in the middle of a loud wave, in the second from a time on."""
    start = round(from_s * rate)
    return start + int(np.argmax(np.abs(samples[start : start + rate]).max(axis=1)))
