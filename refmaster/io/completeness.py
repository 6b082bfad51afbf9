"""What the containers say about their own length, read from a few bytes of their headers.

libsndfile shortens its frame count silently when a file ends before its header says; here the header's
promise is compared with the file. Nothing is decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from refmaster.errors import AudioError

_STREAMED_SIZES = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000})
"""Data sizes that programs write to a pipe, where they cannot go back and fill in the real one."""

_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


def check_complete(path: Path, name: str) -> None:
    """Raise if the header promises more data than the file has.

    Knows RIFF/RF64 WAVE, Wave64, AIFF and CAF by the size of the data chunk, and Ogg by the flag on its last
    page. Says nothing about other formats.

    Raises
    ------
    AudioError
        If the file is shorter than it promises, or larger than its 32-bit header can say.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        promised_end: int | None = None
        if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            promised_end = _riff_data_end(path, head, file_size, name)
        elif head[:16] == _W64_RIFF:
            promised_end = _w64_data_end(file, file_size)
        elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            promised_end = _aiff_data_end(file, file_size)
        elif head[:4] == b"caff":
            promised_end = _caf_data_end(file, file_size)
        elif head[:4] == b"OggS":
            _check_ogg_end(file, file_size, name)
    if promised_end is not None and promised_end > file_size:
        raise AudioError(
            f"{name}: truncated: its header promises audio up to byte {promised_end}, but the file ends at "
            f"byte {file_size}; export or copy the file again"
        )


@dataclass(frozen=True, kw_only=True)
class WaveHeader:
    """What the header of a little-endian WAVE file says.

    Attributes
    ----------
    data_start : int
        Byte at which the samples start.
    data_bytes : int or None
        Their size; None where the program that wrote the file could not know it.
    channel_mask : int or None
        Speaker positions, if the header has them.
    """

    data_start: int
    data_bytes: int | None
    channel_mask: int | None


def read_wave_header(path: Path) -> WaveHeader | None:
    """Read the header of a RIFF or RF64 WAVE file; None for other files."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
            return None
        large_size: int | None = None
        mask: int | None = None
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                data_bytes = None if size in _STREAMED_SIZES else size
                if size == 0xFFFFFFFF and large_size is not None:
                    data_bytes = large_size
                return WaveHeader(data_start=file.tell(), data_bytes=data_bytes, channel_mask=mask)
            body = file.read(min(size, 40)) if chunk[:4] in (b"ds64", b"fmt ") else b""
            if chunk[:4] == b"ds64" and len(body) >= 16:
                large_size = int.from_bytes(body[8:16], "little")
            if chunk[:4] == b"fmt " and body[:2] == b"\xfe\xff" and len(body) >= 24:
                mask = int.from_bytes(body[20:24], "little")
            file.seek(size - len(body) + (size & 1), 1)
    return None


def _riff_data_end(path: Path, head: bytes, file_size: int, name: str) -> int | None:
    header = read_wave_header(path)
    if header is None or header.data_bytes is None:
        return None
    if head[:4] == b"RIFF" and file_size > 2**32 + 8:
        raise AudioError(
            f"{name}: the file has {file_size} bytes, more than a plain WAV's header can describe (4 GiB), "
            f"and it claims {header.data_bytes} bytes of audio; export it again as RF64 or W64"
        )
    return header.data_start + header.data_bytes


def _w64_data_end(file: BinaryIO, file_size: int) -> int | None:
    at = 40  # riff GUID, size, wave GUID
    while at < file_size:
        file.seek(at)
        chunk = file.read(24)
        if len(chunk) < 24:
            return None
        size = int.from_bytes(chunk[16:], "little")  # the chunk's own 24 bytes are counted
        if chunk[:16] == _W64_DATA:
            return at + size
        if size < 24:
            return None
        at += (size + 7) & ~7
    return None


def _aiff_data_end(file: BinaryIO, file_size: int) -> int | None:
    at = 12
    while at < file_size:
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:], "big")
        if chunk[:4] == b"SSND":
            return at + 8 + size
        at += 8 + size + (size & 1)
    return None


def _caf_data_end(file: BinaryIO, file_size: int) -> int | None:
    at = 8
    while at < file_size:
        file.seek(at)
        chunk = file.read(12)
        if len(chunk) < 12:
            return None
        (size,) = struct.unpack(">q", chunk[4:])
        if chunk[:4] == b"data":
            return None if size < 0 else at + 12 + int(size)  # -1: until the end of the file
        if size < 0:
            return None
        at += 12 + int(size)
    return None


def _check_ogg_end(file: BinaryIO, file_size: int, name: str) -> None:
    # A page is at most 65307 bytes, so the last one starts within them; tags may follow it.
    window = min(file_size, 65307 + 4096)
    file.seek(file_size - window)
    tail = file.read(window)
    page = tail.rfind(b"OggS")
    complete = False
    if page >= 0 and page + 27 <= len(tail):
        segments = tail[page + 26]
        table = tail[page + 27 : page + 27 + segments]
        complete = page + 27 + segments + sum(table) <= len(tail) and bool(tail[page + 5] & 4)
    if not complete:
        raise AudioError(
            f"{name}: truncated: the last page of an Ogg file must carry the end-of-stream flag; this "
            "one is cut or has none; export or copy the file again"
        )
