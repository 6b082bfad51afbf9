"""An album released: what is in the folder, what is refused, and what an interruption leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import mutagen.wave
import numpy as np
import pytest
import soundfile as sf

from refmaster.errors import OutputError, SettingsError
from refmaster.io.digest import sha256_of
from refmaster.release.build import release_album
from refmaster.release.ddp_reader import read_ddp, track_bytes
from refmaster.release.place import ReleaseFolder

from .conftest import RATE_HZ

WriteAlbum = Callable[..., Path]
TRACKS: list[dict[str, Any]] = [
    {"title": "One", "isrc": "DEA122400001"},
    {"title": "Two", "sequence": {"gap_s": 0.0, "index_s": [2.0]}},
    {"title": "Three", "sequence": {"crossfade_s": 0.5, "fade_out_s": 1.0}},
]
KEYS: dict[str, Any] = {"barcode": "501234567890", "match": {"target_lufs": -16.0}}


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_holds_archive_cd_image_deliveries_and_sheet(
    write_album: WriteAlbum, tmp_path: Path
) -> None:
    album = write_album(TRACKS, **KEYS, release={"targets": ["apple-podcasts"], "vinyl": {"size_inch": 7}})
    result = release_album(album, tmp_path / "Out", previews=True)
    out = tmp_path / "Out"
    names = set(content(out))
    each = [f"{n:02d} {title}.wav" for n, title in enumerate(("One", "Two", "Three"), 1)]
    assert {f"{folder}/{name}" for folder in ("Archive", "CD", "apple-podcasts") for name in each} <= names
    assert {"Vinyl/Side A.wav", "Vinyl/Side B.wav", "release.json", "release.txt"} <= names
    assert {"Previews/01 One - Two.wav", "Previews/02 Two - Three.wav", "CD/Made.wav", "CD/Made.cue"} <= names
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    whole, rate = sf.read(out / "CD" / "Made.wav", dtype="int16")
    parts = [sf.read(out / "CD" / name, dtype="int16")[0] for name in each]
    assert (rate, sf.info(out / "CD" / "Made.wav").subtype) == (RATE_HZ, "PCM_16")
    assert np.array_equal(np.concatenate(parts), whole)
    assert all(len(part) % 588 == 0 for part in parts)
    found = read_ddp(out / "DDP")
    assert found.problems == ()
    assert found.disc == result.disc
    assert found.disc.ean == "0501234567890"
    for number, part in enumerate(parts, 1):
        assert b"".join(track_bytes(found, number)) == part.astype("<i2").tobytes()

    archive = sf.info(out / "Archive" / each[0])
    assert (archive.subtype, archive.samplerate) == ("PCM_24", RATE_HZ)
    tags = mutagen.wave.WAVE(out / "Archive" / each[0]).tags
    assert (str(tags["TIT2"]), str(tags["TSRC"]), str(tags["TRCK"])) == ("One", "DEA122400001", "1/3")
    assert b"bext" in (out / "Archive" / each[0]).read_bytes()
    record = json.loads((out / "release.json").read_text("utf-8"))
    assert [track["title"] for track in record["tracks"]] == ["One", "Two", "Three"]
    assert all(content(out)[name] == digest for name, digest in record["files"].items())
    assert set(record["files"]) == names - {n for n in names if n.startswith(("Masters/", "Previews/"))} - {
        "release.json"
    }


def test_what_a_delivery_requires_is_met_by_the_album_as_a_whole(
    write_album: WriteAlbum, tmp_path: Path
) -> None:
    import pyloudnorm

    album = write_album(TRACKS, **KEYS, release={"targets": ["ebu-r128"], "cd": False})
    release_album(album, tmp_path / "Out")
    parts = [sf.read(path)[0] for path in sorted((tmp_path / "Out" / "ebu-r128").iterdir())]
    lufs = pyloudnorm.Meter(48000, filter_class="DeMan").integrated_loudness(np.concatenate(parts))
    assert lufs == pytest.approx(-23.0, abs=0.3)
    assert not (tmp_path / "Out" / "CD").exists()
    assert not (tmp_path / "Out" / "DDP").exists()


def test_players_get_the_gains_of_track_and_album(write_album: WriteAlbum, tmp_path: Path) -> None:
    album = write_album(
        TRACKS[:2],
        **KEYS,
        output={"loudness_tags": "replaygain"},
        release={"cd": False, "targets": ["spotify"]},
    )
    for path in tmp_path.glob("0*.wav"):
        sf.write(path.with_suffix(".flac"), *sf.read(path), "PCM_24")
    album.write_text(album.read_text().replace(".wav", ".flac"))
    result = release_album(album, tmp_path / "Out")
    files = sorted((tmp_path / "Out" / "spotify").iterdir())
    gains = [mutagen.File(path) for path in files]
    assert result.integrated_lufs == pytest.approx(-16.0, abs=0.1)
    for tags, master in zip(gains, result.masters, strict=True):
        found = {str(key).split(":")[-1].lower(): str(value) for key, value in tags.tags.items()}
        own = -18.0 - (master.levels.integrated_lufs or 0.0)
        assert found["replaygain_track_gain"] == f"{own:.2f} dB"
        assert float(found["replaygain_album_gain"].split()[0]) == pytest.approx(-2.0, abs=0.1)
        assert 0.5 < float(found["replaygain_album_peak"]) < 1.0


def test_masters_are_kept_and_the_same_release_has_the_same_bytes(
    write_album: WriteAlbum, tmp_path: Path
) -> None:
    album = write_album(TRACKS, **KEYS)
    release_album(album, tmp_path / "Out")
    first = content(tmp_path / "Out")
    again = release_album(album, tmp_path / "Out")
    assert all(track.kept for track in again.album.tracks)
    assert content(tmp_path / "Out") == first
    other = write_album([*TRACKS[:2], {"title": "Three", "sequence": {"gap_s": 3.0}}], **KEYS)
    changed = release_album(other, tmp_path / "Out")
    assert all(track.kept for track in changed.album.tracks)
    assert changed.layout.gaps_s == (0.0, 0.0, 3.0)


def test_a_hidden_song_before_the_first_is_a_file_too(write_album: WriteAlbum, tmp_path: Path) -> None:
    album = write_album([{"title": "Secret", "sequence": {"hidden": True}}, {"title": "One"}], **KEYS)
    result = release_album(album, tmp_path / "Out")
    record = json.loads((tmp_path / "Out" / "release.json").read_text("utf-8"))
    assert {"Archive/00 Secret.wav", "CD/00 Secret.wav"} <= set(record["files"])
    assert [track["title"] for track in record["tracks"]] == ["One"]
    first = sf.read(tmp_path / "Out" / "CD" / "00 Secret.wav", dtype="int16")[0]
    whole = sf.read(tmp_path / "Out" / "CD" / "Made.wav", dtype="int16")[0]
    assert np.array_equal(whole[: len(first)], first)
    assert result.disc.tracks[0].indexes == (150 + len(first) // 588,)


def test_a_mono_album_becomes_a_stereo_cd(write_album: WriteAlbum, tmp_path: Path) -> None:
    album = write_album(TRACKS[:2], **KEYS)
    for path in tmp_path.glob("0*.wav"):
        samples, rate = sf.read(path)
        sf.write(path, samples[:, :1], rate, "PCM_24")
    release_album(album, tmp_path / "Out")
    assert sf.info(tmp_path / "Out" / "CD" / "01 One.wav").channels == 2
    assert sf.info(tmp_path / "Out" / "Archive" / "01 One.wav").channels == 1


BAD: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "gap below 0": ([{}, {"sequence": {"gap_s": -1.0}}], {}, "gap_s"),
    "gap of an hour": ([{}, {"sequence": {"gap_s": 3600.0}}], {}, "gap_s"),
    "gap in words": ([{}, {"sequence": {"gap_s": "long"}}], {}, "gap_s"),
    "gap and crossfade": ([{}, {"sequence": {"gap_s": 1.0, "crossfade_s": 1.0}}], {}, "expected one of them"),
    "crossfade before all": ([{"sequence": {"crossfade_s": 1.0}}, {}], {}, "none before it"),
    "crossfade too long": ([{}, {"sequence": {"crossfade_s": 5.5}}], {}, "longer than song 2 allows"),
    "two fades": ([{"sequence": {"fade_out_s": 1.0}}, {"sequence": {"crossfade_s": 1.0}}], {}, "fades out"),
    "fades too long": (
        [{"sequence": {"fade_in_s": 3.0, "fade_out_s": 3.0}}, {}],
        {},
        "fades within its 5.0 s",
    ),
    "trimmed away": ([{"sequence": {"trim_head_s": 5.0}}, {}], {}, "leave some of its 5.0 s"),
    "index outside": ([{"sequence": {"index_s": [9.0]}}, {}], {}, "positions within its 5.0 s"),
    "indexes that fall": ([{"sequence": {"index_s": [2.0, 1.0]}}, {}], {}, "positions that rise"),
    "all hidden": ([{"sequence": {"hidden": True}}], {}, "found hidden ones only"),
    "bad isrc": ([{"isrc": "DE12"}, {}], {}, "isrc"),
    "bad ean": ([{}], {"barcode": "5012345678901"}, "check digit"),
    "short ean": ([{}], {"barcode": "50123"}, "barcode"),
    "track under 4 s": (
        [{"sequence": {"trim_tail_s": 1.5}}, {"sequence": {"gap_s": 0.0}}],
        {},
        "at least 4 s",
    ),
    "a 100th track": ([{}] * 100, {}, "expected 1 to 99 tracks"),
    "over 79.8 minutes": ([{}, *[{"sequence": {"gap_s": 300.0}}] * 16], {}, "79.8 minutes"),
    "unknown target": ([{}], {"release": {"targets": ["spotfy"]}}, "spotify"),
    "title beyond cd-text": ([{"title": "日本"}], {}, "cd_text: false"),
    "sides out of order": (
        [{}, {}],
        {"release": {"vinyl": {"sides": [[2], [1]]}}},
        "the tracks 1 to 2 in order",
    ),
    "unknown key": ([{"sequence": {"pause_s": 2.0}}], {}, "pause_s"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_album_is_named_and_nothing_is_written(
    write_album: WriteAlbum, tmp_path: Path, name: str
) -> None:
    tracks, keys, said = BAD[name]
    album = write_album(tracks, **keys)
    with pytest.raises(SettingsError) as caught:
        release_album(album, tmp_path / "Out")
    assert said in str(caught.value), caught.value
    assert "album.yaml" in str(caught.value)
    assert {path.suffix for path in tmp_path.iterdir()} == {".wav", ".yaml"}


def test_all_that_is_wrong_is_named_at_once(write_album: WriteAlbum, tmp_path: Path) -> None:
    album = write_album(
        [{"sequence": {"index_s": [9.0]}}, {"sequence": {"crossfade_s": 6.0}}],
        release={"targets": ["spotfy"]},
    )
    with pytest.raises(SettingsError) as caught:
        release_album(album, tmp_path / "Out")
    lines = str(caught.value).splitlines()
    assert len([line for line in lines if "album.yaml:" in line]) >= 3, lines


def test_a_folder_with_other_things_is_left_alone(write_album: WriteAlbum, tmp_path: Path) -> None:
    (tmp_path / "Out").mkdir()
    (tmp_path / "Out" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="expected an empty folder or an earlier release"):
        release_album(write_album(TRACKS), tmp_path / "Out")
    assert [path.name for path in (tmp_path / "Out").iterdir()] == ["letter.txt"]


KILLED = """
import sys
from refmaster.release.build import release_album

def report(stage, done, total):
    print(stage, flush=True)

release_album(sys.argv[1], sys.argv[2], progress=report)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["rendering", "writing the archive", "writing the CD"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_at_any_moment_the_old_release_stands(
    write_album: WriteAlbum, tmp_path: Path, stage: str, number: int
) -> None:
    album = write_album(TRACKS[:2], **KEYS)
    release_album(album, tmp_path / "Out")
    before = content(tmp_path / "Out")
    write_album([{"title": "Other"}, {}], match={"target_lufs": -18.0})
    started = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(album), str(tmp_path / "Out")], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    for line in started.stdout:
        if stage in line:
            started.send_signal(number)
            break
    started.stdout.close()
    assert started.wait() != 0
    assert content(tmp_path / "Out") == before
    finished = release_album(album, tmp_path / "Out")
    assert any(track.kept for track in finished.album.tracks) == (stage != "rendering")
    assert (tmp_path / "Out" / "Archive" / "01 Other.wav").exists()
    assert not (tmp_path / ".Out.making").exists()


def test_folders_are_exchanged_at_once(tmp_path: Path) -> None:
    place = ReleaseFolder(tmp_path / "Out", overwrite=False)
    for text in ("old", "new"):
        place.prepare()
        place.record.write_text(text)
        place.commit()
        assert (tmp_path / "Out" / "release.json").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["Out"]
