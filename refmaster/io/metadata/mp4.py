"""Tags of MP4 files (M4A), as iTunes has them: from and to the neutral fields of `Tags`.

What has no atom of its own is a free-form item of the domain com.apple.iTunes; ReplayGain stands there under
lower-case names, all else in capitals.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mutagen.mp4 import MP4, AtomDataType, MP4Cover, MP4FreeForm

from refmaster.io.metadata.fields import MP4_FIELDS, MP4_NUMBERED, Tags

_FREE = "----:com.apple.iTunes:"
_COVERS = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
_ENCODER = "\xa9too"
_MOST = 0xFFFF  # of a number with 16 bits


def write_mp4(tags: Tags, path: Path) -> None:
    """Write tags to an MP4 file, in place of those that it has; the notes name what it cannot hold.

    Raises
    ------
    mutagen.MutagenError
        The file cannot be changed.
    """
    file: Any = MP4(path)
    if file.tags is None:
        file.add_tags()
    for key in [key for key in file.tags if key != _ENCODER]:  # of an earlier copy
        del file.tags[key]
    fields = dict(tags.fields)
    for key, names in MP4_NUMBERED.items():
        texts = [fields.get(name, [""])[0] or "0" for name in names]
        if any(name in fields for name in names) and all(map(_is_number, texts)):
            file.tags[key] = [(int(texts[0]), int(texts[1]))]
            for name in names:
                fields.pop(name, None)
    atoms = {name: atom for atom, name in MP4_FIELDS.items()}
    for name, texts in fields.items():
        atom = atoms.get(name)
        if name == "compilation":
            file.tags["cpil"] = texts[0] == "1"
        elif atom is None or (name == "bpm" and not _is_number(texts[0])):
            key = _FREE + (name if name.startswith("replaygain_") else name.upper())
            file.tags[key] = [MP4FreeForm(text.encode("utf-8"), AtomDataType.UTF8) for text in texts]
        else:
            file.tags[atom] = [int(texts[0])] if name == "bpm" else texts
    covers = [cover for cover in tags.pictures if cover.mime in _COVERS]
    if covers:
        file.tags["covr"] = [MP4Cover(cover.data, _COVERS[cover.mime]) for cover in covers]
    if len(covers) < len(tags.pictures):
        tags.notes.append("pictures that are neither JPEG nor PNG were not kept: MP4 files cannot hold them")
    file.save(padding=lambda _: 1024)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _MOST
