"""Findings on where files come from: each provoked by a real file, and missed just inside its limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from refmaster.check.findings import Finding
from refmaster.check.origin import FRAMES_PROMINENT_FROM, inspect_origin
from refmaster.check.preflight import inspect_mix, inspect_reference
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile

Samples = NDArray[np.float64]
Case = Callable[[Path], list[Finding]]

RATE_HZ = 44100


def noise(below_hz: float = 22050.0, seconds: float = 3.0) -> Samples:
    """Pink noise that ends at a frequency with nothing above."""
    frames = round(seconds * RATE_HZ)
    hz = np.fft.rfftfreq(frames, 1 / RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(8).standard_normal((frames, 2)), axis=0)
    shape = np.where((hz > 20.0) & (hz < below_hz), 1.0 / np.sqrt(np.maximum(hz, 20.0)), 0.0)
    spectrum *= shape[:, np.newaxis]
    samples = np.fft.irfft(spectrum, frames, axis=0)
    return 0.5 * samples / np.abs(samples).max()


def written(folder: Path, samples: Samples, subtype: str = "PCM_16") -> Profile:
    """The profile of a WAV file."""
    path = folder / "made.wav"
    sf.write(path, samples, RATE_HZ, subtype=subtype)
    return measure(path, faults=True)


def from_mp3(folder: Path) -> Samples:
    """Noise that was an MP3 of 192 kbit/s."""
    path = folder / "coded.mp3"
    sf.write(path, noise(), RATE_HZ, format="MP3", compression_level=0.45, bitrate_mode="CONSTANT")
    return sf.read(path)[0]


def with_a_step_of(bits: int) -> Samples:
    """16-bit samples, but for one that needs more bits."""
    samples = np.round(noise() * 32768) / 32768
    samples[1000, 1] += 2.0 ** (1 - bits)
    return samples


def found(profile: Profile) -> list[Finding]:
    return inspect_origin(profile, "mix")


CASES: dict[str, tuple[Case, Case]] = {
    "lossy_origin": (
        lambda folder: found(written(folder, from_mp3(folder))),
        lambda folder: found(written(folder, noise(below_hz=16000.0))),
    ),
    "upsampled": (
        lambda folder: found(written(folder, noise(below_hz=15650.0))),
        lambda folder: found(written(folder, noise(below_hz=15850.0))),
    ),
    "padded_bits": (
        lambda folder: found(written(folder, with_a_step_of(20), "PCM_24")),
        lambda folder: found(written(folder, with_a_step_of(24), "PCM_24")),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked == {code}
    assert near_miss == set()


def with_prominence(profile: Profile, prominence: float) -> Profile:
    assert profile.faults is not None
    origin = profile.faults.origin.model_copy(update={"frame_prominence": prominence, "codec": "aac"})
    return profile.model_copy(update={"faults": profile.faults.model_copy(update={"origin": origin})})


def test_the_limit_of_prominence(tmp_path: Path) -> None:
    profile = written(tmp_path, noise())
    (finding,) = found(with_prominence(profile, FRAMES_PROMINENT_FROM))
    assert "an AAC file" in finding.message
    assert (finding.value, finding.limit) == (FRAMES_PROMINENT_FROM, FRAMES_PROMINENT_FROM)
    assert finding.band_hz is not None
    assert found(with_prominence(profile, FRAMES_PROMINENT_FROM - 0.01)) == []


def test_a_lossy_file_says_so_once(tmp_path: Path) -> None:
    from_mp3(tmp_path)
    codes = [finding.code for finding in inspect_mix(measure(tmp_path / "coded.mp3", faults=True))]
    assert "mix_lossy" in codes
    assert "lossy_origin" not in codes


def test_a_reference_is_judged_the_same_way(tmp_path: Path) -> None:
    mixed = written(tmp_path, noise())
    (lossy,) = inspect_reference(written(tmp_path, from_mp3(tmp_path)), mixed)
    assert lossy.code == "lossy_origin"
    assert lossy.message.startswith("the reference ")
    # A narrow reference is told once, by what it means for the matching.
    codes = [f.code for f in inspect_reference(written(tmp_path, noise(below_hz=11000.0)), mixed)]
    assert codes == ["reference_low_passed"]
    assert inspect_reference(written(tmp_path, from_mp3(tmp_path)), mixed, ("loudness",)) == []


@pytest.mark.parametrize(
    ("subtype", "bits", "padded"),
    [
        ("PCM_24", 16, True),
        ("PCM_32", 24, True),
        ("PCM_16", 8, True),
        ("FLOAT", 16, True),
        ("FLOAT", 24, False),
        ("PCM_16", 16, False),
        ("PCM_24", 24, False),
    ],
)
def test_word_lengths(tmp_path: Path, subtype: str, bits: int, padded: bool) -> None:
    samples = np.round(noise() * 2.0 ** (bits - 1)) / 2.0 ** (bits - 1)
    codes = [finding.code for finding in found(written(tmp_path, samples, subtype))]
    assert ("padded_bits" in codes) == padded


def test_nothing_is_found_where_nothing_was_looked_for(tmp_path: Path) -> None:
    sf.write(tmp_path / "made.wav", noise(below_hz=9000.0), RATE_HZ)
    assert found(measure(tmp_path / "made.wav")) == []
