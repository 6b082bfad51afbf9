"""``refmaster compare``: refmaster, matchering and plain gain side by side, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.cli.references import parse_references
from refmaster.settings.aspects import AskedReference

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


@options.grouped(without=("engine",))
def run(
    mix: options.Mix,
    reference: options.References,
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
    from refmaster.cli.folders import folders_made
    from refmaster.cli.table import Name
    from refmaster.comparison.compare import compare
    from refmaster.report.comparison import comparison_json, comparison_rows, worth_telling

    with (
        folders_made(keep),
        screen.progress_bar(not (quiet or as_json)) as progress,
        Staging(progress) as staging,
    ):
        references = [
            AskedReference(staging.fetched(name), weight, aspects)
            for name, weight, aspects in parse_references(reference)
        ]
        found = compare(
            staging.fetched(mix), references, settings, keep=keep, overwrite=overwrite, progress=progress
        )
    if as_json:
        screen.print_json(comparison_json(found))
    else:
        if not quiet:
            several = len(found.references) > 1
            heads = [Name(r.name) for r in found.references] if several else ["reference"]
            header = ["", "", "mix", *heads, *[master.name for master in found.masters]]
            screen.print_table(header, comparison_rows(found), text_columns=2)
            for master in found.masters:
                if master.kept is not None:
                    screen.print_text(f"kept {master.kept}", indent=5)
        screen.print_findings(worth_telling(found), quiet=quiet)
    screen.conclude(kept_promises=found.kept_promises)
