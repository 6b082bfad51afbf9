"""``refmaster compare``: refmaster, matchering and plain gain side by side, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE, MATCHING

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "compare",
        help="Compare refmaster, matchering and plain gain on one mix.\n\n"
        "Each renders MIX in a process of its own; what was written is measured.",
        epilog="Example: refmaster compare mix.wav --reference ref.wav --keep masters",
    )(run)


@options.grouped
def run(
    mix: options.Mix,
    reference: Annotated[
        str,
        typer.Option(
            "-r", "--reference", metavar="FILE", help="A reference recording.", rich_help_panel=MATCHING
        ),
    ],
    settings: MatchSettings,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FOLDER", help="Keep the masters in this folder.", rich_help_panel=FILE
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare the engines on one mix."""
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.compare.comparison import compare_engines
    from refmaster.report.comparison import comparison_json, comparison_rows, worth_telling

    with screen.progress_bar(not (quiet or as_json)) as progress, Staging(progress) as staging:
        found = compare_engines(
            staging.fetched(mix),
            staging.fetched(reference),
            settings,
            keep=keep,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        screen.print_json(comparison_json(found))
    else:
        if not quiet:
            header = ["", "", "mix", "reference", *[master.name for master in found.masters]]
            screen.print_table(header, comparison_rows(found), text_columns=2)
            for master in found.masters:
                if master.kept is not None:
                    print(f"kept {master.kept}")
        screen.print_findings(worth_telling(found), quiet=quiet)
    screen.conclude(kept_promises=found.kept_promises)
