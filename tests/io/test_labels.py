"""Every tag and cover art in every container that is written, read back by other programs."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen import id3
from mutagen.flac import FLAC, Picture
from mutagen.mp4 import MP4
from tagged_files import make, read_id3, tagged

from refmaster.errors import InputError, OutputError, SettingsError
from refmaster.io import chunks, ffmpeg
from refmaster.io.metadata.art import MAX_ART_BYTES, read_art
from refmaster.io.metadata.broadcast import BextLoudness, require_bext
from refmaster.io.metadata.copy import copy_metadata, read_fields
from refmaster.settings.tags import TAGS, TagSettings

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")
CONTAINERS = ("wav", "rf64", "aiff", "mp3", "flac", "ogg", "opus", pytest.param("m4a", marks=needs_ffmpeg))

TEXTS = TagSettings(
    tags={name: f"{name}: Ä文 🎵" for name in TAGS}
    | {"tracknumber": "3", "tracktotal": "12", "discnumber": "1", "disctotal": "2", "bpm": "120"}
    | {"isrc": "DEA123456789", "barcode": "036000291452"}
    | {"date": "2024-05-06", "comment": "two\nlines"}
).tags
ID3_FRAMES = {
    "title": "TIT2", "artist": "TPE1", "album": "TALB", "albumartist": "TPE2", "isrc": "TSRC",
    "date": "TDRC", "genre": "TCON", "copyright": "TCOP", "composer": "TCOM", "lyricist": "TEXT",
    "conductor": "TPE3", "remixer": "TPE4", "subtitle": "TIT3", "grouping": "TIT1", "organization": "TPUB",
    "mood": "TMOO", "bpm": "TBPM",
}  # fmt: skip
MP4_ATOMS = {
    "title": "©nam", "artist": "©ART", "album": "©alb", "albumartist": "aART", "date": "©day",
    "genre": "©gen", "comment": "©cmt", "copyright": "cprt", "composer": "©wrt", "grouping": "©grp",
    "lyrics": "©lyr",
}  # fmt: skip
# What ffprobe calls them, by container, where that is not the name itself.
INFO_SHOWN = ("title", "artist", "album", "date", "genre", "comment", "copyright")
SHOWN = {"albumartist": "album_artist", "tracknumber": "track", "discnumber": "disc"}
ID3_SHOWN = SHOWN | {
    "isrc": "TSRC", "lyricist": "TEXT", "conductor": "performer", "remixer": "TPE4", "subtitle": "TIT3",
    "organization": "publisher", "mood": "TMOO", "bpm": "TBPM", "lyrics": "lyrics-und",
}  # fmt: skip

PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(content)) + kind + content + b"crc."
    for kind, content in (
        (b"IHDR", struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0)),
        (b"IDAT", bytes(range(256)) * 20),
        (b"IEND", b""),
    )
)
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + bytes(10)
    + b"\xff\xff\xc2" + struct.pack(">HBHHB", 17, 8, 480, 640, 3) + bytes(9)
    + b"\xff\xda" + struct.pack(">H", 8) + bytes(6) + bytes(range(200)) + b"\xff\xd9"
)  # fmt: skip


def bare(path: Path) -> Path:
    if path.suffix != ".m4a":
        return make(path)
    wave = make(path.with_suffix(".source.wav"))
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", wave, "-bitexact", path], check=True)
    return path


def cover(folder: Path, data: bytes) -> Any:
    (folder / "cover").write_bytes(data)
    return read_art(folder / "cover").picture


def read_back(path: Path) -> tuple[dict[str, str], list[Any]]:
    """Return texts under our names and pictures (data and mime), by mutagen alone."""
    if path.suffix == ".m4a":
        return read_mp4(MP4(path))
    if path.suffix in (".flac", ".ogg", ".opus"):
        file: Any = mutagen.File(path)
        texts = {key.lower(): "|".join(file[key]) for key in file.tags.keys()}  # noqa: SIM118
        encoded = texts.pop("metadata_block_picture", "")
        texts.pop("encoder", None)
        blocks = [Picture(base64.b64decode(text)) for text in filter(None, encoded.split("|"))]
        return texts, list(getattr(file, "pictures", blocks))
    tag = read_id3(path)
    texts = {name: "|".join(map(str, tag[key].text)) for name, key in ID3_FRAMES.items() if key in tag}
    for key, names in {"TRCK": ("tracknumber", "tracktotal"), "TPOS": ("discnumber", "disctotal")}.items():
        texts |= dict(zip(names, tag[key].text[0].split("/"), strict=False)) if key in tag else {}
    texts |= {frame.desc.lower(): "|".join(frame.text) for frame in tag.getall("TXXX")}
    for frame in tag.getall("COMM"):
        assert "comment" not in texts
        texts["comment"] = "|".join(frame.text)
    for frame in tag.getall("USLT"):
        texts["lyrics"] = frame.text
    return texts, tag.getall("APIC")


def read_mp4(file: Any) -> tuple[dict[str, str], list[Any]]:
    texts = {name: "|".join(file[atom]) for name, atom in MP4_ATOMS.items() if atom in file}
    for key, names in {"trkn": ("tracknumber", "tracktotal"), "disk": ("discnumber", "disctotal")}.items():
        texts |= dict(zip(names, map(str, file[key][0]), strict=True)) if key in file else {}
    texts |= {"bpm": str(file["tmpo"][0])} if "tmpo" in file else {}
    for key in file.tags:
        if key.startswith("----:"):
            texts[key.rpartition(":")[2].lower()] = "|".join(value.decode() for value in file[key])
    pictures = []
    for item in file.get("covr", []):
        pictures.append(Picture())
        pictures[-1].data = bytes(item)
        pictures[-1].mime = {13: "image/jpeg", 14: "image/png"}[item.imageformat]
    return texts, pictures


@pytest.mark.parametrize("to", CONTAINERS)
@pytest.mark.parametrize("of", [None, "wav", "mp3", "flac"])
@pytest.mark.parametrize(("art", "mime"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
def test_every_tag_arrives_and_the_art_byte_for_byte(
    tmp_path: Path, of: str | None, to: str, art: bytes, mime: str
) -> None:
    mix = None if of is None else tagged(tmp_path / f"mix.{of}")
    master = bare(tmp_path / f"master.{to}")
    copy_metadata(mix, master, said=TEXTS, picture=cover(tmp_path, art))
    texts, pictures = read_back(master)
    own = {} if mix is None else {"studio": "Barn"}
    assert texts == TEXTS | own
    assert [(picture.data, picture.mime) for picture in pictures] == [(art, mime)]
    if to in ("flac", "ogg", "opus"):
        assert (pictures[0].width, pictures[0].height, pictures[0].depth) == (640, 480, 24)
    assert {name: "|".join(values) for name, values in read_fields(master).items()} == texts


@needs_ffmpeg
@pytest.mark.parametrize("to", CONTAINERS)
def test_ffprobe_shows_every_tag(tmp_path: Path, to: str) -> None:
    master = bare(tmp_path / f"master.{to}")
    copy_metadata(None, master, said=TEXTS, picture=cover(tmp_path, PNG))
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", master]
    found = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout)
    shown = found["format"].get("tags", {}) | found["streams"][0].get("tags", {})
    shown = {name.lower(): text for name, text in shown.items()}
    names = {name: name for name in TEXTS} | (ID3_SHOWN if to in ("aiff", "mp3") else SHOWN)
    for name in INFO_SHOWN if to in ("wav", "rf64") else TEXTS:
        if name in ("tracktotal", "disctotal") and to in ("aiff", "mp3", "m4a"):
            continue  # part of the number
        if name == "bpm" and to == "m4a":
            continue  # ffprobe does not know the atom
        text = TEXTS[name]
        if name in ("tracknumber", "discnumber") and to in ("aiff", "mp3", "m4a"):
            text = f"{text}/{TEXTS[name.replace('number', 'total')]}"
        assert shown[names[name].lower()] == text, name
    pictures = [stream for stream in found["streams"] if stream["codec_type"] == "video"]
    assert len(pictures) == 1
    assert pictures[0]["codec_name"] == "png"


@pytest.mark.parametrize("to", CONTAINERS)
def test_what_is_not_said_stays_the_mixs(tmp_path: Path, to: str) -> None:
    master = bare(tmp_path / f"master.{to}")
    copy_metadata(tagged(tmp_path / "mix.flac"), master, said={"title": "New"})
    before = read_back(master)
    assert before[0]["title"] == "New"
    assert before[0]["artist"].split("|") == ["One", "Two"]
    assert len(before[1]) == 1
    copy_metadata(None, master, said={"title": "Newer"})
    assert read_back(master) == ({"title": "Newer"}, [])


def test_frames_that_say_the_same_under_another_name_go(tmp_path: Path) -> None:
    mix, master = make(tmp_path / "mix.mp3"), make(tmp_path / "master.mp3")
    tag: Any = id3.ID3()
    tag.add(id3.COMM(encoding=3, lang="eng", desc="", text=["old"]))
    tag.add(id3.TXXX(encoding=3, desc="barcode", text=["old"]))
    tag.add(id3.TRCK(encoding=3, text=["1/12"]))
    tag.add(id3.COMM(encoding=3, lang="eng", desc="take", text=["kept"]))
    tag.save(mix)
    copy_metadata(mix, master, said={"comment": "new", "barcode": "036000291452", "tracknumber": "2"})
    held = id3.ID3(master)
    assert {(f.desc, *f.text) for f in held.getall("COMM")} == {("", "new"), ("take", "kept")}
    assert [f.text for f in held.getall("TXXX")] == [["036000291452"]]
    assert held["TRCK"].text == ["2/12"]


@pytest.mark.parametrize("kind", ["replaygain_track_gain", "r128_track_gain"])
@needs_ffmpeg
def test_level_tags_of_m4a_are_free_form(tmp_path: Path, kind: str) -> None:
    master = bare(tmp_path / "master.m4a")
    copy_metadata(None, master, said={kind: "-573"})
    name = kind if kind.startswith("replaygain") else kind.upper()
    assert MP4(master)[f"----:com.apple.iTunes:{name}"] == [b"-573"]


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4000)


@pytest.mark.parametrize("to", CONTAINERS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(said=st.dictionaries(st.sampled_from(["title", "comment", "genre", "lyrics"]), text, min_size=1))
def test_any_text_survives(tmp_path: Path, to: str, said: dict[str, str]) -> None:
    try:
        kept = TagSettings(tags=said).tags
    except SettingsError:
        return
    bare_file = tmp_path / f"bare.{to}"
    if not bare_file.exists():
        bare(bare_file)
    master = tmp_path / f"master.{to}"
    master.write_bytes(bare_file.read_bytes())
    copy_metadata(None, master, said=kept)
    assert read_back(master)[0] == kept


# The bext chunk

LOUDNESS = BextLoudness(
    integrated_lufs=-14.0,
    loudness_range_lu=6.5,
    max_true_peak_dbtp=-1.0,
    max_momentary_lufs=-9.0,
    max_short_term_lufs=-11.0,
)


@pytest.mark.parametrize("to", ["wav", "rf64"])
def test_a_bext_chunk_is_made_where_the_mix_has_none(tmp_path: Path, to: str) -> None:
    master = make(tmp_path / f"master.{to}")
    copy_metadata(make(tmp_path / "mix.flac"), master, bext=True, loudness=LOUDNESS)
    (content,) = [chunks.read_chunk(master, c) for c in chunks.list_chunks(master) if c.identifier == b"bext"]
    assert struct.unpack_from("<QH", content, 338) == (0, 2)
    assert struct.unpack_from("<5h", content, 412) == (-1400, 650, -100, -900, -1100)
    assert content[256:288].rstrip(b"\0") == b"refmaster"
    assert content[602:].endswith(b"M=mono,T=refmaster\r\n")
    once = master.read_bytes()
    copy_metadata(tmp_path / "mix.flac", master, bext=True, loudness=LOUDNESS)
    assert master.read_bytes() == once


def test_wavinfo_reads_bext_and_info(tmp_path: Path) -> None:
    wavinfo = pytest.importorskip("wavinfo")
    master = make(tmp_path / "master.wav")
    copy_metadata(None, master, said={"title": "Home", "artist": "She"}, bext=True, loudness=LOUDNESS)
    found = wavinfo.WavInfoReader(str(master))
    assert found.bext.loudness_value == -14.0
    assert found.bext.max_true_peak == -1.0
    assert (found.info.title, found.info.artist) == ("Home", "She")


def test_a_bext_chunk_needs_a_wave_file() -> None:
    require_bext("a.wav")
    require_bext("a.RF64")
    for name in ("a.flac", "a.aiff", "a"):
        with pytest.raises(OutputError, match=r"expected a .wav or .rf64 file"):
            require_bext(name)


# Cover art


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"GIF89a....", "a GIF"),
        (b"RIFF....WEBPVP8 ", "a WebP"),
        (b"hello", "another kind of file"),
        (PNG[:-20], "a damaged or truncated one"),
        (PNG.replace(struct.pack(">I", 640), bytes(4)), "a damaged or truncated one"),
        (JPEG[:-2], "a damaged or truncated one"),
        (JPEG[:20] + b"\xff\xd9", "a damaged or truncated one"),
        (b"\xff\xd8\xff\xe0\0\0" * 4 + b"\xff\xd9", "a damaged or truncated one"),
    ],
)
def test_art_that_is_no_whole_picture_is_refused(tmp_path: Path, data: bytes, found: str) -> None:
    with pytest.raises(InputError, match=f"expected a whole JPEG or PNG as cover picture, found {found}"):
        cover(tmp_path, data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64), st.sampled_from([PNG[:40], JPEG[:30], JPEG[:2]]))
def test_any_bytes_are_a_picture_or_refused(tmp_path_factory: Any, data: bytes, start: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-art"
    path.write_bytes(start + data + b"\xff\xd9")
    try:
        picture = read_art(path).picture
    except InputError:
        return
    assert picture.width > 0


def test_art_that_cannot_be_used(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is a directory"), (tmp_path / "no.png", "no such file")):
        with pytest.raises(InputError, match=said):
            read_art(path)
    (tmp_path / "a.png").write_bytes(PNG)
    with pytest.raises(InputError, match="found another file"):
        read_art(tmp_path / "a.png", "0" * 64)
    (tmp_path / "a.png").write_bytes(PNG + bytes(MAX_ART_BYTES))
    with pytest.raises(InputError, match="at most 16,000,000 bytes"):
        read_art(tmp_path / "a.png")


def test_the_largest_art_fits_everywhere(tmp_path: Path) -> None:
    end = PNG[-12:]
    data = PNG[:-12] + bytes(MAX_ART_BYTES - len(PNG)) + end
    for to in ("flac", "mp3", "wav"):
        master = make(tmp_path / f"master.{to}")
        copy_metadata(None, master, picture=cover(tmp_path, data))
        assert read_back(master)[1][0].data == data
    assert FLAC(tmp_path / "master.flac").pictures[0].data == data
    assert io.BytesIO(data).read(8) == PNG[:8]
