"""Chunks with positions and loudness figures, made true of the master.

The bext chunk is EBU Tech 3285 version 2 (602 bytes and the coding history); cue, adtl and smpl are
Microsoft's RIFF; MARK is Apple's AIFF. Mastering keeps the length, so positions only change with the sample
rate.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from refmaster.errors import OutputError
from refmaster.io import chunks
from refmaster.io.source import AudioFormat
from refmaster.io.suffixes import CONTAINERS

_NOT_SET = 0x7FFF
_DESCRIPTION_BYTES = 256
_TIME_REFERENCE_AT = 338
_VERSION_AT = 346
_LOUDNESS_AT = 412
_FIXED_BYTES = 602


@dataclass(frozen=True, kw_only=True)
class BextLoudness:
    """Loudness in a bext chunk, in its order; None or a value that is not finite is written as "not set"."""

    integrated_lufs: float | None
    loudness_range_lu: float | None
    max_true_peak_dbtp: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None


def require_bext(path: str | Path) -> None:
    """Refuse a bext chunk where the container has none.

    Raises
    ------
    OutputError
        The file is not WAV or RF64.
    """
    if CONTAINERS.get(Path(path).suffix.lower()) not in ("WAV", "RF64"):
        raise OutputError(
            f"{path}: expected a .wav or .rf64 file for a bext chunk, found another kind; leave the chunk out"
        )


def fitted(
    key: bytes, content: bytes, *, rate_ratio: float, written: AudioFormat, loudness: BextLoudness | None
) -> bytes:
    """Return the content of a mix's chunk as it is true of the master.

    Parameters
    ----------
    key, content : bytes
        Identifier and content of the chunk.
    rate_ratio : float
        The master's sample rate divided by the mix's; scales positions.
    written : AudioFormat
        Of the master, for the coding history.
    loudness : BextLoudness or None
        Of the master, for a bext chunk; None leaves its loudness "not set".
    """
    if key == b"bext":
        return _bext(content, rate_ratio, written, loudness)
    if key == b"iXML":
        return re.sub(rb"\s*<LOUDNESS>.*?</LOUDNESS>", b"", content, flags=re.DOTALL)  # the mix's
    if rate_ratio == 1.0:
        return content
    if key == b"cue ":
        return _scaled(content, _in_records(content, 4, (4, 20)), rate_ratio)
    if key == b"smpl" and len(content) >= 36:
        scaled = _scaled(content, [8], 1.0 / rate_ratio)  # the sample period
        return _scaled(scaled, _in_records(content, 36, (8, 12)), rate_ratio)
    if key == b"LIST" and content[:4] == b"adtl":
        inside = [chunk.start for chunk in chunks.walk_list(content) if chunk.identifier == b"ltxt"]
        return _scaled(content, [at + 4 for at in inside if at + 8 <= len(content)], rate_ratio)
    if key == b"MARK":
        return _scaled(content, _marker_positions(content), rate_ratio, ">I")
    return content


def new_bext(written: AudioFormat, loudness: BextLoudness | None) -> bytes:
    """Return the content of a bext chunk for a master whose mix had none.

    The description stays empty (players show it in place of the comment) and so does the date, which would
    make the bytes differ from render to render.
    """
    return _bext(bytes(_DESCRIPTION_BYTES) + b"refmaster", 1.0, written, loudness)


def _bext(content: bytes, rate_ratio: float, written: AudioFormat, loudness: BextLoudness | None) -> bytes:
    chunk = bytearray(content.ljust(_FIXED_BYTES, b"\0"))
    reference, version = struct.unpack_from("<QH", chunk, _TIME_REFERENCE_AT)
    struct.pack_into("<Q", chunk, _TIME_REFERENCE_AT, round(reference * rate_ratio))
    if loudness is not None or version >= 2:
        values = [None] * 5 if loudness is None else astuple(loudness)
        struct.pack_into("<H", chunk, _VERSION_AT, max(version, 2))
        struct.pack_into("<5h", chunk, _LOUDNESS_AT, *map(_loudness_field, values))
    earlier = bytes(chunk[_FIXED_BYTES:]).rstrip(b"\0")
    if earlier and not earlier.endswith(b"\n"):
        earlier += b"\r\n"
    # a line of the coding history (EBU Recommendation R98)
    mode = {1: "mono", 2: "stereo"}.get(written.channels, "multitrack")
    history = f"A=PCM,F={written.sample_rate_hz},W={written.bits or 32},M={mode},T=refmaster\r\n"
    return bytes(chunk[:_FIXED_BYTES]) + earlier + history.encode("ascii")


def _loudness_field(value: float | None) -> int:
    # Tech 3285 allows -99.99 to 99.99; outside of it the field is to be ignored
    unset = value is None or not math.isfinite(value) or abs(value) > 99.99
    return _NOT_SET if value is None or unset else round(100.0 * value)


def _in_records(content: bytes, first: int, fields: tuple[int, ...]) -> list[int]:
    """Return the bytes of fields in records of 24 bytes."""
    return [at + field for at in range(first, len(content) - 23, 24) for field in fields]


def _marker_positions(content: bytes) -> Iterator[int]:
    at = 2
    while at + 7 <= len(content):
        yield at + 2
        name_bytes = 1 + content[at + 6]
        at += 6 + name_bytes + name_bytes % 2


def _scaled(content: bytes, places: Iterable[int], ratio: float, layout: str = "<I") -> bytes:
    chunk = bytearray(content)
    for at in places:
        (value,) = struct.unpack_from(layout, chunk, at)
        struct.pack_into(layout, chunk, at, min(round(value * ratio), 0xFFFFFFFF))
    return bytes(chunk)
