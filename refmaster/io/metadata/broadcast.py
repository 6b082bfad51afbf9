"""Chunks with sample positions and loudness figures, brought up to date for the master.

The bext chunk is EBU Tech 3285 version 2 (602 bytes and the coding history); cue, adtl and smpl are
Microsoft's RIFF; MARK is Apple's AIFF. Lengths do not change in mastering, so positions stay valid unless
the sample rate changes; then they are scaled.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

_NOT_SET = 0x7FFF
_VERSION_AT = 346
_LOUDNESS_AT = 412
_FIXED_BYTES = 602


@dataclass(frozen=True, kw_only=True)
class BextLoudness:
    """What a bext chunk of version 2 says about loudness; None or a value that is not finite is "not set"."""

    integrated_lufs: float | None
    loudness_range_lu: float | None
    max_true_peak_dbtp: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None


def updated_bext(content: bytes, loudness: BextLoudness | None, *, rate_ratio: float, history: str) -> bytes:
    """Return a bext chunk that is true of the master.

    Parameters
    ----------
    content : bytes
        The mix's bext chunk.
    loudness : BextLoudness or None
        Of the master. Without it the loudness fields are set to "not set".
    rate_ratio : float
        The master's sample rate divided by the mix's; scales the time reference.
    history : str
        A line for the coding history.
    """
    chunk = bytearray(content.ljust(_FIXED_BYTES, b"\0"))
    reference = int.from_bytes(chunk[338:346], "little")
    chunk[338:346] = round(reference * rate_ratio).to_bytes(8, "little")
    (version,) = struct.unpack_from("<H", chunk, _VERSION_AT)
    if loudness is not None or version >= 2:
        struct.pack_into("<H", chunk, _VERSION_AT, max(version, 2))
        struct.pack_into("<5h", chunk, _LOUDNESS_AT, *_loudness_fields(loudness))
    earlier = bytes(chunk[_FIXED_BYTES:]).rstrip(b"\0")
    if earlier and not earlier.endswith(b"\n"):
        earlier += b"\r\n"
    return bytes(chunk[:_FIXED_BYTES]) + earlier + history.encode("ascii") + b"\r\n"


def _loudness_fields(loudness: BextLoudness | None) -> list[int]:
    if loudness is None:
        return [_NOT_SET] * 5
    values = (
        loudness.integrated_lufs,
        loudness.loudness_range_lu,
        loudness.max_true_peak_dbtp,
        loudness.max_momentary_lufs,
        loudness.max_short_term_lufs,
    )
    # Tech 3285 allows -99.99 to 99.99; outside of it the field is to be ignored
    return [
        _NOT_SET if value is None or not math.isfinite(value) or abs(value) > 99.99 else round(100.0 * value)
        for value in values
    ]


def coding_history(sample_rate_hz: int, bits: int, channels: int) -> str:
    """Return the coding history's line for the master (EBU Recommendation R98)."""
    mode = {1: "mono", 2: "stereo"}.get(channels, "multitrack")
    return f"A=PCM,F={sample_rate_hz},W={bits},M={mode},T=refmaster"


def without_ixml_loudness(content: bytes) -> bytes:
    """Return an iXML chunk without its LOUDNESS element, which describes the mix."""
    return re.sub(rb"\s*<LOUDNESS>.*?</LOUDNESS>", b"", content, flags=re.DOTALL)


def scaled_cue(content: bytes, rate_ratio: float) -> bytes:
    """Return a cue chunk with its positions scaled."""
    chunk = bytearray(content)
    for at in range(4, len(chunk) - 23, 24):
        _scale(chunk, at + 4, rate_ratio, "<I")
        _scale(chunk, at + 20, rate_ratio, "<I")
    return bytes(chunk)


def scaled_adtl(content: bytes, rate_ratio: float) -> bytes:
    """Return a LIST chunk of type adtl with the lengths of its labelled regions scaled."""
    chunk = bytearray(content)
    at = 4
    while at + 8 <= len(chunk):
        (size,) = struct.unpack_from("<I", chunk, at + 4)
        if chunk[at : at + 4] == b"ltxt" and at + 16 <= len(chunk):
            _scale(chunk, at + 12, rate_ratio, "<I")
        at += 8 + size + size % 2
    return bytes(chunk)


def scaled_smpl(content: bytes, rate_ratio: float) -> bytes:
    """Return a smpl chunk with its sample period and loop points scaled."""
    chunk = bytearray(content)
    if len(chunk) < 36:
        return content
    _scale(chunk, 8, 1.0 / rate_ratio, "<I")
    for at in range(36, len(chunk) - 23, 24):
        _scale(chunk, at + 8, rate_ratio, "<I")
        _scale(chunk, at + 12, rate_ratio, "<I")
    return bytes(chunk)


def scaled_mark(content: bytes, rate_ratio: float) -> bytes:
    """Return an AIFF MARK chunk with its positions scaled."""
    chunk = bytearray(content)
    at = 2
    while at + 7 <= len(chunk):
        _scale(chunk, at + 2, rate_ratio, ">I")
        name_bytes = 1 + chunk[at + 6]
        at += 6 + name_bytes + name_bytes % 2
    return bytes(chunk)


def _scale(chunk: bytearray, at: int, ratio: float, layout: str) -> None:
    (value,) = struct.unpack_from(layout, chunk, at)
    struct.pack_into(layout, chunk, at, min(round(value * ratio), 0xFFFFFFFF))
