"""Audio to read: its format, and sources that yield it in blocks.

Conventions: a block has the shape ``(frames, channels)``, its dtype is float32, or float64 where the source
holds more than float32 can (32-bit integers, doubles); full scale is 1.0. A source can be read any number of
times, each call of `AudioSource.blocks` starts anew, and memory does not grow with length.

A truncated file, a sample that is no number or beyond `MAX_SAMPLE`, a sample rate outside the range of
`refmaster.settings.output` and audio without a single frame raise `AudioError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy import typing as npt

from refmaster._types import Block, Progress
from refmaster.errors import AudioError
from refmaster.settings.output import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ
from refmaster.units import amplitude_to_db

BLOCK_FRAMES = 65536
MAX_SAMPLE = 1000.0
"""The largest sample that is read, +60 dBFS: every meter, plan and render works up to here."""
MAX_CHANNELS = 64
"""More channels than this mean that an array was passed as (channels, frames)."""

PCM_BITS = {
    "PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64,
    "ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24, "ALAC_32": 32, "DWVW_12": 12, "DWVW_16": 16, "DWVW_24": 24,
}  # fmt: skip
"""Word length of libsndfile's lossless codings, floats included."""
_LOSSLESS_CODECS = frozenset({"alac", "flac", "wavpack", "ape", "tta", "tak", "mlp", "truehd", "shorten",
                              "mp4als", "wmalossless", "ralf", "s302m"})  # fmt: skip
_LOSSY_PCM_CODECS = frozenset({"pcm_alaw", "pcm_mulaw", "pcm_vidc"})


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """The format of a recording.

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
        return self.subtype not in PCM_BITS

    @property
    def bits(self) -> int | None:
        """Bits per sample; None where the coding has no word length."""
        return self.decoder_bits if self.container == "FFMPEG" else PCM_BITS.get(self.subtype)

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; None while it is unknown."""
        return None if self.frames is None else self.frames / self.sample_rate_hz


class AudioSource(Protocol):
    """A recording that yields its audio in blocks, as often as it is asked."""

    @property
    def name(self) -> str:
        """Its name in messages and profiles, which need not be a path."""
        ...

    @property
    def path(self) -> Path | None:
        """The file it is read from; None for arrays."""
        ...

    @property
    def format(self) -> AudioFormat:
        """Its format."""
        ...

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the audio from its beginning, every block but the last of exactly `block_frames` frames.

        Raises
        ------
        AudioError
            If the audio is truncated or damaged, has a sample that cannot be measured, or is in a file that
            was changed or replaced since the source was opened.
        """
        ...

    def check_unchanged(self) -> None:
        """Raise AudioError if its file was changed or replaced since it was opened."""
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
        Its name in messages and profiles.

    Raises
    ------
    AudioError
        If the array cannot be audio: wrong type, shape or sample rate, empty, or with samples that cannot
        be measured.
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
        if isinstance(sample_rate_hz, bool) or sample_rate_hz % 1 != 0:
            raise AudioError(f"{name}: the sample rate must be a whole number of Hz, got {sample_rate_hz!r}")
        check_sample_rate(sample_rate_hz, name)
        self._samples: Block = array.view()
        self._samples.flags.writeable = False  # the blocks are views: nobody downstream may change the input
        self.name = name
        self.path = None
        self.format = AudioFormat(
            sample_rate_hz=int(sample_rate_hz),
            channels=array.shape[1],
            frames=len(array),
            container="ARRAY",
            subtype="FLOAT" if array.dtype == np.float32 else "DOUBLE",
        )
        for number, block in enumerate(self.blocks()):
            check_samples(block, number * BLOCK_FRAMES, self.name, self.format.sample_rate_hz)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield read-only views of the array; see `AudioSource.blocks`."""
        for start in range(0, len(self._samples), valid_block_frames(block_frames)):
            yield self._samples[start : start + block_frames]

    def check_unchanged(self) -> None:
        """Do nothing: there is no file."""


def check_sample_rate(sample_rate_hz: int, name: str) -> None:
    """Raise AudioError for a sample rate that the meters are not made for."""
    if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise AudioError(
            f"{name}: expected a sample rate from {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz, found "
            f"{sample_rate_hz}; convert it first, or export it again if its header is damaged"
        )


def check_samples(block: Block, first_frame: int, name: str, sample_rate_hz: int) -> None:
    """Raise if a sample of the block is no number, infinite, or beyond `MAX_SAMPLE`.

    Raises
    ------
    AudioError
        Naming the first bad frame (counted from 0 at the start of the stream), its time, its channel and
        the value.
    """
    if block.min() >= -MAX_SAMPLE and block.max() <= MAX_SAMPLE:  # false where one is no number
        return
    measurable = np.abs(block) <= MAX_SAMPLE
    frame = int(np.argmin(measurable.all(axis=1)))
    channel = int(np.argmin(measurable[frame]))
    value, at = float(block[frame, channel]), first_frame + frame
    found, expected = f"{value:g}", "every sample must be a finite number"
    if np.isfinite(value):
        found += f" ({amplitude_to_db(abs(value)):+.1f} dBFS)"
        expected = f"full scale is 1.0, and at most {amplitude_to_db(MAX_SAMPLE):+.0f} dBFS can be measured"
    raise AudioError(
        f"{name}: the sample at frame {at} ({at / sample_rate_hz:.3f} s), channel {channel + 1} of "
        f"{block.shape[1]}, is {found}; {expected}, so render or export the file again"
    )


def valid_block_frames(block_frames: int) -> int:
    """Return `block_frames`; ValueError where it is below 1."""
    if block_frames < 1:
        raise ValueError(f"block_frames must be at least 1, got {block_frames}")
    return block_frames


def counted(
    blocks: Iterable[Block], stage: str, total: int | None, progress: Progress | None
) -> Iterator[Block]:
    """Yield blocks, and report after each how many frames of `total` have been worked on."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if progress is not None:
            progress(stage, done, total)
