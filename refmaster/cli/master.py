"""``refmaster master``: a mix, a reference, a master."""

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
        "master",
        help="Master MIX against one or several references, and check the written file.",
        epilog="Example: refmaster master mix.wav --reference ref.wav -o master.wav",
    )(run)


@options.takes_match_options
def run(
    settings: MatchSettings,
    mix: options.Mix,
    reference: options.References,
    output: Annotated[Path, typer.Option("-o", "--output", help="The master to write.")],
    bit_depth: options.BitDepth = None,
    sample_rate: options.SampleRate = None,
    seed: options.Seed = 0,
    save_plan: Annotated[
        Path | None, typer.Option("--save-plan", help="Write the plan of this master as well.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Master one mix."""
    from refmaster import mastering
    from refmaster.cli import screen
    from refmaster.io.atomic import check_destination
    from refmaster.plan import save_plan as write_plan

    if save_plan is not None:
        check_destination(save_plan, overwrite=overwrite, inputs=[mix, output])
    with screen.progress_bar(not (quiet or as_json)) as progress:
        result = mastering.master_file(
            mix,
            options.parse_references(reference),
            output,
            settings,
            bit_depth=bit_depth,
            sample_rate_hz=sample_rate,
            dither_seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    if save_plan is not None:
        write_plan(result.plan, save_plan, overwrite=overwrite)
    screen.report_master(result, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(0 if result.kept_promises else 1)
