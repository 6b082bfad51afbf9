"""Tags as one neutral set of fields, translated from and to those of every kind of file.

The neutral names are those of Vorbis comments in lower case ("title", "albumartist", "tracknumber"), each
with a list of texts; pictures are kept as FLAC has them. Fields about the level of the mix (ReplayGain, R128,
Sound Check) or about its encoder are never taken: they would not be true of the master.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mutagen.flac import Picture
from mutagen.id3 import ID3, Frames

from refmaster.io import chunks

_ID3_FIELDS = {
    "TIT2": "title", "TPE1": "artist", "TALB": "album", "TPE2": "albumartist", "TDRC": "date",
    "TCON": "genre", "TCOM": "composer", "TSRC": "isrc", "TCOP": "copyright", "TBPM": "bpm",
    "TIT1": "grouping", "TIT3": "subtitle", "TPUB": "organization", "TEXT": "lyricist",
    "TPE3": "conductor", "TPE4": "remixer", "TKEY": "initialkey", "TLAN": "language",
    "TCMP": "compilation", "TSOP": "artistsort", "TSOA": "albumsort", "TSOT": "titlesort",
    "TSO2": "albumartistsort", "TSOC": "composersort", "TDOR": "originaldate", "TMOO": "mood",
    "TENC": "encoded-by", "TMED": "media",
}  # fmt: skip
_ID3_NUMBERED = {"TRCK": ("tracknumber", "tracktotal"), "TPOS": ("discnumber", "disctotal")}
MP4_FIELDS = {
    "\xa9nam": "title", "\xa9ART": "artist", "\xa9alb": "album", "aART": "albumartist", "\xa9day": "date",
    "\xa9gen": "genre", "\xa9wrt": "composer", "\xa9cmt": "comment", "cprt": "copyright", "tmpo": "bpm",
    "\xa9grp": "grouping", "\xa9lyr": "lyrics", "desc": "description", "soar": "artistsort",
    "soal": "albumsort", "sonm": "titlesort", "soaa": "albumartistsort", "soco": "composersort",
}  # fmt: skip
MP4_NUMBERED = {"trkn": ("tracknumber", "tracktotal"), "disk": ("discnumber", "disctotal")}
_INFO_FIELDS = {
    b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"ICRD": "date", b"IGNR": "genre",
    b"ICMT": "comment", b"ICOP": "copyright", b"ITRK": "tracknumber", b"IMUS": "composer",
}  # fmt: skip
_AIFF_FIELDS = {b"NAME": "title", b"AUTH": "artist", b"(c) ": "copyright", b"ANNO": "comment"}

_ABOUT_ENCODING = ("encoder", "encoder-settings", "encodersettings", "itunsmpb", "accurateripdiscid")
_ENCODING_FRAMES = ("TSSE", "TLEN", "TSIZ", "TFLT", "MLLT", "ASPI", "SEEK", "ENCR")
"""ID3 frames about the mix's encoding; dropped without a note, since they say nothing to a listener."""
_LEVEL_FIELDS = ("replaygain_", "r128_", "itunnorm", "mp3gain_")
_LEVEL_FRAMES = ("RVA2", "RVAD", "RGAD", "XRVA")


@dataclass
class Tags:
    """A recording's tags.

    Attributes
    ----------
    fields : dict of str to list of str
        Texts under neutral names.
    pictures : list of mutagen.flac.Picture
        Cover art.
    id3 : mutagen.id3.ID3 or None
        The recording's own ID3 tag, if it has one, with the frames that are true of the master as well.
    id3_version : int
        Minor version of that tag: 3 or 4.
    unheld_frames : set of str
        Frames of that tag that the neutral fields cannot hold.
    notes : list of str
        One sentence for everything that was left out.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    pictures: list[Any] = field(default_factory=list)
    id3: Any = None
    id3_version: int = 4
    unheld_frames: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, value: str) -> None:
        """Add a text; an empty one, a repeated one or one about the mix's level or encoder is left out."""
        key, value = key.lower(), value.strip("\0").strip()
        if key in _ABOUT_ENCODING or not value:
            return
        if key.startswith(_LEVEL_FIELDS):
            self.note_level()
        elif value not in self.fields.setdefault(key, []):
            self.fields[key].append(value)

    def put(self, texts: Mapping[str, str], picture: Any = None) -> None:
        """Let fields have these texts, and be this the only picture, whatever the recording has there."""
        for key, text in texts.items():
            self.fields[key] = [text]
        if self.id3 is not None:
            pairs = [pair for pair in _ID3_NUMBERED.values() if set(pair) & texts.keys()]
            names = dict.fromkeys([*texts, *(name for pair in pairs for name in pair if name in self.fields)])
            for frame in [frame for frame in self.id3.values() if _fields_of(frame) & names.keys()]:
                del self.id3[frame.HashKey]  # whatever its language, or the case of its name
            for frame in to_id3(Tags(fields={name: self.fields[name] for name in names})).values():
                self.id3.add(frame)
        if picture is not None:
            self.pictures = [picture]
            if self.id3 is not None:
                self.id3.delall("APIC")
                self.id3.add(next(iter(to_id3(Tags(pictures=[picture])).values())))

    def note_level(self) -> None:
        """Note that level tags were dropped."""
        note = "ReplayGain and similar level tags were dropped: they describe the level of the mix"
        if note not in self.notes:
            self.notes.append(note)

    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.fields and not self.pictures


def add_id3(tags: Tags, source: Any) -> None:
    """Add an ID3 tag: its frames as they are, and as neutral fields what these can hold."""
    tags.id3 = ID3()
    tags.id3_version = 3 if tuple(source.version[:2]) == (2, 3) else 4
    for frame in source.values():
        about = getattr(frame, "desc", "").lower()
        if frame.FrameID in _LEVEL_FRAMES or about.startswith(_LEVEL_FIELDS):
            tags.note_level()
        elif frame.FrameID not in _ENCODING_FRAMES and about not in _ABOUT_ENCODING:
            tags.id3.add(frame)
            _add_frame(tags, frame)


def _fields_of(frame: Any) -> set[str]:
    """Return the names of the fields that a frame holds."""
    held = Tags()
    _add_frame(held, frame)
    return set(held.fields)


def _add_frame(tags: Tags, frame: Any) -> None:
    kind = frame.FrameID
    if kind in _ID3_NUMBERED:
        number, _, total = str(frame.text[0]).partition("/")
        for key, value in zip(_ID3_NUMBERED[kind], (number, total), strict=True):
            tags.add(key, value)
    elif kind in _ID3_FIELDS:
        for text in frame.genres if kind == "TCON" else frame.text:
            tags.add(_ID3_FIELDS[kind], str(text))
    elif kind in ("TXXX", "COMM"):
        name = frame.desc if kind == "TXXX" else f"comment:{frame.desc}" if frame.desc else "comment"
        for text in frame.text:
            tags.add(name, str(text))
    elif kind == "USLT":
        tags.add("lyrics", str(frame.text))
    elif kind == "APIC":
        tags.pictures.append(_picture(frame.data, frame.mime, int(frame.type), frame.desc))
    else:
        tags.unheld_frames.add(kind)


def add_mp4(tags: Tags, source: Any) -> None:
    """Add the tags of an MP4 file."""
    unknown: set[str] = set()
    for key, values in sorted(source.items()):
        if key in MP4_NUMBERED:
            for name, value in zip(MP4_NUMBERED[key], values[0], strict=True):
                tags.add(name, str(value) if value else "")
        elif key in MP4_FIELDS:
            for value in values:
                tags.add(MP4_FIELDS[key], str(value))
        elif key == "cpil":
            tags.add("compilation", "1" if values else "")
        elif key == "covr":
            for cover in values:
                mime = "image/png" if bytes(cover[:4]) == b"\x89PNG" else "image/jpeg"
                tags.pictures.append(_picture(bytes(cover), mime, 3, ""))
        elif key.startswith("----:com.apple.iTunes:"):
            for value in values:
                tags.add(key.rsplit(":", 1)[1], bytes(value).decode("utf-8", "replace"))
        elif key not in ("\xa9too", "pgap"):
            unknown.add(key)
    if unknown:
        listed = ", ".join(sorted(unknown))
        tags.notes.append(f"MP4 tags that the new format cannot hold were not kept: {listed}")


def add_comments(tags: Tags, pairs: Iterable[tuple[str, Any]]) -> None:
    """Add Vorbis comments, or APEv2 items, that are texts."""
    for key, value in pairs:
        if isinstance(value, str):
            tags.add(key, value)
        elif getattr(value, "kind", None) == 0:  # an APEv2 text, several separated by null bytes
            for part in str(value).split("\0"):
                tags.add(key, part)


def add_text_chunk(tags: Tags, identifier: bytes, content: bytes) -> None:
    """Add the texts of a RIFF LIST chunk of type INFO, or of an AIFF text chunk; nothing for other chunks."""
    if identifier == b"LIST" and content[:4] == b"INFO":
        for chunk in chunks.walk_list(content):
            if chunk.identifier in _INFO_FIELDS:
                tags.add(_INFO_FIELDS[chunk.identifier], _text(content[chunk.start :][: chunk.size]))
    elif identifier in _AIFF_FIELDS:
        tags.add(_AIFF_FIELDS[identifier], _text(content))


def with_texts(identifier: bytes, content: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a chunk that `add_text_chunk` reads in which `texts` stand; other chunks as they are."""
    if identifier == b"LIST" and content[:4] == b"INFO":
        body = b"INFO"
        for chunk in chunks.walk_list(content):
            if _INFO_FIELDS.get(chunk.identifier) not in texts:
                body += _info_chunk(chunk.identifier, content[chunk.start :][: chunk.size])
        return body + to_info(Tags(fields={key: [text] for key, text in texts.items()}))[4:]
    return texts.get(_AIFF_FIELDS.get(identifier, ""), "").encode("utf-8") or content


def to_id3(tags: Tags) -> Any:
    """Return the tags as ID3, to be saved as version `Tags.id3_version`: the recording's own if it has it."""
    if tags.id3 is not None:
        if tags.id3_version == 3:
            tags.id3.update_to_v23()
        return tags.id3
    made: Any = ID3()

    def add(frame: str, **content: Any) -> None:
        made.add(Frames[frame](encoding=3, **content))

    names = {name: frame for frame, name in _ID3_FIELDS.items()}
    fields = dict(tags.fields)
    for frame, (number, total) in _ID3_NUMBERED.items():
        values = [fields.pop(key, [""])[0] for key in (number, total)]
        if any(values):
            add(frame, text=["/".join(filter(None, values))])
    for key, texts in fields.items():
        if key in names:
            add(names[key], text=texts)
        elif key == "comment" or key.startswith("comment:"):
            add("COMM", lang="und", desc=key.partition(":")[2], text=texts)
        elif key == "lyrics":
            add("USLT", lang="und", desc="", text="\n".join(texts))
        else:
            add("TXXX", desc=key.upper(), text=texts)
    for position, cover in enumerate(tags.pictures):
        # two pictures of one description would replace each other
        description = cover.desc or ("" if position == 0 else f"picture {position + 1}")
        add("APIC", mime=cover.mime, type=cover.type, desc=description, data=cover.data)
    return made


def to_info(tags: Tags) -> bytes:
    """Return the fields that RIFF INFO can hold, as the content of a LIST chunk; empty if there are none."""
    body = b""
    for key, name in _INFO_FIELDS.items():
        if name in tags.fields:
            body += _info_chunk(key, tags.fields[name][0].encode("utf-8") + b"\0")
    return b"INFO" + body if body else b""


def _info_chunk(identifier: bytes, text: bytes) -> bytes:
    return struct.pack("<4sI", identifier, len(text)) + text + b"\0" * (len(text) % 2)


def _picture(data: bytes, mime: str, kind: int, description: str) -> Any:
    picture: Any = Picture()
    picture.data, picture.mime, picture.type, picture.desc = data, mime, kind, description
    return picture


def _text(raw: bytes) -> str:
    raw = raw.split(b"\0")[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
