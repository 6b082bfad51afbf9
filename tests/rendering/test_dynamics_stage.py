"""The dynamics stage of a plan: rendered between balance and level, free at rest, and told of."""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.dsp.dynamics import DynamicsProcessor
from refmaster.io.source import ArraySource
from refmaster.mastering import close_loop
from refmaster.matching.derive import derive_plan
from refmaster.meters.kweighting import KWeightedPower
from refmaster.plan import Balance
from refmaster.profile.measure import measure
from refmaster.rendering.outlets import ArrayOutlet
from refmaster.rendering.renderer import KeptBlocks, Renderer
from refmaster.report.result import dynamics_done, result_json
from refmaster.settings.dynamics import Dynamics, DynamicsBand
from refmaster.settings.match import MatchSettings

RATE = 44100


def band(**values):
    plain = {
        "threshold_db": -40.0,
        "ratio": 2.0,
        "knee_db": 6.0,
        "attack_ms": 50.0,
        "release_ms": 200.0,
        "max_change_db": 3.0,
        "parallel": 1.0,
        "makeup_db": 0.0,
    }
    return DynamicsBand(**plain | values)


def stage(*bands, crossover_hz=()):
    return {"dynamics": Dynamics(why="", crossover_hz=crossover_hz, bands=bands)}


SINGLE = stage(band())
THREE = stage(band(), band(threshold_db=0.0), band(ratio=0.5), crossover_hz=(150.0, 2500.0))


@pytest.fixture(scope="module")
def samples():
    samples = np.random.default_rng(7).standard_normal((5 * RATE, 2)).astype(np.float32) * np.float32(0.05)
    samples[2 * RATE :] *= 3.0
    return samples


@pytest.fixture(scope="module")
def source(samples):
    return ArraySource(samples, RATE, name="mix")


@pytest.fixture(scope="module")
def bare(source):
    """A plan that changes nothing."""
    plan = derive_plan(measure(source), [], MatchSettings(), bit_depth="32f")
    update = {
        "tone": plan.tone.model_copy(update={"mid": (), "side": ()}),
        "balance": Balance(why="", left_over_right_db=0.0),
        "level": plan.level.model_copy(update={"gain_db": 0.0}),
        "limiter": plan.limiter.model_copy(update={"enabled": False}),
        **stage(),
    }
    plan = plan.model_copy(update=update)
    assert plan.is_identity
    return plan


def rendered(plan, source, kept=None):
    renderer = Renderer(plan, source, kept)
    return np.concatenate(list(renderer.blocks())), renderer


@pytest.mark.parametrize("at_rest", [stage(), stage(band(ratio=1.0)), stage(band(parallel=0.0))])
def test_at_rest_the_mix_comes_back(bare, samples, source, at_rest):
    plan = bare.model_copy(update=at_rest)
    found, renderer = rendered(plan, source)
    assert plan.is_identity
    assert np.array_equal(found, samples)
    assert renderer.dynamics_activity == ()


@pytest.mark.slow
@pytest.mark.parametrize("acting", [SINGLE, THREE])
def test_it_is_the_kernel_after_the_balance_and_before_the_level(bare, samples, source, acting):
    plan = bare.model_copy(update=acting)
    assert not plan.is_identity
    plan = plan.model_copy(
        update={
            "balance": Balance(why="", left_over_right_db=6.0),
            "level": plan.level.model_copy(update={"gain_db": 20.0}),
        }
    )
    balanced = samples * np.float32(10 ** (np.array([3.0, -3.0]) / 20))
    kernel = DynamicsProcessor(
        *(RATE, 2, plan.dynamics.bands, plan.dynamics.crossover_hz),
        weighted_sums=KWeightedPower(RATE, 2).second,
    )
    wanted = 10 * np.concatenate([kernel.push(balanced), kernel.flush()])
    found, renderer = rendered(plan, source)
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert renderer.dynamics_activity == kernel.activity


def test_a_pass_from_memory_knows_what_was_done(bare, source):
    plan = bare.model_copy(update=SINGLE)
    alone, renderer = rendered(plan, source)
    kept = KeptBlocks()
    for _ in range(2):
        again, second = rendered(plan, source, kept)
        assert np.array_equal(again, alone)
        assert second.dynamics_activity == renderer.dynamics_activity != ()
    assert Renderer(bare, source, kept).dynamics_activity == ()


def test_the_result_says_what_each_band_did(source):
    mix = measure(source)
    plan = derive_plan(mix, [], MatchSettings(), bit_depth="32f")
    with ArrayOutlet() as outlet:
        result = close_loop(source, mix, [], plan.model_copy(update=THREE), outlet, None)
    low, middle, high = result.dynamics
    assert -3.0 <= low.max_change_db < -0.5
    assert middle.max_change_db == middle.active_share == 0.0
    assert high.max_change_db == pytest.approx(3.0, abs=1e-6)
    words = dynamics_done(result)
    assert words.startswith(f"below 150 Hz {low.max_change_db:+.1f} dB at most; it acts ")
    assert "; 150-2500 Hz it had nothing to do; above 2500 Hz +3.0 dB at most; " in words
    said = result_json(result)["achieved"]["dynamics"]
    assert [one["max_change_db"] for one in said] == [
        pytest.approx(one.max_change_db, abs=1e-4) for one in result.dynamics
    ]
