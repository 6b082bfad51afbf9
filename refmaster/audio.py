"""Reading audio: files of every kind and arrays, as streams of blocks.

Conventions: a block has the shape ``(frames, channels)``, its dtype is float32, or float64 where the
source holds more than float32 can (32-bit integers, doubles); full scale is 1.0. A source can be read
any number of times, each call of `AudioSource.blocks` starts anew, and memory does not grow with length.

Nothing is repaired in silence. A truncated file, a sample that is not a number or a file without a
single frame raises `AudioError`. The name's extension is never trusted: libsndfile looks at the
content first, then ffmpeg, when it is installed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import soundfile as sf
from numpy import typing as npt

from refmaster import containers, mp3, wave
from refmaster.errors import AudioError

Block: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]

BLOCK_FRAMES = 65536
MAX_CHANNELS = 64
"""More channels than this mean that an array was passed as (channels, frames)."""

_PCM_BITS = {
    "PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64,
    "ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24, "ALAC_32": 32, "DWVW_12": 12, "DWVW_16": 16, "DWVW_24": 24,
}  # fmt: skip
_WIDE_SUBTYPES = frozenset({"PCM_32", "DOUBLE", "ALAC_32"})
_LOSSLESS_CODECS = frozenset({"alac", "flac", "wavpack", "ape", "tta", "tak", "mlp", "truehd", "shorten",
                              "mp4als", "wmalossless", "ralf", "s302m"})  # fmt: skip
_LOSSY_PCM_CODECS = frozenset({"pcm_alaw", "pcm_mulaw", "pcm_vidc"})


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """What a source holds and how it is stored.

    Attributes
    ----------
    sample_rate_hz : int
        Sample rate in Hz.
    channels : int
        Number of channels.
    frames : int or None
        Length in frames, exact; None while it is unknown (decoder pipes, some MP3 files).
    container : str
        libsndfile's name of the container ("WAV", "FLAC", "OGG", ...), "ARRAY" for arrays, "FFMPEG" for
        what only ffmpeg reads.
    subtype : str
        libsndfile's name of the coding ("PCM_24", "FLOAT", "VORBIS", ...); for FFMPEG the codec's name.
    decoder_bits : int or None
        Word length as ffprobe reports it, for lossless codecs that only ffmpeg reads.
    channel_mask : int or None
        Speaker positions of a WAVE file that states them (WAVE_FORMAT_EXTENSIBLE).
    """

    sample_rate_hz: int
    channels: int
    frames: int | None
    container: str
    subtype: str
    decoder_bits: int | None = None
    channel_mask: int | None = None

    @property
    def lossy(self) -> bool:
        """Whether the coding loses information."""
        if self.container == "FFMPEG":
            if self.subtype.startswith("pcm_"):
                return self.subtype in _LOSSY_PCM_CODECS
            return self.subtype not in _LOSSLESS_CODECS
        return self.subtype not in _PCM_BITS

    @property
    def bits(self) -> int | None:
        """Bits per sample; None where the coding has no word length."""
        return self.decoder_bits if self.container == "FFMPEG" else _PCM_BITS.get(self.subtype)

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; None while it is unknown."""
        return None if self.frames is None else self.frames / self.sample_rate_hz


class AudioSource(Protocol):
    """Anything that yields audio in blocks, as often as it is asked."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def format(self) -> AudioFormat:
        """What it holds."""
        ...

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the audio from its beginning, every block but the last of exactly `block_frames` frames.

        Raises
        ------
        AudioError
            If the audio is truncated or damaged, or has a sample that is not finite.
        """
        ...


class ArraySource:
    """An array as a source.

    Parameters
    ----------
    samples : array, shape (frames, channels) or (frames,)
        float32 or float64, full scale 1.0; one dimension is one channel. It is not copied.
    sample_rate_hz : int
        Sample rate in Hz.
    name : str
        What messages call it.

    Raises
    ------
    AudioError
        If the array cannot be audio: wrong type or shape, empty, or with samples that are not finite.
    """

    def __init__(self, samples: npt.ArrayLike, sample_rate_hz: int, *, name: str = "array") -> None:
        array = np.asarray(samples)
        if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise AudioError(
                f"{name}: samples must be float32 or float64 with full scale 1.0, got {array.dtype}; "
                "integers have to be divided by their full scale first"
            )
        if array.ndim == 1:
            array = array[:, np.newaxis]
        if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_CHANNELS:
            raise AudioError(
                f"{name}: samples must have the shape (frames, channels) with 1 to {MAX_CHANNELS} channels, "
                f"got {np.shape(samples)}; a (channels, frames) array needs .T"
            )
        if len(array) == 0:
            raise AudioError(f"{name}: there is no audio in it (0 frames)")
        if isinstance(sample_rate_hz, bool) or int(sample_rate_hz) != sample_rate_hz or sample_rate_hz < 1:
            raise AudioError(f"{name}: the sample rate must be a whole number of Hz, got {sample_rate_hz!r}")
        self._samples: Block = array.view()
        self._samples.flags.writeable = False  # the blocks are views: nobody downstream may change the input
        self.name = name
        self.format = AudioFormat(
            sample_rate_hz=int(sample_rate_hz),
            channels=array.shape[1],
            frames=len(array),
            container="ARRAY",
            subtype="FLOAT" if array.dtype == np.float32 else "DOUBLE",
        )
        for number, block in enumerate(self.blocks()):
            check_finite(block, number * BLOCK_FRAMES, self.name, self.format.sample_rate_hz)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield read-only views of the array; see `AudioSource.blocks`."""
        for start in range(0, len(self._samples), _valid_block_frames(block_frames)):
            yield self._samples[start : start + block_frames]


class FileSource:
    """A file that libsndfile reads. Made by `open_audio`."""

    def __init__(
        self, path: Path, name: str, audio_format: AudioFormat, *, mp3_extent: mp3.Mp3Extent | None
    ) -> None:
        self.path = path
        self.name = name
        self.format = audio_format
        self._mp3_extent = mp3_extent  # of an MP3 that does not state its length
        wide = audio_format.subtype in _WIDE_SUBTYPES
        self._dtype = "float64" if wide else "float32"
        self._finite_by_format = not audio_format.lossy and audio_format.subtype not in ("FLOAT", "DOUBLE")
        self._pcm_start = _pcm_start(path, audio_format)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the file's audio; see `AudioSource.blocks`."""
        delivered = 0
        decoded = self._decoded(_valid_block_frames(block_frames))
        with _translated(self.name), contextlib.closing(decoded) as blocks:
            while True:
                try:
                    block = next(blocks, None)
                except sf.LibsndfileError as error:
                    raise AudioError(self._damage(delivered, error.error_string)) from error
                if block is None:
                    break
                if not self._finite_by_format:
                    check_finite(block, delivered, self.name, self.format.sample_rate_hz)
                delivered += len(block)
                yield block
        if delivered == 0:
            raise AudioError(f"{self.name}: there is no audio in it (0 frames)")
        if self.format.frames is not None and delivered < self.format.frames:
            raise AudioError(self._damage(delivered, "the data end early"))

    def _decoded(self, block_frames: int) -> Generator[Block, None, None]:
        held = self.format
        if self._pcm_start is not None and held.frames is not None and held.bits is not None:
            yield from wave.read_pcm(
                self.path, self._pcm_start, held.frames, held.channels, held.bits, block_frames
            )
            return
        extent = self._mp3_extent
        with _opened(self.path) if extent is None else mp3.opened_as_pipe(self.path, extent) as file:
            while len(block := file.read(block_frames, dtype=self._dtype, always_2d=True)):
                yield block

    def _damage(self, delivered: int, reason: str) -> str:
        promised = "" if self.format.frames is None else f" of the {self.format.frames} its header promises"
        return (
            f"{self.name}: truncated or damaged: {delivered} frames{promised} could be read "
            f"({reason.strip()}); export or copy the file again"
        )


def open_audio(path: str | Path, *, name: str | None = None) -> AudioSource:
    """Open an audio file for reading in blocks.

    Parameters
    ----------
    path : str or Path
        Any file that libsndfile reads (WAV, RF64, W64, AIFF, FLAC, CAF, MP3, Ogg Vorbis and Opus, ...) or, if
        ffmpeg and ffprobe are on the PATH, that ffmpeg decodes (M4A and others).
    name : str, optional
        What messages call it; the path unless given.

    Returns
    -------
    AudioSource
        The header has been read and checked; the samples are checked as they are read.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, not audio, empty or truncated as far as its header shows, or
        needs ffmpeg where there is none.
    """
    path = Path(path)
    name = str(path) if name is None else name
    _check_readable(path, name)
    with _translated(name):
        containers.check_complete(path, name)
        try:
            with _opened(path) as file:
                channels, rate = int(file.channels), int(file.samplerate)
                frames, container, subtype = int(file.frames), str(file.format), str(file.subtype)
        except sf.LibsndfileError as error:
            return _open_with_ffmpeg(path, name, error)
        extent = mp3.extent_if_length_unstated(path, name) if container == "MP3" else None
        wave_header = containers.read_wave_header(path)
    known = extent is None and frames < 2**62  # libsndfile's "unknown" is the largest count there is
    if known and frames == 0:
        raise AudioError(f"{name}: there is no audio in it (0 frames)")
    audio_format = AudioFormat(
        sample_rate_hz=rate,
        channels=channels,
        frames=frames if known else None,
        container=container,
        subtype=subtype,
        channel_mask=wave_header.channel_mask if wave_header else None,
    )
    return FileSource(path, name, audio_format, mp3_extent=extent)


def check_finite(block: Block, first_frame: int, name: str, sample_rate_hz: int) -> None:
    """Raise if a sample of the block is NaN or infinite.

    Raises
    ------
    AudioError
        Naming the first bad frame (counted from 0 at the start of the stream), its channel and the value.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(block.sum()):  # one NaN or Inf spoils the sum; one that overflows is looked at closely
            return
    finite = np.isfinite(block)
    if finite.all():
        return
    frame = int(np.argmin(finite.all(axis=1)))
    channel = int(np.argmin(finite[frame]))
    at = first_frame + frame
    raise AudioError(
        f"{name}: the sample at frame {at} ({at / sample_rate_hz:.3f} s), channel {channel + 1} of "
        f"{block.shape[1]}, is {block[frame, channel]}; every sample must be a finite number, so render or "
        "export the file again"
    )


def _pcm_start(path: Path, audio_format: AudioFormat) -> int | None:
    """Return where the samples start in a WAVE file that `wave.read_pcm` can take, else None."""
    if audio_format.subtype not in ("PCM_16", "PCM_24"):
        return None
    header = containers.read_wave_header(path)
    if header is None or header.data_bytes is None:
        return None
    frame_bytes = audio_format.channels * wave.SAMPLE_BYTES[audio_format.subtype]
    # libsndfile's count has to agree: it knows the odd headers
    return header.data_start if header.data_bytes // frame_bytes == audio_format.frames else None


def _valid_block_frames(block_frames: int) -> int:
    if block_frames < 1:
        raise ValueError(f"block_frames must be at least 1, got {block_frames}")
    return block_frames


def _check_readable(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{name}: is a directory; expected an audio file")
        if not path.exists():
            raise AudioError(f"{name}: no such file; check the spelling and the directory")
        if not path.is_file():
            raise AudioError(f"{name}: is not a regular file; pipes and devices cannot be read twice")
        with path.open("rb"):
            pass
        if path.stat().st_size == 0:
            raise AudioError(f"{name}: is empty (0 bytes); expected an audio file")
    except PermissionError as error:
        raise AudioError(f"{name}: may not be read (permission denied); check its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise AudioError(f"{name}: cannot be opened: {error}") from error


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn errors of the operating system while reading into `AudioError`."""
    try:
        yield
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open by file descriptor: given a name, libsndfile and soundfile would believe its extension."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        with sf.SoundFile(descriptor, closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _open_with_ffmpeg(path: Path, name: str, error: sf.LibsndfileError) -> AudioSource:
    from refmaster import ffmpeg

    if error.code == 3:  # SF_ERR_MALFORMED_FILE: a format libsndfile knows; ffmpeg would decode the torso
        raise AudioError(
            f"{name}: truncated or damaged ({error.error_string.strip()}); export or copy the file again"
        ) from error
    if not ffmpeg.available():
        raise AudioError(
            f"{name}: not an audio file that libsndfile can read ({error.error_string.strip()}). If it is "
            "M4A, AAC or another such format, ffmpeg is needed for this format: install ffmpeg (with "
            "ffprobe), or convert the file to WAV or FLAC"
        ) from error
    return ffmpeg.FfmpegSource(path, name)
