"""The limiter's ranges and defaults.

Levels are dBTP, times ms. The limiter rounds times to whole control groups of at least 1/6000 s.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from refmaster.settings.model import Model

DEFAULT_CEILING_DBTP = -1.0

CeilingDbtp = Annotated[float, Field(ge=-20.0, le=0.0)]
"""A ceiling to ask for."""

LimiterCeilingDbtp = Annotated[float, Field(ge=-40.0, le=0.0)]
"""A ceiling set on the limiter: below the one asked for where a lossy codec overshoots."""

LookaheadMs = Annotated[float, Field(gt=0.0, le=20.0)]
HoldMs = Annotated[float, Field(ge=0.0, le=200.0)]
SustainMs = Annotated[float, Field(ge=0.0, le=2000.0)]
ReleaseMs = Annotated[float, Field(gt=0.0, le=5000.0)]


class LimiterSettings(Model):
    """Ceiling and times of a limiter.

    Attributes
    ----------
    ceiling_dbtp : float
        Highest true peak of the output, in dBTP.
    lookahead_ms : float
        Half-width of the fast stage's smoothing. Longer is cleaner and less transparent.
    hold_ms : float
        How far on each side of a peak the slow stage holds it. Twice this must span a period of the lowest
        note that shall pass without distortion: 12.5 ms serves 40 Hz.
    sustain_ms : float
        How long a level must last before the slow stage follows it.
    release_ms : float
        Time constant of the fast stage's release.
    """

    ceiling_dbtp: LimiterCeilingDbtp = DEFAULT_CEILING_DBTP
    lookahead_ms: LookaheadMs = 0.5
    hold_ms: HoldMs = 12.5
    sustain_ms: SustainMs = 300.0
    release_ms: ReleaseMs = 4.0
