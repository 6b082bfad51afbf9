"""The results of a batch as ``results.json``, ``results.csv`` and ``results.html``, failures first."""

from __future__ import annotations

import csv
import html
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from refmaster.batch.runner import Row, Summary
from refmaster.errors import ExitCode
from refmaster.io.atomic import write_text
from refmaster.version import __version__

STATES = {
    ExitCode.DONE: "done",
    ExitCode.PROMISE_NOT_MET: "promise not met",
    ExitCode.BAD_INPUT: "bad input",
    ExitCode.FAULT: "fault",
    ExitCode.TIMEOUT: "timed out",
    ExitCode.NOT_RUN: "not run",
    ExitCode.CRASHED: "crashed",
    ExitCode.OUT_OF_MEMORY: "out of memory",
}
ASKED = ("integrated_lufs", "true_peak_dbtp")
ACHIEVED = ("integrated_lufs", "true_peak_dbtp", "loudness_range_lu", "duration_s", "host")
COLUMNS = (
    "code", "state", "kept", "kind", "title", "output", "message",
    "asked_integrated_lufs", "integrated_lufs", "asked_true_peak_dbtp", "true_peak_dbtp", "loudness_range_lu",
    "duration_s", "findings", "seconds", "host", "input", "place",
)  # fmt: skip


def write_results(summary: Summary, folder: Path) -> list[Path]:
    """Write the three files into a folder and return them; each is replaced when it is complete.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    rows = sorted(summary.rows, key=lambda row: row.result.code == ExitCode.DONE)
    texts = {
        "results.json": _json(rows, summary),
        "results.csv": _csv(rows),
        "results.html": _page(rows),
    }
    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)
    return [folder / name for name in texts]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows are in each state; those that are kept and done count as kept."""
    done = ExitCode.DONE
    return dict(
        Counter("kept" if row.kept and row.result.code == done else STATES[row.result.code] for row in rows)
    )


def _json(rows: Sequence[Row], summary: Summary) -> str:
    value = {
        "made_by": f"refmaster {__version__}",
        "exit_code": summary.exit_code,
        "counts": counts(rows),
        "jobs": [_record(row) for row in rows],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _record(row: Row) -> dict[str, Any]:
    task = row.task
    return {
        **row.result.as_json(),
        "state": STATES[row.result.code],
        "kept": row.kept,
        "kind": task.kind,
        "title": task.title,
        "inputs": task.inputs,
        "outputs": task.outputs,
        "place": task.place,
        "options": task.options,
    }


def _csv(rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        flat = {
            **_record(row),
            "code": int(row.result.code),
            "output": row.task.outputs[0],
            "input": row.task.inputs[0],
            "findings": " | ".join(str(finding["message"]) for finding in row.result.findings),
            **{f"asked_{name}": row.result.asked.get(name) for name in ASKED},
            **{name: row.result.achieved.get(name) for name in ACHIEVED},
        }
        writer.writerow({name: _no_formula(value) for name, value in flat.items()})
    return stream.getvalue()


def _no_formula(value: Any) -> Any:
    """Return a cell that no spreadsheet runs."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _page(rows: Sequence[Row]) -> str:
    page = Template(Path(__file__).with_name("results.html").read_text(encoding="utf-8"))
    tally = " · ".join(f"<b>{number}</b> {html.escape(state)}" for state, number in counts(rows).items())
    return page.substitute(
        tally=tally or "no jobs",
        rows="\n".join(_page_row(row) for row in rows),
        made_by=html.escape(f"refmaster {__version__}"),
        seconds=f"{sum(row.result.seconds for row in rows if not row.kept):.1f}",
    )


def _page_row(row: Row) -> str:
    task, result = row.task, row.result
    styles = {ExitCode.DONE: "ok", ExitCode.PROMISE_NOT_MET: "warn"}
    levels = [numbers.get(name) for name in ASKED for numbers in (result.asked, result.achieved)]
    notes = [f'<p class="message">{html.escape(result.message)}</p>'] if result.message else []
    others = [str(f["message"]) for f in result.findings if f["severity"] != "broken_promise"]
    if others:
        items = "".join(f"<li>{html.escape(message)}</li>" for message in others)
        name = "1 finding" if len(others) == 1 else f"{len(others)} findings"
        notes.append(f"<details><summary>{name}</summary><ul>{items}</ul></details>")
    if result.detail:
        notes.append(f"<details><summary>details</summary><pre>{html.escape(result.detail)}</pre></details>")
    cells = [
        f'<td class="state">{STATES[result.code]}{" (kept)" if row.kept else ""}</td>',
        f'<td><div class="title">{html.escape(task.title)}</div>'
        f'<div class="path">{html.escape(task.key)}</div></td>',
        f"<td>{html.escape(task.kind)}</td>",
        *(f'<td class="number">{"–" if level is None else f"{level:.1f}"}</td>' for level in levels),
        f'<td class="number">{result.seconds:.1f}</td>',
        f"<td>{''.join(notes)}</td>",
    ]
    return f'<tr class="{styles.get(result.code, "bad")}">{"".join(cells)}</tr>'
