"""Small made songs: shaped noise with beats, the same song for the same number."""

import numpy as np
import pytest
import soundfile as sf

RATE_HZ = 44100
SECONDS = 4.0


def song(number, *, seconds=SECONDS, rate=RATE_HZ, channels=2, tilt_db=0.0, level_db=0.0):
    """Return a made song, shape (frames, channels), peaking near -8 dBFS; a tilt is its engineer's."""
    random = np.random.default_rng(number)
    frames = round(seconds * rate)
    hz = np.maximum(np.fft.rfftfreq(frames, 1 / rate), 20.0)
    octaves = np.log2(hz / 1000.0)
    own = -4.5 * octaves + 3.0 * np.sin(1.3 * octaves + 2.0 * number)
    engineer = np.clip(tilt_db * octaves / 4.0, -6.0, 6.0)
    spectrum = np.fft.rfft(random.standard_normal((frames, 2)), axis=0)
    mid, side = np.fft.irfft(spectrum * 10 ** ((own + engineer) / 20)[:, None], frames, axis=0).T
    time_s = np.arange(frames) / rate
    beat = 0.25 + np.exp(-((time_s * (1.6 + 0.1 * number)) % 1.0) * 5.0)
    both = np.column_stack([mid + 0.4 * side, mid - 0.4 * side]) * beat[:, None]
    both = both * (10 ** (-8 / 20) / np.abs(both).max()) * 10 ** (level_db / 20)
    return both if channels == 2 else both.mean(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep the profiles of these tests apart from the user's, but shared among themselves."""
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path_factory.getbasetemp() / "album-cache"))


@pytest.fixture
def write_album(tmp_path):
    """Write mixes and an album.yaml; a song is ``(number, engineer, options of song)``."""

    def write(songs, *, text="", name="album.yaml"):
        lines = ["version: 1", "title: Made", *text.splitlines(), "tracks:"]
        for place, (number, engineer, options) in enumerate(songs, 1):
            path = tmp_path / f"{place:02d}.wav"
            rate = options.get("rate", RATE_HZ)
            sf.write(path, song(number, **options), rate, "PCM_24")
            lines.append(f"  - file: {path.name}")
            if engineer:
                lines.append(f"    engineer: {engineer}")
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def made_song():
    """The function that makes a song."""
    return song
