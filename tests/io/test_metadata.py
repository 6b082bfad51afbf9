"""Metadata: what both formats share arrives, what would lie does not, and the notes name what is lost."""

from __future__ import annotations

import base64
import io
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
from mutagen.flac import FLAC, CueSheet, CueSheetTrack, Picture
from mutagen.mp4 import MP4, MP4Cover

from refmaster.errors import AudioError, OutputError
from refmaster.io import chunks, ffmpeg, wave
from refmaster.io.digest import sha256_of
from refmaster.io.formats import OutputFormat
from refmaster.io.metadata.broadcast import BextLoudness
from refmaster.io.metadata.copy import copy_metadata
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")

PNG = b"\x89PNG\r\n\x1a\n" + b"cover" * 1001
RATE_HZ = 48_000
FRAMES = 5001
CODINGS = {
    "wav": ("WAV", "PCM_24"),
    "rf64": ("RF64", "PCM_16"),
    "aiff": ("AIFF", "PCM_24"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
SHARED = {
    "title": ["Tïtle"],
    "artist": ["One", "Two"],
    "album": ["Album"],
    "albumartist": ["All"],
    "date": ["2024-05-06"],
    "genre": ["Folk"],
    "tracknumber": ["3"],
    "tracktotal": ["12"],
    "discnumber": ["1"],
    "composer": ["C"],
    "isrc": ["USABC1234567"],
    "comment": ["hello"],
    "copyright": ["2024 X"],
    "bpm": ["120"],
    "studio": ["Barn"],
}
LOUDNESS = BextLoudness(
    integrated_lufs=-9.127,
    loudness_range_lu=4.5,
    max_true_peak_dbtp=-1.0,
    max_momentary_lufs=None,
    max_short_term_lufs=float("-inf"),
)


def make(path: Path, rate_hz: int = RATE_HZ) -> Path:
    container, subtype = CODINGS[path.suffix[1:]]
    output = OutputFormat(
        container=container,
        subtype=subtype,
        sample_rate_hz=rate_hz,
        channels=1,
        dither=True,
        dither_seed=0,
    )
    with AudioSink(path, output, frames=FRAMES) as sink:
        sink.write(0.5 * np.sin(np.arange(FRAMES)[:, None] / 20.0))
    return path


def id3_tag() -> Any:
    def text(frame: str, *values: str) -> Any:
        return id3.Frames[frame](encoding=3, text=list(values))

    tag: Any = id3.ID3()
    for frame in (
        text("TIT2", "Tïtle"), text("TPE1", "One", "Two"), text("TALB", "Album"), text("TPE2", "All"),
        text("TDRC", "2024-05-06"), text("TCON", "Folk"), text("TRCK", "3/12"), text("TPOS", "1"),
        text("TCOM", "C"), text("TSRC", "USABC1234567"), text("TCOP", "2024 X"), text("TBPM", "120"),
        text("TSSE", "some encoder"), text("TLEN", "1234"),
        id3.COMM(encoding=3, lang="eng", desc="", text=["hello"]),
        id3.COMM(encoding=3, lang="eng", desc="iTunNORM", text=["0000"]),
        id3.TXXX(encoding=3, desc="STUDIO", text=["Barn"]),
        id3.TXXX(encoding=3, desc="replaygain_track_gain", text=["-3 dB"]),
        id3.RVA2(desc="track", channel=1, gain=-3.0, peak=1.0),
        id3.PRIV(owner="o", data=b"123"),
        id3.APIC(encoding=3, mime="image/png", type=3, desc="front", data=PNG),
    ):  # fmt: skip
        tag.add(frame)
    return tag


def picture() -> Any:
    made: Any = Picture()
    made.data, made.type, made.mime, made.desc = PNG, 3, "image/png", "front"
    return made


def put_comments(path: Path) -> None:
    file: Any = mutagen.File(path)
    for key, value in SHARED.items():
        file[key] = value
    file["REPLAYGAIN_TRACK_GAIN"], file["R128_TRACK_GAIN"], file["encoder"] = "-3 dB", "256", "x"
    if isinstance(file, FLAC):
        file.add_picture(picture())
    else:
        file["metadata_block_picture"] = base64.b64encode(picture().write()).decode()
    file.save()


def id3_bytes() -> bytes:
    memory = io.BytesIO()
    id3_tag().save(memory, v1=0)
    return memory.getvalue()


def tagged(path: Path) -> Path:
    make(path)
    if path.suffix == ".mp3":
        id3_tag().save(path)
    elif path.suffix in (".wav", ".rf64", ".aiff"):
        key = b"ID3 " if path.suffix == ".aiff" else b"id3 "
        chunks.append_chunks(path, [(key, id3_bytes())], name="mix")
    else:
        put_comments(path)
    return path


def read_id3(path: Path) -> Any:
    if chunks.form_of(path) is None:
        return id3.ID3(path)
    (found,) = [chunk for chunk in chunks.list_chunks(path) if chunk.identifier in (b"id3 ", b"ID3 ")]
    return id3.ID3(io.BytesIO(chunks.read_chunk(path, found)))


def shared_fields(path: Path) -> tuple[dict[str, list[str]], list[bytes]]:
    """Read back what `SHARED` names, and the pictures, by mutagen alone."""
    if path.suffix in (".flac", ".ogg", ".opus"):
        file: Any = mutagen.File(path)
        texts = {key.lower(): list(file[key]) for key in file.tags.keys()}  # noqa: SIM118
        blocks = [Picture(base64.b64decode(text)) for text in texts.pop("metadata_block_picture", [])]
        texts.pop("encoder", None)
        return texts, [block.data for block in getattr(file, "pictures", blocks)]
    tag = read_id3(path)
    names = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TPE2": "albumartist", "TDRC": "date",
             "TCON": "genre", "TCOM": "composer", "TSRC": "isrc", "TCOP": "copyright", "TBPM": "bpm",
             "TPOS": "discnumber"}  # fmt: skip
    texts = {names[key]: [str(text) for text in tag[key].text] for key in names if key in tag}
    texts["tracknumber"], texts["tracktotal"] = ([part] for part in tag["TRCK"].text[0].split("/"))
    texts["comment"] = list(tag.getall("COMM")[0].text)
    texts |= {frame.desc.lower(): list(frame.text) for frame in tag.getall("TXXX")}
    return texts, [frame.data for frame in tag.getall("APIC")]


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
