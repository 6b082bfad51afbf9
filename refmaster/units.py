"""Conversions between linear values and decibels.

Amplitudes are linear with 1.0 as digital full scale; powers are mean squares. Zero maps to ``-inf`` dB
without a warning, and ``-inf`` dB maps back to zero.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray


@overload
def amplitude_to_db(amplitude: float) -> float: ...
@overload
def amplitude_to_db(amplitude: NDArray[np.floating]) -> NDArray[np.float64]: ...
def amplitude_to_db(amplitude: ArrayLike) -> float | NDArray[np.float64]:
    """Return ``20 log10 |amplitude|`` in dB; 0 gives ``-inf``."""
    with np.errstate(divide="ignore"):
        level = 20.0 * np.log10(np.abs(np.asarray(amplitude, dtype=np.float64)))
    return float(level) if level.ndim == 0 else level


@overload
def power_to_db(power: float) -> float: ...
@overload
def power_to_db(power: NDArray[np.floating]) -> NDArray[np.float64]: ...
def power_to_db(power: ArrayLike) -> float | NDArray[np.float64]:
    """Return ``10 log10 power`` in dB; 0 gives ``-inf``."""
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(np.asarray(power, dtype=np.float64))
    return float(level) if level.ndim == 0 else level


@overload
def db_to_amplitude(level_db: float) -> float: ...
@overload
def db_to_amplitude(level_db: NDArray[np.floating]) -> NDArray[np.float64]: ...
def db_to_amplitude(level_db: ArrayLike) -> float | NDArray[np.float64]:
    """Return the linear amplitude of a level in dB."""
    amplitude = np.power(10.0, np.asarray(level_db, dtype=np.float64) / 20.0)
    return float(amplitude) if amplitude.ndim == 0 else amplitude


@overload
def db_to_power(level_db: float) -> float: ...
@overload
def db_to_power(level_db: NDArray[np.floating]) -> NDArray[np.float64]: ...
def db_to_power(level_db: ArrayLike) -> float | NDArray[np.float64]:
    """Return the linear power of a level in dB."""
    power = np.power(10.0, np.asarray(level_db, dtype=np.float64) / 10.0)
    return float(power) if power.ndim == 0 else power


LOUDNESS_OFFSET_DB = -0.691
"""ITU-R BS.1770-5, Annex 1: loudness is ``-0.691 + 10 log10`` of the K-weighted power."""


@overload
def power_to_lufs(power: float) -> float: ...
@overload
def power_to_lufs(power: NDArray[np.floating]) -> NDArray[np.float64]: ...
def power_to_lufs(power: ArrayLike) -> float | NDArray[np.float64]:
    """Return the loudness in LUFS of a K-weighted power, summed over channels; 0 gives ``-inf``."""
    return power_to_db(np.asarray(power)) + LOUDNESS_OFFSET_DB


@overload
def lufs_to_power(loudness_lufs: float) -> float: ...
@overload
def lufs_to_power(loudness_lufs: NDArray[np.floating]) -> NDArray[np.float64]: ...
def lufs_to_power(loudness_lufs: ArrayLike) -> float | NDArray[np.float64]:
    """Return the K-weighted power of a loudness in LUFS."""
    return db_to_power(np.asarray(loudness_lufs) - LOUDNESS_OFFSET_DB)
