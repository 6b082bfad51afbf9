"""Findings on channels: polarity told from width, and what mono loses in a band."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_reference
from refmaster.check.stereo import phase_per_band
from tests.check.made_audio import RATE_HZ, Samples, mix, only, profile, song

Case = Callable[[Path], list[Finding]]


def wide_at(band_hz: tuple[float, float], mid_to_side_db: float) -> Samples:
    """A song whose mid is turned down within a band until mono loses there what is asked for."""
    samples = song()
    spectrum = np.fft.rfft(samples, axis=0)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    inside = (hz >= 0.95 * band_hz[0]) & (hz < 1.05 * band_hz[1])
    mid, side = (spectrum[:, 0] + spectrum[:, 1]) / 2, (spectrum[:, 0] - spectrum[:, 1]) / 2
    ratio = np.sqrt(np.sum(np.abs(side[inside]) ** 2) / np.sum(np.abs(mid[inside]) ** 2))
    mid[inside] *= ratio * 10 ** (mid_to_side_db / 20)
    return np.fft.irfft(np.column_stack([mid + side, mid - side]), len(samples), axis=0)


def panning(turn: float) -> list[Finding]:
    """Judge a mix whose panning moves `turn` times as much as that of a reference of 24 s."""
    time_s = np.arange(24 * RATE_HZ) / RATE_HZ
    move = np.convolve(np.random.default_rng(8).standard_normal(48), [0.5, 1.0, 0.5])[:48]
    pan = np.interp(time_s, np.arange(48) / 2, move)
    noise = np.random.default_rng(9).standard_normal((len(time_s), 2))
    mixed, referred = (
        profile(0.03 * noise * 10 ** (side * pan[:, None] * [1.0, -1.0] / 20), name)
        for side, name in ((turn, "mix.wav"), (1.0, "ref.wav"))
    )
    return inspect_reference(referred, mixed)


# Mono keeps m / (m + s) of the power: 6.02 dB are lost where side has three times mid's power.
CASES: dict[str, tuple[Case, Case]] = {
    "channels_swapped": (lambda _: panning(-0.8), lambda _: panning(0.8)),
    "mix_mono_loss": (
        lambda _: mix(wide_at((2000.0, 6000.0), -5.6)),
        lambda _: mix(wide_at((2000.0, 6000.0), -4.0)),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}


def test_the_band_that_mono_loses_is_told() -> None:
    found = only(mix(wide_at((2000.0, 6000.0), -9.0)), "mix_mono_loss")
    assert found.band_hz == (2000.0, 6000.0)
    assert found.value == pytest.approx(10 * np.log10(1 + 10**0.9), abs=0.4)


def test_an_inverted_channel_is_told_from_a_wide_mix() -> None:
    inverted = only(mix(song() * [1.0, -1.0]), "mix_out_of_phase")
    assert inverted.message.startswith("the polarity of one channel is inverted")
    assert inverted.band_hz == (20.0, 120.0)
    bass = sosfiltfilt(butter(2, 150.0, fs=RATE_HZ, output="sos"), wide_at((150.0, 20000.0), -12.0), axis=0)
    wide = only(mix(wide_at((150.0, 20000.0), -12.0) - 0.97 * bass), "mix_out_of_phase")
    assert "inverted" not in wide.message


def test_an_inverted_channel_of_a_wide_mix_is_seen_by_its_bass() -> None:
    """Over the whole, an inversion of unrelated channels changes nothing: the bass tells."""
    samples = wide_at((120.0, 20000.0), 0.0) * [1.0, -1.0]
    assert only(mix(samples), "mix_out_of_phase").value == pytest.approx(-0.73, abs=0.1)


def test_phase_per_band_against_the_channels_themselves() -> None:
    samples = wide_at((500.0, 2000.0), -3.0)
    (band,) = [b for b in phase_per_band(profile(samples)) if b.band_hz == (500.0, 2000.0)]
    spectrum = np.fft.rfft(samples, axis=0)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    left, right = spectrum[(hz >= 500.0) & (hz < 2000.0)].T
    both = np.sum(np.abs(left) ** 2 + np.abs(right) ** 2)
    assert band.correlation == pytest.approx(2 * np.sum(left * right.conj()).real / both, abs=0.05)
    assert band.mono_loss_db == pytest.approx(
        -10 * np.log10(np.sum(np.abs(left + right) ** 2) / 2 / both), abs=0.3
    )
    assert phase_per_band(profile(samples[:, :1])) == []
