"""The page of a batch's results, for people: what needs attention first, and a link to every file.

The links are relative, so that a folder of masters can be moved or served with its page.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from refmaster.batch import storage
from refmaster.batch.runner import Row
from refmaster.errors import ExitCode
from refmaster.io.names import shown
from refmaster.io.suffixes import is_url
from refmaster.version import __version__

_LEVELS = ("integrated_lufs", "true_peak_dbtp")


def results_page(rows: Sequence[Row], counts: Mapping[str, int], folder: Path, *, name: str) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    rows : sequence of Row
        In the order to show.
    counts : mapping
        How many are in each state.
    folder : Path
        The folder that the page lies in.
    name : str
        The batch's.
    """
    page = Template(Path(__file__).with_name("results.html").read_text(encoding="utf-8"))
    tally = " · ".join(f"<b>{number}</b> {_text(state)}" for state, number in counts.items())
    now = datetime.now().astimezone()
    return page.substitute(
        name=_text(name),
        date=f'<time datetime="{now.isoformat(timespec="seconds")}">{now:%Y-%m-%d %H:%M}</time>',
        tally=tally or "no jobs",
        rows="\n".join(_row(row, folder) for row in rows),
        made_by=_text(f"refmaster {__version__}"),
        seconds=f"{sum(row.result.seconds for row in rows if not row.kept):.1f}",
    )


def _row(row: Row, folder: Path) -> str:
    task, result = row.task, row.result
    styles = {ExitCode.DONE: "ok", ExitCode.PROMISE_NOT_MET: "warn"}
    style = "warn" if row.changed else styles.get(result.code, "bad")
    kept = " (kept)" if row.kept and not row.changed else ""
    asked, achieved = (
        [_number(levels.get(n)) for n in _LEVELS] for levels in (result.asked, result.achieved)
    )
    cells = [
        ("state", "", _text(row.state) + kept),
        ("work", "", f'<div class="title">{_text(task.title)}</div>{_files(row, folder)}'),
        ("", "", _text(task.kind)),
        ("number", "LUFS asked", asked[0]),
        ("number", "LUFS", achieved[0]),
        ("number", "dBTP at most", asked[1]),
        ("number", "dBTP", achieved[1]),
        ("number", "seconds", f"{result.seconds:.1f}"),
        ("notes", "", _notes(row)),
    ]
    columns = (f'<td class="{kind}" data-label="{label}">{content}</td>' for kind, label, content in cells)
    return f'<tr class="{style}">{"".join(columns)}</tr>'


def _files(row: Row, folder: Path) -> str:
    """Return what was written, then what it was made from."""
    written = [_link(at, folder, there=row.result.finished) for at in row.task.outputs]
    read = [_link(at, folder, there=True) for at in row.task.inputs]
    return f'<div class="path">{" · ".join(written)}</div><div class="path">from {" · ".join(read)}</div>'


def _link(location: str, folder: Path, *, there: bool) -> str:
    """Return a file's name, with a link where a browser can follow it."""
    # A plan has its master's name, which stands before it.
    name = "plan" if location.endswith(".plan.yaml") else _text(storage.base_name(location))
    remote = is_url(location)
    if not there or (remote and storage.protocol_of(location) not in ("http", "https")):
        return _text(location) if remote else name
    if remote:
        return f'<a href="{html.escape(location)}">{name}</a>'
    try:
        path = Path(os.path.relpath(location, folder)).as_posix()
    except ValueError:  # another drive
        return name
    return f'<a href="{quote(os.fsencode(path))}">{name}</a>'


def _notes(row: Row) -> str:
    result = row.result
    notes = [f'<p class="message">{_text(row.message)}</p>'] if row.message else []
    others = [str(f["message"]) for f in result.findings if f["severity"] != "broken_promise"]
    if others:
        items = "".join(f"<li>{_text(message)}</li>" for message in others)
        name = "1 finding" if len(others) == 1 else f"{len(others)} findings"
        notes.append(f"<details><summary>{name}</summary><ul>{items}</ul></details>")
    if result.detail:
        notes.append(f"<details><summary>details</summary><pre>{_text(result.detail)}</pre></details>")
    return "".join(notes)


def _number(level: Any) -> str:
    return "–" if level is None else f"{level:.1f}"


def _text(text: str) -> str:
    return html.escape(shown(text))
