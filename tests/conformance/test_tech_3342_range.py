"""EBU Tech 3342, section 4: loudness range, cases 1-4; 5 and 6 where the EBU's files are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CASES = {
    1: ((-20, -30), 10.0),
    2: ((-20, -15), 5.0),
    3: ((-40, -20), 20.0),
    4: ((-50, -35, -20, -35, -50), 15.0),
}
PROGRAMMES = {5: ("3341-7", 5.0), 6: ("3341-8", 15.0)}


@pytest.mark.parametrize("case", CASES)
def test_steps(tones, case):
    levels, expected_lu = CASES[case]
    found = tones.measure([(20, level) for level in levels])
    assert found.loudness_range_lu == pytest.approx(expected_lu, abs=1.0)
    assert found.loudness_range_stable == (len(levels) >= 3)


@pytest.mark.ebu_programme
@pytest.mark.parametrize("case", PROGRAMMES)
def test_programmes(measure_file, case):
    folder = Path(os.environ["REFMASTER_EBU_PROGRAMMES"])
    part, expected_lu = PROGRAMMES[case]
    paths = [path for path in sorted(folder.rglob("*.wav")) if part in path.name.replace("2011-", "")]
    assert paths, f"no file of case {case} (its name holds {part} or 3341-2011-{part[-1]}) in {folder}"
    for path in paths:
        assert measure_file(str(path)).loudness_range_lu == pytest.approx(expected_lu, abs=1.0), path.name
