"""The release sheet as a page: one file without network, for the screen and for paper."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from refmaster.release.words import by_and_title, duration_text, form_text, length_text, number_text


def sheet_page(record: Mapping[str, Any]) -> str:
    """Return the sheet as HTML.

    Parameters
    ----------
    record : mapping
        As `refmaster.release.sheet.release_record` makes it.
    """
    page = Template(Path(__file__).with_name("sheet.html").read_text(encoding="utf-8"))
    lufs = record["album_lufs"]
    facts = [
        f"{len(record['tracks'])} tracks, {duration_text(record['duration_s'])}",
        *([f"{lufs:.1f} LUFS as a whole"] if lufs is not None else []),
        *([f"EAN/UPC {record['barcode']}"] if record["barcode"] else []),
    ]
    return page.substitute(
        title=_text(record["title"] or "Release"),
        artist=_text(record["artist"] or ""),
        facts=_text(" · ".join(facts)),
        tracks="\n".join(_track(track) for track in record["tracks"]),
        lead_out=_text(record["lead_out"]),
        checks=_checks(record["findings"]),
        sets="\n".join(_set(each) for each in record["sets"]),
        files="\n".join(
            f"<tr><td>{_text(name)}</td><td><code>{_text(digest)}</code></td></tr>"
            for name, digest in record["files"].items()
        ),
        made_by=_text(record["made_by"]),
    )


def _track(track: Mapping[str, Any]) -> str:
    numbers = [
        track["start"],
        length_text(track["length_s"]),
        f"{track['gap_before_s']:.1f}",
        number_text(track["integrated_lufs"], 1),
        number_text(track["loudness_range_lu"], 1),
        number_text(track["true_peak_dbtp"], 2),
    ]
    cells = "".join(f'<td class="number">{_text(number)}</td>' for number in numbers)
    return (
        f'<tr><td class="number">{track["number"]}</td><td>{_text(by_and_title(track))}</td>'
        f"<td>{_text(track['isrc'] or '')}</td>{cells}</tr>"
    )


def _checks(findings: Sequence[Mapping[str, Any]]) -> str:
    told = [each for each in findings if each["severity"] != "info"]
    if not told:
        return "<p>Nothing to warn of.</p>"
    rows = "\n".join(_check(each) for each in told)
    return f"<ul>\n{rows}\n</ul>"


def _check(finding: Mapping[str, Any]) -> str:
    weight = "Broken promise" if finding["severity"] == "broken_promise" else "Warning"
    text = "; ".join(part for part in (finding["message"], finding["advice"]) if part)
    return f'<li class="warning"><b>{weight}:</b> {_text(text)}</li>'


def _set(each: Mapping[str, Any]) -> str:
    facts = f"{len(each['files'])} files, {form_text(each)}"
    return f"<li><b>{_text(each['name'])}</b>: {facts}</li>"


def _text(text: str) -> str:
    return html.escape(text)
