"""Carry the mix's tags, cover art and broadcast chunks over to the master.

Between files of the same kind everything that stays true is kept: every ID3 frame, every Vorbis comment, the
BWF and cue chunks of WAVE files, the markers of AIFF files. Between kinds the fields of
`refmaster.io.metadata.fields` and the pictures are kept. Loudness, ReplayGain and peak envelopes describe the
mix, not the master: they are corrected or dropped. The notes name whatever is not kept.

No more audio is moved than an insertion at the front of the file demands.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mutagen
from mutagen.flac import FLAC, CueSheet, Picture
from mutagen.id3 import ID3

from refmaster.errors import AudioError, OutputError
from refmaster.io import chunks
from refmaster.io.atomic import output_error
from refmaster.io.metadata import broadcast
from refmaster.io.metadata.broadcast import BextLoudness
from refmaster.io.metadata.fields import (
    Tags,
    add_comments,
    add_id3,
    add_mp4,
    add_text_chunk,
    to_id3,
    to_info,
    with_texts,
)
from refmaster.io.metadata.mp4 import write_mp4
from refmaster.io.open import open_audio

_FAMILIES = {"RIFF": "WAVE", "RF64": "WAVE", "AIFF": "AIFF"}
"""Forms of file whose chunks are copied; chunks of one family have the same meaning."""
_STRUCTURE = {
    "WAVE": {b"fmt ", b"fact", b"data", b"ds64", b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr", b"PEAK"},
    "AIFF": {b"COMM", b"SSND", b"FVER", b"PEAK", b"FLLR"},
}
_COPIED = {
    "WAVE": {b"iXML", b"cue ", b"smpl", b"inst", b"acid", b"axml", b"chna", b"_PMX", b"cart", b"bext",
             b"ubxt", b"umid", b"DISP", b"strc"},
    "AIFF": {b"MARK", b"COMT", b"INST", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"AESD", b"MIDI", b"APPL",
             b"basc", b"trns", b"cate"},
}  # fmt: skip
_ID3_CHUNKS = (b"id3 ", b"ID3 ")
_FLAC_APPLICATION = 2


@dataclass
class _Mix:
    """The metadata of the mix (`path` is None for one that is no file), and what stands for its own."""

    path: Path | None
    family: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    picture: Any = None
    bext: bool = False
    tags: Tags = field(default_factory=Tags)
    chunks: list[tuple[bytes, bytes]] = field(default_factory=list)
    flac: Any = None

    def note(self, text: str) -> None:
        self.tags.notes.append(text)


def copy_metadata(
    source_path: str | Path | None,
    written_path: str | Path,
    *,
    said: Mapping[str, str] = MappingProxyType({}),
    picture: Any = None,
    bext: bool = False,
    loudness: BextLoudness | None = None,
    name: str | None = None,
) -> list[str]:
    """Copy tags, cover art and other metadata from the mix to the written master, replacing what it has.

    Parameters
    ----------
    source_path : str, Path or None
        The mix, in any format that `refmaster.io.open.open_audio` reads; None if it is no file.
    written_path : str or Path
        The complete audio file, changed in place; its samples stay as they are.
    said : mapping of str to str, optional
        Fields under their neutral names that stand for those of the mix.
    picture : mutagen.flac.Picture, optional
        Cover art that stands for all pictures of the mix.
    bext : bool
        Give a WAVE file a bext chunk where the mix has none.
    loudness : BextLoudness, optional
        Of the master, for the bext chunk if there is one; without it the chunk says "not set".
    name : str, optional
        The written file's name in messages.

    Returns
    -------
    list of str
        One sentence for everything that could not be kept, or was changed.

    Raises
    ------
    OutputError
        If the written file cannot be changed.
    AudioError
        If one of the two is no audio file.
    """
    written_path = Path(written_path)
    name = str(written_path) if name is None else name
    mix = _Mix(None) if source_path is None else _read(Path(source_path))
    mix.said, mix.picture, mix.bext = said, picture, bext
    mix.tags.put(said, picture)
    try:
        _write(mix, written_path, loudness, name)
    except mutagen.MutagenError as error:
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        if cause is not None:
            raise output_error(Path(name), cause) from error
        raise OutputError(f"{name}: the tags could not be written: {error}") from error
    except OSError as error:
        raise output_error(Path(name), error) from error
    return mix.tags.notes


def read_fields(path: Path) -> dict[str, list[str]]:
    """Return a recording's tags under their neutral names, such as "artist" and "tracknumber".

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    return _read(path).tags.fields


def _read(path: Path) -> _Mix:
    try:
        mix = _Mix(path=path, family=_family(path))
        if mix.family is None:
            _read_tags(mix, path)
        else:
            _read_chunks(mix, path, mix.family)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    return mix


def _family(path: Path) -> str | None:
    return _FAMILIES.get(chunks.form_of(path) or "")


def _read_tags(mix: _Mix, path: Path) -> None:
    try:
        file: Any = mutagen.File(path)
    except mutagen.MutagenError as error:
        mix.note(f"the mix's tags could not be read and were not kept: {error}")
        return
    mix.flac = file if isinstance(file, FLAC) else None
    mix.tags.pictures += getattr(file, "pictures", [])
    held: Any = None if file is None else file.tags
    kind = type(held).__name__
    if kind in ("ID3", "_WaveID3", "_IFFID3"):
        add_id3(mix.tags, held)
    elif kind == "MP4Tags":
        add_mp4(mix.tags, held)
    elif kind == "VCFLACDict" or "VComment" in kind:
        _read_comments(mix, held)  # pairs in the file's order; their keys() come out of a set
    elif kind == "APEv2":
        _read_comments(mix, held.items())
    elif held is not None:
        mix.note(f"the mix's tags ({kind}) are of a kind that is not read, and were not kept")


def _read_comments(mix: _Mix, pairs: Iterable[tuple[str, Any]]) -> None:
    texts = []
    for key, value in pairs:
        name = key.lower()
        if name == "metadata_block_picture":  # Ogg files keep their pictures in base64 in a comment
            try:
                mix.tags.pictures.append(Picture(base64.b64decode(value)))
            except (mutagen.MutagenError, ValueError):
                mix.note("a cover picture in the mix's tags is damaged and was not kept")
        elif name not in ("coverart", "coverartmime") and not name.startswith("cover art"):
            texts.append((key, value))
    add_comments(mix.tags, texts)


def _read_chunks(mix: _Mix, path: Path, family: str) -> None:
    for chunk in chunks.list_chunks(path):
        key = chunk.identifier
        label = key.decode("latin-1").strip()
        if key in _STRUCTURE[family]:
            continue
        if chunk.size is None or chunk.size > chunks.MAX_CHUNK_BYTES:
            mix.note(f"chunk '{label}' of {chunk.size} bytes is too large and was not kept")
            continue
        content = chunks.read_chunk(path, chunk)
        if key in _ID3_CHUNKS:
            try:
                add_id3(mix.tags, ID3(io.BytesIO(content)))
            except mutagen.MutagenError as error:
                mix.note(f"the mix's ID3 tag could not be read and was not kept: {error}")
        elif key in _COPIED[family] or (key == b"LIST" and content[:4] in (b"INFO", b"adtl")):
            mix.chunks.append((key, content))
        else:
            mix.note(f"chunk '{label}' was not kept: it may not be true of the master")
    if mix.tags.id3 is None:  # an ID3 tag says the same, and more
        for key, content in mix.chunks:
            add_text_chunk(mix.tags, key, content)


def _write(mix: _Mix, path: Path, loudness: BextLoudness | None, name: str) -> None:
    family = _family(path)
    container = family or _container(path, name)
    if mix.tags.unheld_frames and container not in ("WAVE", "AIFF", "MP3"):
        frames = ", ".join(sorted(mix.tags.unheld_frames))
        mix.note(f"ID3 frames that the new format cannot hold were not kept: {frames}")
    if family is None or family != mix.family:
        _note_lost_chunks(mix)
    if family is not None:
        _write_chunks(mix, path, family, loudness, name)
    elif container == "MP3":
        tag = to_id3(mix.tags)
        ID3().delete(path)
        if len(tag):
            tag.save(path, v1=0, v2_version=mix.tags.id3_version, padding=lambda _: 1024)
    elif container in ("FLAC", "OGG"):
        _write_comments(mix, path)
    elif container == "MP4":
        write_mp4(mix.tags, path)
    elif not mix.tags.is_empty():
        mix.note(f"tags and pictures were not kept: not written to {container} files")


def _container(path: Path, name: str) -> str:
    with path.open("rb") as file:
        if file.read(8)[4:] == b"ftyp":  # whoever decodes it
            return "MP4"
    return open_audio(path, name=name).format.container


def _note_lost_chunks(mix: _Mix) -> None:
    # their texts became tags
    told = {b"LIST": b"INFO", b"NAME": b"", b"AUTH": b"", b"(c) ": b"", b"ANNO": b""}
    lost = {key for key, content in mix.chunks if not (key in told and content.startswith(told[key]))}
    if lost:
        listed = ", ".join(sorted(key.decode("latin-1").strip() for key in lost))
        mix.note(f"chunks that the new format cannot hold were not kept: {listed}")


def _write_chunks(mix: _Mix, path: Path, family: str, loudness: BextLoudness | None, name: str) -> None:
    same_kind = family == mix.family
    made = _fitted_chunks(mix, mix.path, path, loudness, name) if same_kind and mix.path is not None else []
    if mix.bext and family == "WAVE" and not any(key == b"bext" for key, _ in made):
        made.append((b"bext", broadcast.new_bext(open_audio(path, name=name).format, loudness)))
    if family == "WAVE" and not any(content[:4] == b"INFO" for _, content in made):
        info = to_info(mix.tags)
        if info:
            made.append((b"LIST", info))
    # Texts that the copied chunks hold already need no second home; an ID3 tag that was there stays, and
    # holds what INFO has no place for.
    said = bool(mix.said or mix.picture)
    if mix.tags.id3 is not None or said or (not same_kind and not mix.tags.is_empty()):
        memory = io.BytesIO()
        to_id3(mix.tags).save(memory, v1=0, v2_version=mix.tags.id3_version, padding=lambda _: 0)
        made.append((b"ID3 " if family == "AIFF" else b"id3 ", memory.getvalue()))
    _cut_behind_audio(path, family)
    chunks.append_chunks(path, made, name=name)


def _cut_behind_audio(path: Path, family: str) -> None:
    """Remove the chunks that an earlier copy appended."""
    held = [chunk for chunk in chunks.list_chunks(path) if chunk.identifier in _STRUCTURE[family]]
    end = max(chunk.start + (chunk.size or 0) for chunk in held)
    os.truncate(path, min(end + end % 2, path.stat().st_size))


def _fitted_chunks(
    mix: _Mix, source: Path, path: Path, loudness: BextLoudness | None, name: str
) -> list[tuple[bytes, bytes]]:
    """Return the mix's own chunks, made true of the master."""
    if not mix.chunks:
        return []
    written = open_audio(path, name=name).format
    ratio = written.sample_rate_hz / open_audio(source).format.sample_rate_hz
    made: list[tuple[bytes, bytes]] = []
    for key, content in mix.chunks:
        if key == b"axml" and b"oudness" in content:
            mix.note("the axml chunk states a loudness of the mix; it was kept as it is")
        fitted = broadcast.fitted(key, content, rate_ratio=ratio, written=written, loudness=loudness)
        made.append((key, with_texts(key, fitted, mix.said)))
    return made


def _write_comments(mix: _Mix, path: Path) -> None:
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for key in {key.lower() for key, _ in file.tags} - {"encoder"}:  # of an earlier copy
        del file[key]
    for key, texts in mix.tags.fields.items():
        if all(0x20 <= ord(letter) <= 0x7D and letter != "=" for letter in key):
            file[key] = texts
        else:
            mix.note(f"the field '{key}' was not kept: Vorbis comments cannot hold its name")
    if isinstance(file, FLAC):
        file.clear_pictures()
        file.metadata_blocks = [block for block in file.metadata_blocks if not isinstance(block, CueSheet)]
        for picture in mix.tags.pictures:
            file.add_picture(picture)
        _copy_cue_sheet(mix, file)
        file.save(padding=lambda _: 1024)
        return
    if mix.tags.pictures:
        encoded = [base64.b64encode(picture.write()).decode("ascii") for picture in mix.tags.pictures]
        file["metadata_block_picture"] = encoded
    # what mutagen pads by default, but where it would keep the room that an earlier copy left
    file.save(padding=lambda info: 0 if mix.tags.is_empty() else 1024 + info.size // 1000)


def _copy_cue_sheet(mix: _Mix, file: Any) -> None:
    for block in [] if mix.flac is None else mix.flac.metadata_blocks:
        if isinstance(block, CueSheet) and mix.flac.info.sample_rate == file.info.sample_rate:
            file.cuesheet = block
            file.metadata_blocks.append(block)
        elif block.code == _FLAC_APPLICATION or isinstance(block, CueSheet):
            kind = "a cue sheet at another sample rate" if isinstance(block, CueSheet) else "application data"
            mix.note(f"{kind} in the FLAC file was not kept")
