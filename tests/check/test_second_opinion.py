"""An independent meter beside our own."""

import numpy as np
import pytest

from refmaster.check import second_opinion as opinions
from refmaster.check.second_opinion import SecondOpinion, second_opinion
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
    found = second_opinion(source, ours)
    assert found.integrated_lufs == pytest.approx(ours, abs=apart_lu)
    assert found.difference_lu == pytest.approx(found.integrated_lufs - ours, abs=0.0011)


def test_on_music(example_reference):
    source = open_audio(example_reference)
    ours = measure(source).levels.integrated_lufs
    assert second_opinion(source, ours).difference_lu == pytest.approx(0.0, abs=0.01)


def test_silence_has_no_loudness():
    found = second_opinion(ArraySource(np.zeros((RATE, 2)), RATE), None)
    assert found == SecondOpinion()


@pytest.mark.parametrize(("frames", "skipped"), [(RATE * 2 // 5, False), (RATE * 2 // 5 - 1, True)])
def test_under_one_block_it_is_not_asked(rng, frames, skipped):
    found = second_opinion(ArraySource(0.1 * rng.standard_normal((frames, 2)), RATE), -20.0)
    assert ("under 0.4 s" in (found.skipped or "")) is skipped
    assert (found.integrated_lufs is None) is skipped


def test_surround_and_long_recordings_are_skipped(rng, monkeypatch):
    six, long, short = (
        ArraySource(0.1 * rng.standard_normal(shape), RATE) for shape in ((RATE, 6), (RATE + 1, 2), (RATE, 2))
    )
    assert "6 channels" in second_opinion(six, -20.0).skipped
    monkeypatch.setattr(opinions, "MAX_SAMPLES", 2 * RATE)
    assert "memory" in second_opinion(long, -20.0).skipped
    assert second_opinion(short, -20.0).skipped is None
