"""``refmaster album``: master several mixes, perhaps by several engineers, as one album."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.references import parse_references
from refmaster.errors import ExitCode, SettingsError

if TYPE_CHECKING:
    from refmaster.album.result import AlbumResult

References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        "-r",
        metavar="FILE[:WEIGHT]",
        help="A recording or saved profile that the album as a whole is brought toward; repeat for several.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "album",
        help="Master an album from album.yaml, a folder, or an album plan.",
        epilog="Example: refmaster album album.yaml -o Masters/ --dry-run",
    )(run)


def run(
    source: Annotated[
        Path, typer.Argument(metavar="ALBUM", help="album.yaml, a folder of mixes, or an album plan.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The folder for masters and plans.", metavar="FOLDER")
    ],
    reference: References = None,
    strength: options.Strength = None,
    target_lufs: Annotated[
        float | None,
        typer.Option(
            "--lufs",
            help="Loudness of the whole album, LUFS.  [the references', or what it has]",
            show_default=False,
        ),
    ] = None,
    target: options.Target = None,
    ceiling_dbtp: options.Ceiling = None,
    max_reduction_db: options.MaxReduction = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, write the plans, render nothing.")
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Master one album."""
    from refmaster.album.passes import master_album, render_album_plan
    from refmaster.album.plan import is_album_plan
    from refmaster.cli import screen

    overrides: dict[str, Any] = {
        "references": parse_references(reference) if reference else None,
        "strength": None if strength is None else options.parse_strength(strength),
        "target_lufs": target_lufs,
        "target": target,
        "ceiling_dbtp": ceiling_dbtp,
        "max_reduction_db": max_reduction_db,
    }
    with screen.progress_bar(not (quiet or as_json)) as progress:
        if is_album_plan(source):
            _refuse_for_a_plan(overrides, dry_run=dry_run)
            result = render_album_plan(source, output, overwrite=overwrite, progress=progress)
        else:
            result = master_album(
                source, output, dry_run=dry_run, overwrite=overwrite, progress=progress, **overrides
            )
    _report(result, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(ExitCode.DONE if result.kept_promises else ExitCode.PROMISE_NOT_MET)


def _refuse_for_a_plan(overrides: dict[str, Any], *, dry_run: bool) -> None:
    fields = [field for field, value in overrides.items() if value is not None]
    given = ["--reference" if field == "references" else options.option_name(field) for field in fields]
    given += ["--dry-run"] if dry_run else []
    if given:
        raise SettingsError(
            f"{', '.join(given)}: an album plan has decided this already; edit the plan, or give album.yaml"
        )


def _report(result: AlbumResult, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    from refmaster.cli import screen
    from refmaster.report import album as report
    from refmaster.report import album_words as words

    if as_json:
        screen.print_json(report.album_json(result))
        return
    if not quiet:
        for line in words.track_lines(result):
            screen.print_text(line, indent=3)
        print()
        common = words.common_line(result)
        for line in [*([common] if common else []), *words.engineer_lines(result)]:
            screen.print_text(line, indent=3)
        if verbose:
            for stage in result.plan.engineers:
                print("", *words.curve_lines(stage), sep="\n")
        if common or result.plan.engineers:
            print()
        for line in [*report.loudness_lines(result), *report.work_lines(result)]:
            screen.print_text(line, indent=8)
    for number, track in enumerate(result.tracks, 1):
        shown = [f for f in track.findings if verbose or f.severity != "info"]
        name = f'track {number} ("{result.plan.tracks[number - 1].title}"): '
        screen.print_findings(
            [f.model_copy(update={"message": name + f.message}) for f in shown], quiet=quiet
        )
    screen.print_findings(result.findings, quiet=quiet)
