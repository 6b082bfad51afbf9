"""What a limiter is asked to do: its ranges and defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from refmaster.errors import SettingsError

_RANGES = {
    "ceiling_dbtp": (-24.0, 0.0),
    "lookahead_ms": (0.2, 20.0),
    "hold_ms": (1.0, 100.0),
    "sustain_ms": (5.0, 1000.0),
    "release_ms": (1.0, 2000.0),
}


@dataclass(frozen=True, kw_only=True)
class LimiterSettings:
    """What a limiter is asked to do.

    Attributes
    ----------
    ceiling_dbtp : float
        Highest true peak of the output, in dBTP, -24 to 0.
    lookahead_ms : float
        Half-width of the fast stage's smoothing, in ms, 0.2 to 20. Longer is cleaner and less transparent.
    hold_ms : float
        How far each side of a peak the slow stage holds it, in ms, 1 to 100. Twice this must span a period of
        the lowest note that shall pass without distortion: 12.5 ms serves 40 Hz.
    sustain_ms : float
        How long a level must last before the slow stage follows it, in ms, 5 to 1000.
    release_ms : float
        Time constant of the fast stage's release, in ms, 1 to 2000.

    Raises
    ------
    SettingsError
        If a value is not finite or outside its range.
    """

    ceiling_dbtp: float = -1.0
    lookahead_ms: float = 0.5
    hold_ms: float = 12.5
    sustain_ms: float = 300.0
    release_ms: float = 4.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _RANGES[field.name]
            if not (math.isfinite(value) and low <= value <= high):
                raise SettingsError(f"limiter {field.name} must be from {low:g} to {high:g}, got {value:g}")
