"""``refmaster master``: a mix, a reference, a master."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.cli.references import fetched_references, inputs_of, parse_references, refuse_folders
from refmaster.cli.stems import fetched_mix, require_one_kind
from refmaster.errors import SettingsError
from refmaster.io.suffixes import is_url

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "master",
        help="Master each MIX against one or several references.\n\n"
        "The written file is measured and corrected until it keeps its promises.",
        epilog="Examples: refmaster master mix.wav --reference ref.wav -o master.wav\n\n"
        "refmaster master --stem vocals.wav --stem band.wav --reference ref.wav -o master.wav\n\n"
        "refmaster master *.wav --reference ref.wav -o Masters/   (a batch: a second run does what changed)",
    )(run)


@options.grouped()
def run(
    reference: options.References,
    settings: MatchSettings,
    output: Annotated[str, options.output_option("The master to write, or the folder for several.")],
    render_options: dict[str, Any],
    printing: options.Printing,
    mix: Annotated[
        list[str] | None,
        typer.Argument(
            help="The mix to master; several, or a folder of them, are mastered into a folder.",
            metavar="MIX...",
        ),
    ] = None,
    save_plan: Annotated[
        Path | None,
        typer.Option("--save-plan", help="Write the plan of this master as well.", rich_help_panel=FILE),
    ] = None,
    stem: options.StemFiles = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Master one mix, or many."""
    mixes, stems = mix or [], stem or []
    require_one_kind(mixes, stems)
    references = parse_references(reference)
    if mixes and _are_many(mixes, output):
        from refmaster.cli.batch import master_songs

        refuse_folders(references)
        _refuse_for_many(save_plan, use_cache=render_options.pop("use_cache"))
        code = master_songs(
            mixes, references, output, settings, render_options, printing=printing, overwrite=overwrite
        )
        raise typer.Exit(code)
    from dataclasses import replace

    from refmaster import mastering
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.io.atomic import check_destinations
    from refmaster.io.names import check_text
    from refmaster.plan import save_plan as write_plan

    inputs = inputs_of([*mixes, *stems], references, settings)
    with screen.progress_bar(printing.progress) as progress, Staging(progress) as staging:
        destination = staging.destination(output, overwrite=overwrite)
        outputs = [destination] if save_plan is None else [destination, save_plan]
        with folders_made(destination.parent, save_plan and save_plan.parent):
            check_destinations(outputs, overwrite=overwrite, inputs=inputs)
            if save_plan is not None:
                check_text(inputs, save_plan.parent)
            source = fetched_mix(mixes, stems, staging)
            if "art" in render_options:
                render_options["art"] = staging.fetched(render_options["art"])
            use_cache = render_options["use_cache"]
            fetched, told = fetched_references(
                references, source, settings, staging, progress, use_cache=use_cache
            )
            result = mastering.master_file(
                source,
                fetched,
                destination,
                settings,
                overwrite=overwrite,
                progress=progress,
                **render_options,
            )
            staging.store(destination)
            result = replace(result, plan=staging.with_origins(result.plan), output=output)
            if save_plan is not None:
                write_plan(result.plan, save_plan, overwrite=overwrite)
    screen.conclude_master(result, printing, told)


def _are_many(mixes: list[str], output: str) -> bool:
    """Return whether a folder of masters is asked for: of several mixes, of a folder, or by its name."""
    folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    return (
        folder
        or len(mixes) > 1
        or Path(mixes[0]).is_dir()
        or (is_url(mixes[0]) and any(sign in mixes[0] for sign in "*["))
    )


def _refuse_for_many(save_plan: Path | None, *, use_cache: bool) -> None:
    given = [*(["--save-plan"] if save_plan is not None else []), *([] if use_cache else ["--no-cache"])]
    if given:
        raise SettingsError(
            f"{', '.join(given)}: expected one MIX for that, found several; a jobs file can say more: "
            "refmaster batch --init jobs.yaml"
        )
