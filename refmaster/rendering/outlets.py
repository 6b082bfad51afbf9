"""Destinations of a render: a file, a spool that is thrown away, or an array.

An outlet is a context and can be written several times, each time anew; what was written can be read back and
measured. It is kept only by `keep`; leaving the context without that leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from refmaster._types import Block
from refmaster.check.findings import Finding, info, warning
from refmaster.dsp.blocks import interleaved
from refmaster.io.atomic import atomic_destination, check_destination
from refmaster.io.formats import OutputFormat, output_format_for
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink
from refmaster.io.source import ArraySource, AudioSource
from refmaster.plan import MasteringPlan
from refmaster.profile.model import Levels, Profile

if TYPE_CHECKING:
    from refmaster.io.metadata.broadcast import BextLoudness


class Outlet(AbstractContextManager["Outlet"]):
    """A destination of a render.

    Attributes
    ----------
    path : Path or None
        The file that `keep` leaves, if any.
    findings : list of Finding
        Notes on what could not be kept of the mix (tags, say).
    """

    path: Path | None = None

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @abstractmethod
    def write(self, blocks: Iterator[Block], source: AudioSource, plan: MasteringPlan, /) -> AudioSource:
        """Write all blocks, replacing what was written before, and return it as a source."""

    def keep(self, source: AudioSource, master: Profile, /) -> None:
        """Keep what was written last, where the outlet is one that keeps anything."""


class FileOutlet(Outlet):
    """A file, written beside its place and moved there by `keep`.

    Parameters
    ----------
    path : str or Path
        The destination; its extension names the container.
    overwrite : bool
        Replace an existing file.
    inputs : sequence of Path
        Files that must not be written over.
    before_commit : callable, optional
        Called with the path of the complete file before that gets its name.

    Raises
    ------
    OutputError
        The destination cannot be written, exists, or is one of the inputs.
    """

    path: Path

    def __init__(
        self,
        path: str | Path,
        *,
        overwrite: bool,
        inputs: Sequence[Path],
        before_commit: Callable[[Path], None] | None = None,
    ) -> None:
        super().__init__()
        self.path = Path(path)
        self._overwrite = overwrite
        self._inputs = list(inputs)
        self._before_commit = before_commit
        check_destination(self.path, overwrite=overwrite, inputs=self._inputs)

    def __enter__(self) -> Self:
        self._destination = self._stack.enter_context(
            atomic_destination(self.path, overwrite=self._overwrite, inputs=self._inputs)
        )
        return self

    def write(self, blocks: Iterator[Block], source: AudioSource, plan: MasteringPlan) -> AudioSource:
        """Write the file beside its place; see `Outlet.write`."""
        self._plan = plan
        output_format = format_of(self.path, source, plan)
        frames = _frames_to_come(source, output_format)
        clipped = write_blocks(self._destination.path, output_format, blocks, frames, name=str(self.path))
        self.findings = []
        if clipped:
            self.findings.append(
                warning(
                    "clipped", f"{clipped} samples were beyond full scale and clipped", "enable the limiter"
                )
            )
        return open_audio(self._destination.path, name=str(self.path))

    def keep(self, source: AudioSource, master: Profile) -> None:
        """Copy tags and chunks from the mix and move the file into place."""
        plan = self._plan
        if source.path is not None or said_tags(plan, master) or plan.art or plan.output.bext:
            notes = tag(self._destination.path, source.path, plan, master, name=str(self.path))
            self.findings += [info("metadata", note) for note in notes]
        source.check_unchanged()  # the master and its tags are of one file
        if self._before_commit is not None:
            self._before_commit(self._destination.path)
        self._destination.commit()


def tag(written: Path, mix: Path | None, plan: MasteringPlan, master: Profile, *, name: str) -> list[str]:
    """Write the mix's tags and chunks, and the plan's, to a master; return a note on each loss.

    The mix is None where it is no file of its own (stems); the plan's cover picture is read.
    """
    from refmaster.io.metadata.art import read_art
    from refmaster.io.metadata.copy import copy_metadata

    loudness = bext_loudness(master.levels)
    art = None if plan.art is None else read_art(Path(plan.art.file), plan.art.sha256).picture
    said, bext = said_tags(plan, master), plan.output.bext
    return copy_metadata(mix, written, said=said, picture=art, bext=bext, loudness=loudness, name=name)


def bext_loudness(levels: Levels) -> BextLoudness:
    """Return the levels of a recording as a bext chunk states them."""
    from refmaster.io.metadata.broadcast import BextLoudness

    return BextLoudness(
        integrated_lufs=levels.integrated_lufs,
        loudness_range_lu=levels.loudness_range_lu,
        max_true_peak_dbtp=levels.true_peak_dbtp,
        max_momentary_lufs=levels.max_momentary_lufs,
        max_short_term_lufs=levels.max_short_term_lufs,
    )


def said_tags(plan: MasteringPlan, master: Profile) -> dict[str, str]:
    """Return the tags that a plan writes in place of the mix's own."""
    from refmaster.io.metadata.loudness import loudness_fields

    kind, levels = plan.output.loudness_tags, master.levels
    if kind is None:
        return plan.tags
    return plan.tags | loudness_fields(kind, levels.integrated_lufs, levels.sample_peak_dbfs)


class SpoolOutlet(Outlet):
    """A 24-bit file in the temporary folder, for a trial render that is measured and thrown away."""

    def __enter__(self) -> Self:
        folder = tempfile.TemporaryDirectory(prefix="refmaster-")
        self._folder = Path(self._stack.enter_context(folder))
        return self

    def write(self, blocks: Iterator[Block], source: AudioSource, plan: MasteringPlan) -> AudioSource:
        """Write the trial; see `Outlet.write`."""
        spool = self._folder / "trial.rf64"
        output_format = format_of(spool, source, plan)
        write_blocks(
            spool, output_format, blocks, _frames_to_come(source, output_format), name="trial render"
        )
        return open_audio(spool)


class ArrayOutlet(Outlet):
    """An array in memory, in the precision of the source."""

    def write(self, blocks: Iterator[Block], _source: AudioSource, plan: MasteringPlan) -> AudioSource:
        """Collect the blocks in ``samples``; see `Outlet.write`."""
        self.samples: Block = interleaved(np.concatenate(list(blocks)))
        return ArraySource(self.samples, plan.output.sample_rate_hz, name="master")


def format_of(path: Path, source: AudioSource, plan: MasteringPlan) -> OutputFormat:
    """Return how a plan's output is written at `path`; an identity plan copies the samples undithered."""
    output = plan.output
    chosen = output_format_for(
        path,
        source.format,
        bit_depth=output.bit_depth,
        sample_rate_hz=output.sample_rate_hz,
        dither_seed=output.dither_seed,
    )
    kept_bits = (chosen.integer_bits or 0) >= (source.format.bits or 0) and not source.format.lossy
    if not output.dither or (plan.is_identity and kept_bits):
        return replace(chosen, dither=False)
    return chosen


def _frames_to_come(source: AudioSource, output_format: OutputFormat) -> int | None:
    if source.format.frames is None:
        return None
    return round(source.format.frames * output_format.sample_rate_hz / source.format.sample_rate_hz)


def write_blocks(
    path: Path, output_format: OutputFormat, blocks: Iterator[Block], frames: int | None, *, name: str
) -> int:
    """Write blocks (`frames` in all, where that is known) and return how many samples were clipped."""
    with AudioSink(path, output_format, frames=frames, name=name) as sink:
        for block in blocks:
            sink.write(interleaved(block))
    return sink.clipped_samples
