"""Stems: the files that sum to a mix, and what a plan does to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from refmaster.errors import SettingsError
from refmaster.settings.curves import Curve
from refmaster.settings.model import Model

MIN_STEMS, MAX_STEMS = 2, 32


class StemStage(Model):
    """One stem of the mix, and its own equalizer."""

    file: str = Field(description="path; relative paths are relative to this plan")
    sha256: str | None = Field(description="render refuses another file; null: any")
    why: str = ""
    mid: Curve = Field(default=(), description="[Hz, dB] of the stem, before it is summed; []: no change")

    def in_words(self) -> str:
        """Return what its equalizer does, without a reason."""
        gains = [gain for _, gain in self.mid]
        return f"{min(gains):+.1f}..{max(gains):+.1f} dB" if any(gains) else "no change"


class Stems:
    """Recordings that sum to a mix, in place of one.

    Parameters
    ----------
    files : sequence of str or Path
        Aligned: of one length and sample rate. A mono stem among stereo ones is in the centre.

    Raises
    ------
    SettingsError
        Fewer than two, more than `MAX_STEMS`, or one twice.
    """

    def __init__(self, files: Sequence[str | Path]) -> None:
        self.files = tuple(Path(file) for file in files)
        if not MIN_STEMS <= len(self.files) <= MAX_STEMS:
            raise SettingsError(
                f"stems: expected from {MIN_STEMS} to {MAX_STEMS} files that sum to the mix, found "
                f"{len(self.files)}"
            )
        twice = sorted({str(file) for file in self.files if self.files.count(file) > 1})
        if twice:
            raise SettingsError(f"stems: expected each file once, found {', '.join(twice)} more than once")
