"""Findings on silences and on cut heads and tails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refmaster.check.findings import Finding
from tests.check.made_audio import RATE_HZ, Samples, mix, only, song

Case = Callable[[Path], list[Finding]]


def silence(seconds: float) -> Samples:
    return np.zeros((round(seconds * RATE_HZ), 2))


def paused(seconds: float) -> Samples:
    """A song that is silent from 6 s on."""
    samples = song(16.0)
    samples[6 * RATE_HZ : round((6 + seconds) * RATE_HZ)] = 0.0
    return samples


def beginning_at(db: float) -> Samples:
    """A song that begins so far below its highest peak."""
    samples = song()
    samples[0] = np.abs(samples).max() * 10 ** (db / 20)
    return samples


def ending_at(db: float) -> Samples:
    """A song that ends so far below its highest peak."""
    samples = song()
    samples[-100:] = np.abs(samples).max() * 10 ** (db / 20) * np.sin(np.arange(100))[:, None]
    samples[-50] = np.abs(samples).max() * 10 ** (db / 20)
    return samples


CASES: dict[str, tuple[Case, Case]] = {
    "mix_silence": (lambda _: mix(paused(3.1)), lambda _: mix(paused(2.9))),
    "mix_cut_head": (lambda _: mix(beginning_at(-35.5)), lambda _: mix(beginning_at(-36.5))),
    "mix_cut_tail": (lambda _: mix(ending_at(-29.5)), lambda _: mix(ending_at(-30.5))),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}


@pytest.mark.parametrize(
    ("samples", "time_s", "length_s", "limit"),
    [
        (np.concatenate([silence(4.0), song()]), 0.0, 4.06, 3.0),
        (paused(5.0), 6.0, 5.0, 3.0),
        (np.concatenate([song(), silence(7.0)]), 7.96, 7.04, 6.0),
    ],
)
def test_a_silence_is_told_with_where_and_how_long(
    samples: Samples, time_s: float, length_s: float, limit: float
) -> None:
    found = only(mix(samples), "mix_silence")
    assert found.times_s == pytest.approx((time_s,), abs=0.05)
    assert found.value == pytest.approx(length_s, abs=0.1)
    assert (found.limit, found.unit) == (limit, "s")


def test_two_silences_are_one_finding() -> None:
    found = only(mix(np.concatenate([silence(4.0), paused(4.0)])), "mix_silence")
    assert len(found.times_s) == 2
    assert "begins with 4.0 s of silence, is silent for 4.0 s within" in found.message


def test_dc_does_not_make_a_cut() -> None:
    assert {f.code for f in mix(song() + 0.01)} == {"mix_dc"}


def test_the_place_of_a_cut_is_told() -> None:
    assert only(mix(beginning_at(-20.0)), "mix_cut_head").times_s == (0.0,)
    assert only(mix(ending_at(-20.0)), "mix_cut_tail").times_s == pytest.approx((7.96,))
