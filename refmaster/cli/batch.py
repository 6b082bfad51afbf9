"""``refmaster batch``: many jobs from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.batch.runner import RunOptions
    from refmaster.cli.references import Reference
    from refmaster.settings.match import MatchSettings

JobsFile = Annotated[Path, typer.Argument(metavar="JOBS.yaml", help="The jobs file.")]
Processes = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Processes.  [one for each core]", show_default=False),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0.001, help="End a job that takes longer, s.", show_default=False),
]
Memory = Annotated[
    int | None,
    typer.Option(
        "--memory",
        min=128,
        help="Memory of each process, MB.  [its share of 80 %, at most 4096]",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Do again what is done already.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for another batch on the same folder to end.")]
OverwriteForeign = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files that are no work of this batch.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "batch",
        help="Run the jobs of a YAML file that are still to do.\n\nThey are isolated from each other.",
        epilog="Start with: refmaster batch --init jobs.yaml",
    )(run)


def run(
    jobs_file: JobsFile = Path("jobs.yaml"),
    jobs: Processes = None,
    timeout: Timeout = None,
    memory: Memory = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Run on the workers of this Dask scheduler."),
    ] = None,
    wait_workers: Annotated[
        float | None,
        typer.Option(
            "--wait-workers",
            min=0.0,
            metavar="SECONDS",
            help="With --scheduler: give up after so long without a worker.  [wait on]",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    overwrite: OverwriteForeign = False,
    wait: Wait = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and say what would be done, and why.")
    ] = False,
    init: Annotated[bool, typer.Option("--init", help="Write a commented jobs file to start from.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of jobs files, for editors.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Run a batch, or write a file to start from."""
    if init:
        _write_starter(jobs_file, quiet=quiet)
        return
    if schema:
        from refmaster.batch.jobs_file import jobs_schema
        from refmaster.cli.screen import print_json

        print_json(jobs_schema())
        return
    if dry_run:
        _show_decisions(jobs_file, force=force)
        return
    if scheduler is not None and jobs is not None:
        raise SettingsError("--jobs: with --scheduler its workers are used; leave --jobs out")
    if scheduler is None and wait_workers is not None:
        raise SettingsError("--wait-workers: expected with --scheduler; processes of this machine never wait")
    from refmaster.batch.runner import RunOptions

    chosen = RunOptions(
        jobs=jobs,
        timeout_s=timeout,
        memory_mb=memory,
        force=force,
        overwrite=overwrite,
        wait=wait,
        scheduler=scheduler,
        wait_workers_s=wait_workers,
    )
    raise typer.Exit(_run(jobs_file, chosen, quiet=quiet))


def _run(jobs_file: Path, chosen: RunOptions, *, quiet: bool) -> int:
    from refmaster.batch.session import run_batch
    from refmaster.cli.batch_screen import BatchScreen, stop_on_interrupt

    with BatchScreen(quiet=quiet) as screen, stop_on_interrupt(screen.say) as stop:
        summary = run_batch(jobs_file, chosen, screen, stop=stop)
    screen.conclude(summary)
    return summary.exit_code


def master_songs(
    mixes: list[str],
    references: list[Reference],
    output: str,
    settings: MatchSettings,
    output_settings: dict[str, Any],
    *,
    printing: options.Printing,
    overwrite: bool,
) -> int:
    """Master many songs without a jobs file; return the exit code."""
    from refmaster.batch import songs
    from refmaster.batch.results import results_json
    from refmaster.batch.runner import RunOptions
    from refmaster.cli.batch_screen import BatchScreen, stop_on_interrupt
    from refmaster.settings.model import settings_from
    from refmaster.settings.tags import WrittenSettings

    names = {name: option.__metadata__[0].default for name, option in options.RENDER_OPTIONS.items()}
    chosen = settings_from(WrittenSettings, output_settings, names=names)
    with BatchScreen(quiet=not printing.progress) as screen, stop_on_interrupt(screen.told) as stop:
        summary = songs.master_songs(
            mixes,
            references,
            output,
            settings,
            chosen,
            RunOptions(overwrite=overwrite),
            screen,
            stop=stop,
        )
    if printing.as_json:
        print(results_json(summary), end="")
    else:
        screen.conclude(summary, verbose=printing.verbose)
    return summary.exit_code


def _write_starter(path: Path, *, quiet: bool) -> None:
    import refmaster.batch
    from refmaster.cli.screen import print_text
    from refmaster.io.atomic import write_text

    starter = Path(refmaster.batch.__file__).with_name("starter.yaml")
    write_text(path, starter.read_text(encoding="utf-8"), overwrite=False)
    if not quiet:
        print_text(f"written {path}; edit it, then: refmaster batch {path} --dry-run")


def _show_decisions(jobs_file: Path, *, force: bool) -> None:
    from refmaster.batch.session import decide_batch
    from refmaster.cli.screen import print_text

    decisions = decide_batch(jobs_file, force=force)
    for task, decision in decisions:
        print_text(f"{'run ' if decision.run else 'keep'}  {task.key}: {decision.why}")
    wanted = sum(decision.run for _, decision in decisions)
    print_text(f"{len(decisions)} jobs: {wanted} to run, {len(decisions) - wanted} kept")
