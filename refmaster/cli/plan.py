"""``refmaster plan``: derive a plan to read and edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.references import fetched_references, inputs_of, parse_references
from refmaster.cli.stems import fetched_mix, require_one_kind

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "plan",
        help="Derive the plan of a master: YAML to read, edit and render.",
        epilog="Example: refmaster plan mix.wav --reference ref.wav -o plan.yaml",
    )(run)


@options.grouped()
def run(
    reference: options.References,
    settings: MatchSettings,
    output: Annotated[Path, options.output_option("The plan to write (YAML).")],
    render_options: dict[str, Any],
    printing: options.Printing,
    mix: Annotated[str | None, typer.Argument(help="The mix to master.", metavar="MIX")] = None,
    stem: options.StemFiles = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Derive one plan."""
    from refmaster import mastering
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.io.atomic import check_destinations
    from refmaster.io.names import check_text
    from refmaster.plan import save_plan

    mixes, stems = [] if mix is None else [mix], stem or []
    require_one_kind(mixes, stems)
    references = parse_references(reference)
    inputs = inputs_of([*mixes, *stems], references, settings)
    with folders_made(output.parent):
        check_destinations([output], overwrite=overwrite, inputs=inputs)
        check_text(inputs, output.parent)
        with screen.progress_bar(printing.progress) as progress, Staging(progress) as staging:
            if "art" in render_options:
                render_options["art"] = staging.fetched(render_options["art"])
            source, use_cache = fetched_mix(mixes, stems, staging), render_options["use_cache"]
            fetched, told = fetched_references(
                references, source, settings, staging, progress, use_cache=use_cache
            )
            result = mastering.plan_file(
                source,
                fetched,
                settings,
                progress=progress,
                **render_options,
            )
            plan = staging.with_origins(result.plan)
        save_plan(plan, output, overwrite=overwrite)
    screen.conclude_master(result, printing, told)
