"""Writing audio files: quantised here, complete or an error, the same bytes for the same input.

`AudioSink` writes to the path of a `refmaster.io.atomic.AtomicFile`::

    with atomic_destination("master.wav", overwrite=False, inputs=["mix.wav"]) as making:
        with AudioSink(making.path, output_format, frames=source.format.frames) as sink:
            for block in source.blocks():
                sink.write(block)
        making.commit()

Integers are made by `refmaster.dsp.dither.Quantiser`: libsndfile would floor where it should round. WAVE
files are written by `refmaster.io.wave`, M4A by `refmaster.io.aac`, all others by libsndfile.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.dither import Quantiser
from refmaster.errors import AudioError, OutputError
from refmaster.io import aac, chunks, wave
from refmaster.io.atomic import output_error
from refmaster.io.formats import OutputFormat
from refmaster.io.open import open_audio

MP3_KBPS = 320
VORBIS_QUALITY = 8
"""Of libvorbis, 0 to 10: about 256 kbit/s in stereo."""
OPUS_KBPS_PER_CHANNEL = 128

_WRITE_FRAMES = 65536
"""libsndfile crashes when Vorbis gets a whole track in one call."""
_SPARE_BYTES = 1 << 20


class _Writer(Protocol):
    def write(self, data: NDArray[Any]) -> None: ...
    def close(self) -> None: ...


class AudioSink:
    """Take blocks of floats and write them as the file the format asks for.

    Parameters
    ----------
    path : Path
        The file to write; emptied if it exists.
    output_format : OutputFormat
        See `refmaster.io.formats.output_format_for`.
    frames : int, optional
        Number of frames to come, if it is known. A short WAV file then gets the smaller header, a disk that
        is too full is noticed at once, and any other number of frames is an error.
    name : str, optional
        The file's name in messages; the path unless given.

    Raises
    ------
    OutputError
        If the file cannot be written, here or from `write` and `close`.

    Notes
    -----
    Used as a context manager, leaving it by an exception closes the file without completing it.
    """

    def __init__(
        self,
        path: Path,
        output_format: OutputFormat,
        *,
        frames: int | None = None,
        name: str | None = None,
    ) -> None:
        self.path = path
        self.format = output_format
        self.name = str(path) if name is None else name
        self._written = 0
        self._frames = frames
        self._closed = False
        bits = output_format.integer_bits
        seed = output_format.dither_seed if output_format.dither and bits is not None and bits < 32 else None
        self._quantiser = None if bits is None else Quantiser(bits, seed=seed)
        # a lossy encoder's result depends on the pieces it gets
        self._reblocker: Reblocker[Any] | None = Reblocker(_WRITE_FRAMES) if output_format.lossy else None
        with self._translated():
            self._writer = self._open_writer()
            self._check_space()

    @property
    def clipped_samples(self) -> int:
        """Number of samples that were beyond the range of the integers and were limited to it."""
        return 0 if self._quantiser is None else self._quantiser.clipped_samples

    def write(self, block: NDArray[Any]) -> None:
        """Append a block.

        Parameters
        ----------
        block : ndarray, shape (frames, channels)
            Finite samples with full scale 1.0, or int32 words of the format's own length, which are written
            as they are; any number of frames.
        """
        if block.ndim != 2 or block.shape[1] != self.format.channels:
            raise ValueError(f"expected {self.format.channels} channels, got a block of shape {block.shape}")
        if self._reblocker is None:
            pieces = [block[start : start + _WRITE_FRAMES] for start in range(0, len(block), _WRITE_FRAMES)]
        else:
            pieces = self._reblocker.push(block)
        for piece in pieces:
            self._write_piece(piece)

    def close(self) -> None:
        """Complete the file and check that it holds what was written."""
        if self._closed:
            return
        self._closed = True
        rest = None if self._reblocker is None else self._reblocker.remainder()
        if rest is not None:
            self._write_piece(rest)
        with self._translated():
            self._writer.close()
            if self._frames is not None and self._written != self._frames:
                raise ValueError(f"{self._frames} frames were announced, {self._written} written")
            _make_deterministic(self.path, self.format)
        if self._written:
            self._check_length()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif not self._closed:
            self._closed = True
            with contextlib.suppress(OSError, sf.LibsndfileError):  # the first error is the one to report
                self._writer.close()

    def _open_writer(self) -> _Writer:
        held = self.format
        if held.container in ("WAV", "WAVEX", "RF64"):
            return wave.WaveWriter(self.path, held, frames=self._frames)
        if held.subtype == "AAC":
            kbps = aac.KBPS if held.codec is None else held.codec.rate
            return aac.open_writer(self.path, held.sample_rate_hz, held.channels, kbps)
        options = _encoder_options(held)
        return sf.SoundFile(
            self.path, "w", held.sample_rate_hz, held.channels, held.subtype, format=held.container, **options
        )

    def _write_piece(self, piece: NDArray[Any]) -> None:
        with self._translated():
            self._writer.write(self._stored(piece))
        self._written += len(piece)

    def _stored(self, piece: NDArray[Any]) -> NDArray[Any]:
        """Return the piece in the type that the writer expects."""
        subtype = self.format.subtype
        if self._quantiser is None:
            if not np.isfinite(piece.sum(dtype=np.float64)):
                raise ValueError("samples to write must be finite")
            return piece.astype(np.float64 if subtype == "DOUBLE" else np.float32, copy=False)
        integers = piece if piece.dtype == np.int32 else self._quantiser.quantise(piece)
        bits = self._quantiser.bits
        if not isinstance(self._writer, wave.WaveWriter):
            return integers if bits == 32 else integers << (32 - bits)  # libsndfile takes the upper bits
        if bits == 8:
            return (integers + 128).astype(np.uint8)
        if bits == 16:
            return integers.astype("<i2")
        return wave.pack_24(integers) if bits == 24 else integers.astype("<i4", copy=False)

    def _check_space(self) -> None:
        """Raise if the disk is certainly too full, before the work is done and not after it."""
        bits = self.format.integer_bits or {"FLOAT": 32, "DOUBLE": 64}.get(self.format.subtype)
        if self._frames is None or bits is None or self.format.container == "FLAC":
            return
        needed = self._frames * self.format.channels * ((bits + 7) // 8) + _SPARE_BYTES
        places = [self.path]
        if self.format.subtype.startswith("ALAC"):
            # libsndfile collects ALAC in the temporary directory first, and crashes if that is full
            places.append(Path(tempfile.gettempdir()))
        for place in places:
            free = shutil.disk_usage(place).free
            if free < needed:
                self._writer.close()
                raise OutputError(
                    f"{self.name}: the disk is too full: {needed / 1e6:.0f} MB are needed, "
                    f"{free / 1e6:.0f} MB are free; free some space or write elsewhere"
                )

    def _check_length(self) -> None:
        """Raise if the file does not hold every frame: libsndfile's lossy writers ignore a full disk."""
        try:
            found = open_audio(self.path, name=self.name).format.frames
        except AudioError as error:
            raise OutputError(f"{self.name}: not written completely ({error}); is the disk full?") from error
        if found is not None and found != self._written:
            raise OutputError(
                f"{self.name}: {self._written} frames were written, but the file holds {found}; "
                "is the disk full?"
            )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn errors of the operating system and of libsndfile into `OutputError`."""
        try:
            yield
        except OSError as error:
            raise output_error(Path(self.name), error) from error
        except (sf.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> OutputError:
        if self.path.exists() and shutil.disk_usage(self.path).free < _SPARE_BYTES:
            return OutputError(f"{self.name}: the disk is full; free some space or write elsewhere")
        reason = str(error).strip() or "fewer frames were written than given"
        return OutputError(
            f"{self.name}: could not be written as {self.format.container} {self.format.subtype} at "
            f"{self.format.sample_rate_hz} Hz: {reason}; is the disk full?"
        )


def _encoder_options(held: OutputFormat) -> dict[str, Any]:
    """Return libsndfile's options for the rate of a lossy coding."""
    rate = None if held.codec is None else held.codec.rate
    if held.subtype == "MPEG_LAYER_III":
        kbps = MP3_KBPS if rate is None else rate
        return {"bitrate_mode": "CONSTANT", "compression_level": (320 - kbps) / 288}
    if held.subtype == "VORBIS":
        return {"compression_level": 1.0 - (VORBIS_QUALITY if rate is None else rate) / 10}
    if held.subtype == "OPUS":
        # libsndfile maps 1..0 to 6 kbit/s in all .. 256 kbit/s a channel
        most = 256 * held.channels
        kbps = OPUS_KBPS_PER_CHANNEL * held.channels if rate is None else min(rate, most)
        return {"compression_level": 1.0 - (kbps - 6) / (most - 6)}
    return {}


def _make_deterministic(path: Path, output_format: OutputFormat) -> None:
    """Remove what libsndfile takes from the clock: time stamps in AIFF, serial numbers in Ogg."""
    if output_format.container == "AIFF":
        for chunk in chunks.walk(path):
            if chunk.identifier == b"PEAK":
                with path.open("r+b") as file:
                    file.seek(chunk.start + 4)  # after the version
                    file.write(bytes(4))
    elif output_format.container == "OGG":
        from mutagen import ogg

        # A page that a full disk has cut is found when the length is checked.
        with path.open("r+b") as file, contextlib.suppress(EOFError, ogg.error):
            while True:
                at = file.tell()
                page = ogg.OggPage(file)
                page.serial = 1
                file.seek(at)
                file.write(page.write())
