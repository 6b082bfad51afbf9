"""K-weighting (ITU-R BS.1770-4, Annex 1) at any sample rate, and the power behind it in 10 ms steps.

At 48 kHz the coefficients are those of the standard. At other rates they are the bilinear designs of the
same analogue filters; the numerator of the second stage (the revised low-frequency B curve) is scaled so
that its passband gain is the one it has at 48 kHz, where the standard's unscaled numerator gives it
0.04 dB. The error to the 48 kHz response then stays below 0.008 dB up to 192 kHz.

The recursion runs as matrix products. A row of ``n`` samples is filtered by the Toeplitz matrix of the
impulse response plus what four state variables before the row ring on with; the states of all rows follow
from one another by two smaller recursions of the same form. States are float64: in float32 the recursion
would be up to 0.009 dB off where there is rumble. The products within a row do not feed back and are
float32, for half the time: noise 60 dB below a full-scale rumble then reads 0.00003 dB wrong over 4 s.

Conventions: blocks are ``(frames, channels)``; powers are sums or means of squares, 1.0 is full scale.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from refmaster._types import Array, Block
from refmaster.dsp.hops import step_ends, sums_of_squares
from refmaster.units import db_to_amplitude

STEPS_PER_SECOND = 100
"""Powers come in steps of 10 ms: maximum momentary loudness needs hops no longer (Tech 3341, case 13)."""

_ROW_FRAMES = 48
_SUPER_ROWS = 32
_SILENT = 1e-30  # states below this are dropped: denormal numbers are slow and mean nothing


class _Biquad(NamedTuple):
    """A second-order section with ``a0 = 1``."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


# ITU-R BS.1770-4, Annex 1, tables 1 and 2.
_SHELF_48K = _Biquad(
    1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585
)
_RLB_48K = _Biquad(1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621)

# The analogue filters behind those tables, as found by B. De Man, "Evaluation of implementations of the
# EBU R128 loudness measurement", AES convention e-Brief, 2018: frequency, quality, and the shelf's gain.
_SHELF_HZ, _SHELF_Q, _SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_EXPONENT = 0.4996667741545416
_RLB_HZ, _RLB_Q = 38.13547087602444, 0.5003270373238773


def _sections(sample_rate_hz: int) -> tuple[_Biquad, _Biquad]:
    """Return the shelf and the high-pass of the K-weighting at a sample rate."""
    if sample_rate_hz == 48000:
        return _SHELF_48K, _RLB_48K
    k = math.tan(math.pi * _SHELF_HZ / sample_rate_hz)
    high = db_to_amplitude(_SHELF_DB)
    band = high**_SHELF_EXPONENT
    a0 = 1.0 + k / _SHELF_Q + k * k
    shelf = _Biquad(
        b0=(high + band * k / _SHELF_Q + k * k) / a0,
        b1=2.0 * (k * k - high) / a0,
        b2=(high - band * k / _SHELF_Q + k * k) / a0,
        a1=2.0 * (k * k - 1.0) / a0,
        a2=(1.0 - k / _SHELF_Q + k * k) / a0,
    )
    k = math.tan(math.pi * _RLB_HZ / sample_rate_hz)
    a0 = 1.0 + k / _RLB_Q + k * k
    # The passband gain of b = 1, -2, 1 is that at half the sample rate: 4 / (1 - a1 + a2).
    gain_48k = 4.0 / (1.0 - _RLB_48K.a1 + _RLB_48K.a2)
    a1, a2 = 2.0 * (k * k - 1.0) / a0, (1.0 - k / _RLB_Q + k * k) / a0
    scale = gain_48k * (1.0 - a1 + a2) / 4.0
    return shelf, _Biquad(scale, -2.0 * scale, scale, a1, a2)


def k_weighting_power_gain(frequencies_hz: ArrayLike, sample_rate_hz: int) -> Array:
    """Return ``|H(f)|^2`` of the K-weighting, as it acts at ``sample_rate_hz``."""
    z = np.exp(-2j * np.pi * np.asarray(frequencies_hz, dtype=np.float64) / sample_rate_hz)
    response = np.ones_like(z)
    for s in _sections(sample_rate_hz):
        response *= (s.b0 + s.b1 * z + s.b2 * z * z) / (1.0 + s.a1 * z + s.a2 * z * z)
    return np.asarray(np.abs(response) ** 2, dtype=np.float64)


def _state_space(sections: tuple[_Biquad, _Biquad]) -> tuple[Array, Array, Array, float]:
    """Return A (4, 4), B (4,), C (4,) and D of the cascade: s' = A s + B x, y = C s + D x."""
    blocks = []
    for s in sections:
        a = np.array([[-s.a1, 1.0], [-s.a2, 0.0]])
        b = np.array([s.b1 - s.a1 * s.b0, s.b2 - s.a2 * s.b0])
        blocks.append((a, b, s.b0))
    (a1, b1, d1), (a2, b2, d2) = blocks
    c1 = np.array([1.0, 0.0])
    a = np.block([[a1, np.zeros((2, 2))], [np.outer(b2, c1), a2]])
    return a, np.concatenate([b1, b2 * d1]), np.concatenate([d2 * c1, c1]), d1 * d2


class _RowFilter:
    """Matrices that turn rows of ``frames`` samples into filtered rows and into states."""

    def __init__(self, sections: tuple[_Biquad, _Biquad], frames: int) -> None:
        a, b, c, d = _state_space(sections)
        observe = np.empty((frames, 4))
        control = np.empty((frames, 4))
        power = np.eye(4)
        impulse = np.empty(frames)
        for n in range(frames):
            observe[n] = c @ power
            impulse[n] = d if n == 0 else observe[n - 1] @ b
            control[frames - 1 - n] = power @ b
            power = a @ power
        delay = np.arange(frames)[np.newaxis, :] - np.arange(frames)[:, np.newaxis]
        toeplitz = np.where(delay >= 0, impulse[np.abs(delay)], 0.0)
        self.output = np.vstack([toeplitz, observe.T])  # (frames + 4, frames): [samples, state] -> output
        self.control = control  # (frames, 4): samples -> what they add to the state after the row
        self.advance = power.T.copy()  # (4, 4): state -> state after the row, both as rows


class KWeightedPower:
    """Sums of squares of the K-weighted channels over each 10 ms of a stream.

    Step ``i`` of a second ends at frame ``round(i * sample_rate_hz / 100)`` of that second, so that steps
    do not drift at rates that are no multiple of 100 Hz.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz, at least 100.
    channels : int
        Number of channels.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.step_ends = step_ends(sample_rate_hz, STEPS_PER_SECOND)
        self.step_frames = np.diff(self.step_ends, prepend=0)
        self._row_frames = _row_frames(sample_rate_hz)
        self._rows, self._tail_frames = divmod(sample_rate_hz, self._row_frames)
        sections = _sections(sample_rate_hz)
        self._row = _RowFilter(sections, self._row_frames)
        self._tail = _RowFilter(sections, self._tail_frames)
        self._state = np.zeros((channels, 4))
        self._row_output = self._row.output.astype(np.float32)
        self._row_control = self._row.control.astype(np.float32)
        self._supers = -(-self._rows // _SUPER_ROWS)
        self._scan, self._carry = _scan_matrices(self._row.advance, _SUPER_ROWS)
        super_advance = np.linalg.matrix_power(self._row.advance, _SUPER_ROWS)
        self._super_scan, self._super_carry = _scan_matrices(super_advance, self._supers)
        self._buffer = np.zeros((channels, self._rows, self._row_frames + 4), np.float32)
        self._pushes = np.zeros((channels, self._supers * _SUPER_ROWS, 4))
        self._filtered = np.empty((channels, sample_rate_hz), np.float32)

    def second(self, block: Block) -> Array:
        """Filter exactly one second and return its sums of squares, shape ``(100, channels)``."""
        frames = self._rows * self._row_frames
        rows = (self.channels, self._rows, self._row_frames)
        samples = self._buffer[:, :, : self._row_frames]
        samples[:] = block[:frames].T.reshape(rows)
        for channel in range(self.channels):
            self._pushes[channel, : self._rows] = samples[channel] @ self._row_control
        self._scan_states()
        for channel in range(self.channels):
            filtered = self._filtered[channel, :frames].reshape(rows[1:])
            np.matmul(self._buffer[channel], self._row_output, out=filtered)
        if self._tail_frames:
            tail = block[frames:].T.astype(np.float64)
            self._filtered[:, frames:] = np.hstack([tail, self._state]) @ self._tail.output
            self._state = self._state @ self._tail.advance + tail @ self._tail.control
        self._state[np.abs(self._state) < _SILENT] = 0.0
        return sums_of_squares(self._filtered, self.step_ends).T.astype(np.float64)

    def last(self, block: Block) -> Array:
        """Return the sums of squares of the whole steps in less than a second, and leave the state alone."""
        state = self._state.copy()
        padded = np.zeros((self.sample_rate_hz, self.channels), block.dtype)
        padded[: len(block)] = block
        sums = self.second(padded)
        self._state = state
        return sums[: int(np.searchsorted(self.step_ends, len(block), side="right"))]

    def _scan_states(self) -> None:
        """Write the state before each row into the buffer and carry the state past the last row."""
        rest = self._rows - (self._supers - 1) * _SUPER_ROWS
        pushes = self._pushes.reshape(self.channels * self._supers, _SUPER_ROWS * 4)
        rung = (pushes @ self._scan).reshape(self.channels, self._supers, _SUPER_ROWS + 1, 4)
        # The same once more: what the blocks of rows push gives the state before each of them.
        pushed = rung[:, :, _SUPER_ROWS].reshape(self.channels, -1)
        states = pushed @ self._super_scan + self._state @ self._super_carry
        states = states.reshape(self.channels, -1, 4)[:, : self._supers]
        rung += (states.reshape(-1, 4) @ self._carry).reshape(rung.shape)
        before = rung[:, :, :_SUPER_ROWS].reshape(self.channels, -1, 4)
        self._buffer[:, :, self._row_frames :] = before[:, : self._rows]
        self._state = rung[:, -1, rest].copy()


def _row_frames(sample_rate_hz: int) -> int:
    """Return a row length near 48 that divides a second if one does."""
    fitting = [n for n in range(24, 97) if sample_rate_hz % n == 0]
    return min(fitting, key=lambda n: abs(n - _ROW_FRAMES), default=min(_ROW_FRAMES, sample_rate_hz))


def _scan_matrices(advance: Array, rows: int) -> tuple[Array, Array]:
    """Return what rows push and what a first state leaves before each of ``rows + 1`` rows."""
    powers = [np.eye(4)]
    for _ in range(rows):
        powers.append(powers[-1] @ advance)
    scan = np.zeros((rows, 4, rows + 1, 4))
    for pushed in range(rows):
        for row in range(pushed + 1, rows + 1):
            scan[pushed, :, row] = powers[row - 1 - pushed]
    carry = np.stack(powers, axis=1)
    return scan.reshape(rows * 4, -1), carry.reshape(4, -1)
