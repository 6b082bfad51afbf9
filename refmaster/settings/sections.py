"""Sections: kinds of parts, what the equalizer adds while they play, and when that is. Times are s."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from refmaster.settings.curves import Curve, WidthCurve
from refmaster.settings.model import Model
from refmaster.settings.moves import MAX_MOVES, ToneMove

MAX_SECTION_KINDS = 8

SectionName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
SpanTimeS = Annotated[float, Field(ge=0.0, le=1e6)]
SectionSpan = tuple[SpanTimeS, SpanTimeS, SectionName]
"""Start in s, end in s, and the name of the kind of part."""


class SectionKind(Model):
    """A kind of part, and what the equalizer adds to the tone while it plays."""

    name: SectionName
    mid: Curve = Field(default=(), description="[Hz, dB] on top of the tone's, of mid and side alike")
    width: WidthCurve = Field(default=(), description="[Hz, dB] on top, of the side against the mid")
    moves: tuple[ToneMove, ...] = Field(
        default=(), max_length=MAX_MOVES, description="bells and shelves on top: hz, db, q, kind, on"
    )

    @property
    def is_flat(self) -> bool:
        """Whether it adds nothing."""
        gains = [gain for _, gain in (*self.mid, *self.width)]
        return not any(gains) and not any(move.db for move in self.moves)


class Sections(Model):
    """Parts of the song that get something else than the tone alone."""

    why: str = ""
    crossfade_s: float = Field(
        default=2.0, ge=0.05, le=60.0, description="s, of a move; half on each side of a boundary"
    )
    kinds: tuple[SectionKind, ...] = Field(
        default=(), max_length=MAX_SECTION_KINDS, description="kinds of parts; []: the tone alone"
    )
    spans: tuple[SectionSpan, ...] = Field(
        default=(), description="[start s, end s, name of the kind]; the tone alone outside of them"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Sections:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) != len(names):
            raise ValueError(f"kinds: expected a name of its own for each, found {', '.join(names)}")
        last = 0.0
        for start, end, name in self.spans:
            if not last <= start < end:
                raise ValueError(
                    f"spans: expected each to end after it starts and to start where the one before it ends "
                    f"or later, found {start:g} to {end:g} s after {last:g} s"
                )
            if name not in names:
                raise ValueError(
                    f"spans: expected one of the kinds ({', '.join(names) or 'there are none'}), found {name}"
                )
            last = end
        return self

    @property
    def is_at_rest(self) -> bool:
        """Whether the tone alone serves all of the song."""
        playing = {name for _, _, name in self.spans}
        return all(kind.is_flat for kind in self.kinds if kind.name in playing)
