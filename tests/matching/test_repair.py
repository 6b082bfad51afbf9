"""What of the repairs that are asked for a profile's faults call for."""

import numpy as np
import pytest

from refmaster.io.source import ArraySource
from refmaster.matching.repair import derive_repair
from refmaster.profile.faults import Clicks, CutLevel
from refmaster.profile.measure import measure
from refmaster.settings.repair import LONGEST_OVER_FRAMES, MAX_CLICK_FRAMES, Repair, RepairSettings

RATE = 8000
ALL = RepairSettings(dc=True, clicks=True, overs=True, trim=True)


def profile(samples=None, **faults):
    samples = noise() if samples is None else samples
    found = measure(ArraySource(samples, RATE), faults=True)
    changed = found.faults.model_copy(update=faults)
    if "cut" in faults:
        repairable = found.faults.repairable.model_copy(update={"cut": faults["cut"]})
        changed = found.faults.model_copy(update={"repairable": repairable})
    return found.model_copy(update={"faults": changed})


def noise(seconds=1.0, channels=2):
    samples = 0.1 * np.random.default_rng(2).standard_normal((round(seconds * RATE), channels))
    return samples - samples.mean(axis=0)


def between(head_s, tail_s):
    """Noise between silences; its first and last samples are heard."""
    sound = noise()
    sound[[0, -1]] = 0.1
    return np.vstack([np.zeros((round(head_s * RATE), 2)), sound, np.zeros((round(tail_s * RATE), 2))])


def clicks(*rows, count=None):
    return Clicks(count=len(rows) if count is None else count, rows=rows)


def test_nothing_is_done_that_is_not_asked_for():
    spoilt = profile(between(3, 9) + 0.01, clicks=clicks((100, 5, 0, 20.0)), cut=())
    assert derive_repair(spoilt, RepairSettings()) == Repair()


def test_a_clean_mix_is_left_alone_and_it_is_said_of_each_repair():
    repair = derive_repair(profile(clicks=clicks()), ALL)
    assert repair.is_at_rest
    assert repair == Repair(why=repair.why)
    for words in ("clicks: none found", "no short clipped tops", "DC: none to speak of", "nothing to cut"):
        assert words in repair.why


def test_a_profile_without_faults_is_no_answer():
    found = measure(ArraySource(noise(), RATE))
    with pytest.raises(ValueError, match="faults=True"):
        derive_repair(found, ALL)
    assert derive_repair(found, RepairSettings(dc=True)).is_at_rest


@pytest.mark.parametrize(("dc", "acts"), [(0.00099, False), (0.00101, True), (-0.00101, True)])
def test_a_notable_offset_is_subtracted(dc, acts):
    repair = derive_repair(profile(noise() + np.array([0.0, dc])), RepairSettings(dc=True))
    assert repair.dc == (pytest.approx((0.0, dc), abs=1e-6) if acts else ())
    assert ("drifts would stay" in repair.why) == acts


def test_clicks_become_rows_and_those_that_touch_become_one():
    rows = clicks((10, 5, 0, 9.0), (15, 5, 0, 9.0), (15, 5, 1, 9.0), (18, 4, 0, 9.0), (40, 1, 0, 9.0))
    repair = derive_repair(profile(clicks=rows), RepairSettings(clicks=True))
    assert repair.clicks == ((10, 12, 0), (15, 5, 1), (40, 1, 0))


@pytest.mark.parametrize(("frames", "acts"), [(MAX_CLICK_FRAMES, True), (MAX_CLICK_FRAMES + 1, False)])
def test_long_clicks_are_left_alone(frames, acts):
    repair = derive_repair(profile(clicks=clicks((10, frames, 0, 9.0))), RepairSettings(clicks=True))
    assert repair.clicks == (((10, frames, 0),) if acts else ())


def cut(tops, long_tops):
    return CutLevel(channel=1, level=-0.7, tops=tops, long_tops=long_tops)


@pytest.mark.parametrize(("long_tops", "acts"), [(4, True), (5, False)])
def test_clipped_tops_become_their_level_where_some_are_short(long_tops, acts):
    repair = derive_repair(profile(cut=(cut(5, long_tops),)), RepairSettings(overs=True))
    assert repair.overs == (((1, -0.7),) if acts else ())
    assert repair.longest_over_frames == LONGEST_OVER_FRAMES


@pytest.mark.parametrize(
    ("head_s", "tail_s", "kept"),
    [
        (0.5, 2.0, (0, None)),
        (0.51, 2.0, (0.41, None)),
        (0.5, 2.01, (0, 2.0)),  # the sound ends at 1.5 s
        (3.0, 9.0, (2.9, 4.5)),
    ],
)
def test_long_silence_is_cut_to_a_margin(head_s, tail_s, kept):
    repair = derive_repair(profile(between(head_s, tail_s)), RepairSettings(trim=True))
    start_s, end_s = kept
    assert repair.start_frame == round(start_s * RATE)
    assert repair.end_frame == (None if end_s is None else round(end_s * RATE))


def test_fades_are_as_asked():
    repair = derive_repair(profile(), RepairSettings(fade_in_s=0.25, fade_out_s=0.5))
    assert (repair.fade_in_s, repair.fade_out_s) == (0.25, 0.5)
    assert repair.why == "faded in over 0.25 s and out over 0.5 s"
