"""Whether two files hold the same samples, and how far these are apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from refmaster._types import Block
from refmaster.dsp.blocks import Reblocker
from refmaster.io.open import open_audio
from refmaster.io.source import BLOCK_FRAMES, AudioSource


def samples_apart(one: Path, other: Path) -> float | None:
    """Return the largest difference of two files' decoded samples, full scale 1.

    None where sample rate, channels or length differ.

    Raises
    ------
    AudioError
        One of them cannot be read.
    """
    files = open_audio(one), open_audio(other)
    if len({(file.format.sample_rate_hz, file.format.channels) for file in files}) > 1:
        return None
    largest = 0.0
    for left, right in itertools.zip_longest(*map(_even_blocks, files)):
        if left is None or right is None or left.shape != right.shape:
            return None
        largest = max(largest, float(np.abs(left.astype(np.float64) - right).max(initial=0.0)))
    return largest


def _even_blocks(source: AudioSource) -> Iterator[Block]:
    reblocker: Reblocker[np.floating] = Reblocker(BLOCK_FRAMES)
    for block in source.blocks():
        yield from reblocker.push(block)
    rest = reblocker.remainder()
    if rest is not None:
        yield rest
