"""Print progress on standard error, tables and findings on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from refmaster.errors import ExitCode
from refmaster.io.names import shown, shown_line

if TYPE_CHECKING:
    from refmaster._types import Progress
    from refmaster.check.findings import Finding
    from refmaster.cli.options import Printing
    from refmaster.mastering import MasterResult
    from refmaster.profile.model import Profile

PIPED_WIDTH = 120
MARKS = {"info": "note", "warning": "warning", "broken_promise": "NOT MET"}


def say(line: str, *, error: bool = False) -> None:
    """Print a line, with escapes for what a terminal might act on: names and tags may hold anything."""
    print(shown_line(line), file=sys.stderr if error else sys.stdout, flush=True)


@contextmanager
def progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """Yield a progress callback that draws on a terminal; None where there is none or it is not wanted."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with ProgressBar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def update(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=shown_line(stage), completed=done, total=total)

        yield update


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> None:
    """Print a table; columns from `text_columns` on are numbers and align right."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, markup=False)
    table = Table(box=SIMPLE, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(shown_line(name), justify="left" if i < text_columns else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(shown_line, row))
    console.print(table)


def print_findings(findings: Sequence[Finding], *, quiet: bool) -> None:
    """Print findings, worst first; `quiet` leaves only what was not met, on standard error."""
    order = {"broken_promise": 0, "warning": 1, "info": 2}
    for finding in sorted(findings, key=lambda f: order[f.severity]):
        if quiet and finding.severity != "broken_promise":
            continue
        say(f"{MARKS[finding.severity]}: {finding}", error=quiet)


def print_json(value: Any) -> None:
    """Print one JSON object; a number that JSON does not know is a fault."""
    import json

    print(shown(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)))


def conclude_master(result: MasterResult, printing: Printing) -> NoReturn:
    """Print one master as JSON, or as table, findings and (verbose) decisions, and end the verb."""
    from refmaster.report.result import REFERENCE_HEADER, reference_rows, result_json, result_rows

    if printing.as_json:
        print_json(result_json(result))
    else:
        if not printing.quiet:
            header = ["", "", "mix", *[f"reference {r.name}" for r in result.references[:1]], "master"]
            several = len(result.references) > 1
            if several:
                header[3] = "aimed at"
            print_table(header, result_rows(result), text_columns=2)
            if several:
                print_table(REFERENCE_HEADER, reference_rows(result))
            print_decisions(result, verbose=printing.verbose)
        print_findings(result.findings, quiet=printing.quiet)
    conclude(kept_promises=result.kept_promises)


def conclude(*, kept_promises: bool) -> NoReturn:
    """End a verb with the exit code that says whether every promise was kept."""
    raise typer.Exit(ExitCode.DONE if kept_promises else ExitCode.PROMISE_NOT_MET)


def print_decisions(result: MasterResult, *, verbose: bool) -> None:
    """Print what was decided: level and limiting always, the spectrum's regions when asked."""
    from refmaster.report.result import tone_left

    plan = result.plan
    say(f"level   {plan.level.gain_db:+.2f} dB: {plan.level.why}")
    say(f"limiter {_limiting(result)}")
    say(f"tone    {plan.tone.why}")
    for name, text in (("", tone_left(result)), ("width", plan.tone.width_why)):
        if text:
            say(f"{name:<7} {text}")
    if verbose:
        rows = [
            [
                r.name,
                f"{r.low_hz:.0f}-{r.high_hz:.0f}",
                r.why,
                f"{r.difference_db:+.1f}",
                f"{r.applied_db:+.1f}",
            ]
            for r in plan.tone.regions
        ]
        print_table(["region", "Hz", "why", "difference dB", "applied dB"], rows, text_columns=3)
        say(f"balance {plan.balance.left_over_right_db:+.2f} dB: {plan.balance.why}")
        say(f"renders {result.renders}")
    if result.output is not None:
        source = result.master.source
        say(f"written {result.output} ({source.container} {source.subtype}, {source.sample_rate_hz} Hz)")


def _limiting(result: MasterResult) -> str:
    activity = result.limiter
    if activity is None:
        return "off"
    if activity.max_gain_reduction_db < 0.05:
        return "had nothing to do"
    return (
        f"{activity.max_gain_reduction_db:.1f} dB at most; it acts {activity.active_share:.1%} of the time, "
        f"by {activity.mean_gain_reduction_db:.1f} dB on average"
    )


def print_profiles(profiles: Sequence[Profile], more_rows: Sequence[Sequence[str]] = ()) -> None:
    """Print what recordings measure: a column for each of a few, a row for each of many.

    `more_rows` are further rows of ``[name, unit, value, value, ...]``, a value for each profile.
    """
    from refmaster.report.result import SHORT_LEVELS, level_rows

    if len(profiles) <= 3:
        rows = [*level_rows(profiles), *more_rows]
        print_table(["", "", *[p.name for p in profiles]], rows, text_columns=2)
    else:
        rows = [*level_rows(profiles, SHORT_LEVELS), *more_rows]
        header = ["file", *[f"{name} {unit}" for name, unit, *_ in rows]]
        print_table(header, [[p.name, *(r[2 + i] for r in rows)] for i, p in enumerate(profiles)])
    for profile in profiles:
        if not profile.levels.loudness_range_stable:
            say(
                f"note: {profile.name} lasts {profile.source.duration_s:.1f} s; under 60 s the loudness "
                "range may still move"
            )
