"""Fields that are said replace the mix's own, in every container; a second copy replaces the first."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest
from tagged_files import PNG, SHARED, make, read_id3, shared_fields, tagged

from refmaster.io import chunks, ffmpeg
from refmaster.io.metadata.copy import copy_metadata

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")

SAID = {
    "title": "Said",
    "artist": "She",
    "album": "Record",
    "tracknumber": "7",
    "tracktotal": "9",
    "replaygain_track_gain": "-3.21 dB",
}


def audio_of(path: Path) -> bytes:
    """Return a file's coded audio as ffmpeg finds it."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "md5", "-"]
    return subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("to", ["wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus"])
@pytest.mark.parametrize("of", ["wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus"])
def test_said_fields_stand_for_the_mixs(tmp_path: Path, of: str, to: str) -> None:
    mix, master = tagged(tmp_path / f"mix.{of}"), make(tmp_path / f"master.{to}")
    audio = audio_of(master)
    copy_metadata(mix, master, said=SAID)
    texts, covers = shared_fields(master)
    assert texts == SHARED | {name: [text] for name, text in SAID.items()}
    assert covers == [PNG]
    assert audio_of(master) == audio
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", master]
    found = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout)
    shown = found["format"].get("tags", {}) | found["streams"][0].get("tags", {})
    shown = {name.lower(): text for name, text in shown.items()}
    assert (shown["title"], shown["artist"], shown["album"]) == ("Said", "She", "Record")
    if to not in ("wav", "rf64"):  # of these ffmpeg shows the INFO chunk alone, which cannot hold it
        assert shown["replaygain_track_gain"] == "-3.21 dB"
    assert shown["track"] in ("7", "7/9")


@pytest.mark.parametrize("to", ["wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus"])
def test_a_second_copy_replaces_the_first(tmp_path: Path, to: str) -> None:
    mix, bare = tagged(tmp_path / f"mix.{to}"), make(tmp_path / f"master.{to}")
    once, twice = tmp_path / f"once.{to}", tmp_path / f"twice.{to}"
    for copy in (once, twice):
        copy.write_bytes(bare.read_bytes())
    copy_metadata(mix, twice, said=SAID | {"replaygain_album_gain": "-9.00 dB"})
    for copy in (once, twice):
        copy_metadata(mix, copy, said=SAID)
    assert twice.read_bytes() == once.read_bytes()


def test_said_fields_reach_the_text_chunks(tmp_path: Path) -> None:
    for name, key, texts in (("mix.wav", b"LIST", b"INAM"), ("mix.aiff", b"NAME", b"")):
        mix, master = make(tmp_path / name), make(tmp_path / f"master.{name}")
        old = b"Old\0" if key == b"LIST" else b"Old!"
        content = b"INFO" + texts + struct.pack("<I", 4) + old + b"ISFT\2\0\0\0x\0" if texts else old
        chunks.append_chunks(mix, [(key, content)], name="mix")
        copy_metadata(mix, master, said={"title": "New", "albumartist": "All"})
        (found,) = [c for c in chunks.list_chunks(master) if c.identifier == key]
        written = chunks.read_chunk(master, found)
        assert b"New" in written
        assert b"Old" not in written
        assert (b"ISFT" in written) == (key == b"LIST")
        assert read_id3(master)["TPE2"].text == ["All"]
