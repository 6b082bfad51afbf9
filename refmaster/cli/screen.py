"""Print progress on standard error, tables and findings on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import typer

from refmaster.errors import ExitCode
from refmaster.io.names import shown, shown_line

if TYPE_CHECKING:
    from refmaster._types import Progress
    from refmaster.check.findings import Finding
    from refmaster.cli.options import Printing
    from refmaster.rendering.result import MasterResult

PIPED_WIDTH = 120
STAGE_CELLS = 44
MARKS = {"info": "note", "warning": "warning", "broken_promise": "NOT MET"}


@contextmanager
def progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """Yield a progress callback that draws on a terminal; None where there is none or it is not wanted."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    from refmaster.cli.table import elided

    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with ProgressBar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def update(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=elided(shown_line(stage), STAGE_CELLS), completed=done, total=total)

        yield update


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> None:
    """Print a table that fits the terminal; columns from `text_columns` on are numbers and align right."""
    from refmaster.cli.table import table_lines

    width = _terminal_width(sys.stdout) or PIPED_WIDTH
    safe_header, *safe_rows = [[type(cell)(shown(cell)) for cell in row] for row in (header, *rows)]
    lines = table_lines(safe_header, safe_rows, text_columns=text_columns, width=width)
    print("", *lines, "", sep="\n")


def print_text(text: str, *, indent: int = 0, error: bool = False) -> None:
    """Print a paragraph: wrapped between words on a terminal, whole where a script reads it.

    What a terminal might act on is escaped: names and tags may hold anything.
    """
    stream = sys.stderr if error else sys.stdout
    width = _terminal_width(stream)
    lines = shown(text).split("\n")
    if width is not None and any(len(line) > width for line in lines):
        from refmaster.cli.table import wrapped

        lines = [part for line in lines for part in wrapped(line, width, indent=indent)]
    print("\n".join(lines), file=stream, flush=True)


def _terminal_width(stream: TextIO) -> int | None:
    """Return how many cells a line of a terminal has; None where `stream` is none."""
    if not stream.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size((PIPED_WIDTH, 24)).columns


def print_findings(findings: Sequence[Finding], *, quiet: bool) -> None:
    """Print findings, worst first; `quiet` leaves only what was not met, on standard error."""
    order = {"broken_promise": 0, "warning": 1, "info": 2}
    for finding in sorted(findings, key=lambda f: order[f.severity]):
        if quiet and finding.severity != "broken_promise":
            continue
        print_text(shown_line(f"{MARKS[finding.severity]}: {finding}"), indent=2, error=quiet)


def complain(message: str) -> None:
    """Print what is wrong on standard error."""
    print_text(f"refmaster: {message}", error=True)


def print_json(value: Any) -> None:
    """Print one JSON object; a number that JSON does not know is a fault."""
    import json

    print(shown(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)))


def conclude_master(result: MasterResult, printing: Printing, told: Sequence[str] = ()) -> NoReturn:
    """Print one master as JSON, or as table, findings and (verbose) decisions, and end the verb.

    `told` is what is to be told before: which references were chosen.
    """
    from refmaster.cli.table import Name
    from refmaster.report.result import (
        REFERENCE_HEADER,
        has_one_reference,
        reference_rows,
        result_json,
        result_rows,
    )

    if printing.as_json:
        print_json(result_json(result))
    else:
        if not printing.quiet:
            several = bool(result.references) and not has_one_reference(result)
            for line in told:
                print_text(line, indent=10)
            references = [Name(f"reference\n{shown_line(r.name)}") for r in result.references[:1]]
            header = ["", "", "mix", *(["aimed at"] if several else references), "master"]
            print_table(header, result_rows(result), text_columns=2)
            if several:
                print_table(REFERENCE_HEADER, reference_rows(result))
            print_decisions(result, verbose=printing.verbose)
            for layer in printing.layers if printing.verbose else ():
                print_text(f"settings {layer}", indent=9)
        told_later = ("playback_quieter",)
        findings = [f for f in result.findings if printing.verbose or f.code not in told_later]
        print_findings(findings, quiet=printing.quiet)
    conclude(kept_promises=result.kept_promises)


def conclude(*, kept_promises: bool) -> NoReturn:
    """End a verb with the exit code that says whether every promise was kept."""
    raise typer.Exit(ExitCode.DONE if kept_promises else ExitCode.PROMISE_NOT_MET)


def print_decisions(result: MasterResult, *, verbose: bool) -> None:
    """Print what was decided: level and limiting always, the spectrum's regions when asked."""
    from refmaster.report.result import dynamics_done, tone_left

    plan = result.plan
    if plan.repair.why:
        print_text(f"repair  {plan.repair.why}", indent=8)
    print_text(f"level   {plan.level.in_words()}", indent=8)
    print_text(f"limiter {_limiting(result)}", indent=8)
    print_text(f"tone    {plan.tone.why}", indent=8)
    told = (
        ("", tone_left(result)),
        ("width", plan.tone.width_why),
        ("parts", plan.sections.why),
        ("dynamics", dynamics_done(result)),
    )
    for name, text in told:
        if text:
            print_text(f"{name:<7} {text}", indent=8)
    if verbose and plan.tone.regions:
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
    if verbose:
        print_text(f"balance {plan.balance.left_over_right_db:+.2f} dB: {plan.balance.why}", indent=8)
        print(f"renders {result.renders}")
    if result.output is not None:
        source = result.master.source
        kind = f"{source.container} {source.subtype}, {source.sample_rate_hz} Hz"
        print_text(f"written {shown_line(str(result.output))} ({kind})", indent=8)


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
