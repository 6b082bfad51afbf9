"""EBU Tech 3341, table 1, cases 1-6 and 9-14; 7 and 8 where the EBU's files are at hand. Tolerance 0.1."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from refmaster.meters.loudness import LoudnessMeter

SILENCE = -np.inf


def near(value):
    return pytest.approx(value, abs=0.1)


@pytest.mark.parametrize(("case", "level"), [(1, -23.0), (2, -33.0)])
def test_steady_tone_reads_the_same_everywhere(tones, case, level):
    found = tones.measure([(20, level)])
    assert found.integrated_lufs == near(level)
    assert found.max_momentary_lufs == near(level)
    assert found.max_short_term_lufs == near(level)
    assert found.momentary_lufs == near(level)
    assert found.short_term_lufs == near(level)


CASE_3 = [(10, -36), (60, -23), (10, -36)]
PROGRAMMES = {
    3: CASE_3,
    4: [(10, -72), *CASE_3, (10, -72)],
    5: [(20, -26), (20.1, -20), (20, -26)],
}


@pytest.mark.parametrize("case", PROGRAMMES)
def test_gates(tones, case):
    assert tones.measure(PROGRAMMES[case]).integrated_lufs == near(-23.0)


def test_case_6_surround_weights(tones):
    found = tones.measure([(20, (-28, -28, -24, -30, -30))], channels=5)
    assert found.integrated_lufs == near(-23.0)


def test_lfe_is_not_heard(tones):
    found = tones.measure([(20, (-28, -28, -24, -3, -30, -30))], channels=6)
    assert found.integrated_lufs == near(-23.0)


def test_case_9_short_term_is_constant(tones):
    found = tones.measure([(1.34, -20), (1.66, -30)] * 5)
    assert len(found.short_term_lufs) == 121
    assert found.short_term_lufs == near(-23.0)
    assert found.max_short_term_lufs == near(-23.0)


def test_case_10_short_term_peaks_between_hops(tones):
    for i in range(20):
        found = tones.measure([(i * 0.15, SILENCE), (3, -23), (1, SILENCE)])
        assert found.max_short_term_lufs == near(-23.0), f"file {i}"


def test_case_11_running_maximum_of_short_term(tones):
    meter = LoudnessMeter(tones.sample_rate_hz, 2)
    for i in range(20):
        for seconds, level in ((i * 0.15, SILENCE), (3, -38 + i), (3 - i * 0.15, SILENCE)):
            meter.update(tones.segment(seconds, level))
        assert meter.result().max_short_term_lufs == near(-38.0 + i), f"segment {i}"


def test_case_12_momentary_is_constant(tones):
    found = tones.measure([(0.18, -20), (0.22, -30)] * 25)
    after_1_s = found.momentary_lufs[6:]
    assert len(after_1_s) == 91
    assert after_1_s == near(-23.0)


def test_case_13_momentary_peaks_between_hops(tones):
    for i in range(20):
        found = tones.measure([(i * 0.02, SILENCE), (0.4, -23), (1, SILENCE)])
        assert found.max_momentary_lufs == near(-23.0), f"file {i}"


def test_case_14_running_maximum_of_momentary(tones):
    meter = LoudnessMeter(tones.sample_rate_hz, 2)
    for i in range(20):
        for seconds, level in ((i * 0.02, SILENCE), (0.4, -38 + i), (0.4 - i * 0.02, SILENCE)):
            meter.update(tones.segment(seconds, level))
        assert meter.result().max_momentary_lufs == near(-38.0 + i), f"segment {i}"


@pytest.mark.ebu_programme
@pytest.mark.parametrize("case", [7, 8])
def test_programmes(measure_file, case):
    folder = Path(os.environ["REFMASTER_EBU_PROGRAMMES"])
    paths = [
        path for path in sorted(folder.rglob("*.wav")) if f"3341-{case}" in path.name.replace("2011-", "")
    ]
    assert paths, f"no file of case {case} (its name holds 3341-{case} or 3341-2011-{case}) in {folder}"
    for path in paths:
        assert measure_file(str(path)).integrated_lufs == near(-23.0), path.name


def test_full_scale_sine_in_one_channel_reads_3_01_below(sample_rate_hz):
    """BS.1770-4, Annex 1: 997 Hz at 0 dBFS in the left, centre or right channel is -3.01 LKFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * sample_rate_hz) / sample_rate_hz)
    for place in (0, 1, 2):
        block = np.zeros((len(sine), 5))
        block[:, place] = sine
        meter = LoudnessMeter(sample_rate_hz, 5)
        meter.update(block)
        assert meter.result().integrated_lufs == pytest.approx(-3.01, abs=0.01)
