"""Several recordings as one: loudness like that of the joined file, one profile without mono's narrowness."""

import numpy as np
import pytest

from refmaster.album.features import TONE_HZ, loud_sections_lufs, track_features
from refmaster.album.pooled import pooled_lufs, pooled_profile
from refmaster.album.result import tone_gaps_db
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure


@pytest.fixture(scope="module")
def measured(made_song):
    songs = [made_song(1), made_song(2, level_db=-14.0), made_song(3, seconds=3.0, channels=1)]
    return [measure(ArraySource(s, 44100, name=f"{i}")) for i, s in enumerate(songs)]


def test_pooled_loudness_gates_over_all_blocks_together(made_song):
    """The two gates of BS.1770-5, written out, on the blocks of all; a quiet song is gated out whole."""
    songs = [made_song(1), made_song(2, level_db=-5.0), made_song(4, level_db=-20.0)]
    blocks = [np.array(measure(ArraySource(s, 44100)).series.momentary_lufs) for s in songs]
    together = np.concatenate(blocks)
    loud = together[together > -70.0]
    gate = 10 * np.log10(np.mean(10 ** (loud / 10))) - 10.0
    expected = 10 * np.log10(np.mean(10 ** (loud[loud > gate] / 10)))
    assert pooled_lufs(blocks, [0.0] * 3) == pytest.approx(expected, abs=0.01)
    assert pooled_lufs(blocks, [3.0] * 3) == pytest.approx(expected + 3.0, abs=0.01)
    apart = [pooled_lufs([b], [0.0]) for b in blocks]
    assert expected > np.mean(apart) + 1.0  # no mean of loudnesses


def test_nothing_has_no_loudness():
    assert pooled_lufs([], []) is None
    assert pooled_lufs([np.full(9, -200.0)], [0.0]) == -np.inf


def test_pooled_profile(measured):
    tone = np.zeros((3, len(TONE_HZ)))
    pooled = pooled_profile(measured, tone, "album")
    assert pooled.source.sha256 is None
    assert pooled.source.channels == 2
    assert pooled.source.duration_s == pytest.approx(8.0, abs=0.01)  # of the stereo tracks
    assert len(pooled.spectrum.side_db) == len(pooled.spectrum.mid_db)
    assert len(pooled.evidence.segment_mid_db) == len(pooled.evidence.segment_side_db)
    mono = pooled_profile(measured[2:], tone[2:], "album")
    assert mono.spectrum.side_db == ()


def test_pooled_profile_has_the_engineers_curves(measured):
    flat = pooled_profile(measured[:2], np.zeros((2, len(TONE_HZ))), "album")
    tilt = np.tile(np.linspace(-2, 2, len(TONE_HZ)), (2, 1))
    tilted = pooled_profile(measured[:2], tilt, "album")
    hz = np.array(flat.spectrum.frequencies_hz)
    inside = (hz > 50) & (hz < 12000)
    moved = np.array(tilted.spectrum.mid_db) - np.array(flat.spectrum.mid_db)
    expected = np.interp(np.log2(hz), np.log2(TONE_HZ), tilt[0])
    np.testing.assert_allclose(moved[inside], expected[inside], atol=0.01)


def test_features(measured):
    one, quiet, mono = (track_features(p) for p in measured)
    assert one.tone_present.all()
    assert one.loud_lufs >= one.integrated_lufs
    assert one.max_short_term_lufs >= one.loud_lufs - 0.01
    assert quiet.integrated_lufs < one.integrated_lufs - 10
    assert mono.width_db is None
    assert one.width_db == pytest.approx(-8.0, abs=1.0)
    gaps, rms = tone_gaps_db([one, quiet, mono])
    assert gaps.shape == (3, len(TONE_HZ))
    assert (rms > 0.1).all()


def test_loud_sections_are_gated_at_70_lufs():
    """The absolute gate of Tech 3342: windows just above -70 LUFS count, those below do not."""
    assert loud_sections_lufs(np.array([-69.5] * 50 + [-69.2])) == pytest.approx(-69.5)
    assert loud_sections_lufs(np.array([-70.1] * 50 + [-69.2])) == pytest.approx(-69.2)


def test_predicted_level_change_is_what_an_equalizer_does(made_song):
    from scipy.signal import butter, sosfilt, sosfreqz

    samples = made_song(1)
    before = track_features(measure(ArraySource(samples, 44100)))
    shelf = butter(1, 800.0, "highpass", fs=44100, output="sos")
    gain = 20 * np.log10(np.abs(sosfreqz(shelf, before.segment_hz, fs=44100)[1]))
    after = track_features(measure(ArraySource(sosfilt(shelf, samples, axis=0), 44100)))
    for anchor in ("loud_sections", "max_short_term", "integrated"):
        moved = after.level_lufs(anchor) - before.level_lufs(anchor)
        assert before.level_change_db(gain, anchor) == pytest.approx(moved, abs=0.3)
