"""Findings on decoded masters: told beyond the limit, and not inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from refmaster import ArraySource, measure
from refmaster.check.codecs import LOUDNESS_DIFFERENCE_LU, DecodedLevels, LoweredCeiling, judge_decoded
from refmaster.check.findings import Finding
from refmaster.matching.derive import derive_plan
from refmaster.settings.codecs import Codec
from refmaster.settings.match import MatchSettings

Case = Callable[[Callable[..., list[Finding]]], list[Finding]]

NOISE = 0.1 * np.random.default_rng(1).standard_normal((44100, 2))


@pytest.fixture(scope="module")
def judge() -> Callable[..., list[Finding]]:
    mix = measure(ArraySource(NOISE, 44100))
    own = mix.levels.integrated_lufs
    plan = derive_plan(mix, [], MatchSettings(ceiling_dbtp=-2.0))

    def judged(
        dbtp: float | None = -3.0,
        louder_lu: float | None = 0.0,
        lowered: LoweredCeiling | None = None,
        *,
        limited: bool = True,
    ) -> list[Finding]:
        lufs = None if louder_lu is None or own is None else own + louder_lu
        levels = DecodedLevels(
            codec=Codec.parse("mp3:128"), true_peak_dbtp=dbtp, usual_peak_dbtp=dbtp, integrated_lufs=lufs
        )
        limiter = plan.limiter.model_copy(update={"enabled": limited})
        return judge_decoded(plan.model_copy(update={"limiter": limiter}), mix, [levels], lowered)

    return judged


def lowered(quieter_lu: float = 0.0) -> LoweredCeiling:
    return LoweredCeiling(
        before_dbtp=-1.0,
        after_dbtp=-1.9,
        over_db=0.87,
        worst="mp3:128",
        more_limiting_db=1.24,
        quieter_lu=quieter_lu,
    )


# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "codec_over": (lambda judge: judge(-1.999), lambda judge: judge(-2.0)),
    "codec_loudness": (
        lambda judge: judge(louder_lu=LOUDNESS_DIFFERENCE_LU + 0.001),
        lambda judge: judge(louder_lu=LOUDNESS_DIFFERENCE_LU - 0.001),
    ),
    "codec_ceiling": (lambda judge: judge(lowered=lowered()), lambda judge: judge()),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code, judge):
    provoked, near_miss = ([finding.code for finding in case(judge)] for case in CASES[code])
    assert provoked == [code]
    assert near_miss == []


def test_what_a_lower_ceiling_cost_is_said(judge):
    (finding,) = judge(lowered=lowered())
    assert finding.severity == "info"
    assert finding.message == (
        "the limiter is set to -1.90 instead of -1.00 dBTP, because mp3:128 was 0.87 dB over the ceiling; it "
        "cost 1.2 dB more limiting at most"
    )
    (finding,) = judge(lowered=lowered(0.4))
    assert finding.message.endswith("1.2 dB more limiting at most and 0.4 LU of loudness")


def test_a_decoded_file_over_the_ceiling_is_a_broken_promise(judge):
    (finding,) = judge(-1.5)
    assert finding.severity == "broken_promise"
    assert (
        finding.message == "decoded from mp3:128 the true peak is -1.50 dBTP, 0.50 dB over the ceiling of -2"
    )
    assert "--codec mp3:128" in finding.advice
    assert (finding.value, finding.limit, finding.unit) == (-1.5, -2.0, "dBTP")
    assert judge(-1.5, limited=False)[0].advice == "the plan's limiter is off; enable it"


def test_silence_has_nothing_to_say(judge):
    assert judge(None, None) == []
