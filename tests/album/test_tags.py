"""Tags reach the masters: what album.yaml says, what the mix has besides, and the gains for players."""

import json
import subprocess

import mutagen
import numpy as np
import pytest
import soundfile as sf
from mutagen.flac import FLAC

from refmaster import render_file
from refmaster.album.passes import master_album, render_album_plan
from refmaster.album.pooled import pooled_lufs
from refmaster.album.request import load_album
from refmaster.errors import SettingsError
from refmaster.io import ffmpeg
from refmaster.io.atomic import AtomicFile
from refmaster.io.open import open_audio
from refmaster.profile.measure import measure
from refmaster.report.album import work_lines

ALBUM = """\
version: 1
title: Night Drive
artist: The Band
match: {{target_lufs: -16}}
output: {{format: {container}{more}}}
tracks:
  - {{file: 1.flac, title: One, artist: Guest, engineer: ana}}
  - {{file: 2.flac, engineer: ben}}
  - {{file: 3.flac, title: Three, engineer: ana}}
"""
REPLAYGAIN = ", loudness_tags: replaygain"


@pytest.fixture
def album(tmp_path, made_song):
    """Return a function that writes album.yaml; the second mix has tags of its own."""
    for number, level in ((1, 0.0), (2, -6.0), (3, -3.0)):
        samples = made_song(number, seconds=2.0, level_db=level)
        sf.write(tmp_path / f"{number}.flac", samples, 44100, "PCM_24")
    file = FLAC(tmp_path / "2.flac")
    file["title"], file["artist"], file["album"], file["genre"] = "Own", "Solo", "Demo", "Folk"
    file["tracknumber"], file["isrc"] = "11", "USABC1234567"
    file.save()

    def write(*, container="flac", more=""):
        path = tmp_path / "album.yaml"
        path.write_text(ALBUM.format(container=container, more=more))
        return path

    return write


def tags_of(path):
    """Return tags by mutagen under the names of Vorbis comments."""
    file = mutagen.File(path)
    if isinstance(file, FLAC):
        return {name: values[0] for name, values in file.tags.as_dict().items()}
    names = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TPE2": "albumartist", "TCON": "genre"}
    found = {names[key]: str(file.tags[key]) for key in names if key in file.tags}
    found["tracknumber"], _, found["tracktotal"] = str(file.tags["TRCK"]).partition("/")
    found |= {"isrc": str(file.tags["TSRC"])} if "TSRC" in file.tags else {}
    return found | {frame.desc.lower(): frame.text[0] for frame in file.tags.getall("TXXX")}


def samples_of(result):
    return [sf.read(track.output)[0] for track in result.tracks]


def stages_of(path, folder):
    stages = []
    result = master_album(path, folder, progress=lambda stage, _d, _t: stages.append(stage))
    return result, [stage for stage in stages if "rendering" in stage]


@pytest.mark.parametrize("container", ["wav", "flac", "aiff"])
def test_titles_numbers_and_artists_reach_the_files(album, tmp_path, container):
    result = master_album(album(container=container), tmp_path / "out")
    common = {"album": "Night Drive", "albumartist": "The Band", "tracktotal": "3"}
    one, two, three = (tags_of(track.output) for track in result.tracks)
    assert one == common | {"title": "One", "artist": "Guest", "tracknumber": "1"}
    own = {"genre": "Folk", "isrc": "USABC1234567"}
    assert two == common | own | {"title": "Own", "artist": "Solo", "tracknumber": "2"}
    assert three == common | {"title": "Three", "artist": "The Band", "tracknumber": "3"}
    if ffmpeg.available():
        command = ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(result.tracks[0].output)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["format"]["tags"]
        found = {name.lower(): text for name, text in found.items()}
        assert (found["title"], found["album"], found["artist"]) == ("One", "Night Drive", "Guest")
        assert found["track"] in ("1", "1/3")


def test_of_a_folder_only_the_numbers_are_known(album, tmp_path):
    album().unlink()
    result = master_album(tmp_path, tmp_path / "out")
    one, two, _ = (tags_of(track.output) for track in result.tracks)
    assert one == {"tracknumber": "1", "tracktotal": "3"}
    assert (two["tracknumber"], two["album"], two["title"]) == ("11", "Demo", "Own")


@pytest.mark.parametrize("container", ["wav", "flac", "aiff"])
def test_replaygain_is_that_of_the_written_files(album, tmp_path, container):
    result = master_album(album(container=container, more=REPLAYGAIN), tmp_path / "out")
    profiles = [measure(open_audio(track.output)) for track in result.tracks]
    pooled = pooled_lufs([p.series.momentary_lufs for p in profiles], [0.0] * 3)
    peak = max(np.abs(samples).max() for samples in samples_of(result))
    for track, profile, samples in zip(result.tracks, profiles, samples_of(result), strict=True):
        tags = tags_of(track.output)
        gain = -18.0 - profile.levels.integrated_lufs
        assert tags["replaygain_track_gain"] == f"{gain:.2f} dB"
        assert float(tags["replaygain_track_peak"]) == pytest.approx(np.abs(samples).max(), rel=1e-3)
        assert tags["replaygain_album_gain"] == f"{-18.0 - pooled:.2f} dB"
        assert float(tags["replaygain_album_peak"]) == pytest.approx(peak, rel=1e-3)


def test_r128_is_in_steps_of_a_256th_from_minus_23(album, tmp_path):
    result = master_album(album(more=", loudness_tags: r128"), tmp_path / "out")
    for track in result.tracks:
        tags = tags_of(track.output)
        gain = 256.0 * (-23.0 - track.after.integrated_lufs)
        assert int(tags["r128_track_gain"]) == round(gain)
        assert int(tags["r128_album_gain"]) / 256.0 == pytest.approx(-7.0, abs=0.1)
        assert not any(name.startswith("replaygain") for name in tags)


def test_tags_change_without_a_render_and_the_audio_stays(album, tmp_path):
    out = tmp_path / "out"
    plain = master_album(album(), out)
    before = [track.output.read_bytes() for track in plain.tracks]
    audio = samples_of(plain)
    gained, rendered = stages_of(album(more=REPLAYGAIN), out)
    assert rendered == []
    assert gained.kept_promises
    assert all("replaygain_album_gain" in tags_of(track.output) for track in gained.tracks)
    for one, other in zip(samples_of(gained), audio, strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = master_album(album(more=REPLAYGAIN), tmp_path / "fresh")
    for one, other in zip(fresh.tracks, gained.tracks, strict=True):
        assert one.output.read_bytes() == other.output.read_bytes()
        plan = f"plans/{one.output.stem}.yaml"
        assert (tmp_path / "fresh" / plan).read_bytes() == (out / plan).read_bytes()
    assert master_album(album(more=REPLAYGAIN), out).unchanged
    path = album()
    path.write_text(path.read_text().replace("artist: The Band", "artist: Others"))
    again, rendered = stages_of(path, out)
    assert rendered == []
    assert "tags    written anew into 3 of them; their audio is as it was" in work_lines(again)
    assert tags_of(again.tracks[2].output)["artist"] == "Others"
    assert [track.output.read_bytes() for track in master_album(album(), out).tracks] == before


def test_plans_render_to_the_same_bytes_with_their_tags(album, tmp_path):
    result = master_album(album(more=REPLAYGAIN), tmp_path / "out")
    alone = render_file(tmp_path / "out" / "plans" / "01 One.yaml", tmp_path / "alone.flac").output
    assert alone.read_bytes() == result.tracks[0].output.read_bytes()
    again = render_album_plan(tmp_path / "out" / "album-plan.yaml", tmp_path / "again")
    for one, other in zip(again.tracks, result.tracks, strict=True):
        assert one.output.read_bytes() == other.output.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 8, 9, 10, 11])
def test_killed_among_the_tags_a_file_is_old_or_new(album, tmp_path, monkeypatch, number):
    plain = master_album(album(), tmp_path / "out")
    old = {track.output.name: track.output.read_bytes() for track in plain.tracks}
    commit, calls = AtomicFile.commit, []

    def killed(self):
        calls.append(self)
        if len(calls) == number:
            raise KeyboardInterrupt
        commit(self)

    path = album(more=REPLAYGAIN)
    monkeypatch.setattr(AtomicFile, "commit", killed)
    with pytest.raises(KeyboardInterrupt):
        master_album(path, tmp_path / "out")
    monkeypatch.setattr(AtomicFile, "commit", commit)
    half = {name: (tmp_path / "out" / name).read_bytes() for name in old}
    resumed = master_album(path, tmp_path / "out")
    fresh = master_album(path, tmp_path / "fresh")
    for one, other in zip(resumed.tracks, fresh.tracks, strict=True):
        new = other.output.read_bytes()
        assert one.output.read_bytes() == new
        assert half[one.output.name] in (old[one.output.name], new)


def test_a_container_without_tags_is_refused_where_gains_are_asked(album):
    with pytest.raises(SettingsError, match=r":5:38: output\.loudness_tags: .*caf files hold no tags"):
        load_album(album(container="caf", more=REPLAYGAIN))
