"""Chunks of RIFF, RF64 and AIFF files: list them, read them, append some, without touching the audio."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from refmaster.errors import OutputError

MAX_CHUNK_BYTES = 1 << 26
"""Larger chunks of metadata are not read: no cover is that large, but a broken size field is."""

_MAX_FORM_BYTES = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Where a chunk is.

    Attributes
    ----------
    identifier : bytes
        Its four characters.
    start : int
        Byte at which its content starts.
    size : int
        Bytes of its content, without padding.
    """

    identifier: bytes
    start: int
    size: int


def form_of(path: Path) -> str | None:
    """Return "RIFF", "RF64" or "AIFF" for files made of such chunks, else None."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[8:12] == b"WAVE":
        return {b"RIFF": "RIFF", b"RF64": "RF64", b"BW64": "RF64"}.get(head[:4])
    return "AIFF" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def list_chunks(path: Path) -> list[Chunk]:
    """Return the chunks of a RIFF, RF64 or AIFF file in their order; an incomplete last one is left out."""
    order = ">" if form_of(path) == "AIFF" else "<"
    file_size = path.stat().st_size
    found: list[Chunk] = []
    large_data: int | None = None
    at = 12
    with path.open("rb") as file:
        while at + 8 <= file_size:
            file.seek(at)
            identifier, size = struct.unpack(f"{order}4sI", file.read(8))
            if identifier == b"ds64":
                large_data = int.from_bytes(file.read(16)[8:], "little")
            elif identifier == b"data" and size == 0xFFFFFFFF:
                size = file_size - at - 8 if large_data is None else large_data
            if at + 8 + size > file_size:
                break
            found.append(Chunk(identifier=identifier, start=at + 8, size=size))
            at += 8 + size + size % 2
    return found


def read_chunk(path: Path, chunk: Chunk) -> bytes:
    """Return a chunk's content."""
    with path.open("rb") as file:
        file.seek(chunk.start)
        return file.read(chunk.size)


def append_chunks(path: Path, chunks: Sequence[tuple[bytes, bytes]], *, name: str) -> None:
    """Append chunks, given as (identifier, content), to a RIFF, RF64 or AIFF file and correct its size.

    Raises
    ------
    OutputError
        If the file would grow past what its header can describe.
    OSError
        If it cannot be written.
    """
    form = form_of(path)
    if form is None:
        raise ValueError("only RIFF, RF64 and AIFF files have chunks")
    if not chunks:
        return
    order = ">" if form == "AIFF" else "<"
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        added = b"\0" * (end % 2)
        for identifier, content in chunks:
            padding = b"\0" * (len(content) % 2)
            added += struct.pack(f"{order}4sI", identifier, len(content)) + content + padding
        total = end + len(added) - 8
        if form != "RF64" and total > _MAX_FORM_BYTES:
            raise OutputError(f"{name}: {len(added)} bytes of metadata do not fit into 4 GiB; write .rf64")
        file.write(added)
        _set_size(file, form, total)


def _set_size(file: BinaryIO, form: str, total: int) -> None:
    if form == "RF64":
        file.seek(20)  # the first field of ds64, which comes first
        file.write(struct.pack("<Q", total))
    else:
        file.seek(4)
        file.write(struct.pack(">I" if form == "AIFF" else "<I", total))
