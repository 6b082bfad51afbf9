"""What people see: progress on standard error, tables and findings on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refmaster.check.findings import Finding
    from refmaster.mastering import MasterResult
    from refmaster.profile.model import Profile

PIPED_WIDTH = 120
MARKS = {"info": "note", "warning": "warning", "broken_promise": "NOT MET"}


@contextmanager
def progress_bar(wanted: bool) -> Iterator[Callable[[str, int, int | None], None] | None]:
    """Yield a progress callback that draws on a terminal; None where there is none or it is not wanted."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<24}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def update(stage: str, done: int, total: int | None) -> None:
            progress.update(task, description=stage, completed=done, total=total)

        yield update


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> None:
    """Print a table; columns from `text_columns` on are numbers and align right."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, markup=False)
    table = Table(box=SIMPLE, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i < text_columns else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_findings(findings: Sequence[Finding], *, quiet: bool) -> None:
    """Print findings, worst first; `quiet` leaves only what was not met, on standard error."""
    order = {"broken_promise": 0, "warning": 1, "info": 2}
    for finding in sorted(findings, key=lambda f: order[f.severity]):
        if quiet and finding.severity != "broken_promise":
            continue
        print(f"{MARKS[finding.severity]}: {finding}", file=sys.stderr if quiet else sys.stdout)


def print_json(value: Any) -> None:
    """Print one JSON object; numbers that JSON does not know become null."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def report_master(result: MasterResult, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Report one master as JSON or as table, findings and (verbose) decisions."""
    from refmaster.report.result import result_json, result_rows

    if as_json:
        print_json(result_json(result))
        return
    if not quiet:
        header = ["", "", "mix", *[f"reference {r.name}" for r in result.references[:1]]]
        print_table([*header, "master"], result_rows(result), text_columns=2)
        print_decisions(result, verbose=verbose)
    print_findings(result.findings, quiet=quiet)


def print_decisions(result: MasterResult, *, verbose: bool) -> None:
    """Print what was decided: level and limiting always, the spectrum's regions when asked."""
    plan = result.plan
    print(f"level   {plan.level.gain_db:+.2f} dB: {plan.level.why}")
    print(f"limiter {_limiting(result)}")
    print(f"tone    {plan.tone.why}")
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
        print(f"balance {plan.balance.left_over_right_db:+.2f} dB: {plan.balance.why}")
        print(f"renders {result.renders}")
    if result.output is not None:
        source = result.master.source
        print(f"written {result.output} ({source.container} {source.subtype}, {source.sample_rate_hz} Hz)")


def _limiting(result: MasterResult) -> str:
    activity = result.limiter
    if activity is None:
        return "off"
    if activity.max_gain_reduction_db < 0.05:
        return "had nothing to do"
    return (
        f"{activity.max_gain_reduction_db:.1f} dB at most; it acts {activity.active_share:.1%} of the time, "
        f"by {activity.mean_gain_reduction_db:.1f} dB in the mean"
    )


def print_profiles(profiles: Sequence[Profile]) -> None:
    """Print what recordings measure: a column for each of a few, a row for each of many."""
    from refmaster.report.result import LEVEL_ROWS, comparison_rows

    rows = comparison_rows(profiles)
    if len(profiles) <= 3:
        print_table(["", "", *[p.name for p in profiles]], rows, text_columns=2)
    else:
        short = (
            "Integrated loudness",
            "Maximum short-term",
            "Loudness range",
            "True peak",
            "PLR",
            "Side to mid",
        )
        chosen = [row for row, spec in zip(rows, LEVEL_ROWS, strict=True) if spec[0] in short]
        header = ["file", *[f"{row[0]} {row[1]}" for row in chosen]]
        print_table(header, [[p.name, *(r[2 + i] for r in chosen)] for i, p in enumerate(profiles)])
    for profile in profiles:
        if not profile.levels.loudness_range_stable:
            print(
                f"note: {profile.name} lasts {profile.source.duration_s:.1f} s; under 60 s the loudness "
                "range may still move"
            )
