"""``refmaster release``: an album as a plant, a distributor and an archive take it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options
from refmaster.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "release",
        help="Master an album; write archive, CD with DDP image, deliveries.\n\n"
        "Gaps, crossfades, ISRC and targets stand in album.yaml. The folder holds the old release until the "
        "new one is complete.",
        epilog="Example: refmaster release album.yaml -o Release/",
    )(run)


def run(
    source: Annotated[Path, typer.Argument(metavar="ALBUM", help="album.yaml, or a folder of mixes.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The folder for the release.", metavar="FOLDER")
    ],
    preview: Annotated[
        bool, typer.Option("--preview", help="Also write what each transition sounds like, into Previews/.")
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Release one album."""
    import json

    from refmaster.cli import screen
    from refmaster.release.build import release_album
    from refmaster.release.place import RECORD_NAME
    from refmaster.release.sheet import SHEET_NAME

    with screen.progress_bar(not (quiet or as_json)) as progress:
        result = release_album(source, output, previews=preview, overwrite=overwrite, progress=progress)
    if as_json:
        screen.print_json(json.loads((result.folder / RECORD_NAME).read_text("utf-8")))
    else:
        if not quiet:
            sheet = (result.folder / SHEET_NAME).read_text("utf-8")
            print(sheet.partition("\nSHA-256")[0])
            screen.print_text(f"released in {result.folder}")
        shown = [finding for finding in result.all_findings() if verbose or finding.severity != "info"]
        screen.print_findings(shown, quiet=quiet)
    raise typer.Exit(ExitCode.DONE if result.kept_promises else ExitCode.PROMISE_NOT_MET)
