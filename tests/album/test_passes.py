"""Whole albums on made songs: promises on the written files, resuming, replacing, and bad input."""

import numpy as np
import pytest
import soundfile as sf

from refmaster import render_file
from refmaster.album.passes import master_album, render_album_plan
from refmaster.album.pooled import pooled_lufs
from refmaster.errors import InputError, OutputError
from refmaster.io.open import open_audio
from refmaster.profile.measure import measure
from refmaster.report.album import album_json, loudness_lines

ANA = {"tilt_db": 3.0, "level_db": 0.0}
BEN = {"tilt_db": -3.0, "level_db": -6.0}
SONGS = [(1, "ana", ANA), (2, "ben", BEN), (3, "ana", ANA), (4, "ben", BEN)]
LOUD = "match: {target_lufs: -16}"


def bytes_of(result):
    return [track.output.read_bytes() for track in result.tracks]


def codes(result):
    found = [*result.findings, *(f for t in result.tracks for f in t.findings)]
    return {finding.code for finding in found}


@pytest.fixture(scope="module")
def mastered(tmp_path_factory, made_song):
    """An album of four songs by two engineers, mastered; nothing may be changed in its folder."""
    folder = tmp_path_factory.mktemp("mastered")
    lines = ["version: 1", LOUD, "tracks:"]
    for place, (number, engineer, options) in enumerate(SONGS, 1):
        sf.write(folder / f"{place}.wav", made_song(number, **options), 44100, "PCM_24")
        lines.append(f"  - {{file: {place}.wav, title: 'No. {place}', engineer: {engineer}}}")
    (folder / "album.yaml").write_text("\n".join(lines))
    return master_album(folder / "album.yaml", folder / "out")


def test_the_album_has_its_loudness_and_its_ceiling(mastered):
    assert mastered.kept_promises
    profiles = [measure(open_audio(t.output)) for t in mastered.tracks]
    pooled = pooled_lufs([p.series.momentary_lufs for p in profiles], [0.0] * 4)
    assert pooled == pytest.approx(-16.0, abs=0.1)
    assert max(p.levels.true_peak_dbtp for p in profiles) <= -1.0


def test_the_albums_loudness_by_libebur128(mastered):
    ebur128 = pytest.importorskip("pyebur128")
    states = []
    for track in mastered.tracks:
        samples, rate = sf.read(track.output)
        state = ebur128.R128State(2, rate, ebur128.MeasurementMode.MODE_I)
        state.add_frames(np.ascontiguousarray(samples).ravel(), len(samples))
        states.append(state)
    assert ebur128.get_loudness_global_multiple(states) == pytest.approx(-16.0, abs=0.1)


def test_engineers_come_together_and_songs_stay(mastered, made_song):
    plain = [measure(open_audio(t.plan.mix.file)).levels.integrated_lufs for t in mastered.tracks]
    own = [made_song(number) for number, _, _ in SONGS]
    from refmaster.io.source import ArraySource

    undisturbed = [measure(ArraySource(s, 44100)).levels.integrated_lufs for s in own]
    after = [t.after.integrated_lufs for t in mastered.tracks]
    before_error, after_error = (np.std(np.array(v) - undisturbed) for v in (plain, after))
    assert after_error < 0.5 * before_error
    ana, ben = mastered.plan.engineers
    tilt = [dict(e.mid)[8000.0] - dict(e.mid)[125.0] for e in (ana, ben)]
    assert tilt[0] < -0.3 < 0.3 < tilt[1]
    assert ana.level_db < 0.0 < ben.level_db


def test_masters_have_the_mixs_length_and_format(mastered):
    for track in mastered.tracks:
        mix, master = sf.info(track.plan.mix.file), sf.info(track.output)
        assert (master.frames, master.samplerate, master.subtype) == (mix.frames, 44100, "PCM_24")
    assert mastered.tracks[0].output.name == "01 No. 1.wav"


def test_a_tracks_plan_renders_alone_to_the_same_bytes(mastered, tmp_path):
    render_file(mastered.folder / "plans" / "02 No. 2.yaml", tmp_path / "alone.wav")
    assert (tmp_path / "alone.wav").read_bytes() == mastered.tracks[1].output.read_bytes()


def test_the_album_plan_renders_to_the_same_bytes_elsewhere(mastered, tmp_path):
    again = render_album_plan(mastered.folder / "album-plan.yaml", tmp_path / "again")
    assert bytes_of(again) == bytes_of(mastered)
    assert again.kept_promises


def test_an_edited_album_plan_is_rendered_as_it_says(mastered, tmp_path):
    text = (mastered.folder / "album-plan.yaml").read_text()
    gain = mastered.plan.common.gain_db
    text = text.replace(f"gain_db: {gain}", f"gain_db: {gain - 2.0}", 1)
    path = mastered.folder.parent / "edited-plan.yaml"
    path.write_text(text.replace('file: "../', 'file: "'))
    edited = render_album_plan(path, tmp_path / "edited")
    for one, other in zip(edited.tracks, mastered.tracks, strict=True):
        assert one.plan.level.gain_db == pytest.approx(other.plan.level.gain_db - 2.0, abs=1e-6)
        assert one.after.integrated_lufs == pytest.approx(other.after.integrated_lufs - 2.0, abs=0.7)
    assert "loudness_missed" in codes(edited)


def test_json(mastered):
    found = album_json(mastered)
    assert [t["file"] for t in found["tracks"]] == [t.plan.mix.file for t in mastered.tracks]
    assert [t["engineer"] for t in found["tracks"]] == ["ana", "ben", "ana", "ben"]
    for track in found["tracks"]:
        assert {"output", "before", "after", "title", "plan", "findings"} <= track.keys()
        assert track["before"]["integrated_lufs"] < track["after"]["integrated_lufs"]
        assert abs(track["after"]["level_gap_db"]) < 4.0
    assert found["album"]["after"]["pooled_lufs"] == pytest.approx(-16.0, abs=0.1)
    assert found["album"]["after"]["aes_gain_db"] == pytest.approx(
        -14.0 - max(t["after"]["integrated_lufs"] for t in found["tracks"])
    )
    assert found["model"]["tone"]["song_variance_scale"] > 0.0
    assert [w["engineer"] for w in found["model"]["width"]] == ["ana", "ben"]
    before, after = (
        [abs(e[side]["level_gap_db"]) for e in found["engineers"]] for side in ("before", "after")
    )
    assert max(after) < max(before)
    ana, ben = (e["habit"] for e in found["engineers"])
    assert ana["level_db"] > 0.0 > ben["level_db"]
    assert len(ana["tone_db"]) == 27
    assert len(loudness_lines(mastered)) == 3


def test_a_dry_run_writes_plans_only(write_album, tmp_path):
    result = master_album(write_album(SONGS, text=LOUD), tmp_path / "out", dry_run=True)
    written = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert written == [".refmaster-album.json", "album-plan.yaml", "plans"]
    assert len(list((tmp_path / "out" / "plans").iterdir())) == 4
    assert all(t.after is None for t in result.tracks)
    assert album_json(result)["album"]["after"] is None
    rendered = master_album(tmp_path / "album.yaml", tmp_path / "out")
    assert rendered.kept_promises  # what it wrote itself is not in its way


def test_an_interrupted_run_goes_on(write_album, tmp_path):
    path = write_album(SONGS[:3], text=LOUD)

    def stop_in_the_third(stage, done, _total):
        if stage.startswith("3 of 3: measuring the master") and done > 100000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        master_album(path, tmp_path / "out", progress=stop_in_the_third)
    assert len(list((tmp_path / "out").glob("*.wav"))) == 2
    resumed = master_album(path, tmp_path / "out")
    assert [t.kept for t in resumed.tracks] == [True, True, False]
    fresh = master_album(path, tmp_path / "fresh")
    assert bytes_of(resumed) == bytes_of(fresh)
    done = master_album(path, tmp_path / "out")
    assert [t.kept for t in done.tracks] == [True] * 3
    assert done.plan == resumed.plan
    assert done.changed == ()


def test_a_touched_master_is_made_again_only_if_asked(write_album, tmp_path):
    path = write_album(SONGS[:2], text=LOUD)
    one = master_album(path, tmp_path / "out")
    before = bytes_of(one)
    one.tracks[1].output.write_bytes(b"RIFF")
    with pytest.raises(OutputError, match=r"02 02\.wav.*exists already"):
        master_album(path, tmp_path / "out")
    again = master_album(path, tmp_path / "out", overwrite=True)
    assert [t.kept for t in again.tracks] == [True, False]
    assert bytes_of(again) == before


def test_a_replaced_mix_is_the_only_one_measured_and_says_who_moves(
    write_album, made_song, tmp_path, monkeypatch
):
    path = write_album(SONGS, text=LOUD)
    master_album(path, tmp_path / "out", dry_run=True)
    sf.write(tmp_path / "02.wav", made_song(2, tilt_db=-3.0, level_db=-2.0), 44100, "PCM_24")
    stages = set()
    result = master_album(
        path, tmp_path / "out", dry_run=True, progress=lambda stage, _d, _t: stages.add(stage)
    )
    assert {s for s in stages if s.startswith("measuring")} == {"measuring 2 of 4"}
    assert any(line.startswith('track 2 ("02"): a new mix, gain ') for line in result.changed)
    assert len(result.changed) > 1


def test_every_bad_input_is_named_at_once(write_album, made_song, tmp_path):
    path = write_album(SONGS, text=LOUD)
    (tmp_path / "01.wav").write_bytes(b"no audio")
    (tmp_path / "02.wav").unlink()
    (tmp_path / "03.wav").write_bytes((tmp_path / "04.wav").read_bytes())
    with pytest.raises(InputError) as caught:
        master_album(path, tmp_path / "out")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["tracks[0].file", "tracks[1].file", "tracks[3].file"]
    assert "same recording as track 3" in lines[2]
    assert not (tmp_path / "out").exists()


def test_a_reference_has_a_place_only_where_the_file_names_it(write_album, tmp_path):
    path = write_album(SONGS[:2], text="references:\n  - file: none.wav")
    with pytest.raises(InputError, match=r"album\.yaml:4:11: references\[0\]\.file: .*none\.wav"):
        master_album(path, tmp_path / "out")
    with pytest.raises(InputError) as caught:
        master_album(path, tmp_path / "out", references=[(tmp_path / "gone.wav", 1.0)])
    assert str(caught.value).startswith(f"{tmp_path / 'gone.wav'}: ")


def test_silence_and_surround_are_refused_by_name(write_album, tmp_path):
    path = write_album(SONGS[:3])
    sf.write(tmp_path / "02.wav", np.zeros((44100, 2)), 44100)
    with pytest.raises(InputError, match=r"tracks\[1\]\.file: .*silence"):
        master_album(path, tmp_path / "out")
    sf.write(tmp_path / "03.wav", np.ones((44100, 6)) * 0.1, 44100)
    with pytest.raises(InputError, match=r"tracks\[2\]\.file: .*6 channels"):
        master_album(path, tmp_path / "out")


def test_rates_and_channels_may_differ(write_album, tmp_path):
    songs = [(1, "ana", {}), (2, "ben", {"rate": 48000}), (3, "ana", {"channels": 1})]
    result = master_album(write_album(songs, text=LOUD), tmp_path / "out")
    assert [(i.samplerate, i.channels) for i in (sf.info(t.output) for t in result.tracks)] == [
        (44100, 2),
        (48000, 2),
        (44100, 1),
    ]
    assert {"mixed_rates", "mixed_channels"} <= codes(result)
    assert result.kept_promises


def test_one_rate_for_all(write_album, tmp_path):
    songs = [(1, "ana", {}), (2, "ben", {"rate": 48000})]
    text = f"{LOUD}\noutput: {{sample_rate_hz: 48000, bit_depth: '16', format: flac}}"
    result = master_album(write_album(songs, text=text), tmp_path / "out")
    infos = [sf.info(t.output) for t in result.tracks]
    assert {(i.samplerate, i.format, i.subtype) for i in infos} == {(48000, "FLAC", "PCM_16")}
    assert result.kept_promises


def test_too_much_loudness_is_held_for_all_and_the_track_is_named(write_album, tmp_path):
    text = "match: {target_lufs: -5, max_reduction_db: 2}"
    result = master_album(write_album(SONGS[:3], text=text), tmp_path / "out")
    assert not result.kept_promises
    (finding,) = (f for f in result.findings if f.code == "loudness_limited")
    assert "asks too much" in finding.message
    free = master_album(tmp_path / "album.yaml", tmp_path / "free", target_lufs=-22.0, dry_run=True)
    asked = [t.plan.promise.integrated_lufs for t in free.tracks]
    held = np.array([t.after.integrated_lufs for t in result.tracks]) - asked
    assert np.ptp(held) < 0.25  # the songs' distances survive the limit
    assert min(held) > 1.5


def test_without_names_the_levels_and_their_order_stay(write_album, tmp_path):
    songs = [(number, None, options) for number, _, options in SONGS]
    result = master_album(write_album(songs), tmp_path / "out")
    before, after = (
        np.array([getattr(t, side).loud_lufs for t in result.tracks]) for side in ("before", "after")
    )
    assert np.ptp(after - before) < 0.2
    assert "engineers_unknown" in codes(result)
    for track in result.tracks:
        gains = np.array([g for _, g in track.plan.tone.mid] or [0.0])
        assert np.std(gains) <= 0.3


def test_toward_a_reference_by_one_curve(write_album, made_song, tmp_path):
    sf.write(tmp_path / "ref.wav", made_song(9, tilt_db=6.0, level_db=3.0), 44100, "PCM_24")
    text = "references:\n  - file: ref.wav\nmatch: {strength: full}"
    songs = [(n, None, o) for n, _, o in SONGS[:3]]
    result = master_album(write_album(songs, text=text), tmp_path / "out", dry_run=True)
    assert np.abs([g for _, g in result.plan.common.mid]).max() > 1.0
    for track in result.plan.tracks:
        own = [g for _, g in track.mid] or [0.0]
        common = dict(result.plan.common.mid)
        assert np.std(own) < 0.3 < np.std(list(common.values()))
    reference = measure(open_audio(tmp_path / "ref.wav")).levels.integrated_lufs
    assert result.plan.promise.integrated_lufs == pytest.approx(reference)


def test_a_nameless_anchor_holds_for_width_too(write_album, tmp_path):
    songs = [(1, "ana", {"channels": 1}), (2, "ana", {}), (3, None, {})]
    path = write_album(songs, text="engineers: {width: true}")
    path.write_text(path.read_text() + "    anchor: true\n")
    fit = master_album(path, tmp_path / "out", dry_run=True).moves.width_fit
    assert fit.engineers == ("ana", "(track 3)")
    assert fit.offsets_db[1] == 0.0


def test_per_track_wishes(write_album, tmp_path):
    path = write_album(SONGS, text=LOUD)
    plain = master_album(path, tmp_path / "plain", dry_run=True)
    text = path.read_text().replace("  - file: 02.wav\n", "  - file: 02.wav\n    keep: [tone, level]\n")
    text = text.replace("  - file: 03.wav\n", "  - file: 03.wav\n    level_db: -2\n")
    path.write_text(text.replace("  - file: 04.wav\n", "  - file: 04.wav\n    strength: 0\n"))
    wished = master_album(path, tmp_path / "wished", dry_run=True)
    assert wished.tracks[1].plan.tone.mid == wished.tracks[3].plan.tone.mid == ()
    assert wished.tracks[0].plan.tone.mid == plain.tracks[0].plan.tone.mid
    shares = [[t.plan.promise.integrated_lufs for t in r.tracks] for r in (wished, plain)]
    apart = [share[2] - share[0] for share in shares]
    assert apart[0] == pytest.approx(apart[1] - 2.0, abs=0.1)
