"""Each finding on a mix or a reference: provoked on made audio, and missed just inside its limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_mix, inspect_reference
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile

Samples = NDArray[np.float64]
Case = Callable[[Path], list[Finding]]

RATE_HZ = 44100


def noise(
    seconds: float = 4.0, *, side_db: float = -8.0, below_hz: float = 22050.0, level: float = 0.05
) -> Samples:
    """White noise without DC, its side exactly `side_db` over its mid."""
    frames = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal((frames, 2)), axis=0)
    hz = np.fft.rfftfreq(frames, 1 / RATE_HZ)
    spectrum[(hz < 20.0) | (hz > below_hz)] = 0.0
    mid, side = np.fft.irfft(spectrum, frames, axis=0).T
    mid, side = mid / mid.std(), side / side.std() * 10 ** (side_db / 20)
    return level * np.column_stack([mid + side, mid - side])


def flat_tops(count: int) -> Samples:
    """Noise with `count` runs of three samples at 0.9."""
    samples = noise()
    for number in range(count):
        samples[1000 * (number + 1) :][:3, 0] = 0.9
    return samples


def peaking(dbfs: float) -> Samples:
    """Noise with one sample at `dbfs`."""
    samples = noise()
    samples[5000] = 10 ** (dbfs / 20)
    return samples


def at_true_peak(dbtp: float) -> Samples:
    """Noise at a true peak; the sample peak is lower."""
    samples = noise(below_hz=15000.0)
    found = profile(samples).levels.true_peak_dbtp
    assert found is not None
    return samples * 10 ** ((dbtp - found) / 20)


def saturated(plr_db: float) -> Samples:
    """Noise through a saturating curve, with one peak that sets how far peaks stand above the loudness."""
    samples = 0.5 * np.tanh(4.0 * noise(8.0, side_db=-20.0))
    loudness = profile(samples).levels.integrated_lufs
    assert loudness is not None
    samples[5000] = 10 ** ((loudness + plr_db) / 20)
    return samples


def profile(samples: Samples, name: str = "made.wav") -> Profile:
    return measure(ArraySource(samples, RATE_HZ, name=name))


def coded(folder: Path, name: str, samples: NDArray[np.generic] | None = None) -> Profile:
    """Measure a file of the given name, whose suffix decides how it is coded."""
    lossy = {"compression_level": 0.0} if name.endswith("ogg") else {}
    sf.write(folder / name, noise() if samples is None else samples, RATE_HZ, **lossy)
    return measure(open_audio(folder / name))


def mix(samples: Samples) -> list[Finding]:
    return inspect_mix(profile(samples))


def reference(samples: Samples, *, mixed: Samples | None = None) -> list[Finding]:
    return inspect_reference(profile(samples), profile(noise() if mixed is None else mixed, "mix.wav"))


def with_correlation(correlation: float) -> Samples:
    """Noise whose channels are equally loud and correlate as asked."""
    left, right = noise(side_db=0.0).T
    right = right - left * (left @ right) / (left @ left)
    right *= np.linalg.norm(left) / np.linalg.norm(right)
    return np.column_stack([left, correlation * left + np.sqrt(1.0 - correlation**2) * right])


def panned(left_over_right_db: float) -> Samples:
    """Noise that is louder on the left."""
    samples = with_correlation(0.5)
    return samples * [1.0, 10 ** (-left_over_right_db / 20)]


def one_bit_apart(folder: Path) -> list[Finding]:
    """Judge a copy of the mix of which one sample differs by one step."""
    samples = np.round(noise() * 32767).astype(np.int16)
    changed = samples.copy()
    changed[777, 0] += 1
    sf.write(folder / "mix.wav", samples, RATE_HZ)
    return inspect_reference(coded(folder, "copy.wav", changed), measure(open_audio(folder / "mix.wav")))


# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "mix_clipped": (lambda _: mix(flat_tops(10)), lambda _: mix(flat_tops(9))),
    "mix_hot": (lambda _: mix(peaking(-5.9)), lambda _: mix(peaking(-6.0))),
    "over_compressed": (lambda _: mix(saturated(8.95)), lambda _: mix(saturated(9.05))),
    "mix_lossy": (
        lambda folder: inspect_mix(coded(folder, "mix.ogg")),
        lambda folder: inspect_mix(coded(folder, "mix.flac")),
    ),
    "mix_dc": (lambda _: mix(noise() + 0.00101), lambda _: mix(noise() + 0.00099)),
    "mix_wide": (lambda _: mix(noise(side_db=0.01)), lambda _: mix(noise(side_db=-0.01))),
    "mix_one_sided": (lambda _: mix(noise() * [1.0, 0.0]), lambda _: mix(panned(6.9))),
    "mix_imbalanced": (lambda _: mix(panned(7.1)), lambda _: mix(panned(6.9))),
    "mix_out_of_phase": (lambda _: mix(with_correlation(-0.41)), lambda _: mix(with_correlation(-0.39))),
    "mix_mono": (
        lambda _: reference(noise(), mixed=noise()[:, :1]),
        lambda _: reference(noise()[:, :1], mixed=noise()[:, :1]),
    ),
    "too_short": (lambda _: mix(noise(2.99)), lambda _: mix(noise(3.0))),
    "reference_is_mix": (
        lambda folder: inspect_reference(coded(folder, "copy.wav"), coded(folder, "mix.wav")),
        one_bit_apart,
    ),
    "reference_clipped": (lambda _: reference(flat_tops(10)), lambda _: reference(flat_tops(9))),
    "reference_over": (lambda _: reference(at_true_peak(0.01)), lambda _: reference(at_true_peak(-0.01))),
    "reference_low_passed": (
        lambda _: reference(noise(below_hz=17000.0)),
        lambda _: reference(noise(below_hz=18200.0)),
    ),
    "reference_lossy": (
        lambda folder: inspect_reference(coded(folder, "a.ogg"), profile(noise())),
        lambda folder: inspect_reference(coded(folder, "a.flac"), profile(noise())),
    ),
    "reference_mono": (
        lambda _: reference(noise(side_db=-30.1)),
        lambda _: reference(noise(side_db=-29.9)),
    ),
    "reference_one_sided": (
        lambda _: reference(noise() * [1.0, 0.0]),
        lambda _: reference(panned(6.9)),
    ),
    "reference_imbalanced": (lambda _: reference(panned(7.1)), lambda _: reference(panned(6.9))),
    "reference_out_of_phase": (
        lambda _: reference(with_correlation(-0.41)),
        lambda _: reference(with_correlation(-0.39)),
    ),
    "reference_surround": (
        lambda _: reference(np.repeat(noise(), 3, axis=1)),
        lambda _: reference(noise()),
    ),
    "reference_short": (
        lambda _: reference(noise(4.99), mixed=noise(20.0)),
        lambda _: reference(noise(5.0), mixed=noise(20.0)),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}
    assert near_miss <= provoked


@pytest.mark.parametrize(("apart_db", "found"), [(39.9, "imbalanced"), (40.1, "one_sided")])
def test_a_channel_of_residue_is_a_silent_one(apart_db: float, found: str) -> None:
    for samples in (panned(apart_db), panned(apart_db)[:, ::-1]):
        assert {finding.code for finding in mix(samples)} == {f"mix_{found}"}
        assert {finding.code for finding in reference(samples)} == {f"reference_{found}"}


def test_the_louder_channel_is_named() -> None:
    (left,), (right,) = mix(panned(10.0)), mix(panned(10.0)[:, ::-1])
    assert left.message == "the left channel is 10.0 dB louder than the right in the mix"
    assert right.message == "the right channel is 10.0 dB louder than the left in the mix"


def test_a_swapped_polarity_is_seen_whatever_the_mix() -> None:
    flipped = noise() * [1.0, -1.0]
    assert "mix_out_of_phase" in {finding.code for finding in mix(flipped)}
    for mixed in (noise(), noise()[:, :1]):
        assert "reference_out_of_phase" in {finding.code for finding in reference(flipped, mixed=mixed)}


def test_a_mono_file_is_a_mono_reference() -> None:
    assert {finding.code for finding in reference(noise()[:, :1])} == {"reference_mono"}


def test_a_short_reference_says_so_too() -> None:
    (finding,) = reference(noise(2.99))
    assert finding.code == "too_short"
    assert finding.message.startswith("the reference made.wav lasts 2.99 s")


def test_a_reference_of_twenty_seconds_is_never_short() -> None:
    long = profile(noise(20.0))
    source = profile(noise()).source.model_copy(update={"duration_s": 7200.0})
    assert inspect_reference(long, profile(noise()).model_copy(update={"source": source})) == []
