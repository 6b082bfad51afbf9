"""What came of a batch: ``results.json``, ``results.csv`` and ``results.html``, what failed first."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from refmaster.batch.runner import Row, Summary
from refmaster.io.atomic import write_text
from refmaster.version import __version__

NAMES = ("results.json", "results.csv", "results.html")
STATES = {
    0: "done",
    1: "promise not met",
    2: "bad input",
    3: "fault",
    124: "timed out",
    125: "not run",
    134: "crashed",
    137: "out of memory",
}
COLUMNS = (
    "code", "state", "kept", "kind", "title", "output", "message",
    "asked_integrated_lufs", "integrated_lufs", "asked_true_peak_dbtp", "true_peak_dbtp", "loudness_range_lu",
    "duration_s", "findings", "seconds", "host", "input", "place",
)  # fmt: skip


def sorted_rows(rows: Sequence[Row]) -> list[Row]:
    """Return rows with a code other than 0 first, otherwise in their order."""
    return sorted(rows, key=lambda row: row.outcome.code == 0)


def write_results(summary: Summary, folder: Path) -> list[Path]:
    """Write the three files into a folder and return them; each is replaced when it is complete.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    rows = sorted_rows(summary.rows)
    texts = (_json(rows, summary), _csv(rows), _page(rows))
    paths = [folder / name for name in NAMES]
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text, overwrite=True)
    return paths


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows are in each state, kept ones apart."""
    found: dict[str, int] = {}
    for row in rows:
        state = STATES.get(row.outcome.code, "failed")
        name = "kept" if row.kept and row.outcome.code == 0 else state
        found[name] = found.get(name, 0) + 1
    return found


def _record(row: Row) -> dict[str, Any]:
    outcome = row.outcome
    return {
        "code": outcome.code,
        "state": STATES.get(outcome.code, "failed"),
        "kept": row.kept,
        "kind": row.task.kind,
        "title": row.task.title,
        "inputs": list(row.task.inputs),
        "outputs": list(row.task.outputs),
        "message": outcome.message,
        "asked": outcome.asked,
        "achieved": outcome.achieved,
        "findings": list(outcome.findings),
        "seconds": outcome.seconds,
        "version": outcome.version,
        "place": row.task.place,
        "options": row.task.options,
        "detail": outcome.detail,
    }


def _json(rows: Sequence[Row], summary: Summary) -> str:
    value = {
        "made_by": f"refmaster {__version__}",
        "exit_code": summary.exit_code,
        "counts": counts(rows),
        "jobs": [_record(row) for row in rows],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _flat(row: Row) -> dict[str, Any]:
    record, achieved = _record(row), row.outcome.achieved
    return {
        **{
            name: record[name]
            for name in ("code", "state", "kept", "kind", "title", "message", "seconds", "place")
        },
        "output": row.task.outputs[0],
        "input": row.task.inputs[0],
        "findings": " | ".join(str(f["message"]) for f in row.outcome.findings),
        **{f"asked_{name}": row.outcome.asked.get(name) for name in ("integrated_lufs", "true_peak_dbtp")},
        **{
            name: achieved.get(name)
            for name in ("integrated_lufs", "true_peak_dbtp", "loudness_range_lu", "duration_s", "host")
        },
    }


def _csv(rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flat = _flat(row)
        # A spreadsheet runs what begins like a formula.
        writer.writerow(
            {k: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t" and v else v for k, v in flat.items()}
        )
    return stream.getvalue()


def _page(rows: Sequence[Row]) -> str:
    page = Template(Path(__file__).with_name("results.html").read_text(encoding="utf-8"))
    tally = " · ".join(f"<b>{number}</b> {html.escape(state)}" for state, number in counts(rows).items())
    return page.substitute(
        tally=tally or "no jobs",
        rows="\n".join(_page_row(row) for row in rows),
        made_by=html.escape(f"refmaster {__version__}"),
        seconds=f"{sum(row.outcome.seconds for row in rows if not row.kept):.1f}",
    )


def _page_row(row: Row) -> str:
    flat, outcome = _flat(row), row.outcome
    state = str(flat["state"]) + (" (kept)" if row.kept else "")
    style = "bad" if outcome.code not in (0, 1) else "warn" if outcome.code else "ok"
    notes = [f'<p class="message">{html.escape(outcome.message)}</p>'] if outcome.message else []
    others = [str(f["message"]) for f in outcome.findings if f["severity"] != "broken_promise"]
    if others:
        items = "".join(f"<li>{html.escape(message)}</li>" for message in others)
        name = "1 finding" if len(others) == 1 else f"{len(others)} findings"
        notes.append(f"<details><summary>{name}</summary><ul>{items}</ul></details>")
    if outcome.detail:
        notes.append(f"<details><summary>details</summary><pre>{html.escape(outcome.detail)}</pre></details>")
    cells = [
        f'<td class="state">{html.escape(state)}</td>',
        f'<td><div class="title">{html.escape(row.task.title)}</div>'
        f'<div class="path">{html.escape(row.task.key)}</div></td>',
        f"<td>{html.escape(row.task.kind)}</td>",
        *(
            f'<td class="number">{_number(flat[name])}</td>'
            for name in ("asked_integrated_lufs", "integrated_lufs", "asked_true_peak_dbtp", "true_peak_dbtp")
        ),
        f'<td class="number">{outcome.seconds:.1f}</td>',
        f"<td>{''.join(notes)}</td>",
    ]
    return f'<tr class="{style}">{"".join(cells)}</tr>'


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.1f}"
