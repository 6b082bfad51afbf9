"""A master's result as table and as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from refmaster import master_array, master_file
from refmaster.matching.tone import distance_to_aim_db, tonal_distance_db
from refmaster.report.result import (
    LEVELS,
    REFERENCE_HEADER,
    level_rows,
    reference_rows,
    result_json,
    result_rows,
    rounded,
    shown,
    tone_left,
)


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


def test_what_is_left_is_what_was_measured(result):
    """The summary's figures are those of the profile of the written master, not the plan's guess."""
    before, after = (tonal_distance_db(p, result.references[0]) for p in (result.mix, result.master))
    was = f"the mix was {before:.1f} dB away"
    assert tone_left(result) == f"measured on the master: {after:.1f} dB RMS away from the reference, {was}"
    row = next(row for row in result_rows(result) if row[0] == "Tone to reference")
    assert row[2:] == [f"{before:.2f}", "0", f"{after:.2f}"]
    assert "leaves" not in result.plan.tone.why


def test_a_render_of_a_plan_has_nothing_to_compare_with(result):
    alone = replace(result, references=())
    assert tone_left(alone) == ""
    assert {len(row) for row in result_rows(alone)} == {4}
    assert result_json(alone)["achieved"]["aim"] is None


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    rng = np.random.default_rng(4)
    for name, level, side in (("mix", 0.05, 0.3), ("quiet", 0.08, 0.5), ("loud", 0.16, 0.8)):
        mid, other = rng.standard_normal((2, 4 * 44100))
        samples = level * np.column_stack([mid + side * other, 0.9 * (mid - side * other)])
        sf.write(folder / f"{name}.wav", samples, 44100, "PCM_24")
    references = [(folder / "quiet.wav", 1.0), (folder / "loud.wav", 3.0)]
    return master_file(folder / "mix.wav", references, folder / "master.wav")


def test_of_several_references_the_table_shows_what_was_aimed_at(several):
    rows = {row[0]: row[1:] for row in result_rows(several)}
    quiet, loud = several.references

    def mean(value):
        return (value(quiet) + 3.0 * value(loud)) / 4.0

    assert rows["Integrated loudness"][2] == f"{mean(lambda p: p.levels.integrated_lufs):.2f}"
    assert rows["Integrated loudness"][3] == rows["Integrated loudness"][2]
    assert rows["Side to mid"][2] == f"{mean(lambda p: p.stereo.side_to_mid_db):.1f}"
    assert rows["Left over right"][2] == f"{mean(lambda p: p.stereo.balance_db):.2f}"
    assert rows["True peak"][2] == ""  # no master aims at a reference's peak
    aim = [(quiet, 1.0), (loud, 3.0)]
    before, after = (distance_to_aim_db(p, aim) for p in (several.mix, several.master))
    assert rows["Tone to the aim"][1:] == [f"{before:.2f}", "0", f"{after:.2f}"]
    assert f"{after:.1f} dB RMS away from the references' mean" in tone_left(several)
    found = result_json(several)["achieved"]["aim"]
    assert found["tone_after_db"] == pytest.approx(after, abs=1e-3)
    assert found["integrated_lufs"] == several.plan.promise.integrated_lufs


def test_each_of_several_references_has_its_row(several):
    rows = reference_rows(several)
    assert [row[:2] for row in rows] == [["quiet.wav", "1"], ["loud.wav", "3"]]
    for row, profile in zip(rows, several.references, strict=True):
        assert len(row) == len(REFERENCE_HEADER)
        assert row[2] == f"{profile.levels.integrated_lufs:.2f}"
        assert row[4] == f"{profile.stereo.side_to_mid_db:.1f}"
        assert row[-1] == f"{tonal_distance_db(several.master, profile):.2f}"


@pytest.fixture(scope="module")
def by_aspect(several, tmp_path_factory):
    tone, loudness = (several.references[i] for i in range(2))
    folder = tmp_path_factory.mktemp("aspects")
    references = {"tone": tone, "loudness": loudness, "balance": [tone, (loudness, 3.0)]}
    return master_file(several.mix.source.file, references, folder / "master.wav")


def test_the_aim_is_that_of_the_references_that_serve_it(by_aspect):
    tone, loud = by_aspect.references[:2]
    rows = {row[0]: row[1:] for row in result_rows(by_aspect)}
    assert rows["Integrated loudness"][2] == f"{loud.levels.integrated_lufs:.2f}"
    assert rows["Side to mid"][2] == "-"
    wanted = (tone.stereo.balance_db + 3.0 * loud.stereo.balance_db) / 4.0
    assert rows["Left over right"][2] == f"{wanted:.2f}"
    after = tonal_distance_db(by_aspect.master, tone)
    assert rows["Tone to the aim"][3] == f"{after:.2f}"
    assert f"{after:.1f} dB RMS away from the reference," in tone_left(by_aspect)
    table = [(row[0], row[1], row[-1]) for row in reference_rows(by_aspect)]
    assert table == [
        ("quiet.wav", "1 for tone, balance", f"{after:.2f}"),
        ("loud.wav", "1 for loudness", "-"),
        ("loud.wav", "3 for balance", "-"),
    ]
    found = result_json(by_aspect)
    assert found["requested"]["references"][0]["aspects"] == ["tone", "balance"]
    assert found["achieved"]["tone_to_reference_db"][1] == {"before": None, "after": None}
    assert found["achieved"]["aim"]["side_to_mid_db"] is None


def test_a_reference_of_the_loudness_alone_is_no_aim_of_the_tone(several, tmp_path):
    result = master_file(several.mix.source.file, {"loudness": several.references[1]}, tmp_path / "a.wav")
    rows = {row[0]: row[1:] for row in result_rows(result)}
    assert "Tone to reference" not in rows
    assert "Tone to the aim" not in rows
    assert rows["Side to mid"][2] == "-"
    assert tone_left(result) == ""
    assert "reference_low_passed" not in {finding.code for finding in result.findings}


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
