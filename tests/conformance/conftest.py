"""The signals of EBU Tech 3341 and 3342, made here because the EBU's files may not be passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from refmaster.meters.loudness import LoudnessMeter, LoudnessResult

RATES_HZ = (44100, 48000, 96000)
Samples = NDArray[np.float32]


class Tones:
    """1 kHz sines in steps of 10 ms, which is ten whole periods at every rate: steps join in phase."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._frames = sample_rate_hz // 100
        self._period = np.sin(2 * np.pi * 1000 * np.arange(self._frames) / sample_rate_hz)

    def segment(self, seconds: float, level_dbfs: float | Sequence[float], channels: int = 2) -> Samples:
        """Return a tone with a peak level for all channels or for each; ``-inf`` is silence."""
        steps = round(seconds * 100)
        assert abs(steps - seconds * 100) < 1e-9, "segments are made of 10 ms steps"
        amplitude = 10.0 ** (np.broadcast_to(np.asarray(level_dbfs, dtype=float), (channels,)) / 20.0)
        step = (self._period[:, np.newaxis] * amplitude).astype(np.float32)
        return np.tile(step, (steps, 1))

    def measure(
        self, segments: Iterable[tuple[float, float | Sequence[float]]], channels: int = 2
    ) -> LoudnessResult:
        """Measure (seconds, level) segments one after another."""
        meter = LoudnessMeter(self.sample_rate_hz, channels)
        for seconds, level_dbfs in segments:
            meter.update(self.segment(seconds, level_dbfs, channels))
        return meter.result()


@pytest.fixture(params=RATES_HZ, ids=lambda rate: f"{rate} Hz")
def sample_rate_hz(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def tones(sample_rate_hz: int) -> Tones:
    return Tones(sample_rate_hz)


@pytest.fixture
def measure_file() -> Callable[[str], LoudnessResult]:
    """Measure a file in blocks."""
    import soundfile

    def measure(path: str) -> LoudnessResult:
        with soundfile.SoundFile(path) as file:
            meter = LoudnessMeter(file.samplerate, file.channels)
            for block in file.blocks(65536, dtype="float32", always_2d=True):
                meter.update(block)
        return meter.result()

    return measure
