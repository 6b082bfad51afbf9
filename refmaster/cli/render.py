"""``refmaster render``: render a plan, to the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "render",
        help="Render PLAN, and check the file against the plan's promises.",
        epilog="Example: refmaster render plan.yaml -o master.wav",
    )(run)


@options.grouped()
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan (YAML).")],
    output: Annotated[Path, options.output_option("The master to write.")],
    printing: options.Printing,
    mix: Annotated[
        str | None,
        typer.Option(
            "--mix",
            help="Render this file instead of the plan's mix (a stem, an instrumental).",
            rich_help_panel=FILE,
        ),
    ] = None,
    tag: options.TagOptions = None,
    art: options.Art = None,
    bext: options.Bext = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Render one plan."""
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.rendering.render import render_file
    from refmaster.settings.tags import parse_tags

    with (
        folders_made(output.parent),
        screen.progress_bar(printing.progress) as progress,
        Staging(progress) as staging,
    ):
        result = render_file(
            staging.local_plan(plan),
            output,
            mix=None if mix is None else staging.fetched(mix),
            tags=parse_tags(tag or []),
            art=None if art is None else staging.fetched(art),
            bext=bext,
            overwrite=overwrite,
            progress=progress,
        )
    screen.conclude_master(result, printing)
