"""The program of a release as one recording: songs one after another, with gaps, fades and crossfades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Block
from refmaster.dsp.blocks import through
from refmaster.dsp.resample import Resampler
from refmaster.io.source import BLOCK_FRAMES, AudioFormat, AudioSource, valid_block_frames
from refmaster.release.layout import Layout, PlacedSong


class Program:
    """All songs of a release, an `AudioSource`.

    Parameters
    ----------
    name : str
        In messages.
    masters : sequence of AudioSource
        One for each song; of another sample rate than the program's they are converted.
    layout : Layout
        Where each lies.
    channels : {1, 2}
        Of the program; a mono master is in the centre of a stereo one.
    """

    path = None

    def __init__(self, name: str, masters: Sequence[AudioSource], layout: Layout, channels: int) -> None:
        self.name = name
        self._masters = tuple(masters)
        self._layout = layout
        self.format: AudioFormat = replace(
            masters[0].format,
            sample_rate_hz=layout.sample_rate_hz,
            channels=channels,
            frames=layout.frames,
            channel_mask=None,
        )

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the program; see `AudioSource.blocks`."""
        valid_block_frames(block_frames)
        channels, total = self.format.channels, self._layout.frames
        waiting = list(zip(self._masters, self._layout.songs, strict=True))
        playing: list[_Playing] = []
        for start in range(0, total, block_frames):
            stop = min(start + block_frames, total)
            while waiting and waiting[0][1].start < stop:
                master, song = waiting.pop(0)
                playing.append(_Playing(self._blocks_of(master), song))
            block = np.zeros((stop - start, channels), np.float32)
            for one in playing:
                one.add_to(block, start)
            playing = [one for one in playing if one.song.end > stop]
            yield block

    def check_unchanged(self) -> None:
        """Raise AudioError if the file of a master was changed or replaced since it was opened."""
        for master in self._masters:
            master.check_unchanged()

    def _blocks_of(self, master: AudioSource) -> Iterator[Block]:
        """Return a master's blocks in the program's rate and channels."""
        rate, own = self.format.sample_rate_hz, master.format
        blocks = master.blocks()
        if own.sample_rate_hz != rate:
            blocks = through(Resampler(own.sample_rate_hz, rate, own.channels), blocks)
        return map(self._widened, blocks)

    def _widened(self, block: Block) -> Block:
        channels = self.format.channels
        wide = block if block.shape[1] == channels else np.repeat(block, channels, axis=1)
        return cast("Block", wide)


class _Playing:
    """A song that is being added to the program."""

    def __init__(self, blocks: Iterator[Block], song: PlacedSong) -> None:
        self.song = song
        self._blocks = blocks
        self._buffer: Block = np.zeros((0, 1), np.float32)
        self._skipped = song.head

    def add_to(self, block: Block, start: int) -> None:
        """Add what of the song lies in a block that begins at a frame of the program."""
        song = self.song
        first, last = max(start, song.start), min(start + len(block), song.end)
        if last <= first:
            return
        taken = self._take(last - first) * _gains(song, first - song.start, last - first)
        block[first - start : last - start] += taken

    def _take(self, frames: int) -> Block:
        pieces, missing = [self._buffer] if len(self._buffer) else [], frames - len(self._buffer)
        while missing > 0:
            piece = next(self._blocks)
            dropped = min(self._skipped, len(piece))
            self._skipped -= dropped
            piece = piece[dropped:]
            if len(piece):
                pieces.append(piece)
                missing -= len(piece)
        joined = cast("Block", np.concatenate(pieces))
        self._buffer = joined[frames:]
        return joined[:frames]


def _gains(song: PlacedSong, first: int, frames: int) -> Block:
    """Return the gains of the fades for some frames of a song, shape (frames, 1)."""
    gains = np.ones((frames, 1), np.float32)
    at = np.arange(first, first + frames, dtype=np.float64)
    if first < song.fade_in:
        share = np.clip((at + 0.5) / song.fade_in, 0.0, 1.0)
        gains[:, 0] *= _shape(share, equal_power=song.equal_power_in)
    if song.fade_out and first + frames > song.frames - song.fade_out:
        share = np.clip((song.frames - at - 0.5) / song.fade_out, 0.0, 1.0)
        gains[:, 0] *= _shape(share, equal_power=song.equal_power_out)
    return gains


def _shape(share: np.ndarray, *, equal_power: bool) -> Block:
    """Return the gain at a share of a fade: a sine whose square adds up to one, or a raised cosine."""
    gain = np.sin(0.5 * np.pi * share) if equal_power else 0.5 - 0.5 * np.cos(np.pi * share)
    return gain.astype(np.float32)


def cut(blocks: Iterator[NDArray[Any]], frames: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the blocks of a program with the number of the piece they belong to.

    Parameters
    ----------
    blocks : iterator of ndarray
        Of the whole program.
    frames : sequence of int
        Length of each piece; the last may be shorter.
    """
    number, left = 0, frames[0]
    for block in blocks:
        rest = block
        while len(rest):
            while left == 0 and number + 1 < len(frames):
                number += 1
                left = frames[number]
            taken = rest[:left] if left else rest
            yield number, taken
            left -= min(left, len(taken))
            rest = rest[len(taken) :]
