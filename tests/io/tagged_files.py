"""Small recordings in every container, with and without tags, and what is read back from them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
from mutagen import id3
from mutagen.flac import FLAC, Picture

from refmaster.io import chunks
from refmaster.io.formats import OutputFormat
from refmaster.io.sink import AudioSink

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
