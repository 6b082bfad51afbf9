"""Sections: loud parts against loud parts, quiet against quiet, on profiles made of numbers."""

import numpy as np
import pytest

from refmaster import MatchSettings
from refmaster.matching.curves import curve_at
from refmaster.matching.derive import derive_plan
from refmaster.matching.image import without_side
from refmaster.matching.neutral import MixLoudness
from refmaster.matching.parts import LOUD, QUIET, part_profile, parts_of
from refmaster.matching.sections import long_term_gain_db
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.bands import JUDGED_THIRDS, THIRDS_HZ, band_centers_hz, smooth, values_at_thirds
from refmaster.units import db_to_power, power_to_db, power_to_lufs

SEGMENT_S = 0.743
PART = 12  # segments, 8.9 s
SHELF_DB = 4.0 / (1.0 + (2000.0 / THIRDS_HZ) ** 2)  # in the loud parts, from 2 kHz up


def with_series(profile):
    """The loudness over time that the segments have."""
    evidence = profile.evidence
    power = db_to_power(np.array(evidence.segment_mid_db))
    if evidence.segment_side_db:
        power = 2.0 * (power + db_to_power(np.array(evidence.segment_side_db)))
    lufs = power_to_lufs(power @ k_weighting_power_gain(np.array(evidence.frequencies_hz), 44100))
    duration_s = SEGMENT_S * len(lufs)
    at = np.minimum((np.arange(int(duration_s / 0.1)) * 0.1 + 0.2) / SEGMENT_S, len(lufs) - 1)
    momentary = tuple(np.round(lufs[at.astype(int)], 2).tolist())
    integrated = float(power_to_db(db_to_power(np.array(momentary)).mean()))
    return profile.model_copy(
        update={
            "source": profile.source.model_copy(
                update={"duration_s": duration_s, "frames": round(44100 * duration_s)}
            ),
            "levels": profile.levels.model_copy(update={"integrated_lufs": integrated}),
            "series": profile.series.model_copy(update={"momentary_lufs": momentary}),
        }
    )


@pytest.fixture
def song(make_song):
    """A half of a song with verses 9 dB below its choruses, and a gain in the loud parts."""

    def build(half, *, seed=5, loud_db=0.0, everywhere_db=0.0, contrast_db=9.0, name="song.wav"):
        is_loud = (np.arange(60) // PART % 2 == 0)[:, np.newaxis]
        moved = np.where(is_loud, loud_db, -contrast_db) + everywhere_db
        part = slice(60 * half, 60 * half + 60)
        return with_series(
            make_song(seed, part=part, mastering_db=np.broadcast_to(moved, (60, len(THIRDS_HZ))), name=name)
        )

    return build


def sections(mix, *references, **settings):
    settings = MatchSettings(sections=True, **settings)
    return derive_plan(mix, [(reference, 1.0) for reference in references], settings).sections


def apart_db(found):
    """Loud less quiet at THIRDS_HZ, level removed, over what is judged."""
    curves = {kind.name: curve_at(kind.mid, THIRDS_HZ) for kind in found.kinds}
    apart = (curves[LOUD] - curves[QUIET])[JUDGED_THIRDS]
    return apart - apart.mean()


def test_a_gain_in_the_loud_parts_is_found(song):
    found = sections(song(0, loud_db=-SHELF_DB), song(1))
    wanted = SHELF_DB[JUDGED_THIRDS] - SHELF_DB[JUDGED_THIRDS].mean()
    assert np.std(apart_db(found) - wanted) < 0.5 * np.std(wanted)
    assert "were likely mastered differently; loud parts get +" in found.why


def test_a_gain_everywhere_is_no_section(song):
    found = sections(song(0, everywhere_db=SHELF_DB), song(1))
    assert not found.kinds
    assert found.why == "loud and quiet parts differ from the reference's alike: one curve serves"


def test_spans_are_those_of_the_parts(song):
    found = sections(song(0, loud_db=-SHELF_DB), song(1))
    assert [name for _, _, name in found.spans] == [LOUD, QUIET, LOUD, QUIET, LOUD]
    bounds = [start for start, _, _ in found.spans]
    np.testing.assert_allclose(bounds, SEGMENT_S * PART * np.arange(5), atol=2.0)
    assert found.spans[-1][1] >= 60 * SEGMENT_S


@pytest.mark.parametrize(
    ("mix", "reference", "why"),
    [
        ({"contrast_db": 0.0}, {}, "the mix has one kind of part only"),
        ({}, {"contrast_db": 0.0, "name": "flat.wav"}, "flat.wav has one kind of part only"),
        ({}, {"seed": 6}, "is likely the songs' own"),
    ],
)
def test_one_curve_serves_and_why(song, mix, reference, why):
    found = sections(song(0, loud_db=-SHELF_DB, **mix), song(1, **reference))
    assert not found.kinds
    assert why in found.why
    assert found.why.endswith("one curve serves")


def test_without_tone_there_is_no_curve(song):
    found = sections(song(0, loud_db=-SHELF_DB), song(1), tone=False)
    assert found.why == "tone is switched off: one curve serves"


def test_not_asked_for_it_costs_nothing(song):
    plan = derive_plan(song(0, loud_db=-SHELF_DB), [(song(1), 1.0)], MatchSettings())
    assert plan.sections.is_at_rest
    assert plan.sections.why == ""
    asked = MatchSettings(sections=True)
    assert derive_plan(song(0, loud_db=-SHELF_DB), [(song(1), 1.0)], asked).tone == plan.tone


def test_a_reference_without_both_parts_does_not_count(song):
    mix, other = song(0, loud_db=-SHELF_DB), song(1)
    alone = sections(mix, other)
    flat = song(1, seed=6, contrast_db=0.0)
    # the tone has another aim with it, so that only what the parts get over each other is alike
    np.testing.assert_allclose(apart_db(sections(mix, other, flat)), apart_db(alone), atol=0.3)


def test_half_of_evidence_is_half_of_the_sections(song):
    mix, reference = song(0, loud_db=-SHELF_DB), song(1)
    whole = apart_db(sections(mix, reference, strength="evidence"))
    np.testing.assert_allclose(apart_db(sections(mix, reference, strength=12.5)), whole / 2, atol=0.05)


def test_full_follows_part_by_part(song):
    """With other music too: the quiet parts' third octaves become those of the reference's quiet parts."""
    mix, reference = song(0, loud_db=-SHELF_DB), song(1, seed=6)
    plan = derive_plan(mix, [(reference, 1.0)], MatchSettings(sections=True, strength="full"))
    hz = band_centers_hz(44100)

    def missed(curve, name):
        before, aim = (
            power_to_db(
                db_to_power(np.array(profile.evidence.segment_mid_db)[parts_of(profile).segments[name]]).mean(
                    0
                )
            )
            for profile in (mix, reference)
        )
        read = values_at_thirds(smooth(curve, np.ones(len(hz)), 1 / 3))  # over the width of a band
        return np.std((before + read - aim)[JUDGED_THIRDS])

    whole = curve_at(plan.tone.mid, hz)
    added = {kind.name: curve_at(kind.mid, hz) for kind in plan.sections.kinds}
    assert missed(whole + added[LOUD], LOUD) < 0.8
    assert missed(whole + added[QUIET], QUIET) < 0.8
    assert missed(whole, QUIET) > 1.4


@pytest.mark.parametrize("strength", ["evidence", 80, "full"])
def test_each_part_stays_as_loud_as_it_was(song, strength):
    mix = song(0, loud_db=-SHELF_DB)
    plan = derive_plan(mix, [(song(1), 1.0)], MatchSettings(sections=True, strength=strength))
    hz, own = band_centers_hz(44100), parts_of(mix)
    assert plan.sections.kinds
    for kind in plan.sections.kinds:
        mid = curve_at(plan.tone.mid, hz) + curve_at(kind.mid, hz)
        side = mid + curve_at(plan.tone.width, hz) + curve_at(kind.width, hz)
        change = MixLoudness(part_profile(mix, own.segments[kind.name]), hz).change_db(mid, side)
        assert abs(change) < 0.05


def test_bounds_hold_in_every_part(song):
    plan = derive_plan(
        song(0, loud_db=-3.0 * SHELF_DB),
        [(song(1), 1.0)],
        MatchSettings(sections=True, max_boost_db=2.0, max_cut_db=3.0),
    )
    assert plan.sections.kinds
    hz = band_centers_hz(44100)
    for kind in plan.sections.kinds:
        mid = curve_at(plan.tone.mid, hz) + curve_at(kind.mid, hz)
        assert mid.max() < 2.02
        assert mid.min() > -3.02


def test_no_part_is_moved_far_from_the_whole(song):
    """A part of the reference that lacks what the mix's has by 36 dB is not followed that far."""
    found = sections(song(0, loud_db=-9.0 * SHELF_DB), song(1), strength="full")
    for kind in found.kinds:
        gains = np.array([gain for hz, gain in kind.mid if 40.0 < hz < 16000.0])
        assert 3.0 < np.ptp(gains) < 12.5


def test_a_mono_mix_has_no_side(song):
    mix = with_series(without_side(song(0, loud_db=-SHELF_DB)))
    mix = mix.model_copy(
        update={
            "source": mix.source.model_copy(update={"channels": 1}),
            "stereo": mix.stereo.model_copy(update={"balance_db": None, "dc": (0.0,)}),
        }
    )
    found = sections(mix, song(1))
    assert found.kinds
    assert all(kind.width == () for kind in found.kinds)


def test_what_sections_add_to_the_long_term_spectrum(song):
    mix = song(0, loud_db=-SHELF_DB)
    found = sections(mix, song(1))
    segments, own = np.array(mix.evidence.segment_mid_db), parts_of(mix)
    moved = segments.copy()
    for kind in found.kinds:
        moved[own.halves[kind.name]] += curve_at(kind.mid, THIRDS_HZ)
    before, after = (power_to_db(db_to_power(rows).mean(axis=0)) for rows in (segments, moved))
    np.testing.assert_allclose(long_term_gain_db(found, mix, THIRDS_HZ), after - before, atol=1e-3)
    assert np.abs(after - before).max() > 0.2
