"""The screen of a batch: a live table on a terminal, one line for each event where output is piped."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from refmaster.batch.results import counts
from refmaster.batch.task import STATES, Event, Task, TaskResult
from refmaster.cli import screen
from refmaster.errors import ExitCode
from refmaster.io.names import shown_line

if TYPE_CHECKING:
    from refmaster.batch.decide import Decision
    from refmaster.batch.runner import Summary

_SHOWN_RUNNING = 32


class BatchScreen:
    """Listens to a batch and shows it; see `refmaster.batch.runner.Listener`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._total = 0
        self._ended = 0
        self._live: Any = None
        self._bars: dict[str, Any] = {}
        self._overall: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[stage]}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True, highlight=False),
                transient=True,
            )
            self._live.start()
            self._overall = self._live.add_task("all jobs", total=None, stage="planning")
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line, above the table where there is one."""
        if self._live is not None:
            self._live.console.print(shown_line(text), markup=False)
        else:
            screen.print_text(shown_line(text))

    def decided(self, decisions: Sequence[tuple[Task, Decision]]) -> None:
        """Say what is run and why, and how many are kept."""
        self._total += len(decisions)
        kept = sum(not decision.run for _, decision in decisions)
        self._ended += kept
        if self._quiet or not decisions:
            return
        for task, decision in decisions:
            if decision.run and decision.why != "new":
                self.say(f"again   {task.key}: {decision.why}")
            elif not decision.run and decision.why != "nothing changed":
                self.say(f"kept    {task.key}: {decision.why}")
        if kept:
            self.say(f"kept    {kept} of {len(decisions)}: nothing changed")
        self._draw()

    def told(self, text: str) -> None:
        """Say why nothing goes on, or that it does again."""
        if not self._quiet:
            self.say(text)

    def went_on(self, task: Task, event: Event) -> None:
        """Move the task's bar; piped, only what is out of the ordinary is said."""
        if event.stage.startswith("again") and not self._quiet:
            self.say(f"again   {task.key}: {event.stage.removeprefix('again: ')}")
        if self._live is None:
            return
        bar = self._bars.get(task.key)
        if bar is None and len(self._bars) < _SHOWN_RUNNING:
            bar = self._bars[task.key] = self._live.add_task(
                shown_line(task.title[:40]), total=1.0, stage=event.stage
            )
        if bar is not None:
            self._live.update(bar, completed=event.share or 0.0, stage=event.stage)

    def ended(self, task: Task, result: TaskResult) -> None:
        """Say how a task ended."""
        self._ended += 1
        bar = self._bars.pop(task.key, None)
        if bar is not None:
            self._live.remove_task(bar)
        if not self._quiet:
            self.say(self._line(task, result))
        self._draw()

    def conclude(self, summary: Summary, *, verbose: bool = False) -> None:
        """Print what failed (again, at the end, where it is seen), the counts, and where the results are."""
        for row in summary.rows:
            result = row.result
            for finding in result.findings if verbose else ():
                if finding["severity"] != "broken_promise":
                    screen.print_text(shown_line(f"{row.task.key}: {finding['message']}"))
            if result.code != ExitCode.DONE:
                state, key, place = STATES[result.code], row.task.key, row.task.place
                screen.print_text(shown_line(f"{state}: {key}: {result.message} ({place})"), error=True)
        if not self._quiet:
            tally = ", ".join(f"{number} {state}" for state, number in counts(summary.rows).items())
            screen.print_text(f"{len(summary.rows)} jobs: {tally or 'none'}")
            if summary.page is not None:
                screen.print_text(f"results {shown_path(summary.page)}")

    def _line(self, task: Task, result: TaskResult) -> str:
        head = f"[{self._ended}/{self._total}] {STATES[result.code]}  {task.key}"
        if result.code != ExitCode.DONE:
            return f"{head}: {result.message}"
        lufs, peak = (result.achieved.get(name) for name in ("integrated_lufs", "true_peak_dbtp"))
        levels = f"  {lufs:.1f} LUFS  {peak:.1f} dBTP" if lufs is not None and peak is not None else ""
        return f"{head}{levels}  {result.seconds:.1f} s"

    def _draw(self) -> None:
        if self._live is not None:
            stage = f"{self._ended} of {self._total}"
            self._live.update(self._overall, total=self._total, completed=self._ended, stage=stage)


def shown_path(path: Path) -> str:
    """Return a path as it is shorter: from the working folder where it lies below that."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


@contextlib.contextmanager
def stop_on_interrupt(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yield whether Ctrl-C was pressed: the first one lets what runs finish, the second one abandons it."""
    asked = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("finishing what runs; press Ctrl-C again to abandon it")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
