"""``refmaster render``: render a plan, to the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options
from refmaster.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "render",
        help="Render PLAN and check the written file against the plan's promises.",
        epilog="Example: refmaster render plan.yaml -o master.wav",
    )(run)


def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan (YAML).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The master to write.")],
    mix: Annotated[
        Path | None,
        typer.Option("--mix", help="Render this file instead of the plan's mix (a stem, an instrumental)."),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Render one plan."""
    from refmaster import mastering
    from refmaster.cli import screen

    try:
        with screen.progress_bar(not (quiet or as_json)) as progress:
            result = mastering.render_file(plan, output, mix=mix, overwrite=overwrite, progress=progress)
    except SettingsError as error:
        from refmaster.album.plan import is_album_plan

        if plan.is_file() and is_album_plan(plan):
            raise SettingsError(
                f"{plan}: is the plan of a whole album; render it with: refmaster album {plan} -o FOLDER"
            ) from error
        raise
    screen.report_master(result, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(0 if result.kept_promises else 1)
