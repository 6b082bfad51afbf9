"""Loud and quiet parts of profiles whose loudness over time is written down."""

import numpy as np
import pytest

from refmaster.matching.parts import LOUD, QUIET, Parts, part_profile, parts_of
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import THIRDS_HZ
from refmaster.units import db_to_power, power_to_db, power_to_lufs

SEGMENT_S = 0.743
SHAPE_DB = -30.0 - 3.0 * np.log2(THIRDS_HZ / 1000.0)
SHAPE_LUFS = power_to_lufs(float(db_to_power(SHAPE_DB) @ k_weighting_power_gain(THIRDS_HZ, 44100)))


@pytest.fixture
def recording(make_profile, pink_db):
    """A mono recording that is as loud as the levels say: pairs of seconds and LUFS."""

    def build(*levels, every=1):
        lufs = np.concatenate([np.full(round(10 * seconds), float(level)) for seconds, level in levels])
        at = np.arange(int(0.1 * len(lufs) / SEGMENT_S)) * SEGMENT_S + SEGMENT_S / 2
        rows = SHAPE_DB + (lufs[(10 * at).astype(int)] - SHAPE_LUFS)[:, np.newaxis]
        integrated = float(power_to_db(db_to_power(lufs).mean()))
        made = make_profile(pink_db, lufs=integrated, segments=(rows[::every], ()))
        series = made.series.model_copy(update={"momentary_lufs": tuple(lufs.tolist())})
        source = made.source.model_copy(update={"duration_s": 0.1 * len(lufs)})
        return made.model_copy(update={"series": series, "source": source})

    return build


def names_and_starts(found):
    assert isinstance(found, Parts), found
    return [(name, start) for start, _, name in found.spans]


def test_verse_and_chorus(recording):
    found = parts_of(recording((20, -24), (20, -15), (20, -24), (20, -15)))
    expected = [(QUIET, 0.0), (LOUD, 20.0), (QUIET, 40.0), (LOUD, 60.0)]
    assert [name for name, _ in names_and_starts(found)] == [name for name, _ in expected]
    starts = [start for _, start in names_and_starts(found)]
    np.testing.assert_allclose(starts, [start for _, start in expected], atol=2.0)
    assert found.spans[-1][1] >= 80.0
    assert all(end == start for (_, end, _), (start, _, _) in zip(found.spans, found.spans[1:], strict=False))


def test_a_breath_is_no_part(recording):
    """Two seconds of near silence in a chorus, a shout in a verse that hardly passes the boundary."""
    found = parts_of(recording((20, -24), (1, -17), (19, -24), (20, -15), (0.5, -60), (20, -15)))
    assert [name for name, _ in names_and_starts(found)] == [QUIET, LOUD]


def test_what_is_far_below_the_rest_is_quiet(recording):
    found = parts_of(recording((20, -15), (20, -24), (15, -90), (20, -15)))
    assert [name for name, _ in names_and_starts(found)] == [LOUD, QUIET, LOUD]


@pytest.mark.parametrize("every", [1, 2, 4])
def test_segments_of_a_long_recording_are_told_apart_too(recording, every):
    levels = [(30, -24), (30, -15)] * 7
    found = parts_of(recording(*levels, every=every))
    assert found.segments[LOUD].mean() == pytest.approx(0.5, abs=0.1)
    assert found.segments[QUIET].mean() == pytest.approx(0.5, abs=0.1)
    assert not (found.segments[LOUD] & found.segments[QUIET]).any()


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ([(10, -24), (5.9, -15)], "is too short for two kinds of parts of 8 s each"),
        (
            [(30, -18), (30, -15)],
            "has one kind of part only (its louder and quieter moments are 2.9 LU apart)",
        ),
    ],
)
def test_one_kind_of_part(recording, levels, why):
    found = parts_of(recording(*levels))
    assert isinstance(found, str)
    assert found.startswith(why)


def test_just_enough_contrast_and_length(recording):
    assert isinstance(parts_of(recording((12, -22), (12, -15))), Parts)
    assert isinstance(parts_of(recording((30, -20), (30, -15))), Parts)


def test_the_profile_of_a_part_has_its_level(recording):
    profile = recording((20, -24), (20, -15))
    found = parts_of(profile)
    loud, quiet = (part_profile(profile, found.segments[name]) for name in (LOUD, QUIET))
    gap = np.subtract(loud.spectrum.mid_db, quiet.spectrum.mid_db)
    np.testing.assert_allclose(gap, 9.0, atol=0.5)
    assert len(loud.evidence.segment_mid_db) == found.segments[LOUD].sum()
