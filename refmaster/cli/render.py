"""``refmaster render``: render a plan, to the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options
from refmaster.cli.deliveries import conclude_deliveries, delivery_folder, targets_asked
from refmaster.cli.help import DELIVERY, FILE
from refmaster.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "render",
        help="Render PLAN, and check the file against the plan's promises.",
        epilog="Examples: refmaster render plan.yaml -o master.wav\n\n"
        "refmaster render plan.yaml -o Masters/ --for spotify --for cd",
    )(run)


@options.grouped()
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan (YAML).")],
    output: Annotated[Path, options.output_option("The master to write, or with --for a folder.")],
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
    manifest: options.Manifest = None,
    for_: options.For = None,
    targets: options.TargetFolder = None,
    save_plan: Annotated[
        Path | None,
        typer.Option(
            "--save-plan", help="With --for: the folder for each target's plan.", rich_help_panel=DELIVERY
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Render one plan, or its files for several targets."""
    asked = targets_asked(for_ or [], targets)
    if save_plan is not None and not asked:
        raise SettingsError("--save-plan: expected --for with it; PLAN is the plan of a single master")
    from dataclasses import replace

    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.delivery.deliver import deliver
    from refmaster.delivery.manifest import require_beside, write_manifest
    from refmaster.io.atomic import check_destinations
    from refmaster.io.suffixes import is_url
    from refmaster.rendering.render import render_file
    from refmaster.settings.tags import parse_tags

    folder = delivery_folder(output) if asked else output.parent
    with (
        folders_made(folder, save_plan, manifest and manifest.parent),
        screen.progress_bar(printing.progress) as progress,
        Staging(progress) as staging,
    ):
        if manifest is not None:
            require_beside(folder / "master" if asked else output, manifest)
            if mix is not None and is_url(mix):
                raise SettingsError(f"--manifest: expected a local file as --mix, found the URL {mix}")
            outputs = [manifest] if asked else [output, manifest]
            check_destinations(outputs, overwrite=overwrite, inputs=[plan])
        local = staging.local_plan(plan)
        labels = {
            "mix": None if mix is None else staging.fetched(mix),
            "tags": parse_tags(tag or []),
            "art": None if art is None else staging.fetched(art),
            "bext": bext,
        }
        if asked:
            results = deliver(
                local, asked, folder, save_plans=save_plan, overwrite=overwrite, progress=progress, **labels
            )
        else:
            results = (render_file(local, output, overwrite=overwrite, progress=progress, **labels),)
        if manifest is not None:
            named = [replace(result, plan=staging.with_origins(result.plan)) for result in results]
            write_manifest(manifest, named, targets=[target.name for target in asked], overwrite=overwrite)
    if asked:
        conclude_deliveries(asked, results, printing)
    screen.conclude_master(results[0], printing)
