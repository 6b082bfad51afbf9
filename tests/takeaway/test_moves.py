"""Plans with moves in place of their curves."""

import numpy as np
import pytest

from refmaster.dsp.curves import curve_at
from refmaster.errors import SettingsError
from refmaster.plan import load_plan, save_plan
from refmaster.profile.bands import BANDS_HZ, judged
from refmaster.settings.moves import ToneMove
from refmaster.takeaway.files import export_curve
from refmaster.takeaway.total import total_points


@pytest.mark.parametrize("rate", [44100, 192000])
def test_moves_stand_for_the_curves_with_the_error_that_is_stated(make_plan, tmp_path, rate):
    plan = make_plan(rate=rate, moves=(ToneMove(hz=500.0, db=2.0),))
    written = export_curve(plan, tmp_path / "moves.yaml", bands=8)
    found = load_plan(tmp_path / "moves.yaml")
    assert (found.tone.mid, found.tone.width, len(found.tone.moves)) == ((), (), 16)
    assert {move.on for move in found.tone.moves} == {"both", "side"}
    at = BANDS_HZ[judged(BANDS_HZ)]
    for part, fit in written.fits.items():
        error = curve_at(total_points(found.tone, part, rate), at)
        error -= curve_at(total_points(plan.tone, part, rate), at)
        assert np.sqrt(np.mean(error**2)) == pytest.approx(fit.rms_error_db, abs=1e-9)
        assert np.abs(error).max() == pytest.approx(fit.max_error_db, abs=1e-9)
        assert fit.rms_error_db < 0.2
    assert found.restated().tone.why == "16 moves fitted to the curve"
    assert written.fits.keys() == {"mid", "side"}


def test_one_curve_needs_one_set_of_moves(make_plan, tmp_path):
    mid = make_plan().tone.mid
    for name, plan in (("a", make_plan(mid, mid)), ("b", make_plan(mid, (), channels=1))):
        written = export_curve(plan, tmp_path / f"{name}.yaml", bands=5)
        assert written.fits.keys() == {"mid"}
        assert [move.on for move in load_plan(tmp_path / f"{name}.yaml").tone.moves] == ["both"] * 5


def test_the_plan_still_names_its_mix(make_plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    save_plan(make_plan().model_copy(), "one/plan.yaml")
    export_curve("one/plan.yaml", "two/moves.yaml", bands=3)
    assert load_plan("two/moves.yaml").mix.file == "../mix.wav"


@pytest.mark.parametrize(
    ("curve", "count", "found"),
    [
        (
            ((100.0, 20.0), (400.0, -20.0), (1000.0, 20.0), (4000.0, -20.0)),
            6,
            "60 dB of moves in all, found [0-9]+",
        ),
        (None, 20, "32 moves, found 40"),
    ],
)
def test_what_a_plan_cannot_hold_is_refused(make_plan, tmp_path, curve, count, found):
    plan = make_plan(curve, curve) if curve else make_plan()
    with pytest.raises(SettingsError, match=f"a plan holds at most {found}; fit fewer bands"):
        export_curve(plan, tmp_path / "moves.yaml", bands=count)
    assert not (tmp_path / "moves.yaml").exists()


def test_a_flat_plan_has_no_moves(make_plan, tmp_path):
    export_curve(make_plan((), ()), tmp_path / "moves.yaml")
    assert load_plan(tmp_path / "moves.yaml").tone.is_flat


def test_the_narrowest_and_largest_bands_are_moves_that_a_plan_takes(make_plan, tmp_path):
    spike = ((920.0, 0.0), (1000.0, 12.0), (1087.0, 0.0))
    written = export_curve(make_plan(spike, spike), tmp_path / "moves.yaml", bands=3)
    assert max(band.q for band in written.fits["mid"].bands) == 5.0
    assert load_plan(tmp_path / "moves.yaml").tone.moves
