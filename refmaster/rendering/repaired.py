"""A mix as a source, repaired while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refmaster._types import Block
from refmaster.dsp.blocks import Reblocker, StreamKernel, through
from refmaster.dsp.clicks import GapFiller
from refmaster.dsp.declip import Declipper
from refmaster.dsp.edges import EdgeShaper
from refmaster.errors import AudioError
from refmaster.io.source import BLOCK_FRAMES, AudioFormat, AudioSource, valid_block_frames
from refmaster.settings.document import format_key_path
from refmaster.settings.repair import Repair


class RepairedSource:
    """A mix behind the repair of a plan, an `AudioSource`: of its format, and as long as is left of it.

    Parameters
    ----------
    mix : AudioSource
    repair : Repair
    frames : int
        The mix's length, as it was measured.

    Raises
    ------
    AudioError
        The repair is of places that the mix does not have.
    """

    def __init__(self, mix: AudioSource, repair: Repair, frames: int) -> None:
        rate, channels = mix.format.sample_rate_hz, mix.format.channels
        problems = repair.problems_of(channels, frames, rate)
        if problems:
            path, message = problems[0]
            raise AudioError(
                f"{mix.name}: the plan's repair is not for this mix: {format_key_path(path)}: {message}"
            )
        self.mix = mix
        self.name, self.path = mix.name, mix.path
        self.format: AudioFormat = replace(mix.format, frames=repair.frames_of(frames))
        self._repair = repair
        self._frames = frames

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield what is left of the mix, repaired; see `AudioSource.blocks`."""
        reblocker: Reblocker[np.floating] = Reblocker(valid_block_frames(block_frames))
        edges = self._edges()
        for block in self._restored():
            yield from reblocker.push(edges.push(block))
        rest = reblocker.remainder()
        if rest is not None:
            yield rest

    def check_unchanged(self) -> None:
        """Raise AudioError if the mix's file was changed or replaced since it was opened."""
        self.mix.check_unchanged()

    def _restored(self) -> Iterator[Block]:
        """Yield the whole mix with clicks filled, tops restored and its offset removed."""
        repair, channels = self._repair, self.format.channels
        kernels: list[StreamKernel] = []
        if repair.clicks:
            kernels.append(GapFiller(channels, repair.clicks))
        if repair.overs:
            kernels.append(Declipper(channels, repair.overs, repair.longest_over_frames))
        blocks = self.mix.blocks()
        for kernel in kernels:
            blocks = through(kernel, blocks)
        for block in blocks:
            yield block - np.asarray(repair.dc, block.dtype) if any(repair.dc) else block

    def _edges(self) -> EdgeShaper:
        repair, rate = self._repair, self.format.sample_rate_hz
        return EdgeShaper(
            repair.start_frame,
            self._frames if repair.end_frame is None else repair.end_frame,
            fade_in_frames=round(repair.fade_in_s * rate),
            fade_out_frames=round(repair.fade_out_s * rate),
        )
