"""``refmaster playback``: a recording on phone, laptop, car and club, and in mono."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.check.playback import PlaybackResult
    from refmaster.rendering.playback import Audition


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "playback",
        help="Judge FILE in mono, on phone, laptop, car and club.\n\n"
        "Loudness and balance on each system are read off its measurements; -o writes files to listen to.",
        epilog="Example: refmaster playback master.wav --reference ref.wav -o auditions/",
    )(run)


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A recording, or a saved profile.")],
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help="A recording or saved profile to hold it against; of several their mean counts.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Write FILE as each system plays it, all equally loud, into this folder.",
            rich_help_panel=FILE,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    no_cache: options.NoCache = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print where the systems' responses are from.")
    ] = False,
) -> None:
    """Judge one recording on every system."""
    from refmaster.batch.staging import Staging
    from refmaster.check.playback import check_playback
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.io.suffixes import is_yaml
    from refmaster.rendering.playback import render_playback
    from refmaster.report.playback import playback_json

    if output is not None and is_yaml(file):
        raise SettingsError(f"--output: expected a recording to write from, found a saved profile: {file}")
    auditions: Sequence[Audition] = ()
    with (
        folders_made(output),
        screen.progress_bar(not (quiet or as_json)) as progress,
        Staging(progress) as staging,
    ):
        path = staging.fetched(file)
        found = check_playback(
            path,
            [staging.fetched(name) for name in reference or []],
            use_cache=not no_cache,
            progress=progress,
        )
        if output is not None:
            auditions = render_playback(path, output, overwrite=overwrite, progress=progress)
    if as_json:
        screen.print_json(playback_json(found, auditions))
        return
    if not quiet:
        _print(found, auditions, verbose=verbose)
    screen.print_findings(found.findings, quiet=quiet)


def _print(found: PlaybackResult, auditions: Sequence[Audition], *, verbose: bool) -> None:
    from refmaster.cli import screen
    from refmaster.io.names import shown_line
    from refmaster.report.playback import balance_table, loudness_table

    header, *rows = loudness_table(found)
    screen.print_table(header, rows)
    against = "the reference" if len(found.references) == 1 else "the references' mean"
    screen.print_text(
        f"balance against {against}'s on the same system, dB:"
        if found.references
        else "balance: what each region holds of the whole, as loud as it is heard, dB:"
    )
    header, *rows = balance_table(found)
    screen.print_table(header, rows)
    for translation in found.translations if verbose else ():
        system = translation.system
        screen.print_text(
            f"{system.name:<7} {system.grade}, {system.checked_on}: {system.source}. {system.note}", indent=8
        )
    for audition in auditions:
        screen.print_text(
            f"written {shown_line(str(audition.output))} ({audition.gain_db:+.1f} dB)", indent=8
        )
