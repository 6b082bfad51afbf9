"""Loudness tags for players: ReplayGain 2.0, and the R128 tags of Opus.

ReplayGain 2.0 states the gain to -18 LUFS as text in dB, and the sample peak with full scale 1. R128 tags
(RFC 7845, section 5.2.1) state the gain to -23 LUFS as a whole number of 1/256 dB, and no peak. Album values
are those of all tracks as one recording.
"""

from __future__ import annotations

from pathlib import Path

from refmaster.errors import OutputError
from refmaster.io.suffixes import CONTAINERS
from refmaster.settings.output import LoudnessTags
from refmaster.units import db_to_amplitude

REPLAYGAIN_LUFS = -18.0
R128_LUFS = -23.0
_Q7_8 = 256


def require_loudness_tags(path: str | Path, kind: LoudnessTags) -> None:
    """Refuse a kind of loudness tags that a file cannot hold, or should not.

    Raises
    ------
    OutputError
        The container holds no tags; or it is Opus, in which ReplayGain would be taken for its own R128 tags.
    """
    suffix = Path(path).suffix.lower()
    if CONTAINERS.get(suffix) in ("CAF", "W64"):
        raise OutputError(f"{path}: {suffix[1:]} files hold no tags; leave the loudness tags out")
    if CONTAINERS.get(suffix) == "OPUS" and kind != "r128":
        raise OutputError(f"{path}: Opus files have r128 loudness tags; ask for these")


def loudness_fields(
    kind: LoudnessTags, integrated_lufs: float | None, sample_peak_dbfs: float | None, *, album: bool = False
) -> dict[str, str]:
    """Return the tags of one track, or of an album, under their neutral names; none for silence."""
    if integrated_lufs is None or sample_peak_dbfs is None:
        return {}
    of = "album" if album else "track"
    if kind == "r128":
        steps = round(_Q7_8 * (R128_LUFS - integrated_lufs))
        return {f"r128_{of}_gain": str(max(-0x8000, min(0x7FFF, steps)))}
    return {
        f"replaygain_{of}_gain": f"{REPLAYGAIN_LUFS - integrated_lufs + 0.0:.2f} dB",
        f"replaygain_{of}_peak": f"{db_to_amplitude(sample_peak_dbfs):.6f}",
    }
