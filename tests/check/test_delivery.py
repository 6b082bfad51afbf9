"""Each thing that a delivery target asks for: on real files just beyond its limit, and just inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from refmaster import check_file
from refmaster.check.delivery import judge_delivery
from refmaster.check.findings import Finding
from refmaster.profile.measure import measure
from refmaster.settings.target_files import delivery_target
from refmaster.settings.targets import DeliveryTarget

Case = Callable[[Path], list[Finding]]

RATE_HZ = 44100
ANY = {
    "version": 1,
    "title": "Any",
    "name": "any",
    "grade": "standard",
    "source": "-",
    "checked_on": "2026-01-01",
}


def target(**asked: Any) -> DeliveryTarget:
    return DeliveryTarget.model_validate_json(json.dumps({**ANY, "containers": ["wav", "flac"], **asked}))


def noise(channels: int = 2, seconds: float = 1.0) -> NDArray[np.float64]:
    """Noise that peaks at -6 dBFS."""
    samples = np.random.default_rng(5).uniform(-1.0, 1.0, (round(seconds * RATE_HZ), channels))
    return samples * 0.5 / np.abs(samples).max()


def judged(
    folder: Path,
    asked: DeliveryTarget,
    samples: NDArray[np.float64] | None = None,
    *,
    name: str = "master.wav",
    rate_hz: int = RATE_HZ,
    subtype: str = "PCM_16",
) -> list[Finding]:
    """Write a file with another program's hand, and hold it against a target."""
    sf.write(folder / name, noise() if samples is None else samples, rate_hz, subtype)
    return judge_delivery(measure(folder / name), asked)


def at_lufs(folder: Path, off_lu: float, **asked: Any) -> list[Finding]:
    """Judge noise that is so much louder than the -20 LUFS of a target."""
    own = measure_lufs(folder)
    return judged(
        folder,
        target(integrated_lufs=-20.0, **asked),
        noise() * 10 ** ((-20.0 + off_lu - own) / 20),
        subtype="FLOAT",
    )


def measure_lufs(folder: Path) -> float:
    sf.write(folder / "own.wav", noise(), RATE_HZ, "DOUBLE")
    lufs = measure(folder / "own.wav").levels.integrated_lufs
    assert lufs is not None
    return lufs


def at_dbtp(folder: Path, over_db: float) -> list[Finding]:
    """Judge noise whose true peak is so much above the -6 dBTP of a target."""
    sf.write(folder / "own.wav", noise(), RATE_HZ, "DOUBLE")
    own = measure(folder / "own.wav").levels.true_peak_dbtp
    assert own is not None
    samples = noise() * 10 ** ((-6.0 + over_db - own) / 20)
    return judged(folder, target(true_peak_dbtp=-6.0), samples, subtype="FLOAT")


def at_dbfs(folder: Path, dbfs: float) -> list[Finding]:
    return judged(folder, target(sample_peak_dbfs=0.0), noise() * 2 * 10 ** (dbfs / 20), subtype="FLOAT")


CASES: dict[str, tuple[Case, Case]] = {
    "target_loudness": (
        lambda folder: at_lufs(folder, 1.002, meant="required", tolerance_lu=1.0),
        lambda folder: at_lufs(folder, 0.998, meant="required", tolerance_lu=1.0),
    ),
    "target_playback": (
        lambda folder: at_lufs(folder, -0.502, meant="playback"),
        lambda folder: at_lufs(folder, -0.498, meant="playback"),
    ),
    "target_true_peak": (lambda folder: at_dbtp(folder, 0.002), lambda folder: at_dbtp(folder, -0.002)),
    "target_sample_peak": (lambda folder: at_dbfs(folder, 0.0), lambda folder: at_dbfs(folder, -0.002)),
    "target_sample_rate": (
        lambda folder: judged(folder, target(sample_rates_hz=[48000, 44100]), rate_hz=44101),
        lambda folder: judged(folder, target(sample_rates_hz=[48000, 44100])),
    ),
    "target_container": (
        lambda folder: judged(folder, target(containers=["wav", "aiff"]), name="master.flac"),
        lambda folder: judged(folder, target(containers=["wav", "flac"]), name="master.flac"),
    ),
    "target_codec": (
        lambda folder: judged(folder, target(), subtype="ULAW"),
        lambda folder: judged(folder, target(), subtype="PCM_U8"),
    ),
    "target_bit_depth": (
        lambda folder: judged(folder, target(bit_depths=["16", "24"]), subtype="FLOAT"),
        lambda folder: judged(folder, target(bit_depths=["16", "24"]), subtype="PCM_24"),
    ),
    "target_channels": (
        lambda folder: judged(folder, target(channels=[2]), noise(channels=1)),
        lambda folder: judged(folder, target(channels=[2, 1]), noise(channels=1)),
    ),
    "target_duration": (
        lambda folder: judged(folder, target(max_duration_s=1.0), noise(seconds=1.001)),
        lambda folder: judged(folder, target(max_duration_s=1.0), noise(seconds=1.0)),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = (case(tmp_path) for case in CASES[code])
    assert [finding.code for finding in provoked] == [code]
    assert near_miss == []
    assert "any" in provoked[0].message
    # Only what a service does with the loudness is no failure.
    assert provoked[0].severity == ("info" if code == "target_playback" else "broken_promise")


@pytest.mark.parametrize(
    ("code", "value", "limit", "unit"),
    [
        ("target_loudness", -18.998, -20.0, "LUFS"),
        ("target_true_peak", -5.998, -6.0, "dBTP"),
        ("target_sample_peak", 0.0, 0.0, "dBFS"),
        ("target_sample_rate", 44101.0, 48000.0, "Hz"),
        ("target_channels", 1.0, 2.0, "channels"),
        ("target_duration", 1.001, 1.0, "s"),
    ],
)
def test_a_finding_has_the_number(code: str, value: float, limit: float, unit: str, tmp_path: Path) -> None:
    (finding,) = CASES[code][0](tmp_path)
    assert finding.value == pytest.approx(value, abs=0.0015)
    assert (finding.limit, finding.unit) == (limit, unit)


def test_files_louder_than_a_limit_have_a_lower_true_peak(tmp_path: Path) -> None:
    asked = target(true_peak_dbtp=-1.0, louder={"above_lufs": -14.0, "true_peak_dbtp": -2.0})
    samples = noise() * 2 * 10 ** (-1.6 / 20)  # uniform noise that loud is far above -14 LUFS
    (finding,) = judged(tmp_path, asked, samples, subtype="FLOAT")
    assert (finding.code, finding.limit) == ("target_true_peak", -2.0)
    assert "louder than -14 LUFS" in finding.message
    assert asked.true_peak_limit_dbtp(-14.0) == -1.0
    assert asked.true_peak_limit_dbtp(-13.95) == -1.0  # -14 with one decimal
    assert asked.true_peak_limit_dbtp(-13.9) == -2.0


def test_what_becomes_of_a_louder_and_of_a_quieter_file(tmp_path: Path) -> None:
    (louder,), (quieter,) = (at_lufs(tmp_path, off, meant="playback") for off in (3.0, -3.0))
    assert "turned down by 3.0 dB" in louder.message
    assert "turned up by 3.0 dB, or left" in quieter.message


@pytest.mark.parametrize("channels", [1, 2])
def test_a_master_is_checked_against_targets_and_not_as_a_mix(channels: int, tmp_path: Path) -> None:
    samples = noise(channels) * 2  # at full scale: a mix would be told to leave headroom
    sf.write(tmp_path / "master.wav", samples, RATE_HZ, "PCM_24")
    codes = {
        f.code for f in check_file(tmp_path / "master.wav", targets=["cd", "cd"], use_cache=False).findings
    }
    assert codes == {"target_bit_depth", "target_sample_peak"} | (
        {"target_channels"} if channels == 1 else set()
    )
    as_mix = check_file(tmp_path / "master.wav", use_cache=False)
    assert not any(f.code.startswith("target_") for f in as_mix.findings)


def test_a_rf64_is_a_wav(tmp_path: Path) -> None:
    sf.write(tmp_path / "long.wav", noise(), RATE_HZ, "PCM_16", format="RF64")
    assert judge_delivery(measure(tmp_path / "long.wav"), delivery_target("cd")) == []


def test_a_vinyl_master_is_held_to_what_a_side_can_hold(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(seconds=2.0), RATE_HZ, "PCM_24")
    profile = measure(tmp_path / "a.wav")
    long = profile.model_copy(update={"source": profile.source.model_copy(update={"duration_s": 26 * 60.0})})
    found = {finding.code: finding for finding in judge_delivery(long, delivery_target("vinyl"))}
    assert found["vinyl_side_too_long"].value == 1560.0
    assert not any(f.code.startswith("vinyl") for f in judge_delivery(long, delivery_target("cd")))
