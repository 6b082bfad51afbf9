"""Each finding on playback translation: provoked beyond its limit, and missed just inside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from refmaster import check_playback
from refmaster.check.findings import Finding
from refmaster.check.playback import judge_playback
from refmaster.matching.playback import Translation
from refmaster.settings.playback import PlaybackSystem, playback_systems

Case = Callable[[], list[Finding]]


def system(name: str) -> PlaybackSystem:
    return next(system for system in playback_systems() if system.name == name)


def judged(name: str, change_lu: float, reference_lu: float | None = None) -> list[Finding]:
    found = Translation(
        system=system(name), change_lu=change_lu, reference_change_lu=reference_lu, regions=()
    )
    return judge_playback([found])


# The phone: finished recordings lose 7.0 LU, with a standard deviation of 3.2 LU.
CASES: dict[str, tuple[Case, Case]] = {
    "playback_loss": (lambda: judged("phone", -16.7, -7.0), lambda: judged("phone", -16.5, -7.0)),
    "playback_quieter": (lambda: judged("phone", -11.9, -7.0), lambda: judged("phone", -11.7, -7.0)),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str) -> None:
    provoked, near_miss = ([f for f in case() if f.code == code] for case in CASES[code])
    assert near_miss == []
    (finding,) = provoked
    assert finding.value is not None
    assert finding.limit is not None
    assert finding.value < finding.limit


def test_a_loss_that_the_reference_shares_is_the_music() -> None:
    assert {f.code for f in judged("phone", -20.0)} == {"playback_loss"}
    assert judged("phone", -20.0, -19.0) == []
    assert {f.severity for f in judged("mono", -9.0, -1.0)} == {"warning"}


def test_finished_music_has_no_warning(finished_music, example_reference) -> None:
    for recording in (*finished_music, example_reference):
        for others in ((), finished_music[:1], finished_music[1:]):
            findings = check_playback(recording, others).findings
            assert [f for f in findings if f.severity != "info"] == []


def test_every_system_says_where_its_numbers_are_from() -> None:
    systems = playback_systems()
    assert [s.name for s in systems] == ["mono", "phone", "laptop", "car", "club"]
    for found in systems:
        assert found.source
        assert found.checked_on
        assert found.grade in ("definition", "typical")
