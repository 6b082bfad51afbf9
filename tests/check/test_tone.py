"""Findings on the balance: boomy, muddy, harsh; against finished songs and against a reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_mix
from refmaster.check.tone import BOOMY, HARSH, MUDDY, Contrast, excess_db
from tests.check.made_audio import RATE_HZ, Samples, at_peak, mix, only, profile, song

Case = Callable[[Path], list[Finding]]


def standing_out(region: Contrast, beyond_limit_db: float) -> Samples:
    """A song with a region raised until it stands out by its limit and so much more."""
    samples = song()
    spectrum = np.fft.rfft(samples, axis=0)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    own = excess_db(profile(samples), region)
    assert own is not None
    gain_db = region.limit_db + beyond_limit_db - own
    spectrum[(hz >= region.hz[0] * 0.97) & (hz < region.hz[1] * 1.03)] *= 10 ** (gain_db / 20)
    return at_peak(np.fft.irfft(spectrum, len(samples), axis=0), -8.0)


CASES: dict[str, tuple[Case, Case]] = {
    "mix_boomy": (lambda _: mix(standing_out(BOOMY, 0.5)), lambda _: mix(standing_out(BOOMY, -0.5))),
    "mix_muddy": (lambda _: mix(standing_out(MUDDY, 0.5)), lambda _: mix(standing_out(MUDDY, -0.5))),
    "mix_harsh": (lambda _: mix(standing_out(HARSH, 0.5)), lambda _: mix(standing_out(HARSH, -0.5))),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}


@pytest.mark.parametrize(
    ("code", "region"), [("mix_boomy", BOOMY), ("mix_muddy", MUDDY), ("mix_harsh", HARSH)]
)
def test_the_region_and_its_excess_are_told(code: str, region: Contrast) -> None:
    found = only(mix(standing_out(region, 2.0)), code)
    assert found.band_hz == region.hz
    assert found.value == pytest.approx(region.limit_db + 2.0, abs=0.3)
    assert (found.limit, found.unit) == (region.limit_db, "dB")
    assert found.limit >= 6.0


def test_a_reference_takes_the_place_of_finished_songs() -> None:
    muddy, plain = profile(standing_out(MUDDY, 2.0)), profile(song())
    assert "mix_muddy" in {f.code for f in inspect_mix(muddy)}
    assert inspect_mix(muddy, [muddy]) == []
    assert "in the reference" in only(inspect_mix(muddy, [plain]), "mix_muddy").message
    assert excess_db(muddy, MUDDY, [muddy, plain]) == pytest.approx(
        (excess_db(muddy, MUDDY, [plain]) or 0) / 2, abs=0.1
    )


def test_where_there_is_too_little_sound_nothing_is_said() -> None:
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 300.0 * time_s)
    assert excess_db(profile(np.column_stack([tone, tone])), MUDDY) is None
