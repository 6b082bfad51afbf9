"""``refmaster plan``: derive a plan to read and edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli import options

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "plan",
        help="Derive the plan of a master: YAML to read, edit and render.",
        epilog="Example: refmaster plan mix.wav --reference ref.wav -o plan.yaml",
    )(run)


@options.takes_match_options
def run(
    settings: MatchSettings,
    mix: options.Mix,
    reference: options.References,
    output: Annotated[Path, typer.Option("-o", "--output", help="The plan to write (YAML).")],
    bit_depth: options.BitDepth = None,
    sample_rate: options.SampleRate = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Derive one plan."""
    from refmaster import mastering
    from refmaster.cli import screen
    from refmaster.io.atomic import check_destination
    from refmaster.plan import save_plan

    check_destination(output, overwrite=overwrite, inputs=[mix])
    with screen.progress_bar(not (quiet or as_json)) as progress:
        result = mastering.plan_file(
            mix,
            options.parse_references(reference),
            settings,
            bit_depth=bit_depth,
            sample_rate_hz=sample_rate,
            dither_seed=seed,
            progress=progress,
        )
    save_plan(result.plan, output, overwrite=overwrite)
    screen.report_master(result, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(0 if result.kept_promises else 1)
