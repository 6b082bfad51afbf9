"""AAC in M4A through PyAV (the libraries of ffmpeg as a Python package): an encoder, and a source.

PyAV is an extra (``pip install refmaster[aac]``) and imported only where it is needed.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from refmaster._types import Array32, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.errors import AudioError
from refmaster.io.source import (
    BLOCK_FRAMES,
    AudioFormat,
    check_sample_rate,
    check_samples,
    valid_block_frames,
)
from refmaster.io.state import FileState

_LAYOUTS = {1: "mono", 2: "stereo"}
_MISSING_S = 0.25
"""As of `refmaster.io.ffmpeg`: a decode may be this much shorter than the container states."""


def available() -> bool:
    """Return whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def holds_aac(path: Path) -> bool:
    """Return whether a file's first audio stream is AAC, as far as PyAV is there to tell."""
    if not available():
        return False
    import av

    with contextlib.suppress(av.error.FFmpegError), av.open(f"file:{path}") as container:
        streams = container.streams.audio
        return bool(streams) and streams[0].codec_context.name == "aac"
    return False


class PyavAacWriter:
    """Encode float samples as AAC into an M4A file.

    Parameters
    ----------
    path : Path
        The file to write; emptied if it exists.
    sample_rate_hz, channels : int
        Of the audio, mono or stereo.
    kbps : int
        Bit rate of all channels together, in kbit/s.
    encoder_options, muxer_options : dict of str to str
        ffmpeg's, of encoder and container.

    Raises
    ------
    OSError
        The file cannot be written; `write` and `close` raise it too.
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
        import av

        self._rate_hz, self._frames, self._closed = sample_rate_hz, 0, False
        with _os_errors():
            self._container: Any = av.open(f"file:{path}", "w", format="ipod", options=muxer_options)
            self._stream: Any = self._container.add_stream(
                "aac", rate=sample_rate_hz, layout=_LAYOUTS[channels], options=encoder_options
            )
        self._stream.bit_rate = 1000 * kbps

    def write(self, data: Array32) -> None:
        """Encode the next samples, shape (frames, channels)."""
        import av

        planar = np.ascontiguousarray(data.T)
        frame: Any = av.AudioFrame.from_ndarray(planar, format="fltp", layout=self._stream.layout.name)
        frame.sample_rate, frame.pts = self._rate_hz, self._frames
        self._frames += len(data)
        self._mux(frame)

    def close(self) -> None:
        """Complete the file."""
        if self._closed:
            return
        self._closed = True
        try:
            self._mux(None)
        finally:
            with _os_errors():
                self._container.close()

    def _mux(self, frame: Any) -> None:
        with _os_errors():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


class PyavSource:
    """The AAC audio of a file, for where there is no ffmpeg on the PATH."""

    def __init__(self, state: FileState) -> None:
        self.path = state.path
        self.name = state.name
        self.check_unchanged = state.check
        with self._opened() as stream:
            rate_hz = int(stream.codec_context.sample_rate)
            self._duration_s = float(stream.duration * stream.time_base) if stream.duration else None
            self._exact = stated_aac_frames(
                rate_hz, stream.time_base.denominator, stream.duration, stream.frames
            )
            self.format = AudioFormat(
                sample_rate_hz=rate_hz,
                channels=int(stream.codec_context.channels),
                frames=None,
                container="FFMPEG",
                subtype="aac",
            )
        check_sample_rate(rate_hz, self.name)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the decoded audio; see `refmaster.io.source.AudioSource.blocks`."""
        reblocker: Reblocker[Any] = Reblocker(valid_block_frames(block_frames))
        delivered, rate_hz = 0, self.format.sample_rate_hz
        self.check_unchanged()
        with self._opened() as stream:
            for frame in stream.container.decode(stream):
                piece: Block = np.ascontiguousarray(frame.to_ndarray().T)
                piece = within(piece, delivered, self._exact)
                if not len(piece):
                    continue
                check_samples(piece, delivered, self.name, rate_hz)
                delivered += len(piece)
                yield from reblocker.push(piece)
        rest = reblocker.remainder()
        if rest is not None:
            yield rest
        self.check_unchanged()
        if delivered == 0:
            raise AudioError(f"{self.name}: there is no audio in it (0 frames)")
        if self._duration_s is not None and delivered / rate_hz < self._duration_s - _MISSING_S:
            raise AudioError(
                f"{self.name}: truncated or damaged: it states {self._duration_s:.2f} s, "
                f"{delivered / rate_hz:.2f} s could be decoded; export or copy the file again"
            )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        import av

        try:
            with av.open(f"file:{self.path}") as container:
                yield container.streams.audio[0]
        except av.error.FFmpegError as error:
            raise AudioError(
                f"{self.name}: could not be decoded by PyAV ({error.strerror}); the file is damaged or "
                "truncated, or of a kind that needs ffmpeg"
            ) from error


_AAC_FRAME = 1024
_MAX_PRIMING_FRAMES = 3 * _AAC_FRAME


def stated_aac_frames(
    sample_rate_hz: int, ticks_per_s: int, duration_ticks: int | None, packets: int | None
) -> int | None:
    """Return the length of the audio in an M4A file by its edit list, None where it states none exactly.

    An encoder works in whole packets of 1024 frames: priming precedes the audio, and padding follows it. The
    edit list (ISO/IEC 14496-12, 8.6.6) says what lies between; decoders skip the priming and leave the
    padding. Without one, or with another unit of time, the length of the packets tells nothing.
    """
    if not duration_ticks or not packets or ticks_per_s != sample_rate_hz:
        return None
    spare = packets * _AAC_FRAME - duration_ticks
    return duration_ticks if 0 <= spare < _AAC_FRAME + _MAX_PRIMING_FRAMES else None


def within(piece: Block, delivered: int, length: int | None) -> Block:
    """Return what of a piece lies within a stream's length, where that is known."""
    return piece if length is None else piece[: max(0, length - delivered)]


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """Turn PyAV's errors into those of the operating system, as other writers have them."""
    import av

    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error
