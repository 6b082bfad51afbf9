"""Each finding on a repair: provoked, and missed just inside its limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refmaster.check.findings import Finding
from refmaster.check.repair import judge_repair
from refmaster.io.source import ArraySource
from refmaster.matching.derive import derive_plan
from refmaster.plan import MasteringPlan
from refmaster.profile.faults import Clicks, CutLevel, Faults
from refmaster.profile.measure import measure
from refmaster.settings.match import MatchSettings
from refmaster.settings.repair import MAX_CLICK_FRAMES, Repair, RepairSettings

RATE_HZ = 8000
Case = Callable[[Path], list[Finding]]
ALL = MatchSettings(repair=RepairSettings(dc=True, clicks=True, overs=True, trim=True))


def repaired(asked: MatchSettings = ALL, **values: object) -> MasteringPlan:
    noise = 0.1 * np.random.default_rng(2).standard_normal((2 * RATE_HZ, 2))
    plan = derive_plan(measure(ArraySource(noise, RATE_HZ)), [], asked)
    return plan.model_copy(update={"repair": Repair(**values)})


def faults(*, clicks: tuple[int, ...] = (), count: int | None = None, long_tops: int | None = None) -> Faults:
    """Faults with clicks of so many frames, and with tops of which so many are long."""
    found = measure(ArraySource(np.zeros((RATE_HZ, 2)), RATE_HZ), faults=True).faults
    assert found is not None
    rows = tuple((1000 * n, frames, 0, 20.0) for n, frames in enumerate(clicks, 1))
    cut = ()
    if long_tops is not None:
        cut = (CutLevel(channel=0, level=0.5, tops=20, long_tops=long_tops, times_s=(0.5, 1.25)),)
    changes = {
        "clicks": Clicks(count=len(rows) if count is None else count, rows=rows),
        "repairable": found.repairable.model_copy(update={"cut": cut}),
    }
    return found.model_copy(update=changes)


def judged(its_faults: Faults | None = None, asked: MatchSettings = ALL, **values: object) -> list[Finding]:
    return judge_repair(repaired(asked, **values), its_faults)


# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "repaired_dc": (lambda _: judged(dc=(0.0, 1e-4)), lambda _: judged(dc=(0.0, 0.0))),
    "repaired_clicks": (lambda _: judged(clicks=((9, 1, 0),)), lambda _: judged(clicks=())),
    "repaired_overs": (lambda _: judged(overs=((0, 0.5),)), lambda _: judged(overs=())),
    "repaired_trim": (lambda _: judged(start_frame=1), lambda _: judged(start_frame=0)),
    "clicks_not_repaired": (
        lambda _: judged(faults(clicks=(5, MAX_CLICK_FRAMES + 1))),
        lambda _: judged(faults(clicks=(5, MAX_CLICK_FRAMES))),
    ),
    "overs_not_repaired": (lambda _: judged(faults(long_tops=1)), lambda _: judged(faults(long_tops=0))),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}
    assert near_miss <= provoked


def test_what_is_done_has_its_times_and_its_number() -> None:
    (clicks,) = judged(clicks=((4000, 9, 0), (12000, 1, 1)))
    assert (clicks.times_s, clicks.value, clicks.severity) == ((0.5, 1.5), 2, "info")
    (overs,) = judged(faults(long_tops=0), overs=((0, 0.5),))
    assert (overs.times_s, overs.value) == ((0.5, 1.25), 20)
    (trim,) = judged(start_frame=800, end_frame=12000)
    assert (trim.times_s, trim.message) == ((0.0, 1.5), "0.10 s are cut at the start and 0.50 s at the end")
    (dc,) = judged(dc=(0.002, -0.003))
    assert dc.value == -0.003


def test_what_is_left_is_said_only_of_what_was_asked() -> None:
    spoilt = faults(clicks=(500,), count=7, long_tops=3)
    assert judged(spoilt, MatchSettings()) == []
    clicks, overs = judged(spoilt)
    assert (clicks.value, clicks.severity) == (7, "warning")  # six more than are listed, and one too long
    assert (overs.value, overs.severity) == (3, "warning")
