"""Options that ask for a repair."""

import json

import numpy as np
import pytest
import soundfile as sf
import yaml

from refmaster.plan import load_plan


@pytest.fixture(scope="module")
def spoilt(short_example, tmp_path_factory):
    """Return a mix with an offset and silence before it."""
    samples, rate = sf.read(short_example / "mix.wav")
    path = tmp_path_factory.mktemp("spoilt") / "mix.wav"
    sf.write(path, np.vstack([np.zeros((rate, 2)), samples]) + 0.02, rate, "PCM_24")
    return path


def planned(command, spoilt, music, folder, *options, code=0):
    """Return a plan's requested repair and its repair, and what was printed."""
    job = ("plan", spoilt, "-r", music / "reference.wav", "-o", folder / "plan.yaml", *options)
    found, out, err = command(*job)
    assert found == code, err
    if code:
        return err
    plan = load_plan(folder / "plan.yaml")
    return plan.requested.repair.model_dump(exclude_defaults=True), plan.repair, out


def test_nothing_is_repaired_unless_it_is_asked_for(command, spoilt, music, tmp_path):
    requested, repair, out = planned(command, spoilt, music, tmp_path)
    assert (requested, repair.why) == ({}, "")
    assert "repair  " not in out


def test_each_repair_by_its_name(command, spoilt, music, tmp_path):
    options = ("--repair", "dc", "--repair", "overs", "--fade-out", "0.5")
    requested, repair, out = planned(command, spoilt, music, tmp_path, *options)
    assert requested == {"dc": True, "overs": True, "fade_out_s": 0.5}
    assert repair.dc == pytest.approx((0.02, 0.02), abs=1e-3)
    assert (repair.start_frame, repair.fade_out_s) == (0, 0.5)
    assert "repair  overs: no short clipped tops found; a constant offset of +0.02" in " ".join(
        out.split("\n")
    )


def test_all_of_them_and_their_findings_in_json(command, spoilt, music, tmp_path):
    requested, repair, out = planned(command, spoilt, music, tmp_path, "--repair", "all", "--json")
    assert requested == {"dc": True, "clicks": True, "overs": True, "trim": True}
    assert repair.start_frame == pytest.approx(0.9 * 48000, abs=480)
    found = json.loads(out)
    assert found["plan"]["repair"]["start_frame"] == repair.start_frame
    (trim,) = [f for f in found["findings"] if f["code"] == "repaired_trim"]
    assert trim["times_s"] == [0.0]


def test_options_add_to_a_settings_file_and_none_takes_it_back(command, spoilt, music, tmp_path):
    (tmp_path / "mine.yaml").write_text("repair: {trim: true, fade_in_s: 0.1}\n")
    mine = ("--settings", tmp_path / "mine.yaml", "--repair")
    assert planned(command, spoilt, music, tmp_path, *mine, "dc")[0] == {
        "dc": True,
        "trim": True,
        "fade_in_s": 0.1,
    }
    (tmp_path / "plan.yaml").unlink()
    assert planned(command, spoilt, music, tmp_path, *mine, "none")[0] == {"fade_in_s": 0.1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--repair", "click"), "--repair: expected one of dc, clicks, overs, trim, all, none, found click"),
        (("--repair", "none", "--repair", "dc"), "--repair: expected none alone, found none, dc"),
        (("--fade-in", "-1"), "--fade-in: expected at least 0"),
        (("--fade-out", "601"), "--fade-out: expected at most 600"),
        (("--fade-out", "7"), "expected fades of at most 6.000 s together"),
    ],
)
def test_what_is_wrong_names_its_option(command, spoilt, music, tmp_path, options, said):
    assert said in planned(command, spoilt, music, tmp_path, *options, code=2)
    assert not (tmp_path / "plan.yaml").exists()


def test_a_batch_inherits_each_part_of_a_repair(command, spoilt, music, tmp_path):
    job = {"kind": "master", "mix": str(spoilt), "settings": {"repair": {"dc": True, "trim": False}}}
    jobs = {
        "version": 1,
        "output": "out",
        "defaults": {
            "reference": str(music / "reference.wav"),
            "save_plan": True,
            "settings": {"repair": {"trim": True, "fade_in_s": 0.1}},
        },
        "jobs": [job],
    }
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(jobs))
    code, _, err = command("batch", tmp_path / "jobs.yaml", "-j", "1")
    assert code == 0, err
    (plan,) = (tmp_path / "out").rglob("*.plan.yaml")
    assert load_plan(plan).requested.repair.model_dump(exclude_defaults=True) == {
        "dc": True,
        "fade_in_s": 0.1,
    }


@pytest.mark.slow
def test_compare_takes_a_repair(command, spoilt, music, tmp_path):
    job = ("compare", spoilt, "-r", music / "reference.wav", "--repair", "all", "--json")
    code, out, err = command(*job)
    assert code == 0, err
    assert '"repaired_dc"' in out
    assert '"repaired_trim"' in out
