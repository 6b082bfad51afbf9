"""``refmaster master``: a mix, a reference, a master."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "master",
        help="Master MIX against one or several references.\n\n"
        "The written file is measured and corrected until it keeps its promises.",
        epilog="Example: refmaster master mix.wav --reference ref.wav -o master.wav",
    )(run)


@options.grouped()
def run(
    mix: options.Mix,
    reference: options.References,
    settings: MatchSettings,
    output: Annotated[Path, options.output_option("The master to write.")],
    render_options: dict[str, Any],
    printing: options.Printing,
    save_plan: Annotated[
        Path | None,
        typer.Option("--save-plan", help="Write the plan of this master as well.", rich_help_panel=FILE),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Master one mix."""
    from refmaster import mastering
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.io.atomic import check_destinations
    from refmaster.io.names import check_text
    from refmaster.plan import save_plan as write_plan

    references = options.parse_references(reference)
    outputs = [output] if save_plan is None else [output, save_plan]
    inputs = options.inputs_of(mix, references, settings)
    with folders_made(output.parent, save_plan and save_plan.parent):
        check_destinations(outputs, overwrite=overwrite, inputs=inputs)
        if save_plan is not None:
            check_text(inputs, save_plan.parent)
        with screen.progress_bar(printing.progress) as progress:
            result = mastering.master_file(
                mix,
                references,
                output,
                settings,
                overwrite=overwrite,
                progress=progress,
                **render_options,
            )
        if save_plan is not None:
            write_plan(result.plan, save_plan, overwrite=overwrite)
    screen.conclude_master(result, printing)
