"""Words of the release sheet: lengths, levels and names, in text and page alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def duration_text(seconds: float) -> str:
    """Return a duration as minutes and whole seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def length_text(seconds: float) -> str:
    """Return the length of a track as minutes, seconds and tenths."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}:{rest:04.1f}"


def number_text(value: float | None, decimals: int) -> str:
    """Return a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{decimals}f}"


def by_and_title(named: Mapping[str, Any]) -> str:
    """Return artist and title of a track or of the release, as far as they are known."""
    return " - ".join(part for part in (named["artist"], named["title"]) if part)


def form_text(each: Mapping[str, Any]) -> str:
    """Return the sample rate of a set of files, and how far it was limited where that can be told."""
    limited = f", limited by {each['max_reduction_db']:.1f} dB" if each["max_reduction_db"] >= 0.1 else ""
    return f"{each['sample_rate_hz']} Hz{limited}"
