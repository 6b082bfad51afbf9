"""Truncated files whose header tells."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io.open import open_audio

FRAMES = 10_001


@pytest.mark.parametrize("endian", ["BIG", "LITTLE"])
def test_truncated_au(tmp_path: Path, rng: np.random.Generator, endian: str) -> None:
    path = tmp_path / "a.au"
    sf.write(path, rng.uniform(-1, 1, (FRAMES, 2)), 48_000, format="AU", subtype="PCM_16", endian=endian)
    data = bytearray(path.read_bytes())
    whole = np.concatenate(list(open_audio(path).blocks()))
    assert len(whole) == FRAMES
    data[8:12] = b"\xff" * 4  # a program that wrote to a pipe could not know it
    path.write_bytes(data)
    np.testing.assert_array_equal(np.concatenate(list(open_audio(path).blocks())), whole)
    struct.pack_into(">I" if endian == "BIG" else "<I", data, 8, FRAMES * 4)
    path.write_bytes(data[:-1])
    with pytest.raises(AudioError, match="truncated: its header promises"):
        open_audio(path)
