"""``refmaster learn``: how songs differ, from finished music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "learn",
        help="Learn from finished music how songs differ, for --prior.\n\n"
        "Use masters, not mixes: 16 and more of the kind that you master. Each folder counts as an album.",
        epilog="Example: refmaster learn Catalogue/ -o prior.yaml",
    )(run)


def run(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of finished music, or recordings.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The prior to write (YAML).")],
    albums: Annotated[
        Path | None,
        typer.Option("--albums", help="CSV with the columns file and album, where folders do not tell."),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn one prior."""
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.io.atomic import check_destination, write_text
    from refmaster.io.names import check_text
    from refmaster.io.recordings import recordings_in
    from refmaster.matching.catalogue import learn_files
    from refmaster.matching.learn import ENOUGH_TRACKS
    from refmaster.settings.emit import emit_model

    inputs = [*recordings_in(paths), *([] if albums is None else [albums])]
    with folders_made(output.parent):
        check_destination(output, overwrite=overwrite, inputs=inputs)
        check_text(inputs)
        with screen.progress_bar(not (quiet or as_json)) as progress:
            prior, notes = learn_files(paths, albums=albums, progress=progress)
        header = (
            "How finished songs differ: tells mastering from song content.\n"
            f"Use it with: refmaster master MIX --reference REF --prior {output.name} -o MASTER"
        )
        write_text(output, emit_model(prior, header=header), overwrite=overwrite)
    count, groups = len(prior.tracks), len({track.album for track in prior.tracks})
    if count < ENOUGH_TRACKS:
        notes.append(f"learned from {count} tracks; {ENOUGH_TRACKS} and more are steadier")
    if as_json:
        screen.print_json({"output": str(output), "tracks": count, "albums": groups, "notes": notes})
    elif not quiet:
        for note in notes:
            screen.print_text(f"note: {note}", indent=2)
        screen.print_text(f"written {output}: {count} tracks, {groups} albums", indent=2)
