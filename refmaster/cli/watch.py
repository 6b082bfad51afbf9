"""``refmaster watch``: master what is dropped into a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from refmaster.cli import batch, options


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "watch",
        help="Watch the folders of a jobs file, and run what appears there.\n\n"
        "A file is taken once it is complete.",
        epilog="Example: refmaster watch jobs.yaml   (Ctrl-C ends it; a batch goes on where it ended)",
    )(run)


def run(
    jobs_file: batch.JobsFile,
    jobs: batch.Processes = None,
    timeout: batch.Timeout = None,
    memory: batch.Memory = None,
    settle: Annotated[
        float, typer.Option("--settle", min=0.0, help="How long a file must stand still to be complete, s.")
    ] = 3.0,
    every: Annotated[float, typer.Option("--every", min=0.05, help="How often to look, s.")] = 1.0,
    overwrite: batch.OverwriteForeign = False,
    wait: batch.Wait = False,
    quiet: options.Quiet = False,
) -> None:
    """Watch until Ctrl-C."""
    from refmaster.batch.runner import RunOptions
    from refmaster.batch.watch import Watch
    from refmaster.cli.batch_screen import BatchScreen, stop_on_interrupt

    chosen = RunOptions(jobs=jobs, timeout_s=timeout, memory_mb=memory, overwrite=overwrite, wait=wait)
    with BatchScreen(quiet=quiet) as screen:
        watch = Watch(jobs_file, chosen, screen, screen.say, settle_s=settle, every_s=every)
        if not quiet:
            screen.say(f"watching; Ctrl-C ends it (looking every {every:g} s)")
        with stop_on_interrupt(screen.say) as stop:
            summary = watch.run(stop)
    screen.conclude(summary)
    raise typer.Exit(summary.exit_code)
