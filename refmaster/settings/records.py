"""The files that a plan names: its mix, its references, its cover art."""

from __future__ import annotations

from pydantic import Field

from refmaster.settings.aspects import ServedAspects
from refmaster.settings.match import Weight
from refmaster.settings.model import Model


class MixRecord(Model):
    """The mix that the plan was made for."""

    file: str = Field(description="path; relative paths are relative to this plan")
    sha256: str | None = Field(description="render refuses another file; null: any")
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(ge=1, le=2)
    frames: int = Field(ge=1)


class ReferenceRecord(Model):
    """A reference that the plan was derived from; rendering does not need it."""

    file: str
    sha256: str | None
    weight: Weight = Field(description="relative")
    aspects: ServedAspects = Field(default=(), description="what it serves; []: all")
    fit: float | None = Field(
        default=None, description="log likelihood that the mix is like it, under the best; null: the only one"
    )
    oddness: float | None = Field(
        default=None, description="distance to the others; 1: as songs differ, above 2: the odd one out"
    )

    def in_words(self) -> str:
        """Return the file, its weight, and what it serves where that is not all."""
        served = f", for {', '.join(self.aspects)}" if self.aspects else ""
        return f"{self.file} (weight {self.weight:g}{served})"


class ArtRecord(Model):
    """The cover picture that stands for the mix's own."""

    file: str = Field(description="JPEG or PNG; relative paths are relative to this plan")
    sha256: str | None = Field(description="render refuses another file; null: any")
