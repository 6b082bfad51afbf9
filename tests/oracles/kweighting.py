"""The K-weighting of BS.1770, equation by equation, in float64.

B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES convention e-Brief, 2018,
gives the analogue filters behind the standard's tables for 48 kHz. The second stage is scaled to the passband
gain that its table has at 48 kHz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

# frequency in Hz and quality of the shelf and of the high-pass; the shelf's gain in dB
SHELF_HZ, SHELF_Q, SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
PASS_HZ, PASS_Q = 38.13547087602444, 0.5003270373238773


def denominator(frequency_hz: float, quality: float, rate_hz: float) -> tuple[float, Array]:
    """Return k = tan(pi f / fs), and 1 + k / Q + k^2, 2 (k^2 - 1), 1 - k / Q + k^2."""
    k = np.tan(np.pi * frequency_hz / rate_hz)
    return k, np.array([1 + k / quality + k**2, 2 * (k**2 - 1), 1 - k / quality + k**2])


def k_weighted(samples: Array, rate_hz: float) -> Array:
    """Return samples, shape (frames, channels), through both filters."""
    k, a = denominator(SHELF_HZ, SHELF_Q, rate_hz)
    high = 10 ** (SHELF_DB / 20)
    band = high**0.4996667741545416
    shelf = np.array([high + band * k / SHELF_Q + k**2, 2 * (k**2 - high), high - band * k / SHELF_Q + k**2])
    shelved = lfilter(shelf / a[0], a / a[0], samples, axis=0)
    _, a = denominator(PASS_HZ, PASS_Q, rate_hz)
    _, at_48k = denominator(PASS_HZ, PASS_Q, 48000)
    # b = 1, -2, 1 has the gain 4 / (1 - a1 + a2) at half the sample rate, its passband
    gain = (at_48k[0] / (at_48k @ [1, -1, 1])) / (a[0] / (a @ [1, -1, 1]))
    return lfilter(gain * np.array([1.0, -2.0, 1.0]), a / a[0], shelved, axis=0)
