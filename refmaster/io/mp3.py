"""Whether an MP3 is one whole recording, from its frame headers (ISO/IEC 11172-3, 2.4.1.3; 13818-3).

libsndfile reads an MP3 to the length that its Xing or Info header states, whatever follows; without one it
estimates the length from the first frame and reads no further. Where the channels or the sample rate change,
it stops. So what it would read in part is refused here, and `refmaster.io.open` gives it files without a
stated length as a pipe, cut to the frames found here.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import mmap
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import soundfile as sf

from refmaster.errors import AudioError

_KBPS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_LAYER_III = 1
_HEADER = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]")
"""The begin of a Layer III frame: sync word, a known version, a stated bit rate."""
_TAGS = (b"TAG", b"APE", b"ID3")
_IN_A_ROW = 4
"""So many frames in a row are audio; a single header stands in most pictures by chance."""
_JUNK_BYTES = 8192
_MOST_TRIED = 100_000


@dataclass(frozen=True)
class Mp3Audio:
    """The frames of an MP3 that does not state its length.

    Attributes
    ----------
    extent : range
        Their bytes.
    least_frames : int
        As many sample frames are in them at least: a decoder may leave out the first two MP3 frames.
    """

    extent: range
    least_frames: int


def audio_if_length_unstated(path: Path, name: str) -> Mp3Audio | None:
    """Return the audio of an MP3 if no Xing or Info header states its length, else None.

    Raises
    ------
    AudioError
        If the last frame is cut, the channels change, or more frames follow than the header states or than
        hang together: files that were joined, or a damaged one.
    """
    if path.stat().st_size == 0:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = _after_id3(data, 0)
        start = _first_in_a_row(data, begin, begin + _JUNK_BYTES)
        if start is None:
            return None
        count, end = _counted(data, start, name)
        more = _first_in_a_row(data, end, len(data))
        if more is not None:
            found = "change their sample rate" if more == end else f"break off at byte {end} and go on"
            raise AudioError(
                f"{name}: the MP3 frames {found} at byte {more}: it is damaged or was joined from several "
                "files; export it again"
            )
        stated = _stated_count(data, start)
        if stated is None:
            sample_frames = 1152 if data[start + 1] & 0x08 else 576  # MPEG-1; MPEG-2 and 2.5
            return Mp3Audio(range(start, end), (count - 2) * sample_frames)  # a tag or padding may follow
    if count - 1 > stated + 1:  # the header is a frame of its own, which some encoders count
        raise AudioError(
            f"{name}: its header states {stated} MP3 frames, {count - 1} are there: it was joined from "
            "several files; decode each of them and join the results"
        )
    return None


@contextlib.contextmanager
def opened_as_pipe(path: Path, audio: Mp3Audio) -> Iterator[Any]:
    """Open the frames of an MP3 as a `soundfile.SoundFile` that reads them to the end."""
    reading, writing = os.pipe()

    def feed() -> None:
        quiet = contextlib.suppress(BrokenPipeError)
        with quiet, path.open("rb") as source, os.fdopen(writing, "wb") as sink:
            source.seek(audio.extent.start)
            left = len(audio.extent)
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


def _first_in_a_row(data: mmap.mmap, begin: int, end: int) -> int | None:
    """Return the byte between two at which several frames follow one another."""
    found = _HEADER.finditer(data, begin, min(end + 2, len(data)))
    places = (match.start() for match in itertools.islice(found, _MOST_TRIED))
    return next((place for place in places if _are_in_a_row(data, place)), None)


def _are_in_a_row(data: mmap.mmap, at: int) -> bool:
    kind = None
    for number in range(_IN_A_ROW):
        if at >= len(data):
            return number > 1 or at == len(data)
        header = _parsed(data[at : at + 4])
        if header is None or header.kind != (kind or header.kind):
            return number > 0 and data[at : at + 3] in _TAGS
        kind = header.kind
        at += header.frame_bytes
    return True


def _counted(data: mmap.mmap, start: int, name: str) -> tuple[int, int]:
    """Return how many frames hang together, and the byte behind the last."""
    first = header = _parsed(data[start : start + 4])
    count, end, at = 0, start, start
    while first is not None and header is not None and header.kind == first.kind:
        if at + header.frame_bytes > len(data):
            raise AudioError(
                f"{name}: truncated: the last MP3 frame needs {header.frame_bytes} bytes, {len(data) - at} "
                "are left; export or copy the file again"
            )
        if header.mono != first.mono:
            turn = "mono to stereo" if first.mono else "stereo to mono"
            raise AudioError(
                f"{name}: the MP3 turns from {turn} at frame {count + 1}: it is damaged or was joined from "
                "several files; export it again"
            )
        count, end = count + 1, at + header.frame_bytes
        at = _after_id3(data, end)  # files that were joined have tags in between
        header = _parsed(data[at : at + 4])
    return count, end


def _after_id3(data: mmap.mmap, at: int) -> int:
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = data[at + 6] << 21 | data[at + 7] << 14 | data[at + 8] << 7 | data[at + 9]  # 7 bits a byte
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def _stated_count(data: mmap.mmap, start: int) -> int | None:
    """Return how many frames a Xing or Info header in the first frame states, itself left out."""
    mpeg1, mono = data[start + 1] & 0x18 == 0x18, data[start + 3] & 0xC0 == 0xC0
    side_info = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    tag = start + 4 + side_info
    if data[tag : tag + 4] not in (b"Xing", b"Info") or not data[tag + 7] & 1:
        return None
    return int.from_bytes(data[tag + 8 : tag + 12], "big")


class _Header(NamedTuple):
    frame_bytes: int
    kind: tuple[int, int]
    """The parts that stay the same: version with layer, and sample rate."""
    mono: bool


@functools.lru_cache(1024)
def _parsed(head: bytes) -> _Header | None:
    """Return what the four bytes of a Layer III frame's header say, None if they are none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbps_index, rate_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if layer != _LAYER_III or version == 1 or rate_index == 3 or kbps_index in (0, 15):
        return None
    rate = _RATES_HZ[version][rate_index]
    if version == 3:
        length = 144000 * _KBPS_MPEG1[kbps_index] // rate + padding
    else:
        length = 72000 * _KBPS_MPEG2[kbps_index] // rate + padding
    return _Header(length, (head[1] & 0xFE, rate_index), head[3] & 0xC0 == 0xC0)
