"""Read a DDP 2.00 fileset of any writer: the disc that it describes, what is wrong with it, and its audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from refmaster.errors import AudioError
from refmaster.release import ddp
from refmaster.release.cdtext import PERFORMER, TITLE, texts_in
from refmaster.release.disc import (
    SECTOR_BYTES,
    SECTORS_PER_SECOND,
    Disc,
    DiscTrack,
    disc_problems,
    msf_text,
)

# Names under which writers keep the sums of their files.
_SUM_FILES = (ddp.CHECKSUM_NAME, "checksum.md5", "MD5.TXT", "md5.txt")
_LEAD_IN, _LEAD_OUT = "00", "AA"


@dataclass(frozen=True, kw_only=True)
class DdpImage:
    """A fileset that was read.

    Attributes
    ----------
    disc : Disc
    image : Path
        The file that holds the audio.
    master_id : str
    problems : tuple of str
        What is wrong with it; empty for a fileset that a plant can take.
    """

    disc: Disc
    image: Path
    master_id: str
    problems: tuple[str, ...]


def read_ddp(folder: str | Path, *, sums: bool = True) -> DdpImage:
    """Read and verify a fileset.

    Parameters
    ----------
    folder : str or Path
        Holds ``DDPID`` and ``DDPMS``.
    sums : bool
        Compare the MD5 of every file where the fileset has them.

    Raises
    ------
    AudioError
        The folder is no DDP 2.00 fileset of an audio disc.
    """
    folder = Path(folder)
    identity = _identity(folder)
    streams = _streams(folder)
    pq = _only(streams, folder, "PQ DESCR")
    image = _only(streams, folder, "DA")
    texts, problems = _texts(folder, streams)
    disc, told = _disc(folder / pq.name, texts, identity)
    problems += told + _image_problems(folder / image.name, image, disc) + disc_problems(disc)
    if sums:
        problems += _sum_problems(folder)
    return DdpImage(
        disc=disc,
        image=folder / image.name,
        master_id=identity[38:86].strip(),
        problems=tuple(problems),
    )


def track_bytes(found: DdpImage, number: int, *, piece_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Yield the audio of a track, from its start to that of the next one, as programs that copy CDs do."""
    starts = [*(track.start for track in found.disc.tracks), found.disc.lead_out]
    first, end = starts[number - 1 : number + 1]
    left = (end - first) * SECTOR_BYTES
    with found.image.open("rb") as file:
        file.seek(first * SECTOR_BYTES)
        while left > 0:
            piece = file.read(min(left, piece_bytes))
            if not piece:
                raise AudioError(
                    f"{found.image}: expected {left} more bytes of track {number}, found its end"
                )
            left -= len(piece)
            yield piece


@dataclass(frozen=True)
class _Stream:
    """A packet of the map: what a file is."""

    kind: str
    length: int
    subcode: str
    mode: str
    name: str


def _identity(folder: Path) -> str:
    identity = _bytes_of(folder / ddp.ID_NAME)
    if len(identity) < ddp.ID_BYTES or not identity.startswith(ddp.LEVEL.encode("ascii")):
        raise AudioError(
            f"{folder / ddp.ID_NAME}: expected {ddp.ID_BYTES} bytes that begin with {ddp.LEVEL!r}, found "
            f"{len(identity)} that begin with {identity[:8]!r}"
        )
    return identity.decode("latin-1")


def _streams(folder: Path) -> list[_Stream]:
    content = _bytes_of(folder / ddp.MAP_NAME)
    if not content or len(content) % ddp.MAP_BYTES:
        raise AudioError(
            f"{folder / ddp.MAP_NAME}: expected packets of {ddp.MAP_BYTES} bytes, found {len(content)} bytes"
        )
    streams = []
    for at in range(0, len(content), ddp.MAP_BYTES):
        packet = content[at : at + ddp.MAP_BYTES].decode("latin-1")
        if not packet.startswith("VVVM"):
            raise AudioError(f"{folder / ddp.MAP_NAME}: expected VVVM at byte {at}, found {packet[:4]!r}")
        name = packet[74:91].strip()
        if not name or Path(name).name != name:
            raise AudioError(f"{folder / ddp.MAP_NAME}: expected the name of a file, found {name!r}")
        length = _number(packet[14:22], folder / ddp.MAP_NAME)
        streams.append(_Stream(packet[4:6], length, packet[30:38].strip(), packet[38:40].strip(), name))
    return streams


def _only(streams: list[_Stream], folder: Path, sort: str) -> _Stream:
    """Return the one stream of a sort: a subcode, or the mode of the audio."""
    found = [stream for stream in streams if sort in (stream.subcode, stream.mode)]
    if len(found) != 1:
        raise AudioError(f"{folder / ddp.MAP_NAME}: expected one stream {sort!r}, found {len(found)}")
    return found[0]


def _texts(folder: Path, streams: list[_Stream]) -> tuple[dict[int, list[str]], list[str]]:
    names = [stream.name for stream in streams if stream.subcode == "CDTEXT"]
    if not names:
        return {}, []
    try:
        return texts_in(_bytes_of(folder / names[0])), []
    except ValueError as error:
        return {}, [f"{names[0]}: {error}"]


def _disc(path: Path, texts: dict[int, list[str]], identity: str) -> tuple[Disc, list[str]]:
    """Return the disc of a PQ descriptor, and what is wrong with that."""
    content = _bytes_of(path)
    if not content or len(content) % ddp.PQ_BYTES:
        raise AudioError(f"{path}: expected packets of {ddp.PQ_BYTES} bytes, found {len(content)} bytes")
    places: dict[str, dict[int, int]] = {}
    heads: dict[str, str] = {}
    for at in range(0, len(content), ddp.PQ_BYTES):
        packet = content[at : at + ddp.PQ_BYTES].decode("latin-1")
        if not packet.startswith("VVVS"):
            raise AudioError(f"{path}: expected VVVS at byte {at}, found {packet[:4]!r}")
        track = packet[4:6]
        heads.setdefault(track, packet)
        places.setdefault(track, {})[_number(packet[6:8], path)] = _sector(packet, path)
    if _LEAD_OUT not in places:
        raise AudioError(f"{path}: expected a lead-out (track AA), found none")
    names = [name for name in places if name not in (_LEAD_IN, _LEAD_OUT)]
    problems = []
    if names != [f"{n:02d}" for n in range(1, len(names) + 1)]:
        problems.append(f"{path.name}: expected tracks from 01 up without a gap, found {', '.join(names)}")
    tracks = []
    for number, name in enumerate(names, start=1):
        found = dict(sorted(places[name].items()))
        pregap = found.pop(0, None)
        if list(found) != list(range(1, len(found) + 1)) or not found:
            raise AudioError(f"{path}: expected indexes from 01 up in track {name}, found {list(found)}")
        control = heads[name][16]
        bits = int(control, 16) if control in "0123456789ABCDEF" else 0
        isrc = heads[name][20:32].strip()
        tracks.append(
            DiscTrack(
                indexes=tuple(found.values()),
                pregap_sector=pregap,
                title=_text(texts, TITLE, number),
                performer=_text(texts, PERFORMER, number),
                isrc=isrc or None,
                pre_emphasis=bool(bits & 1),
                copy_permitted=bool(bits & 2),
            )
        )
    ean = identity[8:21].strip() or heads.get(_LEAD_IN, "")[32:45].strip()
    disc = Disc(
        tracks=tuple(tracks),
        lead_out=next(iter(places[_LEAD_OUT].values())),
        title=_text(texts, TITLE, 0),
        performer=_text(texts, PERFORMER, 0),
        ean=ean.rjust(13, "0") if ean else None,
    )
    return disc, problems


def _image_problems(path: Path, stream: _Stream, disc: Disc) -> list[str]:
    size = path.stat().st_size if path.is_file() else 0
    problems = []
    if size != stream.length * SECTOR_BYTES:
        problems.append(
            f"{path.name}: expected {stream.length * SECTOR_BYTES} bytes ({stream.length} sectors, as the "
            f"map says), found {size}"
        )
    if stream.length != disc.lead_out:
        problems.append(
            f"the map says {stream.length} sectors ({msf_text(stream.length)}), the lead-out is at "
            f"{msf_text(disc.lead_out)}"
        )
    return problems


def _sum_problems(folder: Path) -> list[str]:
    """Return the files whose MD5 is not the one that stands in the fileset."""
    listed = next((folder / name for name in _SUM_FILES if (folder / name).is_file()), None)
    if listed is None:
        return ["no MD5 sums are with it: what was changed on the way cannot be told"]
    problems = []
    for line in listed.read_text("latin-1").splitlines():
        wanted, _, name = line.strip().replace("*", " ").partition(" ")
        name = name.strip()
        if not name or len(wanted) != 32:
            continue
        if Path(name).name != name or not (folder / name).is_file():
            problems.append(f"{listed.name} names {name!r}, which is not there")
        elif ddp.md5_of(folder / name) != wanted.lower():
            problems.append(f"{name}: its MD5 is not the one in {listed.name}")
    return problems


def _text(texts: dict[int, list[str]], kind: int, number: int) -> str:
    its = texts.get(kind, [])
    return its[number] if number < len(its) else ""


def _sector(packet: str, path: Path) -> int:
    """Return the time of a PQ packet, which has blanks or zeros for its hours."""
    digits = packet[8:16].strip().rjust(8, "0")
    hours, minutes, seconds, frames = (_number(digits[at : at + 2], path) for at in range(0, 8, 2))
    return ((hours * 60 + minutes) * 60 + seconds) * SECTORS_PER_SECOND + frames


def _number(text: str, path: Path) -> int:
    if not text.strip().isdecimal():
        raise AudioError(f"{path}: expected a number, found {text!r}")
    return int(text)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path}: expected a file of a DDP fileset: {error.strerror}") from error
