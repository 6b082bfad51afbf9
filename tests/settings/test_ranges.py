"""Ranges and defaults stand once: what one model accepts, the others understand."""

import pytest

from refmaster.errors import SettingsError
from refmaster.settings.limiter import DEFAULT_CEILING_DBTP, LimiterSettings
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings
from refmaster.settings.target_files import delivery_target, delivery_targets
from refmaster.settings.targets import LevelTarget


def test_one_default_ceiling():
    ceilings = {
        MatchSettings().ceiling_dbtp,
        LimiterSettings().ceiling_dbtp,
        LevelTarget().true_peak_dbtp,
        DEFAULT_CEILING_DBTP,
    }
    assert ceilings == {-1.0}


@pytest.mark.parametrize(
    ("model", "field", "ends", "beyond"),
    [
        (MatchSettings, "ceiling_dbtp", (-20.0, 0.0), (-20.1, 0.1)),
        (LevelTarget, "true_peak_dbtp", (-20.0, 0.0), (-20.1, 0.1)),
        (MatchSettings, "target_lufs", (-60.0, -1.0), (-60.1, -0.9)),
        (LevelTarget, "integrated_lufs", (-60.0, -1.0), (-60.1, -0.9)),
        (LimiterSettings, "ceiling_dbtp", (-40.0, 0.0), (-40.1, 0.1)),
        (LimiterSettings, "lookahead_ms", (0.01, 20.0), (0.0, 20.1)),
        (LimiterSettings, "hold_ms", (0.0, 200.0), (-0.1, 200.1)),
        (LimiterSettings, "sustain_ms", (0.0, 2000.0), (-0.1, 2000.1)),
        (LimiterSettings, "release_ms", (0.01, 5000.0), (0.0, 5000.1)),
        (OutputSettings, "sample_rate_hz", (4000, 768000), (3999, 768001)),
        (OutputSettings, "dither_seed", (0, 10**9), (-1,)),
    ],
)
def test_ranges_include_their_ends_and_nothing_beyond(model, field, ends, beyond):
    for value in ends:
        assert getattr(settings_from(model, {field: value}), field) == value
    for value in (*beyond, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match=f"{field}: expected"):
            settings_from(model, {field: value})


def test_every_delivery_target_sets_valid_settings():
    assert delivery_targets()
    for target in delivery_targets().values():
        settings_from(MatchSettings, target.match_values)
    assert delivery_target("spotify").match_values == {"ceiling_dbtp": -1.0, "target_lufs": -14.0}
    assert delivery_target("cd").match_values == {"ceiling_dbtp": 0.0}
    with pytest.raises(SettingsError, match='did you mean "spotify"'):
        delivery_target("spotfy")


@pytest.mark.parametrize("ignored", [{"strength": 40.0}, {"low_hz": 60.0}, {"tone": False}])
def test_settings_that_an_engine_does_not_honour_are_refused(ignored):
    name = next(iter(ignored))
    with pytest.raises(SettingsError, match=f"cannot honour {name}"):
        settings_from(MatchSettings, {"engine": "matchering", **ignored})
    honoured = {"engine": "matchering", "target_lufs": -12.0, "max_reduction_db": 3.0}
    assert settings_from(MatchSettings, honoured).engine == "matchering"
