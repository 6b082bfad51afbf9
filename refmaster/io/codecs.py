"""Recordings as listeners of a lossy codec get them: encoded to a temporary file, and decoded again.

MP3, Vorbis and Opus are encoded by libsndfile, AAC by PyAV or ffmpeg (`refmaster.io.aac`). Every decoder used
here takes out its codec's delay, so that frame n of the decoded audio stands at the time of frame n of the
recording, and the lengths agree. Nothing is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from refmaster._types import Block
from refmaster.dsp.blocks import interleaved, through
from refmaster.dsp.resample import Resampler
from refmaster.io import aac
from refmaster.io.formats import codec_format
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink
from refmaster.io.source import BLOCK_FRAMES, AudioSource
from refmaster.settings.codecs import Codec

_RATES_HZ = (32000, 44100, 48000)
"""Sample rates at which lossy files are delivered; Opus knows only the last one."""
_OPUS_PADDING = 65536
"""libsndfile 1.2 may decode the last packet of an Opus file wrongly, so that one holds silence."""


def require_codecs(codecs: Iterable[Codec]) -> None:
    """Raise OutputError where the encoder of one of the codecs is not there."""
    for codec in codecs:
        if codec.name == "aac":
            aac.require_encoder(str(codec))


def codec_rate_hz(codec: Codec, sample_rate_hz: int) -> int:
    """Return the sample rate in Hz at which a recording is encoded.

    Its own if the codec is delivered at it; else one that is a whole multiple or fraction; else 48 kHz.
    """
    if codec.name == "opus":
        return _RATES_HZ[-1]
    if sample_rate_hz in _RATES_HZ:
        return sample_rate_hz
    related = [rate for rate in _RATES_HZ if rate % sample_rate_hz == 0 or sample_rate_hz % rate == 0]
    return max(related, default=_RATES_HZ[-1])


def decoded(source: AudioSource, codec: Codec, folder: Path) -> AudioSource:
    """Encode a recording into a folder, and return it as the codec's decoder gives it.

    Parameters
    ----------
    source : AudioSource
        Mono or stereo.
    codec : Codec
        What to encode it with.
    folder : Path
        Of temporary files; it must last as long as the result is read.

    Returns
    -------
    AudioSource
        Aligned with the recording and as long, at `codec_rate_hz`.

    Raises
    ------
    OutputError
        The encoder is not there, or the disk is full.
    AudioError
        The recording cannot be read.
    """
    require_codecs([codec])
    path = folder / f"decoded.{codec.label}"
    held = codec_format(codec, codec_rate_hz(codec, source.format.sample_rate_hz), source.format.channels)
    frames = 0
    with AudioSink(path, held, name=f"{source.name} as {codec}") as sink:
        for block in at_rate(source, held.sample_rate_hz):
            sink.write(interleaved(block))
            frames += len(block)
        if codec.name == "opus":
            sink.write(np.zeros((_OPUS_PADDING, held.channels), np.float32))
    return _Beginning(open_audio(path, name=f"{source.name} as {codec}"), frames)


class _Beginning:
    """The first frames of a recording, an `AudioSource`."""

    def __init__(self, source: AudioSource, frames: int) -> None:
        self._source = source
        self.name, self.path = source.name, source.path
        self.check_unchanged = source.check_unchanged
        self.format = replace(source.format, frames=frames)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield them; see `refmaster.io.source.AudioSource.blocks`."""
        left = self.format.frames or 0
        for block in self._source.blocks(block_frames):
            if left > 0:
                yield block[:left]
            left -= len(block)


def at_rate(source: AudioSource, sample_rate_hz: int) -> Iterator[Block]:
    """Yield a recording's audio at a sample rate."""
    own, blocks = source.format.sample_rate_hz, source.blocks()
    if own == sample_rate_hz:
        return blocks
    return through(Resampler(own, sample_rate_hz, source.format.channels), blocks)
