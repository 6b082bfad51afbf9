"""Cover art: a JPEG (ISO/IEC 10918-1) or PNG (ISO/IEC 15948), checked and never changed."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutagen.flac import Picture

from refmaster.errors import InputError

# A FLAC file holds a picture with its facts in one block of less than 2^24 bytes.
MAX_ART_BYTES = 16_000_000
_FRONT_COVER = 3
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; a palette's colours have three
_KNOWN = {b"GIF8": "a GIF", b"RIFF": "a WebP", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF"}


@dataclass(frozen=True)
class Art:
    """A cover picture.

    Attributes
    ----------
    picture : mutagen.flac.Picture
        The front cover.
    sha256 : str
        Of the file.
    """

    picture: Any
    sha256: str


def read_art(path: Path, sha256: str | None = None) -> Art:
    """Read a cover picture.

    Parameters
    ----------
    path : Path
        A JPEG or PNG, whatever its suffix says.
    sha256 : str, optional
        Refuse another file.

    Raises
    ------
    InputError
        It cannot be read, is too large, neither JPEG nor PNG, incomplete, or another file.
    """
    try:
        if not path.is_file():
            found = "is a directory" if path.is_dir() else "no such file"
            raise InputError(f"{path}: {found}; expected a cover picture (JPEG or PNG)")
        with path.open("rb") as file:
            data = file.read(MAX_ART_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_ART_BYTES:
        raise InputError(f"{path}: expected a cover picture of at most {MAX_ART_BYTES:,} bytes, found more")
    picture = _picture(data)
    if picture is None:
        raise InputError(f"{path}: expected a whole JPEG or PNG as cover picture, found {_kind(data)}")
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise InputError(
            f"{path}: expected the cover picture that the plan names (sha256 {sha256[:12]}...), found "
            f"another file ({found[:12]}...); put the hash right in the plan, or set it to null"
        )
    return Art(picture, found)


def _picture(data: bytes) -> Any:
    facts = _png_facts(data) or _jpeg_facts(data)
    if facts is None:
        return None
    picture: Any = Picture()
    picture.data, picture.type = data, _FRONT_COVER
    picture.mime, picture.width, picture.height, picture.depth = facts
    return picture


def _png_facts(data: bytes) -> tuple[str, int, int, int] | None:
    """Return type, width, height and bits of a pixel; None for what is no whole PNG."""
    if not data.startswith(_PNG) or data[12:16] != b"IHDR" or b"IEND" not in data[-16:]:
        return None
    width, height, bits, colours = struct.unpack_from(">IIBB", data, 16)
    if not (width and height and bits and colours in _PNG_CHANNELS):
        return None
    return "image/png", width, height, bits * _PNG_CHANNELS[colours] if colours != 3 else 24


def _jpeg_facts(data: bytes) -> tuple[str, int, int, int] | None:
    """Return type, width, height and bits of a pixel; None for what is no whole JPEG."""
    if not data.startswith(b"\xff\xd8\xff") or b"\xff\xd9" not in data[-1024:]:
        return None
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of a frame
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            return ("image/jpeg", width, height, bits * components) if width and components else None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _kind(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data.startswith((_PNG, b"\xff\xd8\xff")):
        return "a damaged or truncated one"
    return next((name for start, name in _KNOWN.items() if data.startswith(start)), "another kind of file")
