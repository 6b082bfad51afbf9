"""Stems as a source: read side by side, each behind its own equalizer, and summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from refmaster._types import Array, Block, Progress
from refmaster.dsp.blocks import Reblocker, through
from refmaster.dsp.curves import Points
from refmaster.dsp.fir import FirEqualizer, design_linear_phase, design_minimum_phase
from refmaster.errors import AudioError
from refmaster.io.digest import sha256_of
from refmaster.io.open import open_audio
from refmaster.io.source import BLOCK_FRAMES, AudioFormat, AudioSource, valid_block_frames
from refmaster.matching.stems import StemCurve
from refmaster.meters.stems import StemMeter
from refmaster.profile.bands import band_edges_hz, third_centers_hz
from refmaster.settings.match import Phase
from refmaster.settings.stems import StemStage


class StemSum:
    """The sum of stems, an `AudioSource`.

    Parameters
    ----------
    stems : sequence of AudioSource
        Of one sample rate and length, mono or stereo; mono ones are in the centre of stereo ones.
    curves : sequence of points, optional
        The equalizer of each, (Hz, dB); empty points leave a stem as it is.
    phase : {"linear", "minimum"}
        Of these equalizers.

    Raises
    ------
    AudioError
        They are not aligned: all stems are named, with what each is.
    """

    path = None

    def __init__(
        self, stems: Sequence[AudioSource], curves: Sequence[Points] = (), phase: Phase = "linear"
    ) -> None:
        self.stems = tuple(stems)
        frames = _common_frames(self.stems)
        self.name = " + ".join(Path(stem.name).name for stem in self.stems)
        longest_word = max(self.stems, key=lambda stem: stem.format.bits or 0)
        channels = max(stem.format.channels for stem in self.stems)
        self.format: AudioFormat = replace(
            longest_word.format, channels=channels, frames=frames, channel_mask=None
        )
        self._curves = [tuple(curve) for curve in curves] or [()] * len(self.stems)
        self._phase: Phase = phase

    def corrected(self, curves: Sequence[Points], phase: Phase) -> StemSum:
        """Return the sum of the same stems behind other equalizers."""
        return StemSum(self.stems, curves, phase)

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the sum; see `AudioSource.blocks`."""
        for first, *others in self.parts(block_frames):
            total = np.array(first, np.result_type(first, *others))
            for other in others:
                total += other
            yield total

    def parts(self, block_frames: int = BLOCK_FRAMES) -> Iterator[list[Block]]:
        """Yield a block of each stem behind its equalizer, in the channels of the sum."""
        valid_block_frames(block_frames)
        streams = [
            _stream(stem, curve, self._phase, block_frames)
            for stem, curve in zip(self.stems, self._curves, strict=True)
        ]
        channels = self.format.channels
        for blocks in zip(*streams, strict=True):
            yield [
                block if block.shape[1] == channels else np.repeat(block, channels, axis=1)
                for block in blocks
            ]

    def measured(self, progress: Progress | None = None) -> Array:
        """Return the powers of sum and stems in the segments, see `StemMeter.result`."""
        rate = self.format.sample_rate_hz
        meter, done = StemMeter(rate, band_edges_hz(third_centers_hz(rate), 3)), 0
        for blocks in self.parts():
            meter.update(blocks)
            done += len(blocks[0])
            if progress is not None:
                progress("measuring the stems", done, self.format.frames)
        return meter.result()

    def check_unchanged(self) -> None:
        """Raise AudioError if the file of a stem was changed or replaced since it was opened."""
        for stem in self.stems:
            stem.check_unchanged()


def open_stems(files: Sequence[str | Path]) -> StemSum:
    """Open stems; AudioError where one cannot be read, or they are not aligned."""
    return StemSum([open_audio(file) for file in files])


def planned_stems(stages: Sequence[StemStage], folder: Path, phase: Phase) -> StemSum:
    """Open the stems of a plan, whose relative paths are relative to `folder`, behind their equalizers.

    Raises
    ------
    AudioError
        One is missing, or another file than the plan was made for.
    """
    for stage in stages:
        open_audio(folder / stage.file)  # says best what is wrong with it
        found = sha256_of(folder / stage.file)
        if stage.sha256 is not None and found != stage.sha256:
            raise AudioError(
                f"{folder / stage.file}: expected the stem that the plan was made for (sha256 "
                f"{stage.sha256[:12]}...), found another file ({found[:12]}...); derive a new plan"
            )
    return open_stems([folder / stage.file for stage in stages]).corrected(
        [stage.mid for stage in stages], phase
    )


def stem_stages(source: StemSum, curves: Sequence[StemCurve]) -> tuple[StemStage, ...]:
    """Return the stems of a source as a plan holds them."""
    stages = tuple(
        StemStage(
            file=stem.name,
            sha256=None if stem.path is None else sha256_of(stem.path),
            why=curve.why,
            mid=curve.points,
        )
        for stem, curve in zip(source.stems, curves, strict=True)
    )
    source.check_unchanged()  # the hashes are of the files that were measured
    return stages


def _common_frames(stems: Sequence[AudioSource]) -> int:
    """Return the length of all stems; AudioError naming each one where they are not alike."""
    frames = [
        sum(len(block) for block in stem.blocks()) if stem.format.frames is None else stem.format.frames
        for stem in stems
    ]
    found = [
        (f"{stem.format.sample_rate_hz} Hz", f"{count} frames", f"{stem.format.channels} channels")
        for stem, count in zip(stems, frames, strict=True)
    ]
    usual = [Counter(row[i] for row in found).most_common(1)[0][0] for i in range(2)]
    alike = all(list(row[:2]) == usual for row in found)
    if alike and all(stem.format.channels <= 2 for stem in stems):
        return frames[0]
    rows = "; ".join(f"{stem.name} ({', '.join(row)})" for stem, row in zip(stems, found, strict=True))
    raise AudioError(
        "stems: expected mono or stereo files of one sample rate and one length, exported from the same "
        f"start, found {rows}; export them again from one session"
    )


def _stream(stem: AudioSource, curve: Points, phase: Phase, block_frames: int) -> Iterator[Block]:
    """Yield a stem behind its equalizer, in blocks of a length."""
    if not any(gain for _, gain in curve):
        yield from stem.blocks(block_frames)
        return
    design = design_linear_phase if phase == "linear" else design_minimum_phase
    hz, gains = zip(*curve, strict=True)
    taps = design(hz, gains, stem.format.sample_rate_hz)
    kernel = FirEqualizer(stem.format.channels, taps, delay_frames=None if phase == "linear" else 0)
    reblocker: Reblocker[np.floating] = Reblocker(block_frames)
    for block in through(kernel, stem.blocks()):
        yield from reblocker.push(block)
    rest = reblocker.remainder()
    if rest is not None:
        yield rest
