"""``refmaster disc``: what a DDP image holds, whether a plant can take it, and its tracks as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.errors import ExitCode

if TYPE_CHECKING:
    from refmaster.release.ddp_reader import DdpImage


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "disc",
        help="Read a DDP image, verify it, and write its tracks.\n\nExit code 1 says that it has faults.",
        epilog="Example: refmaster disc Release/DDP -o Tracks/",
    )(run)


def run(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With DDPID and DDPMS, of any writer.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write the tracks as WAV into this folder.", rich_help_panel=FILE
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Read one image."""
    from refmaster.cli import screen
    from refmaster.release.ddp_reader import read_ddp
    from refmaster.release.disc_tracks import write_tracks

    found = read_ddp(folder)
    written = [] if output is None else write_tracks(found, output, overwrite=overwrite)
    if as_json:
        screen.print_json({**_json(found), "written": [str(path) for path in written]})
    else:
        if not quiet:
            _print(found)
        for problem in found.problems:
            screen.complain(problem)
    raise typer.Exit(ExitCode.PROMISE_NOT_MET if found.problems else ExitCode.DONE)


def _json(found: DdpImage) -> dict[str, Any]:
    from refmaster.release.disc import SECTORS_PER_SECOND, msf_text

    disc = found.disc
    lengths = disc.track_sectors()
    return {
        "title": disc.title or None,
        "performer": disc.performer or None,
        "ean": disc.ean,
        "master_id": found.master_id or None,
        "lead_out": msf_text(disc.lead_out),
        "tracks": [
            {
                "number": number,
                "title": track.title or None,
                "performer": track.performer or None,
                "isrc": track.isrc,
                "pregap": None if track.pregap_sector is None else msf_text(track.pregap_sector),
                "indexes": [msf_text(sector) for sector in track.indexes],
                "length_s": round(length / SECTORS_PER_SECOND, 3),
            }
            for number, (track, length) in enumerate(zip(disc.tracks, lengths, strict=True), start=1)
        ],
        "problems": list(found.problems),
    }


def _print(found: DdpImage) -> None:
    from refmaster.cli import screen
    from refmaster.release.disc import msf_text

    disc = found.disc
    named = " - ".join(text for text in (disc.performer, disc.title) if text) or "no title"
    screen.print_text(
        f"{named}, {len(disc.tracks)} tracks, {msf_text(disc.lead_out)}, EAN {disc.ean or 'none'}"
    )
    rows = [
        [
            track.title or "-",
            track.isrc or "-",
            str(number),
            msf_text(track.start),
            msf_text(length),
        ]
        for number, (track, length) in enumerate(zip(disc.tracks, disc.track_sectors(), strict=True), start=1)
    ]
    screen.print_table(["title", "ISRC", "track", "start", "length"], rows, text_columns=2)
