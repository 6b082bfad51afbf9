"""``refmaster master``: a mix, a reference, a master."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from refmaster.cli import deliveries, labels, options
from refmaster.cli.codecs import Previews, parse_codecs
from refmaster.cli.help import FILE
from refmaster.cli.references import (
    Reference,
    fetched_references,
    inputs_of,
    parse_references,
    refuse_folders,
)
from refmaster.cli.stems import fetched_mix, require_one_kind
from refmaster.errors import SettingsError
from refmaster.io.suffixes import is_url

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings
    from refmaster.settings.targets import DeliveryTarget


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "master",
        help="Master each MIX against one or several references.\n\n"
        "The written file is measured and corrected until it keeps its promises.",
        epilog="Examples: refmaster master mix.wav --reference ref.wav -o master.wav\n\n"
        "refmaster master mix.wav --reference ref.wav -o Masters/ --for spotify --for cd --for vinyl\n\n"
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
        typer.Option(
            "--save-plan",
            help="Write the plan of this master as well; with --for the folder for each plan.",
            rich_help_panel=FILE,
        ),
    ] = None,
    preview: Previews = None,
    manifest: labels.Manifest = None,
    stem: options.StemFiles = None,
    for_: deliveries.For = None,
    targets: deliveries.TargetFolder = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Master one mix, one for several targets, or many."""
    mixes, stems = mix or [], stem or []
    require_one_kind(mixes, stems)
    references, previews = parse_references(reference), parse_codecs(preview, "--preview")
    if asked := deliveries.targets_asked(for_ or [], targets):
        if previews:
            raise SettingsError("--preview: expected one master, found --for; render its plan with --preview")
        job = _Job(mixes, stems, references, settings, render_options)
        _deliver(job, asked, output, save_plan, manifest, printing, overwrite=overwrite)
    if mixes and _are_many(mixes, output):
        from refmaster.cli.batch import master_songs

        refuse_folders(references)
        _refuse_for_many(save_plan, manifest, preview, use_cache=render_options.pop("use_cache"))
        code = master_songs(
            mixes, references, output, settings, render_options, printing=printing, overwrite=overwrite
        )
        raise typer.Exit(code)
    if previews and is_url(output):
        raise SettingsError(f"--preview: expected a master in a folder of this machine, found {output}")
    from refmaster import mastering
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.delivery.manifest import require_beside, write_manifest
    from refmaster.io.atomic import check_destinations
    from refmaster.io.names import check_text
    from refmaster.plan import save_plan as write_plan

    inputs = inputs_of([*mixes, *stems], references, settings)
    with screen.progress_bar(printing.progress) as progress, Staging(progress) as staging:
        destination = staging.destination(output, overwrite=overwrite)
        if manifest is not None:
            require_beside(output, manifest)
        beside = [path for path in (save_plan, manifest) if path is not None]
        outputs = [destination, *beside]
        with folders_made(*(path.parent for path in outputs)):
            check_destinations(outputs, overwrite=overwrite, inputs=inputs)
            for path in beside:
                check_text(inputs, path.parent)
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
                previews=previews,
                overwrite=overwrite,
                progress=progress,
                **render_options,
            )
            staging.store(destination)
            result = replace(result, plan=staging.with_origins(result.plan), output=output)
            if save_plan is not None:
                write_plan(result.plan, save_plan, overwrite=overwrite)
            if manifest is not None:
                write_manifest(manifest, [result], overwrite=overwrite)
    screen.conclude_master(result, printing, told)


class _Job(NamedTuple):
    """The options that say what is to be mastered."""

    mixes: list[str]
    stems: list[str]
    references: list[Reference]
    settings: MatchSettings
    render_options: dict[str, Any]


def _deliver(
    job: _Job,
    targets: Sequence[DeliveryTarget],
    output: str,
    save_plan: Path | None,
    manifest: Path | None,
    printing: options.Printing,
    *,
    overwrite: bool,
) -> NoReturn:
    """Derive one plan, and render it for each target."""
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.delivery.deliver import deliver
    from refmaster.mastering import plan_file

    if len(job.mixes) > 1 or (job.mixes and Path(job.mixes[0]).is_dir()):
        raise SettingsError("--for: expected one MIX, found several; master them one after the other")
    folder, render_options = deliveries.delivery_folder(output), dict(job.render_options)
    inputs = inputs_of([*job.mixes, *job.stems], job.references, job.settings)
    with (
        folders_made(folder, save_plan, manifest and manifest.parent),
        screen.progress_bar(printing.progress) as progress,
        Staging(progress) as staging,
    ):
        source = fetched_mix(job.mixes, job.stems, staging)
        deliveries.check_deliveries(targets, source, folder, manifest, overwrite=overwrite, inputs=inputs)
        if "art" in render_options:
            render_options["art"] = staging.fetched(render_options["art"])
        fetched, told = fetched_references(
            job.references, source, job.settings, staging, progress, use_cache=render_options["use_cache"]
        )
        derived = plan_file(source, fetched, job.settings, progress=progress, **render_options)
        results = deliver(
            derived,
            targets,
            folder,
            save_plans=save_plan,
            manifest=manifest,
            named=staging.with_origins,
            overwrite=overwrite,
            progress=progress,
        )
    deliveries.conclude_deliveries(targets, results, printing, told)


def _are_many(mixes: list[str], output: str) -> bool:
    """Return whether a folder of masters is asked for: of several mixes, of a folder, or by its name."""
    folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    return (
        folder
        or len(mixes) > 1
        or Path(mixes[0]).is_dir()
        or (is_url(mixes[0]) and any(sign in mixes[0] for sign in "*["))
    )


def _refuse_for_many(
    save_plan: Path | None, manifest: Path | None, preview: list[str] | None, *, use_cache: bool
) -> None:
    asked = {
        "--save-plan": save_plan is not None,
        "--manifest": manifest is not None,
        "--preview": bool(preview),
        "--no-cache": not use_cache,
    }
    given = [name for name, is_asked in asked.items() if is_asked]
    if given:
        raise SettingsError(
            f"{', '.join(given)}: expected one MIX for that, found several; a jobs file can say more: "
            "refmaster batch --init jobs.yaml"
        )
