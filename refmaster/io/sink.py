"""Writing audio files: quantised here, complete or an error, the same bytes for the same input.

`AudioSink` writes to the path of a `refmaster.io.atomic.AtomicFile`::

    with atomic_destination("master.wav", overwrite=False, inputs=["mix.wav"]) as making:
        with AudioSink(making.path, output_format, frames=source.format.frames) as sink:
            for block in source.blocks():
                sink.write(block)
        making.commit()

Integers are made by `refmaster.dsp.dither.Quantiser`: libsndfile would floor where it should round.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from refmaster._types import Block
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.dither import Quantiser
from refmaster.errors import AudioError, OutputError
from refmaster.io import chunks, wave
from refmaster.io.atomic import AtomicFile, atomic_destination, check_destination, output_error, write_text
from refmaster.io.formats import OutputFormat, output_format_for
from refmaster.io.open import open_audio

__all__ = [
    "AtomicFile",
    "AudioSink",
    "FileDigest",
    "OutputFormat",
    "atomic_destination",
    "check_destination",
    "output_format_for",
    "sha256_of",
    "write_text",
]

MP3_KBPS = 320
VORBIS_QUALITY = 0.8
"""libvorbis quality 8 of 10, about 256 kbit/s in stereo."""
OPUS_KBPS_PER_CHANNEL = 128

_WRITE_FRAMES = 65536
"""libsndfile crashes when Vorbis gets a whole track in one call."""
_SPARE_BYTES = 1 << 20
_DIGEST_BYTES = 1 << 19


class _Writer(Protocol):
    def write(self, data: NDArray[Any]) -> None: ...
    def close(self) -> None: ...


class AudioSink:
    """Take blocks of floats and write them as the file the format asks for.

    Parameters
    ----------
    path : Path
        Where to write; emptied if it exists.
    output_format : OutputFormat
        See `output_format_for`.
    frames : int, optional
        How many frames will come, if that is known. A WAV file then gets the smaller header if it can, a disk
        that is too full is found out at once, and another number is an error.
    name : str, optional
        What messages call the file; the path unless given.

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
        self.frames_written = 0
        self._frames = frames
        self._closed = False
        bits = output_format.integer_bits
        seed = output_format.dither_seed if output_format.dither and bits is not None and bits < 32 else None
        self._quantiser = None if bits is None else Quantiser(bits, seed=seed)
        # What a lossy encoder makes of a signal depends on the pieces it gets.
        self._reblocker: Reblocker[Any] | None = Reblocker(_WRITE_FRAMES) if output_format.lossy else None
        try:
            self._writer = self._open_writer()
            self._check_space()
        except OSError as error:
            raise output_error(Path(self.name), error) from error
        except sf.LibsndfileError as error:
            raise self._failure(error) from error

    @property
    def clipped_samples(self) -> int:
        """Samples that were beyond the range of the integers and were limited to it."""
        return 0 if self._quantiser is None else self._quantiser.clipped_samples

    def write(self, block: Block) -> None:
        """Append a block.

        Parameters
        ----------
        block : ndarray, shape (frames, channels)
            Finite samples with full scale 1.0; any number of frames.
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
        try:
            rest = None if self._reblocker is None else self._reblocker.remainder()
            if rest is not None:
                self._write_piece(rest)
            self._writer.close()
            if self._frames is not None and self.frames_written != self._frames:
                raise ValueError(f"{self._frames} frames were announced, {self.frames_written} written")
            _make_deterministic(self.path, self.format)
        except OSError as error:
            raise output_error(Path(self.name), error) from error
        except sf.LibsndfileError as error:
            raise self._failure(error) from error
        if self.frames_written:
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
            return wave.WaveWriter(
                self.path,
                container=held.container,
                subtype=held.subtype,
                sample_rate_hz=held.sample_rate_hz,
                channels=held.channels,
                channel_mask=held.channel_mask,
                frames=self._frames,
            )
        options: dict[str, Any] = {}
        if held.subtype == "MPEG_LAYER_III":
            options = {"bitrate_mode": "CONSTANT", "compression_level": (320 - MP3_KBPS) / 288}
        elif held.subtype == "VORBIS":
            options = {"compression_level": 1.0 - VORBIS_QUALITY}
        elif held.subtype == "OPUS":
            # libsndfile maps 1..0 to 6 kbit/s in all .. 256 kbit/s a channel
            span = 256 * held.channels - 6
            options = {"compression_level": 1.0 - (OPUS_KBPS_PER_CHANNEL * held.channels - 6) / span}
        writer: _Writer = sf.SoundFile(
            self.path,
            "w",
            samplerate=held.sample_rate_hz,
            channels=held.channels,
            subtype=held.subtype,
            format=held.container,
            **options,
        )
        return writer

    def _write_piece(self, piece: Block) -> None:
        try:
            self._writer.write(self._stored(piece))
        except OSError as error:
            raise output_error(Path(self.name), error) from error
        except (sf.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
            raise self._failure(error) from error
        self.frames_written += len(piece)

    def _stored(self, piece: Block) -> NDArray[Any]:
        """Return the piece in the type that the writer takes for the subtype."""
        subtype = self.format.subtype
        if self._quantiser is None:
            if not np.isfinite(piece.sum(dtype=np.float64)):
                raise ValueError("samples to write must be finite")
            return piece.astype(np.float64 if subtype == "DOUBLE" else np.float32, copy=False)
        integers = self._quantiser.quantise(piece)
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
        if found is not None and found != self.frames_written:
            raise OutputError(
                f"{self.name}: {self.frames_written} frames were written, but the file holds {found}; "
                "is the disk full?"
            )

    def _failure(self, error: Exception) -> OutputError:
        if self.path.exists() and shutil.disk_usage(self.path).free < _SPARE_BYTES:
            return OutputError(f"{self.name}: the disk is full; free some space or write elsewhere")
        reason = str(error).strip() or "fewer frames were written than given"
        return OutputError(
            f"{self.name}: could not be written as {self.format.container} {self.format.subtype} at "
            f"{self.format.sample_rate_hz} Hz: {reason}; is the disk full?"
        )


class FileDigest:
    """The SHA-256 of a file's bytes, taken piece by piece beside other work on the file.

    Raises
    ------
    AudioError
        From each method, if the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._at = 0

    def advance(self, size: int = _DIGEST_BYTES) -> bool:
        """Take the next bytes; False at the end of the file."""
        try:
            with Path(self._path).open("rb", buffering=0) as file:
                file.seek(self._at)
                piece = file.read(size)
        except OSError as error:
            raise AudioError(f"{self._path}: cannot be read: {error.strerror or error}") from error
        self._hash.update(piece)
        self._at += len(piece)
        return len(piece) > 0

    def sha256(self) -> str:
        """Take what is left and return the digest in hexadecimal."""
        while self.advance():
            pass
        return self._hash.hexdigest()


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal; see `FileDigest`."""
    return FileDigest(path).sha256()


def _make_deterministic(path: Path, output_format: OutputFormat) -> None:
    """Remove what libsndfile takes from the clock: time stamps in AIFF, serial numbers in Ogg."""
    if output_format.container == "AIFF":
        for chunk in chunks.walk(path):
            if chunk.identifier == b"PEAK":
                with path.open("r+b") as file:
                    file.seek(chunk.start + 4)  # after the version
                    file.write(bytes(4))
    elif output_format.container == "OGG":
        _set_ogg_serial(path, 1)


def _set_ogg_serial(path: Path, serial: int) -> None:
    """Give the only stream of an Ogg file another serial number, page by page."""
    from mutagen import ogg

    # A page that a full disk has cut is found when the length is checked.
    with path.open("r+b") as file, contextlib.suppress(EOFError, ogg.error):
        while True:
            at = file.tell()
            page = ogg.OggPage(file)
            page.serial = serial
            file.seek(at)
            file.write(page.write())
