"""Plans that were edited: what is rendered, what is promised, and what is said of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile as sf

from refmaster import plan_file, render_file
from refmaster.dsp.curves import curve_at, move_gain_db
from refmaster.errors import SettingsError
from refmaster.plan import MasteringPlan, beside, format_plan, load_plan, save_plan
from refmaster.profile.bands import band_levels
from refmaster.settings.moves import ToneMove


@pytest.fixture(scope="module")
def folder(tmp_path_factory, short_example):
    """A folder with a derived plan, plan.yaml, and its mix."""
    folder = tmp_path_factory.mktemp("edited")
    for name in ("mix.wav", "reference.wav"):
        (folder / name).write_bytes((short_example / name).read_bytes())
    derived = plan_file(folder / "mix.wav", folder / "reference.wav").plan
    save_plan(derived, folder / "plan.yaml")
    return folder


@pytest.fixture(scope="module")
def derived(folder) -> MasteringPlan:
    return load_plan(folder / "plan.yaml")


def rewritten(folder, name, *edits):
    """Write the plan with parts of its text replaced, as patterns, and return its path."""
    text = (folder / "plan.yaml").read_text()
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count == 1, pattern
    (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.yaml"


def rendered(path):
    return render_file(path, path.with_suffix(".wav"), overwrite=True)


def changed(plan, section, **values):
    return plan.model_copy(update={section: getattr(plan, section).model_copy(update=values)})


def codes(result):
    return {finding.code for finding in result.findings}


LEVEL = r"^level:\n(  .*\n)+"


def test_a_derived_plan_counts_as_derived_and_keeps_its_promises(folder, derived):
    assert derived.edited == ()
    result = rendered(folder / "plan.yaml")
    assert result.plan == beside(derived, folder)
    assert result.kept_promises
    assert result.renders == 1
    assert "loudness_edited" not in codes(result)


def test_a_derived_plan_is_still_held_to_its_loudness(folder, derived):
    samples, rate = sf.read(folder / "mix.wav")
    sf.write(folder / "quiet.wav", 0.5 * samples, rate)
    result = render_file(folder / "plan.yaml", folder / "missed.wav", mix=folder / "quiet.wav")
    (missed,) = [finding for finding in result.findings if finding.code == "loudness_missed"]
    assert f"level: {{lufs: {derived.promise.integrated_lufs:.1f}}} in the plan" in missed.advice
    assert not result.kept_promises


def test_what_is_for_reading_is_no_edit(derived):
    read = changed(derived, "tone", why="mine", regions=(), applied_db=None)
    assert changed(read, "level", why="").edited == ()
    assert derived.model_copy(update={"derived": {}}).edited == (
        *("tone", "sections", "balance", "dynamics", "level", "limiter"),
    )


@pytest.mark.parametrize(
    ("section", "values", "edited"),
    [
        ("level", {"gain_db": 1.0}, ("level",)),
        ("tone", {"phase": "minimum"}, ("tone", "level")),
        ("sections", {"crossfade_s": 3.0}, ("sections", "level")),
        ("balance", {"left_over_right_db": 1.0}, ("balance", "level")),
        ("limiter", {"release_ms": 9.0}, ("level", "limiter")),
        ("output", {"bit_depth": "24"}, ()),
    ],
)
def test_an_edit_is_known_by_its_stage_and_the_level_by_all_of_them(derived, section, values, edited):
    assert changed(derived, section, **values).edited == edited


def test_a_gain_stands_and_promises_no_loudness(folder, derived):
    gain = round(derived.level.gain_db - 4.0, 3)
    result = rendered(rewritten(folder, "gain", (r"gain_db: .*$", f"gain_db: {gain}")))
    assert result.kept_promises
    assert "loudness_edited" in codes(result)
    (note,) = [f for f in result.findings if f.code == "loudness_edited"]
    assert f"{result.master.levels.integrated_lufs:.2f} LUFS came out" in note.message
    assert result.plan.level.in_words() == f"{gain:+.2f} dB: as the plan says"
    assert result.plan.promise.integrated_lufs is None
    assert result.plan.tone == derived.tone


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("lufs", ()),
        ("lufs_move", ((r"moves: \[\].*$", "moves: [{hz: 250, db: -6, q: 1}]"),)),
        ("lufs_free", ((r"enabled: true", "enabled: false"),)),
    ],
)
def test_a_loudness_is_solved_again_and_promised(folder, derived, name, edits):
    asked = round(derived.promise.integrated_lufs - 6.0, 1)
    path = rewritten(folder, name, (LEVEL, f"level: {{lufs: {asked}}}\n"), *edits)
    result = rendered(path)
    assert result.master.levels.integrated_lufs == pytest.approx(asked, abs=derived.promise.tolerance_lu)
    assert result.kept_promises
    assert "loudness_edited" not in codes(result)
    assert result.plan.promise.integrated_lufs == result.plan.requested.target_lufs == asked
    assert f"brings the mix to {asked:.1f} LUFS" in result.plan.level.why
    (folder / "again").mkdir(exist_ok=True)
    again = render_file(result.plan, folder / "again" / f"{name}.wav", mix=folder / "mix.wav")
    assert again.kept_promises
    assert (folder / "again" / f"{name}.wav").read_bytes() == path.with_suffix(".wav").read_bytes()


def test_a_loudness_that_costs_too_much_is_not_promised_in_silence(folder):
    result = rendered(rewritten(folder, "loud", (LEVEL, "level: {lufs: -3}\n")))
    assert {"loudness_limited", "loudness_saturated"} & codes(result)
    assert not result.kept_promises


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"^  lufs: null", "  lufs: -14", r"level: expected gain_db or lufs, found both"),
        (LEVEL, "level: {why: mine}\n", r"level: expected gain_db .* or lufs .*, found neither"),
        (LEVEL, "level: {lufs: -0.5}\n", r"level\.lufs: expected at most -1, found -0\.5"),
        (r"moves: \[\]", "moves: [{hz: 250, db: -25}]", r"tone\.moves\[0\]\.db: expected at least -24,"),
        (r"moves: \[\]", "moves: [{hz: 5, db: 1}]", r"tone\.moves\[0\]\.hz: expected at least 10,"),
        (r"moves: \[\]", "moves: [{hz: 50, db: 1, q: 6}]", r"tone\.moves\[0\]\.q: expected at most 5,"),
        (r"moves: \[\]", "moves: [{hz: 50, db: 1, kind: notch}]", r"tone\.moves\[0\]\.kind: expected bell,"),
        (r"moves: \[\]", "moves: [{hz: 50, db: 1, on: left}]", r"tone\.moves\[0\]\.on: expected both,"),
        (r"moves: \[\]", f"moves: [{'{hz: 50, db: 21}, ' * 3}]", r"tone: moves: expected at most 60 dB in"),
        (r"moves: \[\]", "side: [[100, 1]]", r"tone: width and side say the same thing twice"),
    ],
)
def test_wrong_edits_are_refused_with_their_place(folder, old, new, message):
    path = rewritten(folder, "wrong", (old, new))
    with pytest.raises(SettingsError, match=rf"wrong\.yaml:\d+:\d+: {message}"):
        load_plan(path)


def mid_and_width_db(result):
    """Return by how much a render moved the mid, and the side against it, and where both are heard."""
    hz = np.asarray(result.mix.spectrum.frequencies_hz)
    before, after = band_levels(result.mix, hz), band_levels(result.master, hz)
    mid, side = after.mid_db - before.mid_db, after.side_db - before.side_db
    return hz, mid, side - mid, before.side_present & (hz > 100) & (hz < 12000)


@pytest.mark.parametrize("emptied", ["mid: []", "mid:"])
def test_without_the_mid_the_width_moves_as_before(folder, derived, emptied):
    flat = changed(derived, "balance", left_over_right_db=0.0)
    flat = changed(changed(flat, "limiter", enabled=False), "level", gain_db=0.0)
    text = format_plan(changed(flat, "output", bit_depth="32f"))
    (folder / "whole.yaml").write_text(text)
    (folder / "emptied.yaml").write_text(re.sub(r"(?m)^  mid:.*\n(    - .*\n)+", f"  {emptied}\n", text))
    hz, mid, width, heard = mid_and_width_db(rendered(folder / "whole.yaml"))
    assert np.abs(mid[heard]).max() > 1.0
    result = rendered(folder / "emptied.yaml")
    hz, mid, without, heard = mid_and_width_db(result)
    assert result.kept_promises
    np.testing.assert_allclose(mid[heard], 0.0, atol=0.02)
    np.testing.assert_allclose(without[heard], width[heard], atol=0.15)
    wanted = curve_at(derived.tone.width, hz)
    assert wanted[heard].max() > 1.0
    np.testing.assert_allclose(without[heard], wanted[heard], atol=0.15)
    assert result.plan.tone.why.startswith("as the plan says: width ")
    assert result.plan.tone.width_why == ""


def test_a_plan_with_the_sides_whole_gain_renders_the_same(folder, derived):
    rows = "\n".join(f"    - [{hz}, {gain}]" for hz, gain in derived.tone.side)
    path = rewritten(folder, "old", (r"^  width:.*\n(    - .*\n)+  moves:.*$", f"  side:\n{rows}"))
    assert "\n  width:" not in path.read_text()
    assert load_plan(path).tone.width == derived.tone.width
    assert load_plan(path).edited == ()
    rendered(path)
    rendered(folder / "plan.yaml")
    assert (folder / "old.wav").read_bytes() == (folder / "plan.wav").read_bytes()


def test_an_empty_side_of_an_old_plan_is_one_that_does_not_move(folder, derived):
    path = rewritten(folder, "still", (r"^  width:.*\n(    - .*\n)+  moves:.*$", "  side: []"))
    tone = load_plan(path).tone
    assert not any(gain for _, gain in tone.side)
    assert any(gain for _, gain in tone.mid)
    mono = rewritten(
        folder,
        "mono",
        (r"^  width:.*\n(    - .*\n)+  moves:.*$", "  side: []"),
        ("channels: 2", "channels: 1"),
    )
    assert load_plan(mono).tone.width == ()


@pytest.mark.parametrize(("on", "moved"), [("both", (1, 1)), ("mid", (1, 0)), ("side", (0, 1))])
def test_moves_are_heard_where_they_are_written(folder, derived, on, moved):
    rest = changed(changed(derived, "tone", mid=(), width=()), "balance", left_over_right_db=0.0)
    rest = changed(changed(rest, "limiter", enabled=False), "level", gain_db=0.0)
    moves = (
        ToneMove(hz=400.0, db=-3.0, q=1.0, on=on),
        ToneMove(hz=5000.0, db=2.0, kind="high_shelf", on=on),
    )
    plan = changed(changed(rest, "tone", moves=moves), "output", bit_depth="32f")
    assert not plan.is_identity
    result = render_file(plan, folder / f"{on}.wav", mix=folder / "mix.wav")
    hz, mid, width, heard = mid_and_width_db(result)
    wanted = sum(move_gain_db(move, hz) for move in moves)
    np.testing.assert_allclose(mid[heard], moved[0] * wanted[heard], atol=0.1)
    np.testing.assert_allclose((mid + width)[heard], moved[1] * wanted[heard], atol=0.15)
    part = "" if on == "both" else f" of the {on}"
    assert result.plan.tone.why == (
        f"as the plan says: -3 dB at 400 Hz{part} (bell, Q 1), +2 dB at 5000 Hz{part} (high shelf, Q 0.707)"
    )


def test_moves_at_rest_change_nothing(folder, derived):
    rest = changed(derived, "tone", mid=(), width=(), moves=(ToneMove(hz=400.0, db=0.0),))
    rest = changed(changed(rest, "balance", left_over_right_db=0.0), "level", gain_db=0.0)
    rest = changed(rest, "limiter", enabled=False)
    assert rest.is_identity
    render_file(rest, folder / "rest.wav", mix=folder / "mix.wav")
    np.testing.assert_array_equal(
        sf.read(folder / "rest.wav", dtype="int32")[0], sf.read(folder / "mix.wav", dtype="int32")[0]
    )


def test_moves_are_written_as_they_are_read(folder, derived):
    moves = (ToneMove(hz=250.0, db=-1.0, q=1.0, kind="low_shelf", on="side"), ToneMove(hz=90.0, db=1.0))
    plan = changed(derived, "tone", moves=moves)
    (folder / "moves.yaml").write_text(format_plan(plan))
    assert load_plan(folder / "moves.yaml") == plan


def test_a_raised_ceiling_is_the_promise_and_is_said(folder, derived):
    louder = (r"gain_db: .*$", f"gain_db: {derived.level.gain_db + 3.0}")
    higher = (r"  ceiling_dbtp: -1\.0  # dBTP, set on", "  ceiling_dbtp: -0.3  #")
    result = rendered(rewritten(folder, "higher", louder, higher))
    assert result.kept_promises
    assert "ceiling_raised" in codes(result)
    assert -1.0 < result.master.levels.true_peak_dbtp <= -0.3
    assert result.plan.promise.true_peak_dbtp == -0.3


def test_a_lowered_ceiling_is_held_without_a_word(folder, derived):
    result = rendered(
        rewritten(folder, "lower", (r"  ceiling_dbtp: -1\.0  # dBTP, set on", "  ceiling_dbtp: -6  #"))
    )
    assert result.kept_promises
    assert "ceiling_raised" not in codes(result)
    assert result.master.levels.true_peak_dbtp <= -6.0


def test_without_its_limiter_a_plan_still_promises_its_ceiling(folder, derived):
    louder = (r"gain_db: .*$", f"gain_db: {derived.level.gain_db + 6.0}")
    result = rendered(rewritten(folder, "off", louder, (r"enabled: true", "enabled: false")))
    (finding,) = [f for f in result.findings if f.severity == "broken_promise"]
    assert finding.code == "ceiling_exceeded"
    assert finding.advice == "the plan's limiter is off; enable it"
