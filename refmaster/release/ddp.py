"""DDP 2.00: a disc as a folder of files that a pressing plant takes.

There is no public specification. The layout is that which independent open writers and readers agree on, and
where they differ that of cue2ddp: fixed-width ASCII records, text from the left, numbers from the right, all
else blank. `DDPID` tells the master, `DDPMS` names the streams (CD-Text, PQ descriptor, image), the PQ
descriptor says where tracks and indexes begin, and the image is 16-bit little-endian stereo in sectors of
2352 bytes from the pause of the first track on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from refmaster.release.cdtext import cd_text_of
from refmaster.release.disc import Disc, msf

ID_NAME, MAP_NAME, PQ_NAME = "DDPID", "DDPMS", "PQDESCR"
IMAGE_NAME, TEXT_NAME, CHECKSUM_NAME = "IMAGE.DAT", "CDTEXT.BIN", "CHECKSUM.MD5"
ID_BYTES, MAP_BYTES, PQ_BYTES = 128, 128, 64
LEVEL = "DDP 2.00"
MAX_MASTER_ID = 48
_NAME_WIDTH = 17


def write_descriptors(folder: Path, disc: Disc, *, master_id: str = "", cd_text: bool = True) -> list[str]:
    """Write all of a fileset but the image, and return the names of the files in the order of the map.

    Parameters
    ----------
    folder : Path
        Holds the image, or will.
    disc : Disc
        Keeps the rules of the Red Book.
    master_id : str
        For the plant's records; at most 48 characters of ASCII.
    cd_text : bool
        Whether titles and performers go onto the disc.

    Raises
    ------
    SettingsError
        A title or a performer cannot be CD-Text.
    """
    packs = cd_text_of(disc) if cd_text else b""
    pq = b"".join(_pq_packets(disc))
    streams = [_map_packet("S0", len(pq), PQ_NAME, subcode="PQ DESCR")]
    if packs:
        streams.insert(0, _map_packet("S0", len(packs), TEXT_NAME, subcode="CDTEXT", track="00"))
    image = {38: "DA", 40: "7", 41: "1", 46: f"{disc.tracks[0].start:>4}"}
    streams.append(_map_packet("D0", disc.lead_out, IMAGE_NAME, more=image))
    identity = {0: LEVEL, 8: disc.ean or "", 38: master_id[:MAX_MASTER_ID], 87: "CD"}
    files = {ID_NAME: _record(ID_BYTES, identity), MAP_NAME: b"".join(streams), PQ_NAME: pq}
    if packs:
        files[TEXT_NAME] = packs
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [*files, IMAGE_NAME]


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Write the MD5 of each file, as ``md5sum --check`` reads them."""
    lines = [f"{md5_of(folder / name)} *{name}\n" for name in names]
    (folder / CHECKSUM_NAME).write_text("".join(lines), encoding="ascii", newline="\n")


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, which plants compare after the transport."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _pq_packets(disc: Disc) -> list[bytes]:
    """Return lead-in, the indexes of each track, and the lead-out twice."""
    packets = [_pq_packet("00", 0, 0, upc=disc.ean or "")]
    for number, track in enumerate(disc.tracks, start=1):
        control = f"{track.pre_emphasis + 2 * track.copy_permitted:X}1"
        isrc = track.isrc or ""
        for index, sector in track.numbered_indexes():
            packets.append(_pq_packet(f"{number:02d}", index, sector, control=control, isrc=isrc))
            isrc = ""  # it stands with the track's first index
    lead_out = _pq_packet("AA", 1, disc.lead_out)
    return [*packets, lead_out, lead_out]


def _pq_packet(
    track: str, index: int, sector: int, *, control: str = "01", isrc: str = "", upc: str = ""
) -> bytes:
    time = "{:02d}{:02d}{:02d}".format(*msf(sector))
    fields = {0: "VVVS", 4: track, 6: f"{index:02d}", 8: f"{time:>8}", 16: control, 20: isrc, 32: upc}
    return _record(PQ_BYTES, fields)


def _map_packet(
    kind: str,
    length: int,
    name: str,
    *,
    subcode: str = "",
    track: str = "",
    more: dict[int, str] | None = None,
) -> bytes:
    fields = {
        0: "VVVM",
        4: kind,
        14: f"{length:>8}",
        30: subcode,
        55: track,
        71: f"{_NAME_WIDTH:>3}",
        74: name,
    }
    return _record(MAP_BYTES, fields | (more or {}))


def _record(length: int, fields: dict[int, str]) -> bytes:
    """Return a record of ASCII: each text at its place, blanks between."""
    record = bytearray(b" " * length)
    for place, text in fields.items():
        encoded = text.encode("ascii")
        record[place : place + len(encoded)] = encoded
    return bytes(record)
