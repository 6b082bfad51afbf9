"""Opening audio files: by libsndfile if it can, else by ffmpeg (AAC also by PyAV), whatever the name says.

Nothing is repaired in silence: a truncated or damaged file raises `AudioError`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import soundfile as sf

from refmaster._types import Block
from refmaster.errors import AudioError
from refmaster.io import completeness, ffmpeg, mp3, pyav, wave
from refmaster.io.source import (
    BLOCK_FRAMES,
    AudioFormat,
    AudioSource,
    check_sample_rate,
    check_samples,
    valid_block_frames,
)
from refmaster.io.state import FileState

_WIDE_SUBTYPES = frozenset({"PCM_32", "DOUBLE", "ALAC_32"})


class FileSource:
    """A file that libsndfile reads. Made by `open_audio`."""

    def __init__(self, state: FileState, audio_format: AudioFormat, mp3_audio: mp3.Mp3Audio | None) -> None:
        self.path = path = state.path
        self.name = state.name
        self.check_unchanged = state.check
        self.format = audio_format
        self._mp3 = mp3_audio  # of an MP3 that does not state its length
        wide = audio_format.subtype in _WIDE_SUBTYPES
        self._dtype = "float64" if wide else "float32"
        self._bounded_by_format = not audio_format.lossy and audio_format.subtype not in ("FLOAT", "DOUBLE")
        self._pcm_start = _pcm_start(path, audio_format)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the file's audio; see `AudioSource.blocks`."""
        self.check_unchanged()
        delivered = 0
        decoded = self._decoded(valid_block_frames(block_frames))
        with _translated(self.name), contextlib.closing(decoded) as blocks:
            try:
                for block in blocks:
                    if not self._bounded_by_format:
                        check_samples(block, delivered, self.name, self.format.sample_rate_hz)
                    delivered += len(block)
                    yield block
            except sf.LibsndfileError as error:
                raise AudioError(self._damage(delivered, error.error_string)) from error
        self.check_unchanged()
        if delivered == 0:
            raise AudioError(f"{self.name}: there is no audio in it (0 frames)")
        least = self._mp3.least_frames if self._mp3 is not None else self.format.frames
        if least is not None and delivered < least:
            raise AudioError(self._damage(delivered, "the data end early"))

    def _decoded(self, block_frames: int) -> Generator[Block, None, None]:
        held = self.format
        if self._pcm_start is not None and held.frames is not None and held.bits is not None:
            yield from wave.read_pcm(
                self.path, self._pcm_start, held.frames, held.channels, held.bits, block_frames
            )
            return
        with _opened(self.path) if self._mp3 is None else mp3.opened_as_pipe(self.path, self._mp3) as file:
            if (file.channels, file.samplerate) != (held.channels, held.sample_rate_hz):
                raise AudioError(self._damage(0, "channels or sample rate change on the way"))
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
        Its name in messages and profiles; the path unless given.

    Returns
    -------
    AudioSource
        Its header is checked here, its samples as they are read.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, not audio, empty or truncated as far as its header shows, has a
        sample rate outside the supported range, or needs ffmpeg where there is none.
    """
    path = Path(path)
    name = str(path) if name is None else name
    _check_readable(path, name)
    state = FileState.of(path, name)
    with _translated(name):
        completeness.check_complete(path, name)
        try:
            with _opened(path) as file:
                channels, rate = int(file.channels), int(file.samplerate)
                frames, container, subtype = int(file.frames), str(file.format), str(file.subtype)
        except sf.LibsndfileError as error:
            return _open_with_ffmpeg(state, error)
        check_sample_rate(rate, name)
        mp3_audio = mp3.audio_if_length_unstated(path, name) if container == "MP3" else None
        wave_header = wave.read_header(path)
    known = mp3_audio is None and frames < 2**62  # libsndfile's "unknown" is the largest count there is
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
    return FileSource(state, audio_format, mp3_audio)


def _pcm_start(path: Path, audio_format: AudioFormat) -> int | None:
    """Return the byte at which the samples start in a WAVE file that `wave.read_pcm` can take, else None."""
    header = wave.read_header(path) if audio_format.subtype in ("PCM_16", "PCM_24") else None
    if header is None or header.data_bytes is None:
        return None
    frame_bytes = audio_format.channels * wave.SAMPLE_BYTES[audio_format.subtype]
    # libsndfile's count has to agree: it knows the odd headers
    return header.data_start if header.data_bytes // frame_bytes == audio_format.frames else None


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
    """Open by file descriptor: given a name, libsndfile and soundfile would believe its suffix."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        with sf.SoundFile(descriptor, closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _open_with_ffmpeg(state: FileState, error: sf.LibsndfileError) -> AudioSource:
    name = state.name
    if error.code == 3:  # SF_ERR_MALFORMED_FILE: a format libsndfile knows; ffmpeg would decode the torso
        raise AudioError(
            f"{name}: truncated or damaged ({error.error_string.strip()}); export or copy the file again"
        ) from error
    if not ffmpeg.available() and pyav.holds_aac(state.path):
        return pyav.PyavSource(state)
    if not ffmpeg.available():
        raise AudioError(
            f"{name}: not an audio file that libsndfile can read ({error.error_string.strip()}). If it is "
            "M4A, AAC or another such format, ffmpeg is needed for this format: install ffmpeg (with "
            "ffprobe), or convert the file to WAV or FLAC"
        ) from error
    return ffmpeg.FfmpegSource(state)
