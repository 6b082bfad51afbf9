"""Metadata: what both formats share arrives, what would lie does not, and the notes name what is lost."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile as sf
from mutagen import id3
from mutagen.flac import FLAC, CueSheet, CueSheetTrack
from mutagen.mp4 import MP4, MP4Cover
from tagged_files import (
    FRAMES,
    PNG,
    RATE_HZ,
    SHARED,
    id3_tag,
    make,
    read_id3,
    shared_fields,
    tagged,
)

from refmaster.errors import AudioError, OutputError
from refmaster.io import chunks, ffmpeg, wave
from refmaster.io.digest import sha256_of
from refmaster.io.metadata.broadcast import BextLoudness
from refmaster.io.metadata.copy import copy_metadata
from refmaster.io.open import open_audio

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")

LOUDNESS = BextLoudness(
    integrated_lufs=-9.127,
    loudness_range_lu=4.5,
    max_true_peak_dbtp=-1.0,
    max_momentary_lufs=None,
    max_short_term_lufs=float("-inf"),
)


@pytest.mark.parametrize("to", ["wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus"])
@pytest.mark.parametrize("of", ["wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus"])
def test_shared_fields_and_cover_arrive(tmp_path: Path, of: str, to: str) -> None:
    mix, master = tagged(tmp_path / f"mix.{of}"), make(tmp_path / f"master.{to}")
    before = sf.read(master)[0]
    notes = copy_metadata(mix, master)
    texts, covers = shared_fields(master)
    assert texts == SHARED
    assert covers == [PNG]
    assert any("ReplayGain" in note for note in notes)
    id3_to_comments = of in ("wav", "rf64", "aiff", "mp3") and to in ("flac", "ogg", "opus")
    assert any("PRIV" in note for note in notes) == id3_to_comments
    np.testing.assert_array_equal(sf.read(master)[0], before)
    assert sf.info(master).frames == FRAMES
    assert np.concatenate(list(open_audio(master).blocks())).shape == (FRAMES, 1)
    digest = sha256_of(master)
    copy_metadata(mix, make(master))
    assert sha256_of(master) == digest


COPIED = """
import sys
from refmaster.io.metadata.copy import copy_metadata
for mix in sys.argv[1:3]:
    for master in sys.argv[3:]:
        copy_metadata(mix, mix + "." + master.rsplit("/")[-1])
"""


@pytest.mark.parametrize("of", [("wav", "aiff"), ("mp3", "flac"), ("ogg", "opus")])
def test_the_bytes_do_not_depend_on_hash_randomisation(tmp_path: Path, of: tuple[str, str]) -> None:
    mixes = [tagged(tmp_path / f"mix.{kind}") for kind in of]
    bare = [
        make(tmp_path / f"master.{kind}") for kind in ("wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus")
    ]
    digests = set()
    for seed in ("0", "1", "2"):
        copies = {mix.with_name(f"{mix.name}.{master.name}"): master for mix in mixes for master in bare}
        for copy, master in copies.items():
            copy.write_bytes(master.read_bytes())
        command = [sys.executable, "-c", COPIED, *map(str, mixes + bare)]
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, check=True)
        digests.add(tuple(sha256_of(copy) for copy in copies))
    assert len(digests) == 1


@pytest.mark.parametrize("of", ["flac", "ogg", "opus"])
@pytest.mark.parametrize("to", ["flac", "ogg", "opus"])
def test_comments_keep_the_order_in_which_they_first_appear(tmp_path: Path, of: str, to: str) -> None:
    mix, master = make(tmp_path / f"mix.{of}"), make(tmp_path / f"master.{to}")
    file: Any = mutagen.File(mix)
    if file.tags is None:
        file.add_tags()
    given = [("zebra", "1"), ("Title", "T"), ("artist", "B"), ("mood", "x"), ("ARTIST", "A"), ("album", "Al")]
    file.tags[:] = given
    file.save()
    copy_metadata(mix, master)
    comments = mutagen.File(master).tags
    written = [(key.lower(), text) for key, text in comments if key.lower() != "encoder"]  # libsndfile's own
    assert written == [("zebra", "1"), ("title", "T"), ("artist", "B"), ("artist", "A"), ("mood", "x"),
                       ("album", "Al")]  # fmt: skip


@pytest.mark.parametrize("of", ["wav", "aiff", "mp3"])
@pytest.mark.parametrize("to", ["wav", "aiff", "mp3"])
def test_id3_to_id3_keeps_every_true_frame(tmp_path: Path, of: str, to: str) -> None:
    mix, master = tagged(tmp_path / f"mix.{of}"), make(tmp_path / f"master.{to}")
    copy_metadata(mix, master)
    lies = {"TSSE", "TLEN", "COMM:iTunNORM:eng", "TXXX:replaygain_track_gain", "RVA2:track"}
    assert set(read_id3(master)) == set(id3_tag()) - lies


def test_id3v23_stays_v23(tmp_path: Path) -> None:
    mix, master = make(tmp_path / "mix.mp3"), make(tmp_path / "master.mp3")
    tag = id3_tag()
    tag.update_to_v23()
    tag.save(mix, v2_version=3)
    copy_metadata(mix, master)
    assert id3.ID3(master).version == (2, 3, 0)


@needs_ffmpeg
def test_mp4_tags_arrive(tmp_path: Path) -> None:
    mix, master = tmp_path / "mix.m4a", make(tmp_path / "master.flac")
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(make(tmp_path / "a.wav")), str(mix)], check=True)
    file: Any = MP4(mix)
    file["\xa9nam"], file["\xa9ART"], file["trkn"], file["tmpo"] = "Tïtle", ["One", "Two"], [(3, 12)], [120]
    file["covr"] = [MP4Cover(PNG, MP4Cover.FORMAT_PNG)]
    file["----:com.apple.iTunes:ISRC"], file["----:com.apple.iTunes:iTunNORM"] = b"US", b"0000"
    file["pcst"] = True
    file.save()
    notes = copy_metadata(mix, master)
    texts, covers = shared_fields(master)
    assert texts == {"title": ["Tïtle"], "artist": ["One", "Two"], "tracknumber": ["3"], "tracktotal": ["12"],
                     "bpm": ["120"], "isrc": ["US"]}  # fmt: skip
    assert covers == [PNG]
    assert any("pcst" in note for note in notes)
    assert len(list(open_audio(mix).blocks())) > 0  # a cover that is no picture is no damage to the audio


@pytest.mark.parametrize("to", ["caf", "w64"])
def test_formats_without_tags_say_so(tmp_path: Path, to: str) -> None:
    master = make(tmp_path / f"master.{to}")
    notes = copy_metadata(tagged(tmp_path / "mix.flac"), master)
    assert any("tags and pictures were not kept" in note for note in notes)
    assert copy_metadata(make(tmp_path / "bare.flac"), master) == []


def test_no_metadata_changes_nothing(tmp_path: Path) -> None:
    for name in ("wav", "aiff", "mp3"):
        master = make(tmp_path / f"master.{name}")
        before = master.read_bytes()
        assert copy_metadata(make(tmp_path / f"mix.{name}"), master) == []
        assert master.read_bytes() == before


# Chunks


def bext(version: int, *, time_reference: int = 48_000) -> bytes:
    content = bytearray(602)
    content[:4] = b"Desc"
    struct.pack_into("<QH", content, 338, time_reference, version)
    if version == 2:
        struct.pack_into("<5h", content, 412, -2300, 500, -100, -2000, -2100)
    return bytes(content) + b"A=PCM,F=48000,W=24\r\n"


def cue(position: int) -> bytes:
    return struct.pack("<III4sIII", 1, 7, position, b"data", 0, 0, position)


def adtl(length: int) -> bytes:
    labelled = struct.pack("<4sI6s", b"labl", 6, b"\7\0\0\0A\0") + struct.pack(
        "<4sIII8x", b"ltxt", 20, 7, length
    )
    return b"adtl" + labelled + bytes(4)


def smpl(period: int, start: int, end: int) -> bytes:
    return struct.pack("<9I", 0, 0, period, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 7, 0, start, end, 0, 0)


def mark(position: int) -> bytes:
    return struct.pack(">HHI4sHI4s", 2, 1, position, b"\3abc", 2, position, b"\2ab\0")


INFO = b"INFO" + struct.pack("<4sI6s", b"INAM", 5, b"Info\0")
IXML = b"<BWFXML><NOTE>n</NOTE><LOUDNESS><LOUDNESS_VALUE>-23</LOUDNESS_VALUE></LOUDNESS></BWFXML>"


def contents(path: Path) -> dict[bytes, bytes]:
    return {chunk.identifier + chunks.read_chunk(path, chunk)[:4] * (chunk.identifier == b"LIST"):
            chunks.read_chunk(path, chunk) for chunk in chunks.list_chunks(path)}  # fmt: skip


def wave_mix(path: Path, version: int = 2) -> Path:
    made = [
        (b"bext", bext(version)), (b"iXML", IXML), (b"cue ", cue(1000)), (b"LIST", adtl(200)),
        (b"LIST", INFO), (b"smpl", smpl(20833, 100, 200)), (b"levl", b"odd"),
        (b"axml", b"<loudnessMetadata/>"),
    ]  # fmt: skip
    chunks.append_chunks(make(path), made, name="mix")
    return path


@pytest.mark.parametrize("to", ["wav", "rf64"])
@pytest.mark.parametrize("of", ["wav", "rf64"])
def test_wave_chunks_are_kept(tmp_path: Path, of: str, to: str) -> None:
    mix, master = wave_mix(tmp_path / f"mix.{of}"), make(tmp_path / f"master.{to}")
    notes = copy_metadata(mix, master, loudness=LOUDNESS)
    held = contents(master)
    assert held[b"cue "] == cue(1000)
    assert held[b"LISTadtl"] == adtl(200)
    assert held[b"LISTINFO"] == INFO
    assert held[b"smpl"] == smpl(20833, 100, 200)
    assert held[b"iXML"] == b"<BWFXML><NOTE>n</NOTE></BWFXML>"
    assert held[b"bext"][:338] == bext(2)[:338]
    assert struct.unpack_from("<5h", held[b"bext"], 412) == (-913, 450, -100, 0x7FFF, 0x7FFF)
    bits = open_audio(master).format.bits
    assert held[b"bext"][602:] == b"A=PCM,F=48000,W=24\r\n" + f"A=PCM,F=48000,W={bits},".encode() + (
        b"M=mono,T=refmaster\r\n"
    )
    assert b"levl" not in held
    assert any("levl" in note for note in notes)
    assert any("axml" in note for note in notes)
    data = master.read_bytes()
    total = struct.unpack_from("<Q", data, 20)[0] if to == "rf64" else struct.unpack_from("<I", data, 4)[0]
    assert total == len(data) - 8
    assert len(data) % 2 == 0
    assert sf.info(master).frames == FRAMES


@pytest.mark.parametrize(
    ("version", "loudness", "expected_version", "fields"),
    [
        (2, None, 2, (0x7FFF,) * 5),
        (1, None, 1, (0,) * 5),
        (0, LOUDNESS, 2, (-913, 450, -100, 0x7FFF, 0x7FFF)),
    ],
)
def test_bext_loudness_never_is_the_mixs(
    tmp_path: Path,
    version: int,
    loudness: BextLoudness | None,
    expected_version: int,
    fields: tuple[int, ...],
) -> None:
    mix, master = wave_mix(tmp_path / "mix.wav", version), make(tmp_path / "master.wav")
    copy_metadata(mix, master, loudness=loudness)
    content = contents(master)[b"bext"]
    assert struct.unpack_from("<H", content, 346)[0] == expected_version
    assert struct.unpack_from("<5h", content, 412) == fields


def test_positions_follow_the_sample_rate(tmp_path: Path) -> None:
    master = make(tmp_path / "master.wav", 2 * RATE_HZ)
    copy_metadata(wave_mix(tmp_path / "mix.wav"), master)
    held = contents(master)
    assert held[b"cue "] == cue(2000)
    assert held[b"LISTadtl"] == adtl(400)
    assert held[b"smpl"] == smpl(10416, 200, 400)
    assert struct.unpack_from("<Q", held[b"bext"], 338)[0] == 96_000
    chunks.append_chunks(make(tmp_path / "mix.aiff"), [(b"MARK", mark(1000))], name="mix")
    copy_metadata(tmp_path / "mix.aiff", make(tmp_path / "master.aiff", 2 * RATE_HZ))
    assert contents(tmp_path / "master.aiff")[b"MARK"] == mark(2000)


def test_aiff_chunks_are_kept(tmp_path: Path) -> None:
    mix, master = make(tmp_path / "mix.aiff"), make(tmp_path / "master.aiff")
    made = [(b"MARK", mark(1000)), (b"COMT", b"\0\0"), (b"NAME", b"odd"), (b"AUTH", b"Someone")]
    chunks.append_chunks(mix, made, name="mix")
    assert copy_metadata(mix, master) == []
    held = contents(master)
    assert {key: held[key] for key, _ in made} == dict(made)
    assert struct.unpack_from(">I", master.read_bytes(), 4)[0] == master.stat().st_size - 8
    notes = copy_metadata(mix, make(tmp_path / "master.flac"))
    assert dict(FLAC(tmp_path / "master.flac")) == {"title": ["odd"], "artist": ["Someone"]}
    assert notes == ["chunks that the new format cannot hold were not kept: COMT, MARK"]


def test_info_becomes_tags_elsewhere_and_back(tmp_path: Path) -> None:
    mix = make(tmp_path / "mix.wav")
    chunks.append_chunks(mix, [(b"LIST", INFO)], name="mix")
    assert copy_metadata(mix, make(tmp_path / "master.flac")) == []
    assert dict(FLAC(tmp_path / "master.flac")) == {"title": ["Info"]}
    copy_metadata(tmp_path / "master.flac", make(tmp_path / "back.wav"))
    assert contents(tmp_path / "back.wav")[b"LISTINFO"] == INFO


def test_flac_cue_sheets(tmp_path: Path) -> None:
    mix = make(tmp_path / "mix.flac")
    file: Any = FLAC(mix)
    sheet: Any = CueSheet(None)
    sheet.tracks.append(CueSheetTrack(170, FRAMES))
    file.metadata_blocks.append(sheet)
    file.save()
    assert copy_metadata(mix, make(tmp_path / "same.flac")) == []
    assert FLAC(mix).cuesheet is not None
    assert FLAC(tmp_path / "same.flac").cuesheet == FLAC(mix).cuesheet
    notes = copy_metadata(mix, make(tmp_path / "other.flac", 2 * RATE_HZ))
    assert any("cue sheet" in note for note in notes)
    assert FLAC(tmp_path / "other.flac").cuesheet is None


# Trouble


@pytest.mark.parametrize("name", ["wav", "mp3", "flac"])
def test_broken_tags_are_noted_and_skipped(tmp_path: Path, name: str) -> None:
    mix, master = tagged(tmp_path / f"mix.{name}"), make(tmp_path / "master.wav")
    data = bytearray(mix.read_bytes())
    at = data.index(b"image/png") - 20
    data[at : at + 10] = b"\xff" * 10
    mix.write_bytes(data)
    notes = copy_metadata(mix, master)
    assert sf.info(master).frames == FRAMES
    assert all(isinstance(note, str) for note in notes)


def test_an_impossible_chunk_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 1000)
    mix, master = tagged(tmp_path / "mix.wav"), make(tmp_path / "master.wav")
    assert any("too large" in note for note in copy_metadata(mix, master))
    mix.write_bytes(mix.read_bytes()[:-100])  # the last chunk is cut
    assert copy_metadata(mix, make(master)) == []


def test_metadata_that_does_not_fit_into_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mix = tagged(tmp_path / "mix.wav")
    monkeypatch.setattr(chunks, "_MAX_FORM_BYTES", 20_000)
    with pytest.raises(OutputError, match="rf64"):
        copy_metadata(mix, make(tmp_path / "master.wav"))
    copy_metadata(mix, make(tmp_path / "master.rf64"))


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        copy_metadata(tmp_path / "missing.wav", make(tmp_path / "master.wav"))
    with pytest.raises(OutputError, match="cannot be written"):
        copy_metadata(tagged(tmp_path / "mix.wav"), tmp_path / "missing.wav")
    assert wave.MAX_RIFF_BYTES < 2**32
