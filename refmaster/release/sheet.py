"""The release sheet: what is on the record and in the folder, for a plant, a distributor and an archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from refmaster.io.digest import sha256_of
from refmaster.release.disc import SECTORS_PER_SECOND, msf_text
from refmaster.release.page import sheet_page
from refmaster.release.place import RECORD_NAME
from refmaster.release.result import ReleaseResult
from refmaster.release.transitions import named
from refmaster.release.words import by_and_title, duration_text, form_text, length_text, number_text
from refmaster.version import made_by

SHEET_NAME, PAGE_NAME = "release.txt", "release.html"


def write_sheet(result: ReleaseResult, folder: Path) -> None:
    """Write the sheet as text and as a page, and the record as JSON, into the folder that is being made."""
    record = release_record(result, folder)
    pages = {SHEET_NAME: sheet_text(record), PAGE_NAME: sheet_page(record)}
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8", newline="\n")
        record["files"][name] = sha256_of(folder / name)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / RECORD_NAME).write_text(text, encoding="utf-8", newline="\n")


def release_record(result: ReleaseResult, folder: Path) -> dict[str, Any]:
    """Return the record of a release as JSON data."""
    settings = result.request.album.settings
    disc, layout = result.disc, result.layout
    names = sorted(name for each in result.sets for name in (*each.files, *each.others))
    return {
        "version": 1,
        "made_by": made_by(),
        "title": settings.title,
        "artist": settings.artist,
        "barcode": settings.barcode,
        "album_lufs": None if result.integrated_lufs is None else round(result.integrated_lufs, 2),
        "duration_s": round(layout.sectors / SECTORS_PER_SECOND, 3),
        "tracks": [_track(result, number) for number in range(len(layout.marks))],
        "transitions": list(named(result.transitions)),
        "lead_out": msf_text(disc.lead_out),
        "sets": [
            {
                "name": each.name,
                "sample_rate_hz": each.sample_rate_hz,
                "files": list(each.files),
                "others": list(each.others),
                "sample_peaks_dbfs": [
                    None if peak is None else round(peak, 3) for peak in each.sample_peaks_dbfs
                ],
                "max_reduction_db": round(each.max_reduction_db, 2),
            }
            for each in result.sets
        ],
        "findings": [finding.model_dump(mode="json") for finding in result.all_findings()],
        "files": {name: sha256_of(folder / name) for name in names},
    }


def _track(result: ReleaseResult, number: int) -> dict[str, Any]:
    marks, track = result.layout.marks[number], result.disc.tracks[number]
    levels = result.masters[marks.song].levels
    return {
        "number": number + 1,
        "title": track.title,
        "artist": track.performer or None,
        "isrc": track.isrc,
        "start": msf_text(marks.indexes[0]),
        "length_s": round(result.disc.track_sectors()[number] / SECTORS_PER_SECOND, 3),
        "gap_before_s": round(result.layout.gaps_s[marks.song], 3),
        "indexes": [msf_text(sector) for sector in marks.indexes],
        "integrated_lufs": levels.integrated_lufs,
        "loudness_range_lu": levels.loudness_range_lu,
        "true_peak_dbtp": levels.true_peak_dbtp,
    }


def sheet_text(record: dict[str, Any]) -> str:
    """Return the sheet as text of at most 100 columns."""
    title = by_and_title(record) or "Release"
    lines = [title, "=" * len(title)]
    if record["barcode"]:
        lines.append(f"EAN/UPC {record['barcode']}")
    lines += [f"{len(record['tracks'])} tracks, {duration_text(record['duration_s'])}", ""]
    lines.append(
        f"{'':>2}  {'start':>8}  {'length':>7}  {'gap':>5}  {'LUFS':>6}  {'dBTP':>6}  {'ISRC':12}  title"
    )
    for track in record["tracks"]:
        shown = [
            f"{track['number']:>2}",
            f"{track['start']:>8}",
            length_text(track["length_s"]).rjust(7),
            f"{track['gap_before_s']:.1f}".rjust(5),
            number_text(track["integrated_lufs"], 1).rjust(6),
            number_text(track["true_peak_dbtp"], 2).rjust(6),
            f"{track['isrc'] or '':12}",
            by_and_title(track),
        ]
        lines.append("  ".join(shown).rstrip())
    lines += ["", "start: minutes:seconds:frames (1/75 s) from the start of the program", ""]
    lines += [f"{each['name']}: {form_text(each)}" for each in record["sets"]]
    lines += ["", "SHA-256"]
    lines += [f"{digest}  {name}" for name, digest in record["files"].items()]
    return "\n".join(lines) + "\n"
