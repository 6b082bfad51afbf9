"""The ranges of sections: kinds of parts with a curve each, and when they play. Times are s."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

MAX_SECTION_KINDS = 8

CrossfadeS = Annotated[float, Field(ge=0.05, le=60.0)]
SpanTimeS = Annotated[float, Field(ge=0.0, le=1e6)]
SectionName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
