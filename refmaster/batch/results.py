"""The results of a batch as ``results.json``, ``results.csv`` and ``results.html``, failures first."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refmaster.batch.page import results_page
from refmaster.batch.runner import Row, Summary
from refmaster.batch.task import STATES
from refmaster.errors import ExitCode
from refmaster.io.atomic import write_text
from refmaster.version import __version__

DONE = STATES[ExitCode.DONE]
ASKED = ("integrated_lufs", "true_peak_dbtp")
ACHIEVED = ("integrated_lufs", "true_peak_dbtp", "loudness_range_lu", "duration_s", "host")
COLUMNS = (
    "code", "state", "kept", "kind", "title", "output", "message",
    "asked_integrated_lufs", "integrated_lufs", "asked_true_peak_dbtp", "true_peak_dbtp", "loudness_range_lu",
    "duration_s", "findings", "seconds", "host", "input", "place",
)  # fmt: skip


def write_results(summary: Summary, folder: Path, *, name: str) -> list[Path]:
    """Write the three files into a folder and return them; each is replaced when it is complete.

    Parameters
    ----------
    summary : Summary
        The results.
    folder : Path
        Where to write; links of the page are relative to it.
    name : str
        The batch's, for the page's heading.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    rows = sorted(summary.rows, key=lambda row: row.state == DONE)
    texts = {
        "results.json": results_json(summary),
        "results.csv": _csv(rows),
        "results.html": results_page(rows, counts(rows), folder, name=name),
    }
    for file, text in texts.items():
        write_text(folder / file, text, overwrite=True)
    return [folder / file for file in texts]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows are in each state; those that are kept and done count as kept."""
    return dict(Counter("kept" if row.kept and row.state == DONE else row.state for row in rows))


def results_json(summary: Summary) -> str:
    """Return the results as JSON, failures first."""
    rows = sorted(summary.rows, key=lambda row: row.state == DONE)
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
        "message": row.message,
        "state": row.state,
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
