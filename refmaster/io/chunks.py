"""Chunks of RIFF, RF64, AIFF, Wave64 and CAF files: walk over them, read them, append some.

A chunk is an identifier, the size of its content, and the content. Sizes are not trusted: one may promise
more than the file holds, or be the mark of a program that wrote to a pipe and could not know it. Audio is
neither read nor moved.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from refmaster.errors import OutputError

W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
"""Identifier of the audio in a Wave64 file, whose identifiers have 16 bytes."""

MAX_CHUNK_BYTES = 1 << 26
"""Larger chunks of metadata are not read: no cover is that large, but a broken size field is."""

_MAX_FORM_BYTES = 0xFFFFFFFF
_STREAMED_SIZES = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000})
"""Sizes of audio that programs write to a pipe, where they cannot go back and fill in the real one."""
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk's place in its file.

    Attributes
    ----------
    identifier : bytes
        Its four characters (16 bytes in Wave64).
    start : int
        Byte at which its content starts.
    size : int or None
        Bytes of its content as its header says, without padding; None if the header leaves it open.
    """

    identifier: bytes
    start: int
    size: int | None


@dataclass(frozen=True)
class _Layout:
    first: int
    """Byte of the first chunk."""
    head: struct.Struct
    """Identifier and size."""
    counted: int = 0
    """Bytes of the chunk's own head that its size counts."""
    alignment: int = 2


_RIFF = _Layout(12, struct.Struct("<4sI"))
_LAYOUTS = {
    "RIFF": _RIFF,
    "RF64": _RIFF,
    "AIFF": _Layout(12, struct.Struct(">4sI")),
    "W64": _Layout(40, struct.Struct("<16sQ"), counted=24, alignment=8),
    "CAF": _Layout(8, struct.Struct(">4sq"), alignment=1),
}


def form_of(path: Path) -> str | None:
    """Return "RIFF", "RF64", "AIFF", "W64" or "CAF" for audio files made of chunks, else None."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[8:12] == b"WAVE":
        return {b"RIFF": "RIFF", b"RF64": "RF64", b"BW64": "RF64"}.get(head[:4])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    return "W64" if head == _W64_RIFF else "CAF" if head[:4] == b"caff" else None


def walk(path: Path) -> Iterator[Chunk]:
    """Yield the chunks of a file in their order, the last perhaps incomplete; none for other files."""
    form = form_of(path)
    if form is not None:
        with path.open("rb") as file:
            yield from _walk(file, _LAYOUTS[form], path.stat().st_size)


def walk_list(content: bytes) -> Iterator[Chunk]:
    """Yield the chunks inside the content of a RIFF LIST chunk, behind its four-letter type."""
    return _walk(io.BytesIO(content), _Layout(4, _RIFF.head), len(content))


def _walk(file: BinaryIO, layout: _Layout, file_size: int) -> Iterator[Chunk]:
    large_size: int | None = None  # of the audio, from a ds64 chunk
    at = layout.first
    while at < file_size:
        file.seek(at)
        head = file.read(layout.head.size)
        if len(head) < layout.head.size:
            return
        identifier, stated = layout.head.unpack(head)
        start, size = at + len(head), stated - layout.counted
        if layout is _RIFF and identifier == b"ds64" and size >= 16:
            large_size = int.from_bytes(file.read(16)[8:], "little")
        if layout is _RIFF and identifier == b"data":
            if size == 0xFFFFFFFF and large_size is not None:
                size = large_size
            elif size in _STREAMED_SIZES and start + size > file_size:
                size = -1
        yield Chunk(identifier=identifier, start=start, size=size if size >= 0 else None)
        if size < 0:  # open (CAF has -1 for that), or broken: what follows cannot be found
            return
        at = start + size + -(len(head) + size) % layout.alignment


def list_chunks(path: Path) -> list[Chunk]:
    """Return the chunks that a file holds completely."""
    end = path.stat().st_size
    return [chunk for chunk in walk(path) if chunk.size is not None and chunk.start + chunk.size <= end]


def read_chunk(path: Path, chunk: Chunk, most: int = MAX_CHUNK_BYTES) -> bytes:
    """Return a chunk's content, or its first `most` bytes."""
    with path.open("rb") as file:
        file.seek(chunk.start)
        return file.read(most if chunk.size is None else min(chunk.size, most))


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
    if form not in ("RIFF", "RF64", "AIFF"):
        raise ValueError("chunks can be appended to RIFF, RF64 and AIFF files only")
    if not chunks:
        return
    head = _LAYOUTS[form].head
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        added = b"\0" * (end % 2)
        for identifier, content in chunks:
            added += head.pack(identifier, len(content)) + content + b"\0" * (len(content) % 2)
        total = end + len(added) - 8
        if form != "RF64" and total > _MAX_FORM_BYTES:
            raise OutputError(f"{name}: {len(added)} bytes of metadata do not fit into 4 GiB; write .rf64")
        file.write(added)
        if form == "RF64":
            file.seek(20)  # the first field of ds64, which comes first
            file.write(struct.pack("<Q", total))
        else:
            file.seek(4)
            file.write(struct.pack(">I" if form == "AIFF" else "<I", total))
