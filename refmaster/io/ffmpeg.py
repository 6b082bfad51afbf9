"""Audio that only ffmpeg decodes, as a stream from its standard output.

ffmpeg is a program on the PATH, never linked. It is asked for floats at the stream's own sample rate and
channel count, as Sun/NeXT audio ("au"), whose short header fits a pipe. The header is checked, so that a
conversion nobody asked for cannot pass unseen.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from refmaster._types import Block
from refmaster.errors import AudioError
from refmaster.io.pyav import stated_aac_frames, within
from refmaster.io.source import (
    BLOCK_FRAMES,
    AudioFormat,
    check_sample_rate,
    check_samples,
    valid_block_frames,
)
from refmaster.io.state import FileState

_PROBE_TIMEOUT_S = 60.0
_ABOUT_PICTURES = re.compile(r"\[(a?png|mjpegb?|bmp|gif|webp|tiff)\]")
"""Complaints about cover art, which ffmpeg looks at although it is told not to decode it."""
_BARE_STREAMS = frozenset(
    {"aac", "ac3", "eac3", "dts", "dtshd", "mp3", "truehd", "mlp", "loas", "mpegts", "amr"}
)
"""Formats without a header of their own: ffprobe guesses their length from the bit rate, badly."""
_MISSING_S = 0.25
"""A decode may be this much shorter than the container states (encoder delay and padding)."""


def available() -> bool:
    """Return whether ffmpeg and ffprobe are on the PATH."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


class FfmpegSource:
    """The first audio stream of a file, decoded by ffmpeg; `AudioError` if ffprobe finds none."""

    def __init__(self, state: FileState) -> None:
        self.path = path = state.path
        self.name = name = state.name
        self.check_unchanged = state.check
        stream = _probe(path, name)
        sample_format = str(stream.get("sample_fmt", ""))
        codec = str(stream.get("codec_name", "unknown"))
        bits = int(stream.get("bits_per_raw_sample") or 0) or int(stream.get("bits_per_sample") or 0) or None
        self._wide = sample_format.rstrip("p") in ("s32", "s64", "dbl") and not (bits and bits <= 24)
        self._options = ["-drc_scale", "0"] if codec in ("ac3", "eac3") else []  # no playback compression
        states_length = bool(stream.get("duration")) and stream["format_name"] not in _BARE_STREAMS
        self._duration_s = float(stream["duration"]) if states_length else None
        self._exact = _stated_frames(stream) if codec == "aac" else None
        found = AudioFormat(
            sample_rate_hz=int(stream["sample_rate"]),
            channels=int(stream["channels"]),
            frames=None,
            container="FFMPEG",
            subtype=codec,
        )
        check_sample_rate(found.sample_rate_hz, name)
        self.format = found if found.lossy else replace(found, decoder_bits=bits)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the decoded audio; see `refmaster.io.source.AudioSource.blocks`."""
        dtype = np.dtype(">f8" if self._wide else ">f4")
        channels = self.format.channels
        frame_bytes = channels * dtype.itemsize
        size = valid_block_frames(block_frames) * frame_bytes
        self.check_unchanged()
        delivered = 0
        with self._decoder() as (output, finish):
            header = _read_au_header(output)
            expected = (self.format.sample_rate_hz, channels)
            if header is not None and header != expected:
                raise AudioError(
                    f"{self.name}: ffprobe reports {expected[0]} Hz and {expected[1]} channel(s), ffmpeg "
                    f"decodes {header[0]} Hz and {header[1]} channel(s); convert the file to WAV first"
                )
            while header is not None and len(data := output.read(size)) >= frame_bytes:
                samples = np.frombuffer(data, dtype, len(data) // frame_bytes * channels)
                block: Block = samples.astype(dtype.newbyteorder("=")).reshape(-1, channels)
                block = within(block, delivered, self._exact)
                if not len(block):
                    continue
                check_samples(block, delivered, self.name, self.format.sample_rate_hz)
                delivered += len(block)
                yield block
            status, complaint = finish()
        self.check_unchanged()
        self._check_end(delivered, status, complaint)

    @contextlib.contextmanager
    def _decoder(self) -> Iterator[tuple[IO[bytes], Callable[[], tuple[int, str]]]]:
        """Run ffmpeg; whatever happens inside, no process outlives the context."""
        # "file:" keeps ffmpeg from reading a protocol or an option into the name.
        command = [
            "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file,pipe",
            *self._options, "-i", f"file:{self.path}", "-map", "0:a:0", "-vn", "-sn", "-dn",
            "-map_metadata", "-1",
            "-c:a", "pcm_f64be" if self._wide else "pcm_f32be", "-bitexact", "-f", "au", "pipe:1",
        ]  # fmt: skip
        with tempfile.TemporaryFile() as complaints:  # a file, because an unread pipe could fill up and block
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
                )
            except OSError as error:
                raise AudioError(f"ffmpeg could not be started: {error}") from error
            output = cast(IO[bytes], process.stdout)  # PIPE was asked for

            def finish() -> tuple[int, str]:
                status = process.wait()
                complaints.seek(0)
                return status, _short(complaints.read(4096), self.path)

            try:
                yield output, finish
            finally:
                output.close()
                if process.poll() is None:
                    process.kill()
                process.wait()

    def _check_end(self, delivered: int, status: int, complaint: str) -> None:
        if status != 0 or complaint:
            raise AudioError(
                f"{self.name}: ffmpeg could not decode it cleanly (exit status {status}, {delivered} "
                f"frames): {complaint or 'no message'}; the file is damaged or truncated"
            )
        if delivered == 0:
            raise AudioError(f"{self.name}: there is no audio in it (0 frames)")
        decoded_s = delivered / self.format.sample_rate_hz
        if self._duration_s is not None and decoded_s < self._duration_s - _MISSING_S:
            raise AudioError(
                f"{self.name}: truncated or damaged: it states {self._duration_s:.2f} s, {decoded_s:.2f} s "
                "could be decoded; export or copy the file again"
            )


def _stated_frames(stream: dict[str, Any]) -> int | None:
    """Return the exact length that an M4A states for its AAC audio, if it does."""
    if "mp4" not in stream["format_name"]:
        return None
    ticks_per_s = int(str(stream.get("time_base", "0/0")).partition("/")[2] or 0)
    numbers = (int(stream.get(key) or 0) for key in ("duration_ts", "nb_frames"))
    return stated_aac_frames(int(stream["sample_rate"]), ticks_per_s, *numbers)


def _probe(path: Path, name: str) -> dict[str, Any]:
    entries = "codec_name,sample_fmt,sample_rate,channels,bits_per_sample,bits_per_raw_sample,"
    entries += "duration,duration_ts,time_base,nb_frames"
    command = [
        "ffprobe", "-v", "error", "-protocol_whitelist", "file,pipe", "-select_streams", "a:0",
        "-show_entries", f"stream={entries}:format=format_name", "-of", "json", f"file:{path}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AudioError(f"{name}: ffprobe could not look at it: {error}") from error
    found: dict[str, Any] = {}
    if done.returncode == 0:
        with contextlib.suppress(ValueError):
            found = json.loads(done.stdout)
    stream: dict[str, Any] = next(iter(found.get("streams", [])), {})
    if not (int(stream.get("sample_rate") or 0) > 0 and int(stream.get("channels") or 0) > 0):
        complaint = _short(done.stderr, path) or "no audio stream in it"
        raise AudioError(
            f"{name}: not an audio file that libsndfile or ffmpeg can read ({complaint}); expected WAV, "
            "AIFF, FLAC, CAF, MP3, Ogg or another audio format"
        )
    return stream | {"format_name": found.get("format", {}).get("format_name", "")}


def _read_au_header(stream: IO[bytes]) -> tuple[int, int] | None:
    """Return (sample rate in Hz, channels), leaving the stream at the first sample; None if it is empty."""
    head = stream.read(24)
    if len(head) < 24:
        return None
    start, _, _, rate_hz, channels = struct.unpack(">4x5I", head)
    stream.read(start - 24)
    return rate_hz, channels


def _short(complaint: bytes, path: Path) -> str:
    text = re.sub(r" @ 0x[0-9a-f]+", "", complaint.decode("utf-8", "replace")).replace(f"file:{path}: ", "")
    lines = [line.strip() for line in text.splitlines() if not _ABOUT_PICTURES.match(line)]
    return "; ".join([line for line in lines if line][:2])[:300]
