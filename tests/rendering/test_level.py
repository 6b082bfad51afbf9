"""The level stage: which bound applies, and words that hold for every signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmaster import MatchSettings
from refmaster.io.source import ArraySource
from refmaster.matching.derive import derive_plan
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.plan import MasteringPlan
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.rendering.level import bounds_of, drive_analyzed, level_solved

RATE_HZ = 44100


def music(seconds: float = 6.0, level: float = 0.1) -> np.ndarray:
    """Hits of noise twice a second, over a bass."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hits = np.random.default_rng(5).standard_normal((len(time), 2)) * np.exp(-12.0 * (time % 0.5))[:, None]
    bass = 0.5 * np.sin(2 * np.pi * 55 * time)[:, None]
    return level * (hits + bass)


def solved(samples: np.ndarray, reference_lufs: float = -6.0, **settings: Any) -> MasteringPlan:
    """Solve the level of an array against a reference of a loudness; nothing else is matched."""
    source = ArraySource(samples, RATE_HZ, name="mix")
    asked = MatchSettings(tone=False, side=False, balance=False, **settings)
    plan = derive_plan(measure(source), [(reference(reference_lufs), 1.0)], asked)
    return level_solved(plan, drive_analyzed(plan, source, None))[0]


def reference(lufs: float) -> Profile:
    profile = measure(ArraySource(music(), RATE_HZ, name="reference"))
    return profile.model_copy(update={"levels": profile.levels.model_copy(update={"integrated_lufs": lufs})})


def test_a_reference_is_followed_as_far_as_it_stays_clean():
    plan = solved(impulses())
    assert plan.promise.limited_by == "audibility"
    assert plan.level.noise_to_mask_db is not None
    assert plan.level.noise_to_mask_db <= CLEAN_NOISE_TO_MASK_DB
    assert "stopped where limiting is still clean" in plan.level.why
    further = solved(impulses(), loudness="full")
    assert further.promise.limited_by != "audibility"
    assert further.level.gain_db > plan.level.gain_db
    assert further.level.noise_to_mask_db > CLEAN_NOISE_TO_MASK_DB


def impulses() -> np.ndarray:
    """Sharp hits over two quiet tones, which the limiter makes flutter."""
    time = np.arange(6 * RATE_HZ) / RATE_HZ
    hits = np.random.default_rng(2).standard_normal(len(time)) * np.exp(-60.0 * (time % 0.15))
    tones = np.sin(2 * np.pi * 900 * time) + np.sin(2 * np.pi * 220 * time)
    return np.repeat((0.04 * hits + 0.01 * tones)[:, None], 2, axis=1)


@pytest.mark.parametrize(
    ("settings", "references", "ratio_db"),
    [
        ({}, 1, CLEAN_NOISE_TO_MASK_DB),
        ({"loudness": "clean"}, 1, CLEAN_NOISE_TO_MASK_DB),
        ({"loudness": "full"}, 1, None),
        ({"loudness": False}, 1, None),
        ({"target_lufs": -9.0}, 1, None),
        ({"target": "spotify"}, 1, None),
        ({}, 0, None),
    ],
)
def test_only_a_reference_is_followed_with_care(settings, references, ratio_db):
    found = bounds_of(MatchSettings(**settings), ["reference"] * references)
    assert found == {"max_reduction_db": None, "max_noise_to_mask_db": ratio_db}


def test_a_bound_on_the_reduction_is_kept_as_well():
    plan = solved(music(), max_reduction_db=3.0)
    assert plan.promise.limited_by == "max_reduction"
    assert "allowed 3 dB (--max-reduction)" in plan.level.why


def one_click(frames: int) -> np.ndarray:
    samples = np.zeros((frames, 2))
    samples[frames // 2] = 0.9
    return samples


HOSTILE = {
    "one frame": np.full((1, 2), 0.5),
    "short of a momentary window": music(0.39),
    "a momentary window": music(0.4),
    "less than a second": music(0.9),
    "a second and a bit": music(1.1),
    "silence": np.zeros((RATE_HZ, 2)),
    "one click": one_click(3 * RATE_HZ),
    "one click, short": one_click(RATE_HZ // 2),
    "a click after silence": np.concatenate([np.zeros((5 * RATE_HZ, 2)), music(0.5)]),
    "full scale square": np.sign(np.sin(np.arange(3 * RATE_HZ) * 0.05))[:, None].repeat(2, axis=1),
    "very quiet": music() * 1e-5,
    "clipped": np.clip(music() * 100, -1.0, 1.0),
    "one channel": music()[:, :1],
    "opposite channels": np.column_stack([music()[:, 0], -music()[:, 0]]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "settings", [{}, {"loudness": "full"}, {"target_lufs": -5.0}, {"max_reduction_db": 2.0}], ids=str
)
def test_no_signal_costs_an_infinity(name: str, settings: dict[str, Any]) -> None:
    plan = solved(HOSTILE[name], **settings)
    words = plan.level.why.split()
    assert not {"inf", "-inf", "nan", "None"} & set(words)
    assert np.isfinite(plan.level.gain_db)
    assert plan.level.noise_to_mask_db is None or np.isfinite(plan.level.noise_to_mask_db)
    assert "None" not in plan.level.why


def test_a_plan_keeps_its_noise_to_mask_ratio(tmp_path: Path) -> None:
    from refmaster.plan import load_plan, save_plan

    plan = solved(music())
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml").level == plan.level
