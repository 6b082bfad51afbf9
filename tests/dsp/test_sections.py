"""The section equalizer: shares add up, no steps, no latency, and the blocks' cuts do not matter."""

import numpy as np
import pytest

from refmaster.dsp.fir import FirEqualizer, design_linear_phase, design_minimum_phase
from refmaster.dsp.sections import BankSpan, SectionEqualizer

RATE = 8000
CROSSFADE = 4000.0


def flat(gain_db, design=design_linear_phase):
    return design([1000.0], [gain_db], RATE)


def shelf(gain_db):
    return design_linear_phase([500.0, 1000.0], [0.0, gain_db], RATE)


def through(kernel, signal, cuts=()):
    done = [kernel.push(piece) for piece in np.split(signal, cuts)]
    return np.concatenate([*done, kernel.flush()])


def noise(frames, channels=2, dtype=np.float32):
    return np.random.default_rng(7).standard_normal((frames, channels)).astype(dtype) * dtype(0.1)


def test_outside_of_spans_it_is_the_first_bank():
    signal = noise(200_000)
    plain = through(FirEqualizer(2, shelf(3.0)), signal)
    banks = [(shelf(3.0), None), (shelf(-3.0), None)]
    spans = [BankSpan(120_000, 130_000, 1)]
    moved = through(SectionEqualizer(2, banks, spans, crossfade_frames=CROSSFADE), signal)
    untouched = len(signal) - 120_000 + 2000  # frames before the first fade, seen from the end
    np.testing.assert_allclose(moved[:-untouched], plain[:-untouched], atol=1e-6)
    assert np.abs(moved[124_000:126_000] - plain[124_000:126_000]).max() > 0.01


@pytest.mark.parametrize("design", [design_linear_phase, design_minimum_phase])
def test_gain_moves_along_half_a_cosine_without_latency(design):
    signal = np.ones((60_000, 1))
    banks = [(flat(0.0, design), None), (flat(6.0, design), None)]
    delay = None if design is design_linear_phase else 0
    spans = [BankSpan(20_000, 40_000, 1)]
    kernel = SectionEqualizer(1, banks, spans, crossfade_frames=CROSSFADE, delay_frames=delay)
    gain = through(kernel, signal)[:, 0]
    high = 10 ** (6.0 / 20)
    frames = np.arange(60_000)
    share = 0.5 + 0.5 * np.sin(np.pi * np.clip((frames - 20_000) / CROSSFADE, -0.5, 0.5))
    share -= 0.5 + 0.5 * np.sin(np.pi * np.clip((frames - 40_000) / CROSSFADE, -0.5, 0.5))
    np.testing.assert_allclose(gain, 1.0 + (high - 1.0) * share, atol=1e-9)


def test_spans_that_adjoin_share_everything_between_them():
    banks = [(flat(0.0), None), (flat(6.0), None), (flat(6.0), None)]
    spans = [BankSpan(-np.inf, 9000, 1), BankSpan(9000, 9500, 2), BankSpan(9500, np.inf, 1)]
    result = through(SectionEqualizer(1, banks, spans, crossfade_frames=CROSSFADE), np.ones((30_000, 1)))
    np.testing.assert_allclose(result, 10 ** (6.0 / 20), atol=1e-12)


class Counting(SectionEqualizer):
    """A section equalizer that notes which banks it computes."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.used = []

    def _filtered(self, spectrum, bank):
        self.used.append(bank)
        return super()._filtered(spectrum, bank)


def test_only_banks_with_a_share_are_computed():
    def used(spans):
        kernel = Counting(2, banks, spans, crossfade_frames=CROSSFADE)
        through(kernel, noise(900_000))
        return kernel.used

    banks = [(shelf(1.0), None), (shelf(2.0), None), (shelf(3.0), None)]
    one = used([BankSpan(-np.inf, np.inf, 1)])
    assert set(one) == {1}
    two = used([BankSpan(-np.inf, 300_000, 1), BankSpan(300_000, np.inf, 2)])
    assert set(two) == {1, 2}
    assert len(one) < len(two) <= len(one) + 2  # both in the one or two blocks of the crossfade only


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cuts", [[0], [1], [12345, 12346, 60_000], [28_672], [28_671, 28_673]])
def test_blocks_do_not_matter_to_the_bit(dtype, cuts):
    signal = noise(70_001, dtype=dtype)
    banks = [(shelf(0.0), shelf(1.0)), (shelf(4.0), shelf(-2.0)), (shelf(-3.0), None)]
    spans = [BankSpan(5000, 20_000, 1), BankSpan(21_000, 50_000, 2)]

    def kernel():
        return SectionEqualizer(2, banks, spans, crossfade_frames=CROSSFADE)

    whole = through(kernel(), signal)
    assert whole.shape == signal.shape
    assert whole.dtype == dtype
    np.testing.assert_array_equal(through(kernel(), signal, cuts), whole)


def test_an_empty_stream_stays_empty():
    banks = [(shelf(0.0), None), (shelf(4.0), None)]
    kernel = SectionEqualizer(2, banks, [BankSpan(0, 100, 1)], crossfade_frames=CROSSFADE)
    assert through(kernel, noise(0)).shape == (0, 2)
