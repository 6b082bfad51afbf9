"""Findings that are made outside `check`: by the outlets, the engines and the comparison of engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from mutagen.flac import FLAC
from numpy.typing import NDArray

from refmaster import MasteringPlan, MatchSettings, Profile, measure, open_audio, render_file
from refmaster.check.findings import Finding
from refmaster.comparison.compare import compare
from refmaster.engines.registry import engine_named
from refmaster.matching.derive import derive_plan

Case = Callable[[Path], list[Finding]]


def noise(seconds: float = 2.0, *, seed: int = 1, channels: int = 2) -> NDArray[np.float64]:
    return 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * 44100), channels))


def written(
    path: Path, samples: NDArray[np.float64], *, rate_hz: int = 44100, subtype: str = "PCM_16"
) -> Path:
    sf.write(path, samples, rate_hz, subtype)
    return path


def at_rest(mix: Profile) -> MasteringPlan:
    """Return a plan that changes nothing but the word length, to 16 bits."""
    settings = MatchSettings(tone=False, side=False, balance=False, loudness=False)
    plan = derive_plan(mix, [], settings, bit_depth="16")
    limiter = plan.limiter.model_copy(update={"enabled": False})
    return plan.model_copy(update={"limiter": limiter})


def rendered(mix: Path, output: Path) -> list[Finding]:
    plan = at_rest(measure(open_audio(mix)))
    plan = plan.model_copy(update={"promise": plan.promise.model_copy(update={"true_peak_dbtp": 99.0})})
    return list(render_file(plan, output).findings)


def peaking(folder: Path, peak: float) -> list[Finding]:
    """Render a float mix with one sample at `peak` to 16 bits."""
    samples = noise()
    samples[5000, 0] = peak
    return rendered(written(folder / "mix.wav", samples, subtype="FLOAT"), folder / "master.wav")


def previewed(folder: Path, level: float) -> list[Finding]:
    """Render a square wave at `level`, and a preview of it in MP3, which rounds its corners beyond it."""
    wave = np.sign(np.sin(2 * np.pi * 441 * (np.arange(88200) + 0.5) / 44100))
    mix = written(folder / "mix.wav", level * np.stack([wave, wave], axis=1), subtype="PCM_24")
    plan = at_rest(measure(open_audio(mix)))
    plan = plan.model_copy(update={"promise": plan.promise.model_copy(update={"true_peak_dbtp": 99.0})})
    return list(render_file(plan, folder / "master.wav", previews=["mp3:128"]).findings)


def tagged(folder: Path, suffix: str) -> list[Finding]:
    """Render a mix with a title to a container."""
    mix = written(folder / "mix.flac", noise())
    tags = FLAC(mix)
    tags["title"] = "A title"
    tags.save()
    return rendered(mix, folder / f"master{suffix}")


def engine(
    folder: Path, name: str = "matchering", *, rate_hz: int = 44100, channels: int = 2, width_db: float = 0.0
) -> list[Finding]:
    """Return what is said of a plan whose curves an engine made; the side is moved by `width_db`."""
    path = written(folder / "mix.wav", noise(channels=channels), rate_hz=rate_hz)
    mix = measure(open_audio(path))
    plan = at_rest(mix)
    tone = plan.tone.model_copy(update={"mid": ((100.0, 0.0),), "width": ((100.0, width_db),)})
    requested = plan.requested.model_copy(update={"engine": name})
    plan = plan.model_copy(update={"tone": tone, "requested": requested})
    return engine_named(plan.requested.engine).findings([], plan, mix)


def compared(folder: Path, *, seed: int, references: int = 1) -> list[Finding]:
    """Compare engines on a mix (seed 1) and other recordings, the first of which may be the same one."""
    mix = written(folder / "a.wav", noise(seed=1))
    others = [written(folder / f"b{i}.wav", noise(seed=seed + i)) for i in range(references)]
    _, peer, _ = compare(mix, others).masters
    return list(peer.findings)


# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "clipped": (lambda folder: peaking(folder, 1.001), lambda folder: peaking(folder, 0.999)),
    "preview_quieter": (lambda folder: previewed(folder, 0.95), lambda folder: previewed(folder, 0.5)),
    "metadata": (lambda folder: tagged(folder, ".caf"), lambda folder: tagged(folder, ".flac")),
    "engine_matchering": (engine, lambda folder: engine(folder, "refmaster")),
    "engine_rate": (lambda folder: engine(folder, rate_hz=48000), engine),
    "engine_mono": (lambda folder: engine(folder, channels=1), engine),
    "engine_width": (
        lambda folder: engine(folder, width_db=-12.01),
        lambda folder: engine(folder, width_db=-12.0),
    ),
    "engine_refused": (lambda folder: compared(folder, seed=1), lambda folder: compared(folder, seed=2)),
    "engine_one_reference": (
        lambda folder: compared(folder, seed=2, references=2),
        lambda folder: compared(folder, seed=2),
    ),
}
SLOW = {"engine_refused", "engine_one_reference"}  # six processes, two of which import matchering


@pytest.mark.parametrize(
    "code", [pytest.param(code, marks=[pytest.mark.slow] * (code in SLOW)) for code in CASES]
)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    folders = (tmp_path / "provoked", tmp_path / "near")
    for folder in folders:
        folder.mkdir()
    cases = zip(CASES[code], folders, strict=True)
    provoked, near_miss = ({finding.code for finding in case(folder)} for case, folder in cases)
    assert provoked - near_miss == {code}
    assert near_miss <= provoked
