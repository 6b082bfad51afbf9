"""Each promise, judged on files that really were written: broken just beyond its limit, kept just inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from refmaster import MatchSettings, render_file
from refmaster.check.findings import Finding, kept_promises
from refmaster.check.promises import judge_edits, judge_master, judge_moves, judge_references
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource
from refmaster.matching.derive import derive_plan
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.plan import MasteringPlan, Region
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.settings.records import ReferenceRecord
from refmaster.settings.sections import SectionKind, Sections

Samples = NDArray[np.float64]
Case = Callable[[Path], list[Finding]]

RATE_HZ = 44100
FRAMES = 4 * RATE_HZ


@cache
def music() -> Samples:
    """Pulsing noise, 4 s, stereo."""
    noise = 0.05 * np.random.default_rng(3).standard_normal((FRAMES, 2))
    beat = 0.4 + np.abs(np.sin(2 * np.pi * np.arange(FRAMES) / RATE_HZ))
    return noise * beat[:, None]


@cache
def heard() -> Profile:
    return measure(ArraySource(music(), RATE_HZ, name="mix.wav"))


@cache
def derived() -> MasteringPlan:
    """A plan that promises nothing but the ceiling, its stages at rest."""
    settings = MatchSettings(tone=False, side=False, balance=False, loudness=False)
    made = derive_plan(heard(), [], settings)
    return made.model_copy(update={"promise": made.promise.model_copy(update={"integrated_lufs": None})})


def plan(section: str = "promise", **values: Any) -> MasteringPlan:
    """Return the plan with some values of a section replaced."""
    changed = getattr(derived(), section).model_copy(update=values)
    return derived().model_copy(update={section: changed})


def written(
    folder: Path,
    samples: Samples,
    promised: MasteringPlan,
    *,
    name: str = "master.wav",
    rate_hz: int = RATE_HZ,
    **options: Any,
) -> list[Finding]:
    """Write a master with another program's hand, measure the file, and judge it."""
    sf.write(folder / name, samples, rate_hz, **options)
    return judge_master(promised, measure(open_audio(folder / name)), expected_frames=FRAMES)


def peaking(folder: Path, over_db: float, **options: Any) -> list[Finding]:
    """Judge a master whose true peak is `over_db` above the promised ceiling of -3 dBTP."""
    peak = heard().levels.true_peak_dbtp
    assert peak is not None
    samples = music() * 10 ** ((over_db - 3.0 - peak) / 20)
    return written(folder, samples, plan(true_peak_dbtp=-3.0), subtype="PCM_24", **options)


def loud(folder: Path, missed_lu: float, limited_by: str | None = None) -> list[Finding]:
    """Judge a master that is `missed_lu` louder than was asked, with the tolerance that plans have."""
    lufs = heard().levels.integrated_lufs
    assert lufs is not None
    asked = plan(integrated_lufs=lufs - missed_lu, limited_by=limited_by)
    return written(folder, music(), asked, subtype="FLOAT")


def short(folder: Path, missed_lu: float, limited_by: str = "audibility") -> list[Finding]:
    """Judge a master that is so much louder than the reference that it follows."""
    record = ReferenceRecord(file="reference.wav", sha256=None, weight=1.0)
    lufs = heard().levels.integrated_lufs
    assert lufs is not None
    asked = plan(integrated_lufs=lufs - missed_lu, limited_by=limited_by)
    requested = asked.requested.model_copy(update={"loudness": True})
    asked = asked.model_copy(update={"references": (record,), "requested": requested})
    return written(folder, music(), asked, subtype="FLOAT")


def audible(folder: Path, over_db: float, missed_lu: float = 0.0) -> list[Finding]:
    """Judge a master whose limiting is so far above what counts as clean."""
    lufs = heard().levels.integrated_lufs
    asked = plan("level", noise_to_mask_db=CLEAN_NOISE_TO_MASK_DB + over_db)
    promise = asked.promise.model_copy(update={"integrated_lufs": lufs - missed_lu, "limited_by": None})
    return written(folder, music(), asked.model_copy(update={"promise": promise}), subtype="FLOAT")


def tolerance_lu() -> float:
    return derived().promise.tolerance_lu


def quiet(folder: Path, level: float) -> list[Finding]:
    lufs = heard().levels.integrated_lufs
    assert lufs is not None
    asked = plan(integrated_lufs=lufs + 20 * np.log10(max(level, 1e-9)))
    return written(folder, level * music(), asked, subtype="FLOAT")


def moved(applied_db: float, difference_db: float) -> list[Finding]:
    region = Region(
        name="bass", low_hz=60.0, high_hz=150.0, difference_db=difference_db, applied_db=applied_db, why=""
    )
    return judge_moves(plan("tone", regions=(region,)))


def referred(*oddness: float | None) -> list[Finding]:
    """Judge a plan with as many references as there are values, the last one fitting best."""
    records = tuple(
        ReferenceRecord(
            file=f"{number}.wav",
            sha256=None,
            weight=1.0,
            fit=None if len(oddness) == 1 else float(number - len(oddness) + 1),
            oddness=value,
        )
        for number, value in enumerate(oddness)
    )
    return judge_references(derived().model_copy(update={"references": records}))


def edited(gain_db: float = 1.0, *, off_lu: float = 1.0, ceiling_dbtp: float = -1.0) -> list[Finding]:
    """Judge the edits of a plan that was derived for a loudness `off_lu` below the mix's."""
    lufs = heard().levels.integrated_lufs
    assert lufs is not None
    stamped = plan(integrated_lufs=lufs - off_lu).as_derived()
    level = stamped.level.model_copy(update={"gain_db": gain_db})
    limiter = stamped.limiter.model_copy(update={"ceiling_dbtp": ceiling_dbtp})
    return judge_edits(stamped.model_copy(update={"level": level, "limiter": limiter}), heard())


# Code: what provokes it, and the same situation just inside the limit.
def parted(loud_db: float) -> list[Finding]:
    """Judge a plan for which sections were asked, with what its loud parts get."""
    kind = SectionKind(name="loud", mid=((1000.0, loud_db),))
    asked = plan("requested", sections=True)
    sections = Sections(why="one curve serves", kinds=(kind,), spans=((0.0, 2.0, "loud"),))
    return judge_moves(asked.model_copy(update={"sections": sections}).as_derived())


CASES: dict[str, tuple[Case, Case]] = {
    "ceiling_exceeded": (lambda folder: peaking(folder, 0.002), lambda folder: peaking(folder, -0.002)),
    "format_changed": (
        lambda folder: written(folder, music(), derived(), rate_hz=RATE_HZ + 1),
        lambda folder: written(folder, music(), derived()),
    ),
    "length_changed": (
        lambda folder: written(folder, music()[:-1], derived()),
        lambda folder: written(folder, music(), derived()),
    ),
    "loudness_missed": (
        lambda folder: loud(folder, tolerance_lu() + 0.002),
        lambda folder: loud(folder, tolerance_lu() - 0.002),
    ),
    "loudness_limited": (
        lambda folder: loud(folder, -tolerance_lu() - 0.002, "max_reduction"),
        lambda folder: loud(folder, -tolerance_lu() + 0.002, "max_reduction"),
    ),
    "loudness_saturated": (
        lambda folder: loud(folder, -tolerance_lu() - 0.002, "saturation"),
        lambda folder: loud(folder, -tolerance_lu() + 0.002, "saturation"),
    ),
    "loudness_short": (
        lambda folder: short(folder, -tolerance_lu() - 0.002),
        lambda folder: short(folder, -tolerance_lu() + 0.002),
    ),
    "limiting_audible": (lambda folder: audible(folder, 0.1), lambda folder: audible(folder, 0.0)),
    "loudness_unmeasured": (lambda folder: quiet(folder, 0.0), lambda folder: quiet(folder, 0.01)),
    "loudness_edited": (
        lambda _: edited(off_lu=tolerance_lu() + 0.002),
        lambda _: edited(off_lu=tolerance_lu() - 0.002),
    ),
    "ceiling_raised": (lambda _: edited(ceiling_dbtp=-0.99), lambda _: edited(ceiling_dbtp=-1.0)),
    "mixing_problem": (lambda _: moved(-6.01, -6.0), lambda _: moved(-6.0, -6.0)),
    "far_reference": (lambda _: moved(2.0, 6.01), lambda _: moved(2.0, 6.0)),
    "sections_not_applied": (lambda _: parted(0.0), lambda _: parted(0.01)),
    "best_reference": (lambda _: referred(None, None), lambda _: referred(None)),
    "odd_reference": (lambda _: referred(1.0, 1.0, 2.01), lambda _: referred(1.0, 1.0, 2.0)),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, tmp_path: Path) -> None:
    provoked, near_miss = ({finding.code for finding in case(tmp_path)} for case in CASES[code])
    assert provoked - near_miss == {code}
    assert near_miss <= provoked


@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_are_a_changed_format(channels: int, tmp_path: Path) -> None:
    (finding,) = written(tmp_path, np.repeat(music()[:, :1], channels, axis=1), derived())
    assert finding.code == "format_changed"
    assert finding.message == (f"expected 2 channel(s) at 44100 Hz, the file has {channels} at 44100 Hz")
    assert not kept_promises([finding])


def test_a_plan_that_was_not_edited_is_judged_by_its_promise_alone() -> None:
    assert edited(gain_db=0.0) == []


def test_one_frame_more_is_a_changed_length(tmp_path: Path) -> None:
    (finding,) = written(tmp_path, np.vstack([music(), music()[:1]]), derived())
    assert finding.code == "length_changed"
    assert finding.message == f"expected {FRAMES} frames, the file has {FRAMES + 1}"


@pytest.mark.parametrize(
    ("name", "enabled", "message"),
    [
        ("master.wav", True, "over the ceiling of -3; the plan's limiter is set to -1 dBTP; lower it"),
        ("master.wav", False, "over the ceiling of -3; the plan's limiter is off; enable it"),
        ("master.ogg", True, "lower --ceiling (in a plan limiter.ceiling_dbtp) by that much"),
        ("master.ogg", False, "over the ceiling of -3; the plan's limiter is off; enable it"),
    ],
)
def test_who_is_to_blame_for_a_peak(name: str, enabled: bool, message: str, tmp_path: Path) -> None:
    peak = heard().levels.true_peak_dbtp
    assert peak is not None
    promised = plan(true_peak_dbtp=-3.0)
    promised = promised.model_copy(
        update={"limiter": promised.limiter.model_copy(update={"enabled": enabled})}
    )
    samples = music() * 10 ** ((-1.0 - peak) / 20)
    (finding,) = written(tmp_path, samples, promised, name=name)
    assert str(finding).endswith(message)


@pytest.mark.parametrize("limited_by", ["max_reduction", "audibility", "saturation"])
def test_short_of_a_reference_is_a_warning_and_short_of_a_number_a_broken_promise(
    limited_by: str, tmp_path: Path
) -> None:
    (finding,) = short(tmp_path, -1.0, limited_by)
    assert (finding.severity, finding.code) == ("warning", "loudness_short")
    assert ("--loudness full" in str(finding)) is (limited_by == "audibility")
    assert kept_promises([finding])
    (finding,) = loud(tmp_path, -1.0, limited_by)
    assert finding.severity == "broken_promise"


def test_what_is_heard_is_told_beside_a_missed_loudness(tmp_path: Path) -> None:
    codes = [finding.code for finding in audible(tmp_path, 3.0, missed_lu=-1.0)]
    assert codes == ["loudness_missed", "limiting_audible"]


@pytest.mark.parametrize("limited_by", ["max_reduction", "audibility", "saturation"])
def test_too_loud_is_never_blamed_on_a_limit(limited_by: str, tmp_path: Path) -> None:
    (finding,) = loud(tmp_path, 1.0, limited_by)
    assert finding.code == "loudness_missed"


def test_a_render_that_exceeds_its_ceiling_says_so(tmp_path: Path) -> None:
    """The limiter of a plan is switched off and its gain raised: the promise is judged on the file."""
    sf.write(tmp_path / "mix.wav", music(), RATE_HZ, "PCM_24")
    peak = heard().levels.true_peak_dbtp
    assert peak is not None
    for over_db, broken in ((0.05, True), (-0.05, False)):
        edited = plan("level", gain_db=-1.0 - peak + over_db)
        limiter = edited.limiter.model_copy(update={"enabled": False})
        edited = edited.model_copy(update={"limiter": limiter})
        output = tmp_path / f"{broken}.wav"
        result = render_file(edited, output, mix=tmp_path / "mix.wav")
        assert result.kept_promises is not broken
        assert [f.code for f in result.findings] == (["ceiling_exceeded"] if broken else [])


def test_an_octave_that_two_regions_share_is_seen() -> None:
    """Neither region moves by 6 dB, but the octave between them does, level removed."""
    hz = [1000.0 * 2 ** (k / 6) for k in range(-27, 25)]

    def boosted(gain_db: float) -> list[Finding]:
        return judge_moves(plan("tone", mid=tuple((f, gain_db if 340.0 < f < 740.0 else 0.0) for f in hz)))

    assert boosted(6.8) == []
    (finding,) = boosted(7.1)
    assert finding.code == "mixing_problem"
    assert "the mix lacks around 500 Hz" in finding.message


def test_an_octave_that_one_part_moves_too_far_is_seen() -> None:
    hz = [1000.0 * 2 ** (k / 6) for k in range(-27, 25)]

    def boosted(gain_db: float, tone_db: float = 4.0) -> list[Finding]:
        def curve(db: float) -> tuple[tuple[float, float], ...]:
            return tuple((f, db if 340.0 < f < 740.0 else 0.0) for f in hz)

        kind = SectionKind(name="loud", mid=curve(gain_db - tone_db))
        sections = Sections(kinds=(kind,), spans=((0.0, 2.0, "loud"),))
        return judge_moves(plan("tone", mid=curve(tone_db)).model_copy(update={"sections": sections}))

    assert boosted(6.8) == []
    (finding,) = boosted(7.1)
    assert finding.code == "mixing_problem"
    assert "lacks in its loud parts around" in finding.message
    assert len(boosted(9.0, tone_db=8.0)) == 1  # told once, of the whole
