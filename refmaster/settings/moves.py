"""A simple move of the equalizer: a bell or a shelf, as an engineer writes it.

Gains are dB, frequencies Hz. Widths are the Q of R. Bristow-Johnson's "Cookbook formulae for audio EQ biquad
filter coefficients".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refmaster.settings.model import Model

MAX_MOVES = 32
# All moves of one plan together, so that no sum of them passes what a curve may hold.
MAX_MOVES_DB = 60.0

MoveHz = Annotated[float, Field(ge=10.0, le=96000.0)]
MoveDb = Annotated[float, Field(ge=-24.0, le=24.0)]
MoveQ = Annotated[float, Field(ge=0.1, le=5.0)]
"""The equalizer's filter follows no narrower move in the bass: 6 dB at 5 are up
to 0.4 dB off at 30 Hz, 0.05 dB at 60 Hz; at 3 0.08 and 0.005 dB."""


class ToneMove(Model):
    """A bell or a shelf."""

    hz: MoveHz = Field(description="Hz, centre of a bell, middle of a shelf's slope")
    db: MoveDb = Field(description="dB")
    q: MoveQ = Field(default=0.707, description="as in the RBJ cookbook; a shelf above 0.707 overshoots")
    kind: Literal["bell", "low_shelf", "high_shelf"] = "bell"
    on: Literal["both", "mid", "side"] = Field(default="both", description="both, mid alone or side alone")

    def acts_on(self, part: Literal["mid", "side"]) -> bool:
        """Return whether it is part of the equalizer of the mid, or of the side."""
        return self.on in ("both", part)

    def __str__(self) -> str:
        where = "" if self.on == "both" else f" of the {self.on}"
        return f"{self.db:+g} dB at {self.hz:g} Hz{where} ({self.kind.replace('_', ' ')}, Q {self.q:g})"
