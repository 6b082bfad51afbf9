"""The rules of the Red Book, CD-Text, DDP filesets and cue sheets."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.errors import AudioError, SettingsError
from refmaster.release import ddp
from refmaster.release.cdtext import PERFORMER, TITLE, cd_text_of, texts_in
from refmaster.release.cue import cue_text
from refmaster.release.ddp_reader import read_ddp, track_bytes
from refmaster.release.disc import MAX_DISC_SECTORS, SECTOR_BYTES, Disc, DiscTrack, disc_problems, msf_text

DISC = Disc(
    title="Disc",
    performer="Somebody",
    ean="5012345678900",
    lead_out=2400,
    tracks=(
        DiscTrack(indexes=(150,), pregap_sector=0, title="One", performer="Somebody", isrc="DEA122400001"),
        DiscTrack(indexes=(900, 1100), pregap_sector=825, title="Two, élan", performer="Somebody else"),
        DiscTrack(indexes=(1650,), title="Three", performer="Somebody", copy_permitted=True),
    ),
)


def with_track(number: int, **values: object) -> Disc:
    tracks = list(DISC.tracks)
    tracks[number - 1] = replace(tracks[number - 1], **values)  # type: ignore[arg-type]
    return replace(DISC, tracks=tuple(tracks))


def test_a_disc_that_can_be_pressed_has_no_problem() -> None:
    assert disc_problems(DISC) == []
    assert disc_problems(replace(DISC, lead_out=MAX_DISC_SECTORS)) == []


@pytest.mark.parametrize(
    ("disc", "said"),
    [
        (replace(DISC, tracks=()), "expected 1 to 99 tracks on a CD, found 0"),
        (replace(DISC, tracks=DISC.tracks[:1] + DISC.tracks[2:] * 99), "found 100"),
        (replace(DISC, lead_out=MAX_DISC_SECTORS + 1), "79.8 minutes"),
        (with_track(1, indexes=(149,)), "track 1: expected its music to begin at 00:02:00 or later"),
        (with_track(1, pregap_sector=None), "track 1: expected its pause to begin at 00:00:00"),
        (with_track(2, indexes=(900, 900)), "track 2: expected indexes that rise"),
        (with_track(2, indexes=(900, 1650)), "track 2: expected indexes that rise and lie within the track"),
        (with_track(2, pregap_sector=900), "track 2: expected indexes that rise"),
        (with_track(2, indexes=tuple(range(900, 1000))), "track 2: expected at most 99 indexes, found 100"),
        (with_track(3, indexes=(2101,)), "track 3: expected at least 4 s, found 3.99 s"),
    ],
)
def test_each_rule_is_named(disc: Disc, said: str) -> None:
    assert any(said in problem for problem in disc_problems(disc)), disc_problems(disc)


def test_several_broken_rules_are_named_at_once() -> None:
    assert len(disc_problems(with_track(3, indexes=(2101, 2100)))) == 2


def test_cd_text_reads_back() -> None:
    assert texts_in(cd_text_of(DISC)) == {
        TITLE: ["Disc", "One", "Two, élan", "Three"],
        PERFORMER: ["Somebody", "Somebody", "Somebody else", "Somebody"],
    }


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30), min_size=1, max_size=20
    )
)
def test_any_western_titles_read_back(titles: list[str]) -> None:
    track = DISC.tracks[0]
    disc = replace(DISC, performer="", tracks=tuple(replace(track, title=t, performer="") for t in titles))
    packs = cd_text_of(disc)
    assert len(packs) % 18 == 0
    assert texts_in(packs)[TITLE] == ["Disc", *titles]
    assert PERFORMER not in texts_in(packs)
    numbers = [packs[at + 2] for at in range(0, len(packs), 18)]
    assert numbers == list(range(len(numbers)))


def test_texts_without_a_place_on_a_disc_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"track 2: CD-Text holds .* found '日本'"):
        cd_text_of(with_track(2, title="日本"))
    with pytest.raises(SettingsError, match="shorten the longest"):
        cd_text_of(with_track(2, title="x" * 4000))


def test_a_damaged_pack_is_told() -> None:
    packs = bytearray(cd_text_of(DISC))
    packs[20] ^= 1
    with pytest.raises(ValueError, match="pack 1 has a wrong CRC"):
        texts_in(bytes(packs))


@pytest.fixture
def fileset(tmp_path: Path) -> Path:
    """A fileset with an image of noise."""
    words = np.random.default_rng(1).integers(-(2**15), 2**15, DISC.lead_out * SECTOR_BYTES // 2)
    (tmp_path / ddp.IMAGE_NAME).write_bytes(words.astype("<i2").tobytes())
    ddp.write_checksums(tmp_path, ddp.write_descriptors(tmp_path, DISC, master_id="REF 1"))
    return tmp_path


def test_a_fileset_reads_back(fileset: Path) -> None:
    found = read_ddp(fileset)
    assert found.disc == DISC
    assert found.master_id == "REF 1"
    assert found.problems == ()
    image = (fileset / ddp.IMAGE_NAME).read_bytes()
    tracks = b"".join(b"".join(track_bytes(found, number, piece_bytes=5000)) for number in (1, 2, 3))
    assert tracks == image[150 * SECTOR_BYTES :]


def test_the_records_lie_where_readers_look(fileset: Path) -> None:
    identity = (fileset / ddp.ID_NAME).read_bytes()
    assert (len(identity), identity[:8], identity[8:21], identity[87:89]) == (
        128,
        b"DDP 2.00",
        b"5012345678900",
        b"CD",
    )
    packets = (fileset / ddp.MAP_NAME).read_bytes()
    kinds = [packets[at : at + 128] for at in range(0, len(packets), 128)]
    assert [packet[4:6] + packet[30:38].strip() + packet[38:42].strip() for packet in kinds] == [
        b"S0CDTEXT",
        b"S0PQ DESCR",
        b"D0DA71",
    ]
    assert all(packet[:4] == b"VVVM" and packet[71:74] == b" 17" for packet in kinds)
    assert int(kinds[2][14:22]) == DISC.lead_out
    assert int(kinds[2][46:50]) == 150
    pq = (fileset / ddp.PQ_NAME).read_bytes()
    entries = [pq[at + 4 : at + 18].decode() for at in range(0, len(pq), 64)]
    assert entries == [
        "0000  00000001",
        "0100  00000001",
        "0101  00020001",
        "0200  00110001",
        "0201  00120001",
        "0202  00145001",
        "0301  00220021",
        "AA01  00320001",
        "AA01  00320001",
    ]


def test_other_writers_ways_are_read(fileset: Path) -> None:
    """Hours as zeros, lengths with zeros, another name for the PQ descriptor, one lead-out, no flags."""
    pq = (fileset / ddp.PQ_NAME).read_bytes()[:-64]
    pieces = [bytearray(pq[at : at + 64]) for at in range(0, len(pq), 64)]
    for piece in pieces:
        piece[8:10] = b"00"
    (fileset / "SD").write_bytes(b"".join(map(bytes, pieces)))
    packets = bytearray((fileset / ddp.MAP_NAME).read_bytes())
    packets[128 + 74 : 128 + 91] = b"SD".ljust(17)
    packets[256 + 14 : 256 + 22] = b"00002400"
    packets[256 + 40 : 256 + 42] = b"00"
    (fileset / ddp.MAP_NAME).write_bytes(packets)
    (fileset / ddp.CHECKSUM_NAME).unlink()
    found = read_ddp(fileset)
    assert found.disc == DISC
    assert found.problems == ("no MD5 sums are with it: what was changed on the way cannot be told",)


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        (ddp.IMAGE_NAME, 1000, "IMAGE.DAT: its MD5 is not the one in CHECKSUM.MD5"),
        (ddp.TEXT_NAME, 5, "CDTEXT.BIN: pack 0 has a wrong CRC"),
    ],
)
def test_a_changed_byte_is_found(fileset: Path, name: str, at: int, said: str) -> None:
    content = bytearray((fileset / name).read_bytes())
    content[at] ^= 1
    (fileset / name).write_bytes(content)
    assert said in read_ddp(fileset).problems


def test_a_short_image_is_found(fileset: Path) -> None:
    content = (fileset / ddp.IMAGE_NAME).read_bytes()
    (fileset / ddp.IMAGE_NAME).write_bytes(content[:-SECTOR_BYTES])
    found = read_ddp(fileset, sums=False)
    assert any("expected 5644800 bytes (2400 sectors" in problem for problem in found.problems)
    with pytest.raises(AudioError, match="found its end"):
        b"".join(track_bytes(found, 3))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (ddp.ID_NAME, b"DDP 1.01".ljust(128), "expected 128 bytes that begin with 'DDP 2.00'"),
        (ddp.MAP_NAME, b"", "expected packets of 128 bytes, found 0 bytes"),
        (ddp.MAP_NAME, b"X" * 128, "expected VVVM at byte 0"),
        (ddp.PQ_NAME, b"VVVS", "expected packets of 64 bytes"),
        (ddp.PQ_NAME, b"VVVS01xx".ljust(64), "expected a number, found 'xx'"),
        (ddp.PQ_NAME, b"VVVS0101  00020001".ljust(64), "expected a lead-out"),
    ],
)
def test_what_is_no_fileset_is_refused(fileset: Path, name: str, content: bytes, said: str) -> None:
    (fileset / name).write_bytes(content)
    with pytest.raises(AudioError, match=said):
        read_ddp(fileset)


def test_a_map_cannot_name_files_elsewhere(fileset: Path) -> None:
    packets = bytearray((fileset / ddp.MAP_NAME).read_bytes())
    packets[256 + 74 : 256 + 91] = b"../IMAGE.DAT".ljust(17)
    (fileset / ddp.MAP_NAME).write_bytes(packets)
    with pytest.raises(AudioError, match="expected the name of a file"):
        read_ddp(fileset)


def test_the_cue_sheet_is_read_by_another_parser(tmp_path: Path) -> None:
    if shutil.which("cueprint") is None:
        pytest.skip("cuetools is not installed")
    cue = tmp_path / "disc.cue"
    cue.write_text(cue_text(DISC, "disc.wav"), encoding="utf-8")
    asked = ["cueprint", "-d", "%N|%T|%P\n", "-t", "%n|%t|%p|%i\n", str(cue)]
    shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == [
        "3|Disc|Somebody",
        "1|One|Somebody|DEA122400001",
        "2|Two, élan|Somebody else|",
        "3|Three|Somebody|",
    ]
    asked = ["cuebreakpoints", "--append-gaps", str(cue)]
    breaks = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert breaks == ["0:10.00", "0:20.00"]
    assert "    INDEX 00 00:09:00\n    INDEX 01 00:10:00\n    INDEX 02 00:12:50\n" in cue.read_text("utf-8")
    assert cue.read_text("utf-8").startswith("CATALOG 5012345678900\n")


def test_positions_are_minutes_seconds_and_frames() -> None:
    assert [msf_text(sectors) for sectors in (0, 74, 75, 4500, MAX_DISC_SECTORS)] == [
        "00:00:00",
        "00:00:74",
        "00:01:00",
        "01:00:00",
        "79:48:00",
    ]
