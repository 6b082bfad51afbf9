"""``refmaster render``: render a plan, to the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import deliveries, labels, options
from refmaster.cli.codecs import CodecNames, Previews, parse_codecs
from refmaster.cli.help import DELIVERY, FILE
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    pass


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
    codec: CodecNames = None,
    preview: Previews = None,
    tag: labels.TagOptions = None,
    art: labels.Art = None,
    bext: labels.Bext = None,
    manifest: labels.Manifest = None,
    for_: deliveries.For = None,
    targets: deliveries.TargetFolder = None,
    save_plan: Annotated[
        Path | None,
        typer.Option(
            "--save-plan", help="With --for: the folder for each target's plan.", rich_help_panel=DELIVERY
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Render one plan, or its files for several targets."""
    asked = deliveries.targets_asked(for_ or [], targets)
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

    lossy: dict[str, Any] = {
        "codecs": parse_codecs(codec),
        "previews": parse_codecs(preview, "--preview"),
    }
    if asked and any(lossy.values()):
        raise SettingsError(
            "--codec, --preview: expected one master, found --for; a target names its own codecs"
        )
    folder = deliveries.delivery_folder(output) if asked else output.parent
    with (
        folders_made(folder, save_plan, manifest and manifest.parent),
        screen.progress_bar(printing.progress) as progress,
        Staging(progress) as staging,
    ):
        if (asked or manifest is not None) and mix is not None and is_url(mix):
            option = "--for" if asked else "--manifest"
            raise SettingsError(f"{option}: expected a local file as --mix, found the URL {mix}")
        if manifest is not None:
            require_beside(folder / "master" if asked else output, manifest)
            outputs = [manifest] if asked else [output, manifest]
            check_destinations(outputs, overwrite=overwrite, inputs=[plan])
        local = staging.local_plan(plan)
        wanted: dict[str, Any] = {
            "mix": None if mix is None else staging.fetched(mix),
            "tags": parse_tags(tag or []),
            "art": None if art is None else staging.fetched(art),
            "bext": bext,
        }
        if asked:
            results = deliver(
                local,
                asked,
                folder,
                save_plans=save_plan,
                manifest=manifest,
                named=staging.with_origins,
                overwrite=overwrite,
                progress=progress,
                **wanted,
            )
            deliveries.conclude_deliveries(asked, results, printing)
        result = render_file(local, output, overwrite=overwrite, progress=progress, **lossy, **wanted)
        if manifest is not None:
            named = replace(result, plan=staging.with_origins(result.plan))
            write_manifest(manifest, [named], overwrite=overwrite)
    screen.conclude_master(result, printing)
