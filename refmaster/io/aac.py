"""AAC in M4A: by PyAV where it is installed, else by an ffmpeg on the PATH.

Both are ffmpeg's own encoder (AAC-LC). A file states its exact length in its edit list, has its index in
front, and holds no time stamp: the same program gives the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import subprocess
import tempfile
from pathlib import Path
from typing import IO, cast

import numpy as np

from refmaster._types import Array32
from refmaster.errors import OutputError
from refmaster.io import ffmpeg, pyav

KBPS = 256

# Of ffmpeg's encoder. Over masters at -9 LUFS the "fast" search leaves 3 to 5 dB less noise in bands than the
# default, at no higher rate, and fewer single peaks (benchmarks/codecs.py --coders). Intensity stereo is
# meant for low rates; from here up it only adds peaks.
_CODER = "fast"
_NO_INTENSITY_FROM_KBPS = 192


def require_encoder(wanted_by: str) -> None:
    """Raise OutputError where neither PyAV nor ffmpeg is there; `wanted_by` is a file or a codec."""
    if not (pyav.available() or ffmpeg.available()):
        raise OutputError(
            f"{wanted_by}: AAC is encoded by PyAV or ffmpeg, and neither was found; install PyAV "
            "(pip install 'refmaster[aac]') or ffmpeg with ffprobe on the PATH, or leave AAC out"
        )


def open_writer(
    path: Path, sample_rate_hz: int, channels: int, kbps: int
) -> pyav.PyavAacWriter | FfmpegAacWriter:
    """Return an encoder that writes to `path`.

    Raises
    ------
    OutputError
        There is no encoder.
    OSError
        The file cannot be written.
    """
    require_encoder(str(path))
    # the movie's unit of time is a frame, so that the edit list is exact
    muxer = {"fflags": "+bitexact", "movflags": "+faststart", "movie_timescale": str(sample_rate_hz)}
    kind = pyav.PyavAacWriter if pyav.available() else FfmpegAacWriter
    return kind(path, sample_rate_hz, channels, kbps, _encoder_options(kbps), muxer)


def _encoder_options(kbps: int) -> dict[str, str]:
    """Return the options of ffmpeg's AAC encoder."""
    intensity = {"aac_is": "0"} if kbps >= _NO_INTENSITY_FROM_KBPS else {}
    return {"flags": "+bitexact", "aac_coder": _CODER, **intensity}


class FfmpegAacWriter:
    """Encode float samples as AAC into an M4A file, through a pipe to ffmpeg.

    Parameters and errors are those of `refmaster.io.pyav.PyavAacWriter`.
    """

    def __init__(
        self,
        path: Path,
        sample_rate_hz: int,
        channels: int,
        kbps: int,
        encoder_options: dict[str, str],
        muxer_options: dict[str, str],
    ) -> None:
        command = [
            "ffmpeg", "-nostdin", "-v", "error", "-y",
            "-f", "f32le", "-ar", str(sample_rate_hz), "-ac", str(channels), "-i", "pipe:0",
            "-c:a", "aac", "-b:a", f"{kbps}k",
            *(text for name, value in encoder_options.items() for text in (f"-{name}:a", value)),
            *(text for name, value in muxer_options.items() for text in (f"-{name}", value)),
            "-f", "ipod", f"file:{path}",
        ]  # fmt: skip
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._complaints
        )
        self._input = cast(IO[bytes], self._process.stdin)  # PIPE was asked for

    def write(self, data: Array32) -> None:
        """Encode the next samples, shape (frames, channels)."""
        try:
            self._input.write(np.ascontiguousarray(data, "<f4").data)
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        """Complete the file."""
        if self._complaints.closed:
            return
        with self._complaints:
            with contextlib.suppress(BrokenPipeError):
                self._input.close()
            status = self._process.wait()
            self._complaints.seek(0)
            complaint = self._complaints.read(1000).decode("utf-8", "replace").strip()
        if status != 0:
            full = "No space left" in complaint
            raise OSError(errno.ENOSPC if full else errno.EIO, f"ffmpeg: {complaint or f'exit {status}'}")
