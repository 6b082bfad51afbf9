"""Parametric bands: a low shelf, bells and a high shelf whose gains in dB sum to a curve.

A band is a biquad of R. Bristow-Johnson's Audio EQ Cookbook (W3C note, 2021) at a sample rate. `q` is the
cookbook's Q: a bell reaches half of its gain in dB at two frequencies that are ``hz / q`` apart (but for the
warping near half the sample rate); a shelf reaches half of its gain in dB at `hz`, and above a Q of 0.71 it
overshoots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from refmaster._types import Array, Mask
from refmaster.errors import SettingsError
from refmaster.matching.curves import NEGLIGIBLE_DB
from refmaster.profile.bands import BANDS_HZ, JUDGED_HIGH_HZ, judged
from refmaster.units import power_to_db

BandKind = Literal["low_shelf", "bell", "high_shelf"]

# The bounds of the fit: what equalizers in common use can be set to, and moves of a plan.
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20000.0
_MAX_GAIN_DB = 24.0
_BELL_Q, _SHELF_Q = (0.25, 5.0), (0.4, 1.4)
# Both constants are from `benchmarks/curves.py --choose` (12 mixes). Beyond 40 Hz to 16 kHz, where errors are
# stated, the fit has to stay near enough: 0.3 dB RMS, against 0.9 with a weight of 0.1.
_UNJUDGED_WEIGHT = 0.3
# Per dB of a band's gain, as so many dB of error at one frequency: without it neighbours fight each other
# with 18 dB where 7 dB do, and come no nearer than 0.04 instead of 0.05 dB RMS.
_GAIN_COST = 0.1
_HIGHEST_SHARE = 0.45  # of the sample rate: beyond it digital bells are bent too much to be of use
# Where a new bell is looked for: widths in octaves of the error that it takes away.
_BELL_OCTAVES = (1 / 3, 2 / 3, 4 / 3)
_ROUGH_STEPS, _FINAL_STEPS = 40, 200
# Digits that are written, so that the error is stated of what is written.
_HZ_DIGITS, _GAIN_DIGITS, _Q_DIGITS = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class ParametricBand:
    """One band; gain in dB, frequency in Hz, `q` as in the Audio EQ Cookbook."""

    kind: BandKind
    hz: float
    gain_db: float
    q: float


@dataclass(frozen=True, kw_only=True)
class BandFit:
    """Bands that stand for a curve, and how far they are from it between 40 Hz and 16 kHz.

    Attributes
    ----------
    bands : tuple of ParametricBand
        From low to high; none for a curve of 0 dB.
    rms_error_db, max_error_db : float
        Over a grid of 24 bands an octave.
    """

    bands: tuple[ParametricBand, ...]
    rms_error_db: float
    max_error_db: float

    @classmethod
    def of(cls, bands: tuple[ParametricBand, ...], error_db: Array) -> Self:
        """Return bands with their error at frequencies between 40 Hz and 16 kHz."""
        rms, most = float(np.sqrt(np.mean(error_db**2))), float(np.max(np.abs(error_db)))
        return cls(bands=bands, rms_error_db=rms, max_error_db=most)


def band_gains_db(bands: Sequence[ParametricBand], frequencies_hz: Array, sample_rate_hz: int) -> Array:
    """Return the gain of every band in dB, shape (bands, frequencies).

    Parameters
    ----------
    bands : sequence of ParametricBand
        Below half the sample rate.
    frequencies_hz : ndarray, shape (frequencies,)
        Above 0 and below half the sample rate.
    sample_rate_hz : int
        That the biquads run at.

    Raises
    ------
    SettingsError
        A band is not below half the sample rate.
    """
    for band in bands:
        if band.hz >= sample_rate_hz / 2:
            raise SettingsError(
                f"a band at {band.hz:g} Hz needs a sample rate above {2 * band.hz:g} Hz, "
                f"found {sample_rate_hz} Hz"
            )
    values = np.array([(np.log2(b.hz), b.gain_db, np.log2(b.q)) for b in bands]).reshape(-1, 3)
    kinds = np.array([("low_shelf", "bell", "high_shelf").index(b.kind) for b in bands], dtype=int)
    return _Model(kinds, frequencies_hz, sample_rate_hz).gains_db(values)


def fit_bands(curve_db: Array, count: int, sample_rate_hz: int) -> BandFit:
    """Fit a low shelf, ``count - 2`` bells and a high shelf to a curve, by least squares in dB over octaves.

    Bells are added one by one where most of the error is left, and after each all bands are fitted anew.

    Parameters
    ----------
    curve_db : ndarray, shape (240,)
        The curve at `refmaster.profile.bands.BANDS_HZ`.
    count : int
        Number of bands, at least 2.
    sample_rate_hz : int
        That the bands will run at: near half of it digital bells are narrower than analogue ones.

    Returns
    -------
    BandFit
        Its numbers are rounded as they are written, its errors are those of the rounded bands.
    """
    reached = BANDS_HZ / sample_rate_hz < _HIGHEST_SHARE
    frequencies, wanted = BANDS_HZ[reached], curve_db[reached]
    if np.max(np.abs(wanted)) < NEGLIGIBLE_DB:
        bands: tuple[ParametricBand, ...] = ()
    else:
        bands = _rounded(_fitted(frequencies, wanted, count, sample_rate_hz))
    error = band_gains_db(bands, frequencies, sample_rate_hz).sum(axis=0) - wanted
    return BandFit.of(bands, error[judged(frequencies)])


class _Model:
    """The gains of bands of given kinds (0: low shelf, 1: bell, 2: high shelf) at given frequencies.

    The cookbook's biquads are bilinear transforms of analogue ones, so that their gain is the analogue gain
    at the ratio ``tan(w / 2) / tan(w0 / 2)``: exact, and without the cancellation of the polynomials.
    Values have shape (bands, 3): log2 of the frequency, gain in dB, log2 of Q.
    """

    def __init__(self, kinds: Array, frequencies_hz: Array, sample_rate_hz: int) -> None:
        self.kinds = kinds
        self.frequencies_hz = frequencies_hz
        self._rate = sample_rate_hz
        self._tangent = np.tan(np.pi * frequencies_hz / sample_rate_hz)

    def gains_db(self, values: Array) -> Array:
        """Return the gain of each band, shape (bands, frequencies)."""
        centre = np.tan(np.pi * np.exp2(values[:, :1]) / self._rate)
        ratio = (self._tangent / centre) ** 2
        a = 10.0 ** (values[:, 1:2] / 40.0)
        damping = ratio * np.exp2(-2.0 * values[:, 2:])
        bell, shelf = self.kinds == 1, self.kinds != 1
        gains = np.empty(ratio.shape)
        r, b, d = ratio[bell], a[bell], damping[bell]
        gains[bell] = power_to_db(((1 - r) ** 2 + d * b**2) / ((1 - r) ** 2 + d / b**2))
        r, b, d = ratio[shelf], a[shelf], damping[shelf]
        upper, lower = (b - r) ** 2 + b * d, (1 - b * r) ** 2 + b * d
        low = power_to_db(upper / lower)
        is_low = (self.kinds[shelf] == 0)[:, np.newaxis]
        gains[shelf] = values[shelf, 1:2] / 2.0 + np.where(is_low, low, -low)
        return gains

    def slopes(self, values: Array) -> Array:
        """Return the derivatives of the gains, shape (frequencies, bands * 3)."""
        step = 1e-5
        found = np.empty((len(self.frequencies_hz), *values.shape))
        for column in range(3):  # of all bands at once: each moves its own gains only
            up, down = values.copy(), values.copy()
            up[:, column] += step
            down[:, column] -= step
            found[:, :, column] = (self.gains_db(up) - self.gains_db(down)).T / (2 * step)
        return found.reshape(len(found), -1)

    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest values, shape (bands, 3) each."""
        highest_hz = min(_HIGHEST_HZ, _HIGHEST_SHARE * self._rate)
        q = np.log2(np.where((self.kinds == 1)[:, np.newaxis], _BELL_Q, _SHELF_Q))
        low, high = np.empty((len(self.kinds), 3)), np.empty((len(self.kinds), 3))
        low[:, 0], high[:, 0] = np.log2(_LOWEST_HZ), np.log2(highest_hz)
        low[:, 1], high[:, 1] = -_MAX_GAIN_DB, _MAX_GAIN_DB
        low[:, 2], high[:, 2] = q[:, 0], q[:, 1]
        return low, high


def _fitted(frequencies_hz: Array, wanted_db: Array, count: int, rate: int) -> tuple[ParametricBand, ...]:
    top = min(9000.0, JUDGED_HIGH_HZ, 0.25 * rate)
    edge = min(24, len(wanted_db))  # an octave at each end
    values = np.array(
        [
            [np.log2(80.0), np.mean(wanted_db[:edge]), -0.5],
            [np.log2(top), np.mean(wanted_db[-edge:]), -0.5],
        ]
    )
    model = _Model(np.array([0, 2]), frequencies_hz, rate)
    while True:
        values = _refined(model, values, wanted_db, _FINAL_STEPS if len(values) == count else _ROUGH_STEPS)
        if len(values) == count:
            break
        left = wanted_db - model.gains_db(values).sum(axis=0)
        values = np.vstack([values[:1], _next_bell(frequencies_hz, left), values[1:]])
        model = _Model(np.insert(model.kinds, 1, 1), frequencies_hz, rate)
    bands = (
        ParametricBand(
            kind=("low_shelf", "bell", "high_shelf")[kind],
            hz=float(np.exp2(hz)),
            gain_db=float(gain),
            q=float(np.exp2(q)),
        )
        for kind, (hz, gain, q) in zip(model.kinds, values, strict=True)
    )
    order = {"low_shelf": 0, "bell": 1, "high_shelf": 2}
    return tuple(sorted(bands, key=lambda band: (order[band.kind], band.hz)))


def _weights(frequencies_hz: Array) -> Array:
    return np.where(judged(frequencies_hz), 1.0, _UNJUDGED_WEIGHT)


def _next_bell(frequencies_hz: Array, left_db: Array) -> Array:
    """Return the values of a bell where most of the error is left; narrow and wide errors compete."""
    octaves, weighted = np.log2(frequencies_hz), left_db * _weights(frequencies_hz)
    best, found = -1.0, np.zeros(3)
    for width in _BELL_OCTAVES:
        near: Mask = np.abs(octaves[:, np.newaxis] - octaves) < width / 2
        score = np.abs(near @ weighted / near.sum(axis=1)) * np.sqrt(width)
        place = int(np.argmax(score))
        if score[place] > best:
            best = float(score[place])
            found = np.array([octaves[place], left_db[place], np.log2(0.87 / width)])
    return found


def _refined(model: _Model, values: Array, wanted_db: Array, steps: int) -> Array:
    """Return the values of least squares from a start."""
    from scipy.optimize import least_squares  # here: nothing but a fit needs it, and it takes a while

    shape, weights = values.shape, _weights(model.frequencies_hz)
    cost = np.zeros((shape[0], *shape))
    cost[np.arange(shape[0]), np.arange(shape[0]), 1] = _GAIN_COST
    cost = cost.reshape(shape[0], -1)

    def errors(flat: Array) -> Array:
        found = flat.reshape(shape)
        wrong = model.gains_db(found).sum(axis=0) - wanted_db
        return np.concatenate([weights * wrong, _GAIN_COST * found[:, 1]])

    def slopes(flat: Array) -> Array:
        return np.vstack([weights[:, np.newaxis] * model.slopes(flat.reshape(shape)), cost])

    low, high = model.bounds()
    start = np.clip(values, low + 1e-6, high - 1e-6)
    result = least_squares(
        errors,
        start.ravel(),
        jac=slopes,
        bounds=(low.ravel(), high.ravel()),
        x_scale=np.tile([1.0, 3.0, 1.0], shape[0]),
        max_nfev=steps,
    )
    return np.asarray(result.x).reshape(shape)


def _rounded(bands: tuple[ParametricBand, ...]) -> tuple[ParametricBand, ...]:
    return tuple(
        ParametricBand(
            kind=band.kind,
            hz=round(band.hz, _HZ_DIGITS),
            gain_db=round(band.gain_db, _GAIN_DIGITS) + 0.0,
            q=round(band.q, _Q_DIGITS),
        )
        for band in bands
    )
