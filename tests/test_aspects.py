"""References by aspect, from files to the master."""

import re
from pathlib import Path

import pytest

from refmaster import SettingsError, master_file, open_audio, plan_file
from refmaster.plan import format_plan
from refmaster.profile import obtain


def test_a_reference_named_for_every_aspect_is_one_for_all(tmp_path, short_example):
    mix, reference = short_example / "mix.wav", short_example / "reference.wav"
    every = dict.fromkeys(("loudness", "tone", "width", "balance", "dynamics"), reference)
    named = master_file(mix, every, tmp_path / "named.wav")
    alone = master_file(mix, reference, tmp_path / "alone.wav")
    assert named.plan == alone.plan
    assert format_plan(named.plan) == format_plan(alone.plan)
    assert (tmp_path / "named.wav").read_bytes() == (tmp_path / "alone.wav").read_bytes()


def test_references_by_aspect_are_measured_once_and_keep_their_weights(short_example, monkeypatch):
    mix, reference = short_example / "mix.wav", short_example / "reference.wav"
    opened = []
    monkeypatch.setattr(obtain, "open_audio", lambda path: opened.append(path) or open_audio(path))
    found = plan_file(
        mix, {"tone": reference, "loudness": [str(reference), (mix, 2.0)], "dynamics": (reference, 3.0)}
    )
    assert [(Path(r.file).name, r.weight, r.aspects) for r in found.plan.references] == [
        ("reference.wav", 1.0, ("tone", "loudness")),
        ("mix.wav", 2.0, ("loudness",)),
        ("reference.wav", 3.0, ("dynamics",)),
    ]
    assert sorted(map(str, opened)) == sorted(map(str, (reference, mix)))
    loudness = [p.levels.integrated_lufs for p in (found.references[0], found.references[1])]
    assert found.plan.promise.integrated_lufs == pytest.approx((loudness[0] + 2 * loudness[1]) / 3, abs=1e-3)
    told = [f for f in found.findings if f.code == "reference_low_passed"]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ({"tune": "r.wav"}, "expected what a reference serves, tone, width, balance, dynamics, loudness; "),
        ({"tone": {"width": "r.wav"}}, "tone: expected references, found a mapping"),
        ("", "found a folder; refmaster.suggest_references"),
    ],
)
def test_references_that_make_no_sense_are_refused(short_example, references, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        plan_file(short_example / "mix.wav", references or short_example)
