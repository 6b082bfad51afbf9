"""The noise-to-mask ratio: how well a recording hides what a process has added to it.

After ITU-R BS.1387-1 (PEAQ) in outline. Hann frames of about 46 ms are summed into half-Bark bands; each band
masks upwards by 10 and downwards by 27 dB per Bark, and 3 dB (from 12 Bark on a quarter of a dB per Bark)
below itself, and nothing under the threshold in quiet is heard. Noise is what is left of the processed signal
once the recording is taken out of it at its best gain. That gain is fitted afresh every 200 ms: a gain that
moves more slowly changes the level, which is heard as such and not as noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32, Block
from refmaster.units import db_to_power, power_to_db

CLEAN_NOISE_TO_MASK_DB = -7.0
"""Up to here limiting counts as clean. Set by hand: MP3 and Vorbis add so much between 96 and 112 kbit/s, and
it is the strictest whole number at which all pairs at -9.5 LUFS are met (``benchmarks/loudness.py``)."""

_FRAME_S = 0.0464  # 2048 frames at 44.1 kHz
# Forward masking lasts about 200 ms (Zwicker and Fastl, Psychoacoustics, 4.4).
_LEVEL_S = 0.2
_BANDS_PER_BARK = 2
_HIGHEST_HZ = 18000.0
_SILENT_SHARE = 1e-6  # frames with less than this share of the loudest one's energy do not count
# BS.1387-1: a sine at full scale plays at 92 dB SPL.
_FULL_SCALE_DB_SPL = 92.0
_LOWEST_HZ = 20.0


class NoiseToMask:
    """Compare processed versions of a recording with the recording.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    recording : ndarray, shape (frames, channels)
        The clean signal, at any level; a few seconds of it, because its spectra are kept.
    """

    def __init__(self, sample_rate_hz: int, recording: Block) -> None:
        self._size = int(2 ** max(4, round(np.log2(_FRAME_S * sample_rate_hz))))
        self._window = np.hanning(self._size).astype(np.float32)
        hz: Array = np.fft.rfftfreq(self._size, 1.0 / sample_rate_hz).astype(np.float64)
        hz = hz[hz < _HIGHEST_HZ]
        self._bins = len(hz)
        bands = np.floor(_bark(hz) * _BANDS_PER_BARK).astype(int)
        self._starts = np.flatnonzero(np.diff(bands, prepend=-1))
        edges_hz = np.append(hz[self._starts], _HIGHEST_HZ)
        self._spread = _spread((bands[self._starts] + 0.5) / _BANDS_PER_BARK)
        quiet_db = _threshold_in_quiet_db((edges_hz[:-1] + edges_hz[1:]) / 2.0) - _FULL_SCALE_DB_SPL
        sine = self._size * float(np.sum(self._window**2)) / 4.0  # the band power of a sine at full scale
        self._quiet = sine * recording.shape[1] * db_to_power(quiet_db)
        hops_per_level = max(1, round(_LEVEL_S * sample_rate_hz / (self._size // 2)))
        self._clean = self._spectra(recording)
        self._clean_powers = self._band_powers(self._clean)
        self._level_starts = np.arange(0, self._clean.shape[1], hops_per_level)
        energies = self._clean_powers.sum(axis=1)
        self._heard = energies > _SILENT_SHARE * energies.max(initial=0.0)

    def ratio_db(self, version: Block) -> float:
        """Return the noise-to-mask ratio of a version of the recording.

        Parameters
        ----------
        version : ndarray, shape (frames, channels)
            Of the recording's shape, and in time with it.

        Returns
        -------
        float
            In dB, averaged over bands and frames as power; ``-inf`` where nothing is heard, or nothing added.
        """
        if not self._heard.any():
            return -np.inf
        spectra = self._spectra(version)
        gains = self._gains(spectra)
        masks = (self._clean_powers * (gains**2)[:, None]) @ self._spread + self._quiet
        spectra -= self._clean * gains.astype(np.float32)[None, :, None]
        ratios = self._band_powers(spectra) / masks
        return power_to_db(float(ratios[self._heard].mean()))

    def _gains(self, spectra: NDArray[np.complex64]) -> Array:
        """Return each frame's gain: the one that fits best over its 200 ms."""
        shared = np.add.reduceat(_energies(self._clean, spectra), self._level_starts)
        own = np.add.reduceat(_energies(self._clean, self._clean), self._level_starts)
        gains = np.divide(shared, own, out=np.zeros_like(own), where=own > 0.0)
        lengths = np.diff(np.append(self._level_starts, spectra.shape[1]))
        return np.repeat(gains, lengths)

    def _spectra(self, samples: Block) -> NDArray[np.complex64]:
        """Return the spectra of overlapping frames, shape (channels, frames, bins)."""
        channels = np.ascontiguousarray(samples.T, dtype=np.float32)
        missing = self._size - channels.shape[1]
        if missing > 0:
            channels = np.pad(channels, ((0, 0), (0, missing)))
        frames = np.lib.stride_tricks.sliding_window_view(channels, self._size, axis=1)
        found = np.fft.rfft(frames[:, :: self._size // 2] * self._window, axis=-1)
        return np.asarray(found[..., : self._bins])

    def _band_powers(self, spectra: NDArray[np.complex64]) -> Array32:
        powers = (spectra.real**2 + spectra.imag**2).sum(axis=0)
        return np.asarray(np.add.reduceat(powers, self._starts, axis=1))


def _energies(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> Array:
    """Return what two signals share in each frame, summed over channels and bins."""
    return np.asarray(np.vecdot(one.view(np.float32), other.view(np.float32)).sum(axis=0), np.float64)


def _bark(hz: Array) -> Array:
    return np.asarray(7.0 * np.arcsinh(hz / 650.0))


def _spread(centers_bark: Array) -> Array:
    """Return how much of each band's power (rows) masks in each band (columns)."""
    distance = centers_bark[None, :] - centers_bark[:, None]
    spread_db = np.where(distance >= 0.0, -10.0 * distance, 27.0 * distance)
    return np.asarray(db_to_power(spread_db - np.maximum(3.0, 0.25 * centers_bark)[None, :]))


def _threshold_in_quiet_db(hz: Array) -> Array:
    """Return the threshold in quiet in dB SPL (Terhardt 1979, as in BS.1387-1)."""
    khz = np.maximum(hz, _LOWEST_HZ) / 1000.0
    return np.asarray(3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4)
