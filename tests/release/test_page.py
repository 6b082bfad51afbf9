"""The release sheet as a page and as text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from refmaster.release.page import sheet_page
from refmaster.release.sheet import sheet_text

RECORD: dict[str, Any] = {
    "version": 1,
    "made_by": "refmaster 1",
    "title": "A <b> & C",
    "artist": None,
    "barcode": "5012345678900",
    "album_lufs": -14.02,
    "duration_s": 371.0,
    "lead_out": "06:13:00",
    "tracks": [
        {
            "number": 1,
            "title": "One & only",
            "artist": "Somebody",
            "isrc": "DEA122400001",
            "start": "00:00:00",
            "length_s": 371.0,
            "gap_before_s": 0.0,
            "indexes": ["00:00:00"],
            "integrated_lufs": None,
            "loudness_range_lu": 4.0,
            "true_peak_dbtp": -1.0,
        }
    ],
    "sets": [
        {"name": "CD", "sample_rate_hz": 44100, "files": ["CD/01.wav"], "others": [], "max_reduction_db": 0.3}
    ],
    "findings": [
        {"severity": "warning", "message": "01: is <quiet>", "advice": "ask"},
        {"severity": "info", "message": "said to nobody", "advice": ""},
    ],
    "files": {"CD/01.wav": "0" * 64},
}


class Reader(HTMLParser):
    """Collects text, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_says_all_and_loads_nothing() -> None:
    reader = Reader()
    reader.feed(sheet_page(RECORD))
    assert reader.open == []
    assert reader.sources == []
    for said in ("A <b> & C", "Somebody - One & only", "DEA122400001", "6:11.0", "-14.0 LUFS as a whole"):
        assert said in reader.text
    assert "Warning: 01: is <quiet>; ask" in reader.text.replace("\n", " ")
    assert "said to nobody" not in reader.text
    assert "CD: 1 files, 44100 Hz, limited by 0.3 dB" in reader.text


def test_the_text_has_the_same_tracks() -> None:
    text = sheet_text(RECORD)
    assert "EAN/UPC 5012345678900" in text
    assert "6:11.0    0.0       -   -1.00  DEA122400001  Somebody - One & only" in text
    assert f"{'0' * 64}  CD/01.wav" in text
