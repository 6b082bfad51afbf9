"""The length of MP3 files, from their frame headers (ISO/IEC 11172-3, 2.4.1.3; 13818-3).

libsndfile estimates the length of an MP3 without a Xing or Info header from its first frame, and reads no
further than that. `refmaster.io.open` gives it such files as a pipe, cut to the whole frames found here.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile as sf

from refmaster.errors import AudioError

_KBPS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_LAYER_III = 1


def frames_if_length_unstated(path: Path, name: str) -> range | None:
    """Return the bytes of an MP3 that are frames if no Xing or Info header states its length, else None.

    Raises
    ------
    AudioError
        If the last frame is cut.
    """
    if path.stat().st_size == 0:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _first_frame(data)
        if start is None or _states_length(data, start):
            return None
        end = at = start
        kind = _kind(data, start)
        while (length := _frame_bytes(data, at)) and _kind(data, at) == kind:
            if at + length > len(data):
                raise AudioError(
                    f"{name}: truncated: the last MP3 frame needs {length} bytes, {len(data) - at} are left; "
                    "export or copy the file again"
                )
            end = at + length
            at = _after_id3(data, end)  # files that were joined have tags in between
        return range(start, end)  # a tag or padding may follow


@contextlib.contextmanager
def opened_as_pipe(path: Path, extent: range) -> Iterator[Any]:
    """Open those bytes of an MP3 as a `soundfile.SoundFile` that reads them to the end."""
    reading, writing = os.pipe()

    def feed() -> None:
        quiet = contextlib.suppress(BrokenPipeError)
        with quiet, path.open("rb") as source, os.fdopen(writing, "wb") as sink:
            source.seek(extent.start)
            left = len(extent)
            while left > 0 and (piece := source.read(min(left, 1 << 16))):
                sink.write(piece)
                left -= len(piece)

    feeder = threading.Thread(target=feed, name="refmaster-mp3", daemon=True)
    feeder.start()
    try:
        with sf.SoundFile(reading, closefd=False) as file:
            yield file
    finally:
        os.close(reading)  # before the join: a feeder that is still writing then sees a broken pipe
        feeder.join()


def _first_frame(data: mmap.mmap) -> int | None:
    at = _after_id3(data, 0)
    for offset in range(at, min(at + 8192, len(data) - 4)):
        length = _frame_bytes(data, offset)
        if length and (offset + length >= len(data) or _frame_bytes(data, offset + length)):
            return offset
    return None


def _after_id3(data: mmap.mmap, at: int) -> int:
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = data[at + 6] << 21 | data[at + 7] << 14 | data[at + 8] << 7 | data[at + 9]  # 7 bits a byte
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def _states_length(data: mmap.mmap, start: int) -> bool:
    mpeg1, mono = data[start + 1] & 0x18 == 0x18, data[start + 3] & 0xC0 == 0xC0
    side_info = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    tag = start + 4 + side_info
    return data[tag : tag + 4] in (b"Xing", b"Info") and bool(data[tag + 7] & 1)


def _kind(data: mmap.mmap, at: int) -> tuple[int, int]:
    """Return the parts of a frame's header that stay the same: version with layer, and sample rate."""
    return data[at + 1] & 0xFE, data[at + 2] & 0x0C


def _frame_bytes(data: mmap.mmap, at: int) -> int:
    """Return the length of the Layer III frame whose header is at a byte, 0 if there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    kbps_index, rate_index, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if layer != _LAYER_III or version == 1 or rate_index == 3 or kbps_index in (0, 15):
        return 0
    rate = _RATES_HZ[version][rate_index]
    if version == 3:
        return 144000 * _KBPS_MPEG1[kbps_index] // rate + padding
    return 72000 * _KBPS_MPEG2[kbps_index] // rate + padding
