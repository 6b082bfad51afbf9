"""A plan with nothing but an equalizer, made without audio."""

import pytest

from refmaster.plan import (
    Balance,
    Level,
    LimiterStage,
    MasteringPlan,
    MixRecord,
    Output,
    Promise,
    Tone,
)
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.match import MatchSettings

MID = ((25.0, 0.0), (63.1, 3.5), (400.0, -2.25), (2000.0, 0.4), (12500.0, 4.0), (20158.7, 0.0))
SIDE = ((100.0, -3.0), (1000.0, 0.0), (9000.0, 2.75))


@pytest.fixture(scope="session")
def make_plan():
    """Return a function that makes a plan of curves, channels, rate and phase."""

    def make(mid=MID, side=SIDE, *, moves=(), channels=2, rate=48000, phase="linear", frames=96000):
        return MasteringPlan(
            version=1,
            made_by="a test",
            mix=MixRecord(file="mix.wav", sha256=None, sample_rate_hz=rate, channels=channels, frames=frames),
            references=(),
            requested=MatchSettings(),
            tone=Tone(why="a test", phase=phase, mid=mid, side=side, moves=moves),
            balance=Balance(why="", left_over_right_db=0.0),
            level=Level(why="", gain_db=0.0),
            limiter=LimiterStage(why="", enabled=False, **LimiterSettings().model_dump()),
            output=Output(sample_rate_hz=rate, bit_depth=None, dither=True, dither_seed=0),
            promise=Promise(integrated_lufs=None, tolerance_lu=0.05, true_peak_dbtp=0.0, limited_by=None),
        )

    return make
