"""An independent meter beside our own."""

import numpy as np
import pytest

from refmaster.check import second_opinion as opinions
from refmaster.check.second_opinion import second_opinion
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure

RATE = 48000


@pytest.mark.parametrize(("rate", "apart_lu"), [(44100, 0.01), (48000, 0.01), (96000, 0.03)])
@pytest.mark.parametrize("channels", [1, 2])
def test_both_meters_agree(rng, rate, apart_lu, channels):
    """White noise, where the filters' difference at the top of 96 kHz counts most."""
    noise = 0.1 * rng.standard_normal((4 * rate, channels))
    source = ArraySource(noise, rate)
    ours = measure(source).levels.integrated_lufs
    assert second_opinion(source).integrated_lufs == pytest.approx(ours, abs=apart_lu)


def test_on_music(example_reference):
    source = open_audio(example_reference)
    assert second_opinion(source).integrated_lufs == pytest.approx(
        measure(source).levels.integrated_lufs, abs=0.01
    )


def test_silence_has_no_loudness():
    found = second_opinion(ArraySource(np.zeros((RATE, 2)), RATE))
    assert (found.integrated_lufs, found.skipped) == (None, "")


@pytest.mark.parametrize(("frames", "skipped"), [(RATE * 2 // 5, False), (RATE * 2 // 5 - 1, True)])
def test_under_one_block_it_is_not_asked(rng, frames, skipped):
    found = second_opinion(ArraySource(0.1 * rng.standard_normal((frames, 2)), RATE))
    assert ("under 0.4 s" in found.skipped) is skipped
    assert (found.integrated_lufs is None) is skipped


def test_surround_and_long_recordings_are_skipped(rng, monkeypatch):
    six = ArraySource(0.1 * rng.standard_normal((RATE, 6)), RATE)
    assert "6 channels" in second_opinion(six).skipped
    monkeypatch.setattr(opinions, "MAX_SAMPLES", 2 * RATE)
    assert second_opinion(ArraySource(0.1 * rng.standard_normal((RATE, 2)), RATE)).skipped == ""
    assert "memory" in second_opinion(ArraySource(0.1 * rng.standard_normal((RATE + 1, 2)), RATE)).skipped
