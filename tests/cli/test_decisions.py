"""What a master's summary says of references, tone and width."""

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
