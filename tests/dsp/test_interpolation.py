"""The oversampled peaks are those of plain interpolation, whatever is skipped and however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.dsp import interpolation
from refmaster.dsp.interpolation import BLOCK_FRAMES, OversampledPeaks, PeakEnvelope, kaiser_sinc


def clipped_noise(frames, channels=2, seed=5):
    """Noise with flat tops, a quiet middle and a second channel that fades in."""
    samples = np.clip(0.3 * np.random.default_rng(seed).standard_normal((frames, channels)), -0.5, 0.5)
    samples[frames // 3 : frames // 2] *= 0.05
    samples[:, -1] *= np.linspace(0.0, 1.0, frames)
    return samples.astype(np.float32)


def convolved(line, taps, first):
    return np.convolve(line, taps)[first : first + len(line)]


def plain_peaks(samples):
    """Interpolate every point in float64 by plain convolution; largest point of each frame."""
    half = kaiser_sinc(np.arange(256.0) - 127.5, 128.0, interpolation.HALF_BETA)
    half /= half.sum()
    largest = np.zeros(len(samples))
    for line in samples.T.astype(np.float64):
        padded = np.pad(line, 300)
        doubled = np.empty(2 * len(padded))
        doubled[::2], doubled[1::2] = padded, convolved(padded, half, 128)
        phases = [doubled]
        for quarter in (1, 2, 3):
            fine = kaiser_sinc(np.arange(-5.0, 7.0) - quarter / 4, 6.0, interpolation.FINE_BETA)
            phases.append(convolved(doubled, fine[::-1] / fine.sum(), 6))
        points = np.abs(np.stack(phases, axis=1)).ravel()
        middle = 8 * (np.arange(len(line)) + 300)
        for eighth in range(-4, 5):
            np.maximum(largest, points[middle + eighth], out=largest)
    return largest


def run(kernel, samples, cuts=()):
    pieces, start = [], 0
    for stop in (*cuts, len(samples)):
        pieces.append(kernel.push(samples[start:stop]))
        start = stop
    return np.concatenate([*pieces, kernel.flush()])


SAMPLES = clipped_noise(2 * BLOCK_FRAMES + 4321)
PLAIN = plain_peaks(SAMPLES)


def grouped(peaks, group_frames):
    return np.maximum.reduceat(peaks, np.arange(0, len(peaks), group_frames))


@pytest.mark.parametrize("group_frames", [1, 7, 8, 9, 32, 4410, 40000, 100000])
def test_groups_hold_the_plain_maximum(group_frames):
    found = run(PeakEnvelope(48000, 2, group_frames=group_frames), SAMPLES)
    assert found.dtype == np.float32
    assert found == pytest.approx(grouped(PLAIN, group_frames), abs=1e-6)


@pytest.mark.parametrize("group_frames", [1, 8, 32, 441])
@pytest.mark.parametrize("threshold_db", [-40.0, -8.0, -5.0, 20.0])
def test_exact_above_the_threshold_and_never_above_it_below(group_frames, threshold_db):
    found = run(PeakEnvelope(48000, 2, group_frames=group_frames, threshold_db=threshold_db), SAMPLES)
    plain, threshold = grouped(PLAIN, group_frames), 10 ** (threshold_db / 20)
    above = plain > threshold * (1 + 1e-6)
    assert found[above] == pytest.approx(plain[above], abs=1e-6)
    assert np.all(found[~above] <= threshold * (1 + 1e-5))


@settings(max_examples=20)
@given(
    frames=st.sampled_from(
        [0, 1, 2, 7, 8, 127, 128, 200, BLOCK_FRAMES - 137, BLOCK_FRAMES - 136, BLOCK_FRAMES]
    )
    | st.integers(0, 2 * BLOCK_FRAMES),
    group_frames=st.sampled_from([1, 8, 32, 100, 441]),
    threshold_db=st.sampled_from([-np.inf, -6.0]),
    data=st.data(),
)
def test_cuts_change_nothing(frames, group_frames, threshold_db, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=6)))
    samples = SAMPLES[:frames]

    def envelope():
        return PeakEnvelope(44100, 2, group_frames=group_frames, threshold_db=threshold_db)

    whole = run(envelope(), samples)
    assert len(whole) == -(-frames // group_frames)
    np.testing.assert_array_equal(run(envelope(), samples, cuts), whole)


def test_flush_starts_anew():
    envelope = PeakEnvelope(48000, 2, group_frames=32)
    first = run(envelope, SAMPLES[:50000])
    run(envelope, SAMPLES[7:40000])
    np.testing.assert_array_equal(run(envelope, SAMPLES[:50000]), first)


def test_whole_cells_group_by_the_first_frame_of_each_cell():
    found = run(OversampledPeaks(2, group_frames=441, whole_cells=True), SAMPLES).max(axis=1)
    cells = grouped(PLAIN, 8)
    group = np.arange(len(cells)) * 8 // 441
    expected = np.maximum.reduceat(cells, np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1]))
    assert found == pytest.approx(expected, abs=1e-6)


def test_channels_are_kept_apart_unless_linked():
    found = run(OversampledPeaks(2, group_frames=100), SAMPLES)
    for channel in (0, 1):
        alone = plain_peaks(SAMPLES[:, channel : channel + 1])
        assert found[:, channel] == pytest.approx(grouped(alone, 100), abs=1e-6)


@pytest.mark.parametrize(
    ("frequency", "tolerance"), [(0.01, 4e-4), (0.25, 8e-4), (0.4, 0.0013), (0.48, 0.004)]
)
def test_sines_are_read_at_their_amplitude(frequency, tolerance):
    """Filter ripple only: frequencies are chosen off the grid, so that points come close to the tops."""
    time = np.arange(20000)
    sine = np.sin(2 * np.pi * (frequency + 1e-4 / np.pi) * time + 0.3)[:, np.newaxis]
    found = run(PeakEnvelope(48000, 1), sine)[1000:-1000]
    assert found.max() == pytest.approx(1.0, abs=tolerance)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="group_frames"):
        PeakEnvelope(48000, 1, group_frames=0)
    with pytest.raises(ValueError, match="channels"):
        PeakEnvelope(48000, 0)
    with pytest.raises(ValueError, match="sample_rate_hz"):
        PeakEnvelope(0, 1)
