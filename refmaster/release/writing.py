"""Write a program: converted and limited once, its words shortened once, then cut into files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Block, Progress
from refmaster.dsp.blocks import interleaved, through
from refmaster.dsp.dither import Quantiser
from refmaster.dsp.limiter import Limiter
from refmaster.dsp.resample import Resampler
from refmaster.io.formats import OutputFormat
from refmaster.io.sink import AudioSink
from refmaster.io.source import AudioSource, counted
from refmaster.release.program import cut
from refmaster.settings.limiter import LimiterSettings
from refmaster.units import amplitude_to_db, db_to_amplitude


@dataclass(frozen=True, kw_only=True)
class ProgramForm:
    """The form that a program is written in.

    Attributes
    ----------
    sample_rate_hz : int
    bits : int or None
        Word length; None for a lossy coding.
    ceiling_dbtp : float or None
        The limiter holds the program under it; None where nothing was done that could raise its peaks.
    gain_db : float
        Of the whole program.
    dither_seed : int
    """

    sample_rate_hz: int
    bits: int | None
    ceiling_dbtp: float | None
    gain_db: float = 0.0
    dither_seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A file to write: some frames of the program.

    Attributes
    ----------
    path : Path
    format : OutputFormat
    frames : int
    """

    path: Path
    format: OutputFormat
    frames: int


@dataclass(frozen=True, kw_only=True)
class WrittenPieces:
    """The largest sample of each piece in dBFS, None for silence, and the deepest limiting in dB."""

    sample_peaks_dbfs: tuple[float | None, ...]
    max_reduction_db: float


def write_pieces(
    program: AudioSource,
    form: ProgramForm,
    pieces: Sequence[Piece],
    *,
    whole: Piece | None = None,
    image: Path | None = None,
    image_pause_frames: int = 0,
    progress: Progress | None = None,
    stage: str = "writing",
) -> WrittenPieces:
    """Write a program as files that are, one after another, the program.

    Parameters
    ----------
    program : AudioSource
        Read once, in blocks.
    form : ProgramForm
        What is done to it before it is cut.
    pieces : sequence of Piece
        In order; together as long as the program in its new sample rate.
    whole : Piece, optional
        A file of the whole program besides.
    image : Path, optional
        A file of raw 16-bit little-endian samples besides, of a program in words of 16 bits.
    image_pause_frames : int
        Silence at the image's beginning.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    stage : str
        What the progress calls this.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    limiter = _limiter(program, form)
    quantiser = None if form.bits is None else Quantiser(form.bits, seed=form.dither_seed)
    peaks = [0.0] * len(pieces)
    blocks = counted(program.blocks(), stage, program.format.frames, progress)
    with ExitStack() as stack:
        writer = _PieceWriter(pieces, stack)
        beside = None if whole is None else stack.enter_context(_sink(whole))
        raw = None if image is None else stack.enter_context(image.open("wb"))
        if raw is not None:
            raw.write(bytes(4 * image_pause_frames))
        shortened = _shortened(_processed(blocks, program, form, limiter), quantiser)
        for number, block in cut(shortened, [piece.frames for piece in pieces]):
            writer.write(number, block)
            peaks[number] = max(peaks[number], float(block.max(initial=0)), -float(block.min(initial=0)))
            if beside is not None:
                beside.write(block)
            if raw is not None:
                raw.write(block.astype("<i2").tobytes())
        writer.close()
    full_scale = 1.0 if form.bits is None else 2.0 ** (form.bits - 1)
    reduction = 0.0 if limiter is None else limiter.activity.max_gain_reduction_db
    return WrittenPieces(
        sample_peaks_dbfs=tuple(amplitude_to_db(peak / full_scale) if peak else None for peak in peaks),
        max_reduction_db=reduction,
    )


class _PieceWriter:
    """The files of the pieces, of which one is open at a time."""

    def __init__(self, pieces: Sequence[Piece], stack: ExitStack) -> None:
        self._pieces = pieces
        self._number = -1
        self._sink: AudioSink | None = None
        stack.push(self._abandon)

    def write(self, number: int, block: NDArray[Any]) -> None:
        while self._number < number:
            self.close()
            self._number += 1
            self._sink = _sink(self._pieces[self._number])
        if self._sink is not None:
            self._sink.write(block)

    def close(self) -> None:
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.close()

    def _abandon(self, *error: Any) -> None:
        if self._sink is not None:
            self._sink.__exit__(*error)


def _sink(piece: Piece) -> AudioSink:
    piece.path.parent.mkdir(parents=True, exist_ok=True)
    return AudioSink(piece.path, piece.format, frames=piece.frames, name=str(piece.path))


def _limiter(program: AudioSource, form: ProgramForm) -> Limiter | None:
    if form.ceiling_dbtp is None:
        return None
    settings = LimiterSettings(ceiling_dbtp=form.ceiling_dbtp)
    return Limiter(form.sample_rate_hz, program.format.channels, settings, gain_db=form.gain_db)


def _processed(
    blocks: Iterator[Block], program: AudioSource, form: ProgramForm, limiter: Limiter | None
) -> Iterator[Block]:
    """Return the blocks of the program in its new sample rate, limited."""
    rate = program.format.sample_rate_hz
    if limiter is None and form.gain_db != 0.0:
        gain = np.float32(db_to_amplitude(form.gain_db))
        blocks = (block * gain for block in blocks)
    if form.sample_rate_hz != rate:
        blocks = through(Resampler(rate, form.sample_rate_hz, program.format.channels), blocks)
    return blocks if limiter is None else through(limiter, blocks)


def _shortened(blocks: Iterator[Block], quantiser: Quantiser | None) -> Iterator[NDArray[Any]]:
    """Yield blocks as words, which no file shortens again; without a quantiser as they are."""
    for block in blocks:
        samples = interleaved(block)
        yield samples if quantiser is None else quantiser.quantise(samples)
