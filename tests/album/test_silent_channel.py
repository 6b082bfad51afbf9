"""A track with a silent channel: the album's width does not reach it, and it tells nothing of that width."""

import numpy as np
import pytest
import soundfile as sf

from refmaster.album.features import track_features
from refmaster.album.passes import master_album
from refmaster.album.pooled import pooled_profile
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure


@pytest.mark.parametrize("engineers", [("", "", ""), ("ana", "ana", "ben")])
def test_a_silent_channel_stays_silent_in_an_album(tmp_path, made_song, engineers):
    """With a wider reference and engineers whose widths are corrected."""
    lines = [
        "version: 1",
        "engineers: {width: true}",
        "output: {bit_depth: 32f}",
        "references: [{file: wide.wav}]",
    ]
    lines.append("tracks:")
    for number, engineer in enumerate(engineers, 1):
        samples = made_song(number) * ([1.0, 0.0] if number == 2 else [1.0, 1.0])
        sf.write(tmp_path / f"{number}.wav", samples, 44100, "PCM_24")
        lines.append(f"  - {{file: {number}.wav{f', engineer: {engineer}' if engineer else ''}}}")
    wide = made_song(7)
    sf.write(tmp_path / "wide.wav", wide + 0.6 * (wide - wide[:, ::-1]), 44100, "PCM_24")
    (tmp_path / "album.yaml").write_text("\n".join(lines))
    result = master_album(tmp_path / "album.yaml", tmp_path / "out")
    assert any(gain for _, gain in result.plan.common.width)
    assert [track.keep for track in result.plan.tracks] == [(), ("width",), ()]
    master, _ = sf.read(result.tracks[1].output)
    assert not master[:, 1].any()
    assert master[:, 0].any()


def test_it_says_nothing_of_the_albums_width(made_song):
    def profile(samples):
        return measure(ArraySource(samples, 44100, name="made.wav"))

    stereo, one_sided = profile(made_song(1)), profile(made_song(2) * [1.0, 0.0])
    assert track_features(one_sided).width_db is None
    assert track_features(stereo).width_db is not None
    both = pooled_profile([stereo, one_sided], np.zeros((2, 27)), "both")
    alone = pooled_profile([stereo], np.zeros((1, 27)), "alone")
    assert both.spectrum == alone.spectrum
