"""Findings on clicks: provoked on made audio, and missed just inside their limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from refmaster.check.clicks import inspect_clicks
from refmaster.check.findings import Finding
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure

RATE_HZ = 192000
AT_FRAME = 100000


def findings(samples: NDArray[np.float64]) -> list[Finding]:
    return inspect_clicks(measure(ArraySource(samples, RATE_HZ), faults=True))


def sound() -> NDArray[np.float64]:
    """A chord over a little noise in two channels, 1 s."""
    time = np.arange(RATE_HZ) / RATE_HZ
    chord = sum(0.1 * np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.0, 330.0))
    return np.column_stack([chord, chord]) + 1e-4 * np.random.default_rng(2).standard_normal((RATE_HZ, 2))


def offset(frames: int, channel: int, height_db: float) -> NDArray[np.float64]:
    """The sound with an offset of some frames, so high over the 10 ms before and after it."""
    samples = sound()
    around = samples[AT_FRAME - RATE_HZ // 100 : AT_FRAME + frames + RATE_HZ // 100, channel]
    samples[AT_FRAME : AT_FRAME + frames, channel] += np.sqrt(np.mean(around**2)) * 10 ** (height_db / 20)
    return samples


Case = Callable[[], NDArray[np.float64]]
CASES: dict[str, tuple[Case, Case]] = {
    "clicks": (lambda: offset(20, 1, 5.0), lambda: offset(20, 1, 1.0)),
    "clicks_too_long": (lambda: offset(132, 1, 14.0), lambda: offset(122, 1, 14.0)),
}


@pytest.mark.parametrize("code", CASES)
def test_finding_is_made_where_it_is_due(code: str) -> None:
    provoked, missed = CASES[code]
    (due,) = [finding for finding in findings(provoked()) if finding.code == code]
    assert due.message
    assert due.advice
    assert due.times_s
    assert due.unit
    assert due.value is not None
    assert due.limit is not None
    assert due.value > due.limit
    assert due.times_s[0] == pytest.approx(AT_FRAME / RATE_HZ, abs=1e-3)
    assert code not in {finding.code for finding in findings(missed())}


def test_channels_are_named() -> None:
    (left,) = findings(offset(20, 0, 12.0))
    (right,) = findings(offset(20, 1, 12.0))
    (both,) = findings(np.maximum(offset(20, 0, 12.0), offset(20, 1, 12.0)))
    assert (left.channel, right.channel, both.channel) == ("left", "right", None)
    assert "1 click in the left channel" in left.message
    assert "2 clicks" in both.message


def test_a_profile_without_faults_has_no_findings() -> None:
    assert inspect_clicks(measure(ArraySource(offset(20, 0, 12.0), RATE_HZ))) == []
