"""Carry the mix's tags, cover art and broadcast chunks over to the master.

Same kind to same kind keeps everything that stays true: every ID3 frame, every Vorbis comment, the BWF and
cue chunks of WAVE files, the markers of AIFF files. Across kinds the fields of `refmaster.io.metadata.fields`
and the pictures are kept. What describes the mix and not the master (loudness, ReplayGain, peak envelopes) is
corrected or dropped. Whatever is not kept is named in the notes.

Nothing here reads or moves more audio than an insertion at the front of the file demands, and the same
input gives the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmaster.errors import AudioError, OutputError
from refmaster.io import chunks
from refmaster.io.atomic import output_error
from refmaster.io.metadata import broadcast as bwf
from refmaster.io.metadata.broadcast import BextLoudness
from refmaster.io.open import open_audio

if TYPE_CHECKING:
    from refmaster.io.metadata.fields import Tags

__all__ = ["BextLoudness", "copy_metadata"]

_STRUCTURE = {
    "RIFF": {b"fmt ", b"fact", b"data", b"ds64", b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr", b"PEAK"},
    "AIFF": {b"COMM", b"SSND", b"FVER", b"PEAK", b"FLLR"},
}
_WAVE_COPIED = {b"iXML", b"cue ", b"smpl", b"inst", b"acid", b"axml", b"chna", b"_PMX", b"cart", b"bext",
                b"ubxt", b"umid", b"DISP", b"strc"}  # fmt: skip
_AIFF_COPIED = {b"MARK", b"COMT", b"INST", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"AESD", b"MIDI", b"APPL",
                b"basc", b"trns", b"cate"}  # fmt: skip
_ID3_CHUNKS = (b"id3 ", b"ID3 ")


@dataclass
class _Source:
    """What was found in the mix."""

    path: Path
    form: str | None
    tags: Tags
    id3: Any = None
    comments: Any = None
    own_chunks: list[tuple[bytes, bytes]] = field(default_factory=list)


def copy_metadata(
    source_path: str | Path,
    written_path: str | Path,
    *,
    loudness: BextLoudness | None = None,
    name: str | None = None,
) -> list[str]:
    """Copy tags, cover art and other metadata from the mix to the written master.

    Parameters
    ----------
    source_path : str or Path
        The mix, in any format that `refmaster.io.source.open_audio` reads.
    written_path : str or Path
        The complete audio file, changed in place; its samples stay as they are.
    loudness : BextLoudness, optional
        Of the master, for the bext chunk if there is one; without it the chunk says "not set".
    name : str, optional
        What messages call the written file.

    Returns
    -------
    list of str
        What could not be kept, or was changed, in words for a person.

    Raises
    ------
    OutputError
        If the written file cannot be changed.
    AudioError
        If one of the two is no audio file.
    """
    from mutagen import MutagenError

    source_path, written_path = Path(source_path), Path(written_path)
    name = str(written_path) if name is None else name
    try:
        source = _read(source_path)
    except OSError as error:
        raise AudioError(f"{source_path}: cannot be read: {error.strerror or error}") from error
    try:
        _write(source, written_path, loudness, name)
    except MutagenError as error:
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        if cause is not None:
            raise output_error(Path(name), cause) from error
        raise OutputError(f"{name}: the tags could not be written: {error}") from error
    except OSError as error:
        raise output_error(Path(name), error) from error
    return source.tags.notes


def read_fields(path: Path) -> dict[str, list[str]]:
    """Return a recording's tags under their neutral names, such as "artist" and "tracknumber"."""
    return dict(_read(path).tags.fields)


def _read(path: Path) -> _Source:
    import mutagen

    from refmaster.io.metadata.fields import Tags, add_comments, add_id3, add_mp4

    source = _Source(path=path, form=chunks.form_of(path), tags=Tags())
    if source.form is not None:
        _read_chunks(source)
        return source
    try:
        file: Any = mutagen.File(path)
    except mutagen.MutagenError as error:
        source.tags.notes.append(f"the mix's tags could not be read and were not kept: {error}")
        return source
    held = None if file is None else file.tags
    for picture in getattr(file, "pictures", []):
        source.tags.pictures.append(picture)
    if held is None:
        return source
    kind = type(held).__name__
    if kind in ("ID3", "_WaveID3", "_IFFID3"):
        source.id3 = held
        add_id3(source.tags, held)
    elif kind == "MP4Tags":
        add_mp4(source.tags, held)
    elif kind == "VCFLACDict" or kind.endswith("VComment") or kind in ("OggVCommentDict", "APEv2"):
        source.comments = held
        _take_embedded_pictures(source.tags, held)
        # Vorbis comments are a list of pairs in the file's order; their keys() come out of a set.
        pairs = list(held) if isinstance(held, list) else list(held.items())
        add_comments(source.tags, [(key, value) for key, value in pairs if not _is_picture_key(key)])
    else:
        source.tags.notes.append(f"the mix's tags ({kind}) are of a kind that is not read, and were not kept")
    return source


def _is_picture_key(key: str) -> bool:
    key = key.lower()
    return key in ("metadata_block_picture", "coverart", "coverartmime") or key.startswith("cover art")


def _take_embedded_pictures(tags: Tags, comments: Any) -> None:
    """Take the pictures that Ogg files keep in base64 in a comment."""
    from mutagen.flac import FLACNoHeaderError, Picture, error

    for key in comments.keys():  # noqa: SIM118  (mutagen's comments iterate over pairs)
        if key.lower() != "metadata_block_picture":
            continue
        for text in comments[key]:
            try:
                tags.pictures.append(Picture(base64.b64decode(text)))
            except (binascii.Error, error, FLACNoHeaderError, ValueError):
                tags.notes.append("a cover picture in the mix's tags is damaged and was not kept")


def _read_chunks(source: _Source) -> None:
    from mutagen import MutagenError
    from mutagen.id3 import ID3

    from refmaster.io.metadata.fields import add_aiff_text, add_id3, add_info

    copied = _AIFF_COPIED if source.form == "AIFF" else _WAVE_COPIED
    structure = _STRUCTURE["AIFF" if source.form == "AIFF" else "RIFF"]
    texts: list[tuple[bytes, bytes]] = []
    for chunk in chunks.list_chunks(source.path):
        key = chunk.identifier
        label = key.decode("latin-1").strip()
        if key in structure:
            continue
        if chunk.size > chunks.MAX_CHUNK_BYTES:
            source.tags.notes.append(f"chunk '{label}' of {chunk.size} bytes is too large and was not kept")
            continue
        content = chunks.read_chunk(source.path, chunk)
        if key in _ID3_CHUNKS:
            try:
                source.id3 = ID3(io.BytesIO(content))
                add_id3(source.tags, source.id3)
            except MutagenError as error:
                source.tags.notes.append(f"the mix's ID3 tag could not be read and was not kept: {error}")
        elif key in copied or (key == b"LIST" and content[:4] in (b"INFO", b"adtl")):
            source.own_chunks.append((key, content))
            texts.append((key, content))
        else:
            source.tags.notes.append(f"chunk '{label}' was not kept: it may not be true of the master")
    if source.id3 is None:  # an ID3 tag says the same, and more
        for key, content in texts:
            if key == b"LIST" and content[:4] == b"INFO":
                add_info(source.tags, content)
            add_aiff_text(source.tags, key, content)


def _write(source: _Source, path: Path, loudness: BextLoudness | None, name: str) -> None:
    form = chunks.form_of(path)
    if form is not None:
        _write_chunks(source, path, form, loudness, name)
        return
    _note_lost_chunks(source)
    held = open_audio(path, name=name).format
    writers: dict[tuple[str, str], Callable[[_Source, Path], None]] = {
        ("MP3", "MPEG_LAYER_III"): _write_mp3,
        ("OGG", "VORBIS"): _write_ogg,
        ("OGG", "OPUS"): _write_ogg,
    }
    writer = _write_flac if held.container == "FLAC" else writers.get((held.container, held.subtype))
    if writer is not None:
        writer(source, path)
    elif not source.tags.is_empty():
        source.tags.notes.append(f"tags and pictures were not kept: not written to {held.container} files")


def _write_chunks(source: _Source, path: Path, form: str, loudness: BextLoudness | None, name: str) -> None:
    from refmaster.io.metadata.fields import to_info

    tags = source.tags
    made: list[tuple[bytes, bytes]] = []
    same_kind = (form == "AIFF") == (source.form == "AIFF") and source.form is not None
    if same_kind:
        made += _fitted_chunks(source, path, loudness, name)
    else:
        _note_lost_chunks(source)
    if form != "AIFF" and not any(content[:4] == b"INFO" for _, content in made):
        info = to_info(tags)
        if info:
            made.append((b"LIST", info))
    # Texts that the copied chunks hold already need no second home; an ID3 tag that was there stays.
    if source.id3 is not None or (not same_kind and not tags.is_empty()):
        made.append((b"ID3 " if form == "AIFF" else b"id3 ", _id3_bytes(source)))
    chunks.append_chunks(path, made, name=name)


def _fitted_chunks(
    source: _Source, path: Path, loudness: BextLoudness | None, name: str
) -> list[tuple[bytes, bytes]]:
    """Return the mix's own chunks, made true for the master."""
    if not source.own_chunks:
        return []
    written = open_audio(path, name=name).format
    ratio = written.sample_rate_hz / open_audio(source.path).format.sample_rate_hz
    history = bwf.coding_history(written.sample_rate_hz, written.bits or 32, written.channels)
    made: list[tuple[bytes, bytes]] = []
    for key, content in source.own_chunks:
        if key == b"bext":
            fitted = bwf.updated_bext(content, loudness, rate_ratio=ratio, history=history)
        elif key == b"iXML":
            fitted = bwf.without_ixml_loudness(content)
        else:
            fitted = content if ratio == 1.0 else _scaled(key, content, ratio)
        if key == b"axml" and b"oudness" in content:
            source.tags.notes.append("the axml chunk states a loudness of the mix; it was kept as it is")
        made.append((key, fitted))
    return made


def _scaled(key: bytes, content: bytes, ratio: float) -> bytes:
    if key == b"LIST" and content[:4] == b"adtl":
        return bwf.scaled_adtl(content, ratio)
    scalers = {b"cue ": bwf.scaled_cue, b"smpl": bwf.scaled_smpl, b"MARK": bwf.scaled_mark}
    scaler = scalers.get(key)
    return content if scaler is None else scaler(content, ratio)


def _note_lost_chunks(source: _Source) -> None:
    # their texts became tags
    told = {b"LIST": b"INFO", b"NAME": b"", b"AUTH": b"", b"(c) ": b"", b"ANNO": b""}
    lost = sorted(
        {
            key.decode("latin-1").strip()
            for key, content in source.own_chunks
            if not (key in told and content.startswith(told[key]))
        }
    )
    if lost:
        source.tags.notes.append(f"chunks that the new format cannot hold were not kept: {', '.join(lost)}")


def _made_id3(source: _Source) -> tuple[Any, int]:
    """Return the ID3 tag for the master and the version to save it in."""
    from mutagen.id3 import ID3

    from refmaster.io.metadata.fields import UNHELD_ID3, Tags, kept_id3_frames, to_id3

    if source.id3 is None:
        return to_id3(source.tags), 4
    made: Any = ID3()
    for frame in kept_id3_frames(source.id3, Tags()):
        made.add(frame)
    source.tags.notes[:] = [note for note in source.tags.notes if not note.startswith(UNHELD_ID3)]
    if tuple(source.id3.version[:2]) == (2, 3):
        made.update_to_v23()
        return made, 3
    return made, 4


def _id3_bytes(source: _Source) -> bytes:
    made, version = _made_id3(source)
    memory = io.BytesIO()
    made.save(memory, v1=0, v2_version=version, padding=lambda _: 0)
    return memory.getvalue()


def _write_mp3(source: _Source, path: Path) -> None:
    made, version = _made_id3(source)
    if len(made):
        made.save(path, v1=0, v2_version=version, padding=lambda _: 1024)


def _write_flac(source: _Source, path: Path) -> None:
    from mutagen.flac import FLAC, CueSheet

    file: Any = FLAC(path)
    _set_comments(file, source.tags)
    file.clear_pictures()
    for picture in source.tags.pictures:
        file.add_picture(picture)
    if _is_flac(source.path):
        mix: Any = FLAC(source.path)
        for block in mix.metadata_blocks:
            if isinstance(block, CueSheet) and mix.info.sample_rate == file.info.sample_rate:
                file.cuesheet = block
                file.metadata_blocks.append(block)
            elif block.code == 2 or isinstance(block, CueSheet):
                kind = "application data" if block.code == 2 else "a cue sheet at another sample rate"
                source.tags.notes.append(f"{kind} in the FLAC file was not kept")
    file.save(padding=lambda _: 1024)


def _is_flac(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"fLaC"


def _write_ogg(source: _Source, path: Path) -> None:
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis

    with path.open("rb") as head:
        file: Any = (OggOpus if b"OpusHead" in head.read(64) else OggVorbis)(path)
    _set_comments(file, source.tags)
    file.pop("metadata_block_picture", None)
    if source.tags.pictures:
        file["metadata_block_picture"] = [
            base64.b64encode(picture.write()).decode("ascii") for picture in source.tags.pictures
        ]
    file.save()


def _set_comments(file: Any, tags: Tags) -> None:
    if file.tags is None:
        file.add_tags()
    for key, texts in tags.fields.items():
        if all(0x20 <= ord(letter) <= 0x7D and letter != "=" for letter in key):
            file[key] = texts
        else:
            tags.notes.append(f"the field '{key}' was not kept: Vorbis comments cannot hold its name")
