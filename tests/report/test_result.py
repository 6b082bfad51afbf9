"""A master's result as table and as JSON."""

import json

import numpy as np
import pytest

from refmaster import master_array
from refmaster.report.result import LEVELS, level_rows, result_json, result_rows, rounded, shown


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(3)
    mix, reference = (0.1 * rng.standard_normal((96000, 2)).astype(np.float32) for _ in range(2))
    return master_array(mix, reference, 48000)[1]


def test_the_table_names_every_level_with_its_unit(result):
    rows = {row[0]: row[1:] for row in result_rows(result)}
    assert set(rows) == {*LEVELS, "Tone to reference"}
    unit, mix, reference, master = rows["Integrated loudness"]
    assert unit == "LUFS"
    assert mix == f"{result.mix.levels.integrated_lufs:.2f}"
    assert reference == f"{result.references[0].levels.integrated_lufs:.2f}"
    assert master == f"{result.master.levels.integrated_lufs:.2f}"


def test_what_was_not_measured_is_a_dash(result):
    assert level_rows([result.mix, None], ["PLR"])[0][2:] == [shown(result.mix.levels.plr_db, "{:.1f}"), "-"]
    assert shown(None) == "-"
    assert shown(-0.0) == "0.00"
    assert rounded(None) is None
    assert rounded(1.23456) == 1.235


def test_json_holds_what_was_asked_and_what_was_reached(result):
    found = json.loads(json.dumps(result_json(result), allow_nan=False))
    assert set(found) == {"requested", "achieved", "plan", "findings"}
    assert found["requested"]["true_peak_dbtp"] == -1.0
    assert found["requested"]["engine"] == "refmaster"
    reached = found["achieved"]
    assert reached["kept_promises"] is result.kept_promises
    assert reached["after"]["integrated_lufs"] == result.master.levels.integrated_lufs
    assert reached["output"] is None
    assert len(reached["references"]) == len(reached["tone_to_reference_db"]) == 1
    assert reached["limiter"]["max_gain_reduction_db"] >= 0.0
