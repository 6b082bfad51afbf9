"""What a master's summary says of references, tone and width."""

import json
import re

import numpy as np
import pytest
import soundfile as sf


def test_several_references_are_shown_together_and_each(command, music, tmp_path):
    samples, rate = sf.read(music / "reference.wav")
    sf.write(tmp_path / "dull.wav", 0.3 * (samples[1:] + samples[:-1]), rate)
    code, out, _ = command(
        *("master", music / "mix.wav", "-o", tmp_path / "m.wav"),
        *("-r", music / "reference.wav", "-r", f"{tmp_path / 'dull.wav'}:2"),
    )
    assert code == 0
    assert re.search(r"mix +aimed at +master", out)
    for name, weight in (("reference.wav", "1"), ("dull.wav", "2")):
        assert re.search(rf"{re.escape(name)} +{weight} +-\d", out)
    measured = re.search(r"measured on the master: (\S+) dB RMS away from the references' mean", out)
    row = re.search(r"Tone to the aim .* (\S+) *$", out, re.MULTILINE)
    assert float(measured[1]) == pytest.approx(float(row[1]), abs=0.051)


def test_tone_and_width_have_their_lines(command, music, tmp_path):
    pair = ("master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "m.wav")
    out = command(*pair)[1]
    lines = {line.split(" ")[0]: line for line in out.splitlines()}
    assert lines["tone"].startswith("tone    the reference has ")
    assert lines["width"].startswith("width   side to mid is ")
    assert "        measured on the master: " in out
    samples, rate = sf.read(music / "mix.wav")
    sf.write(tmp_path / "mono.wav", np.mean(samples, axis=1), rate)
    out = command("master", tmp_path / "mono.wav", *pair[2:], "--overwrite")[1]
    assert "\nwidth" not in out


@pytest.fixture
def planned(command, music, tmp_path):
    """Return the path of a derived plan."""
    pair = (music / "mix.wav", "-r", music / "reference.wav")
    assert command("plan", *pair, "-o", tmp_path / "plan.yaml")[0] == 0
    return tmp_path / "plan.yaml"


def test_an_edited_gain_is_said_as_the_plan_has_it(command, planned, tmp_path):
    text = planned.read_text()
    planned.write_text(re.sub(r"gain_db: .*", "gain_db: 3", text))
    code, out, _ = command("render", planned, "-o", tmp_path / "m.wav")
    assert code == 0
    assert "level   +3.00 dB: as the plan says\n" in out
    assert "brings the mix to" not in out
    assert "tone    the reference has " in out
    assert "note: the plan was edited: " in out


def test_an_edited_tone_is_said_from_its_values(command, planned, tmp_path):
    text = planned.read_text()
    planned.write_text(text.replace("moves: []", "moves: [{hz: 250, db: -1, q: 1}]"))
    code, out, _ = command("render", planned, "-o", tmp_path / "m.wav", "--verbose")
    assert code == 0
    line = r"^tone    as the plan says: mid \S+ dB, width \S+ dB, -1 dB at 250 Hz \(bell, Q 1\)$"
    assert re.search(line, out, re.MULTILINE)
    for stale in ("the reference has", "side to mid is", "difference dB", "brings the mix to"):
        assert stale not in out


def test_json_is_of_the_edited_plan_too(command, planned, tmp_path):
    text = planned.read_text()
    level = re.search(r"level:\n(  .*\n)+", text)[0]
    text = text.replace(level, "level: {lufs: -20}\n")
    planned.write_text(text.replace("moves: []", "moves: [{hz: 250, db: -1}]"))
    code, out, _ = command("render", planned, "-o", tmp_path / "m.wav", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["requested"]["integrated_lufs"] == -20.0
    assert told["achieved"]["after"]["integrated_lufs"] == pytest.approx(-20.0, abs=0.05)
    assert told["plan"]["level"]["why"].startswith("brings the mix to -20.0 LUFS")
    assert told["plan"]["tone"]["why"].startswith("as the plan says: mid ")
    assert told["plan"]["tone"]["regions"] == []
