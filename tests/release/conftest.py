"""Small albums of made songs, each with beats of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import yaml
from numpy.typing import NDArray

RATE_HZ = 44100
SECONDS = 5.0


def song(number: int, *, seconds: float = SECONDS, rate: int = RATE_HZ) -> NDArray[np.float64]:
    """Make a song of pulsing noise, stereo, peaking at -8 dBFS."""
    random = np.random.default_rng(number)
    frames = round(seconds * rate)
    noise = random.standard_normal((frames, 2)).cumsum(axis=0)
    noise -= np.linspace(noise[0], noise[-1], frames)
    noise = noise / np.abs(noise).max() + 0.1 * random.standard_normal((frames, 2))
    beat = 0.3 + 0.7 * np.exp(-6.0 * ((np.arange(frames) / rate * (1.5 + 0.2 * number)) % 1.0))
    both = noise * beat[:, None]
    return both * (10 ** (-8 / 20) / np.abs(both).max())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path_factory.getbasetemp() / "release-cache"))


@pytest.fixture
def write_album(tmp_path: Path) -> Callable[..., Path]:
    """Write mixes and an album.yaml; `tracks` are the keys of each besides its file."""

    def write(
        tracks: Sequence[dict[str, Any]], *, seconds: float = SECONDS, rate: int = RATE_HZ, **keys: Any
    ) -> Path:
        listed = []
        for number, more in enumerate(tracks, start=1):
            path = tmp_path / f"{number:02d}.wav"
            if not path.exists():
                sf.write(path, song(number, seconds=seconds, rate=rate), rate, "PCM_24")
            listed.append({"file": path.name, **more})
        path = tmp_path / "album.yaml"
        made = {"version": 1, "title": "Made", "artist": "Somebody", "tracks": listed, **keys}
        path.write_text(yaml.safe_dump(made, allow_unicode=True), encoding="utf-8")
        return path

    return write
