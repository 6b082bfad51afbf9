"""Whether a file holds all the audio that its header promises, from a few bytes and without decoding.

libsndfile shortens its frame count silently when a file ends before its header says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from refmaster.errors import AudioError
from refmaster.io import chunks

_AUDIO = (b"data", b"SSND", chunks.W64_DATA)
_MAX_OGG_PAGE = 65307
_AU_UNKNOWN_SIZE = 0xFFFFFFFF


def check_complete(path: Path, name: str) -> None:
    """Raise if the header promises more audio than the file has.

    Knows RIFF and RF64 WAVE, Wave64, AIFF and CAF by the size of the chunk of audio, AU by the size in its
    header, and Ogg by the flag on its last page. Says nothing about other formats.

    Raises
    ------
    AudioError
        If the file is shorter than it promises, or larger than its 32-bit header can say.
    """
    audio = next((chunk for chunk in chunks.walk(path) if chunk.identifier in _AUDIO), None)
    held = path.stat().st_size
    if audio is None:
        _check_au(path, name, held)
        _check_ogg(path, name)
    elif audio.size is not None:
        if held > 2**32 + 8 and chunks.form_of(path) == "RIFF":
            raise AudioError(
                f"{name}: the file has {held} bytes, more than a plain WAV's header can describe (4 GiB), "
                f"and it claims {audio.size} bytes of audio; export it again as RF64 or W64"
            )
        _check_end(audio.start + audio.size, held, name)


def _check_end(end: int, held: int, name: str) -> None:
    if end > held:
        raise AudioError(
            f"{name}: truncated: its header promises audio up to byte {end}, but the file ends at byte "
            f"{held}; export or copy the file again"
        )


def _check_au(path: Path, name: str, held: int) -> None:
    with path.open("rb") as file:
        head = file.read(12)
    byte_order: Literal["big", "little"] = "big" if head[:4] == b".snd" else "little"
    if head[:4] in (b".snd", b"dns."):
        start, size = (int.from_bytes(head[at : at + 4], byte_order) for at in (4, 8))
        if size != _AU_UNKNOWN_SIZE:
            _check_end(start + size, held, name)


def _check_ogg(path: Path, name: str) -> None:
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return
        file_size = file.seek(0, 2)
        file.seek(max(0, file_size - _MAX_OGG_PAGE - 4096))  # tags may follow the last page
        tail = file.read()
    page = tail.rfind(b"OggS")
    head = tail[page : page + 27]
    complete = False
    if page >= 0 and len(head) == 27:
        table = tail[page + 27 : page + 27 + head[26]]
        complete = page + 27 + head[26] + sum(table) <= len(tail) and bool(head[5] & 4)
    if not complete:
        raise AudioError(
            f"{name}: truncated: the last page of an Ogg file must carry the end-of-stream flag; this one is "
            "cut or has none; export or copy the file again"
        )
