"""A song mastered with sections, end to end: its loud parts were treated differently, and that is undone."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, welch

from refmaster import MatchSettings, master_array

RATE_HZ = 22050
PART_S = 9
TARGET_LUFS = -16.0
LOUD, QUIET = (0, 2, 4), (1, 3)


def sounds():
    """Six steady sounds of 3 s, of different colour."""
    random = np.random.default_rng(4)
    made = []
    for centre in np.geomspace(120.0, 5000.0, 6):
        noise = random.standard_normal((3 * RATE_HZ, 2))
        band = butter(1, [centre / 1.5, centre * 1.5], "bandpass", fs=RATE_HZ, output="sos")
        made.append(0.02 * noise + sosfilt(band, noise, axis=0))
    return made


def song(order):
    """Five parts of three sounds each, every second one 9 dB quieter."""
    found = sounds()
    parts = [np.concatenate([found[i] for i in order[3 * k : 3 * k + 3]]) for k in range(5)]
    return [0.1 * part * (1.0 if k in LOUD else 10 ** (-9 / 20)) for k, part in enumerate(parts)]


def brightened(part):
    """The engineer's shelf in a loud part, about 5 dB from 1.5 kHz up."""
    return part + 0.8 * sosfilt(butter(1, 1500, "highpass", fs=RATE_HZ, output="sos"), part, axis=0)


def spectrum_db(samples, numbers):
    """Return the spectrum of the middles of some parts, in dB, its level removed."""
    inside = [samples[round((k * PART_S + 2) * RATE_HZ) : round((k * PART_S + 7) * RATE_HZ)] for k in numbers]
    hz, power = welch(np.concatenate(inside).mean(axis=1), RATE_HZ, nperseg=1024)
    level = 10 * np.log10(power[(hz > 150) & (hz < 9000)])
    return level - level.mean()


@pytest.fixture(scope="module")
def masters():
    original = song([0, 3, 1, 4, 2, 5, 3, 0, 5, 1, 4, 2, 2, 1, 3])
    mix = np.concatenate([brightened(part) if k in LOUD else part for k, part in enumerate(original)])
    reference = np.concatenate(song([2, 1, 5, 0, 4, 3, 4, 1, 0, 5, 2, 3, 0, 2, 4]))
    found = {}
    for asked in (True, False):
        settings = MatchSettings(sections=asked, side=False, target_lufs=TARGET_LUFS)
        found[asked] = master_array(mix, reference, RATE_HZ, settings)
    return np.concatenate(original), mix, found


def test_parts_come_closer_to_the_original(masters):
    original, mix, found = masters

    def error(samples):
        return [np.std(spectrum_db(samples, part) - spectrum_db(original, part)) for part in (LOUD, QUIET)]

    mean = {name: np.mean(error(samples)) for name, (samples, _) in found.items()}
    assert found[True][1].plan.sections.kinds
    assert mean[True] < 0.7 * mean[False]
    assert mean[True] < 0.8 * np.mean(error(mix))


def test_every_promise_is_kept(masters):
    _, mix, found = masters
    for samples, result in found.values():
        assert samples.shape == mix.shape
        assert result.kept_promises
        assert result.master.levels.integrated_lufs == pytest.approx(TARGET_LUFS, abs=0.05)
        assert result.renders <= 3


def test_what_was_asked_is_told(masters):
    _, _, found = masters
    assert "sections" in dict(found[True][1].plan.summary())
    assert "sections" not in dict(found[False][1].plan.summary())
