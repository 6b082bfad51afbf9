"""CD-Text: titles and performers in the lead-in of a disc, as packs of 18 bytes.

Four bytes tell what a pack holds, twelve are text and two a CRC. Texts are ISO 8859-1, each ended by a zero
byte, the disc's before those of the tracks; what does not exist is an empty text. Three packs at the end say
how many there are of each kind (Sony's CD-Text, as in Annex J of MMC-3).
"""

from __future__ import annotations

from collections.abc import Sequence

from refmaster.errors import SettingsError
from refmaster.release.disc import Disc

PACK_BYTES, TEXT_BYTES = 18, 12
TITLE, PERFORMER = 0x80, 0x81
SIZES = 0x8F
MAX_PACKS = 256
_ENGLISH = 0x09
_LAST_POSITION = 15


def text_of(value: str, place: str) -> bytes:
    """Return a text in the characters that CD-Text has.

    Raises
    ------
    SettingsError
        It has others; they are named.
    """
    try:
        encoded = value.encode("latin-1")
    except UnicodeEncodeError as error:
        others = "".join(sorted({sign for sign in value if ord(sign) > 255}))
        raise SettingsError(
            f"{place}: CD-Text holds the characters of Western European languages (ISO 8859-1), found "
            f"{others!r} in {value!r}; spell it otherwise, or leave CD-Text out (release: cd_text: false)"
        ) from error
    if any(byte < 32 for byte in encoded):
        raise SettingsError(f"{place}: expected text of one line, found {value!r}")
    return encoded


def cd_text_of(disc: Disc) -> bytes:
    """Return the packs of a disc; nothing where it has neither titles nor performers.

    Raises
    ------
    SettingsError
        A text has other characters than ISO 8859-1, or the texts need more than 256 packs.
    """
    kinds = {
        TITLE: [disc.title, *(track.title for track in disc.tracks)],
        PERFORMER: [disc.performer, *(track.performer for track in disc.tracks)],
    }
    packs: list[bytes] = []
    counts = [0] * 16
    for kind, texts in kinds.items():
        if not any(texts):
            continue
        places = ["the album's title", *(f"track {n}" for n in range(1, len(texts)))]
        encoded = [text_of(text, place) for text, place in zip(texts, places, strict=True)]
        added = _packs(kind, encoded, first_number=len(packs))
        counts[kind & 15] = len(added)
        packs += added
    if not packs:
        return b""
    total = len(packs) + 3
    if total > MAX_PACKS:
        raise SettingsError(
            f"the titles and performers need {total} packs of CD-Text, and a disc has room for {MAX_PACKS}; "
            "shorten the longest"
        )
    counts[SIZES & 15] = 3
    last_numbers = bytes([total - 1, *[0] * 7])
    sizes = bytes([0, 1, len(disc.tracks), 0, *counts]) + last_numbers + bytes([_ENGLISH, *[0] * 7])
    for number in range(3):
        part = sizes[number * TEXT_BYTES : (number + 1) * TEXT_BYTES]
        packs.append(_pack(SIZES, number, len(packs), 0, part))
    return b"".join(packs)


def texts_in(packs: bytes) -> dict[int, list[str]]:
    """Return the texts of packs by kind: the disc's, then each track's.

    Raises
    ------
    ValueError
        The packs are cut off, or one has a wrong CRC.
    """
    if len(packs) % PACK_BYTES:
        raise ValueError(f"expected packs of {PACK_BYTES} bytes, found {len(packs)} bytes")
    found: dict[int, bytearray] = {}
    for number in range(len(packs) // PACK_BYTES):
        pack = packs[number * PACK_BYTES : (number + 1) * PACK_BYTES]
        if int.from_bytes(pack[16:], "big") != _crc(pack[:16]):
            raise ValueError(f"pack {number} has a wrong CRC")
        if pack[0] != SIZES and not pack[3] & 0xF0:  # of the first block, in one-byte characters
            found.setdefault(pack[0], bytearray()).extend(pack[4:16])
    texts = {kind: bytes(text).decode("latin-1").split("\0") for kind, text in found.items()}
    sizes = [
        packs[at : at + PACK_BYTES]
        for at in range(0, len(packs), PACK_BYTES)
        if packs[at : at + 2] == b"\x8f\0"
    ]
    count = 1 + (sizes[0][6] if sizes else max(map(len, texts.values()), default=1))
    return {kind: [*each, *[""] * count][:count] for kind, each in texts.items()}


def _packs(kind: int, texts: Sequence[bytes], *, first_number: int) -> list[bytes]:
    """Return the packs of one kind: the texts one after another, cut into pieces."""
    stream = b"".join(text + b"\0" for text in texts)
    origins = [(track, place) for track, text in enumerate(texts) for place in range(len(text) + 1)]
    packs: list[bytes] = []
    for start in range(0, len(stream), TEXT_BYTES):
        track, place = origins[start]
        piece = stream[start : start + TEXT_BYTES].ljust(TEXT_BYTES, b"\0")
        packs.append(_pack(kind, track, first_number + len(packs), min(place, _LAST_POSITION), piece))
    return packs


def _pack(kind: int, track: int, number: int, place: int, text: bytes) -> bytes:
    head = bytes([kind, track, number & 255, place]) + text
    return head + _crc(head).to_bytes(2, "big")


def _crc(data: bytes) -> int:
    """Return the CRC-16 of CCITT (polynomial 0x1021, from 0), inverted."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
    return ~crc & 0xFFFF
