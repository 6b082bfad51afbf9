"""Options that say what a master is labelled with: tags, cover art, broadcast chunk, manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli.help import FILE

TagOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        help="A tag in place of the mix's; repeat for several: title, artist, album, albumartist, track "
        "(3/12), disc, date, genre, comment, copyright, isrc, upc and others.",
        metavar="NAME=TEXT",
        rich_help_panel=FILE,
    ),
]
Art = Annotated[
    str | None,
    typer.Option(
        "--art", help="Cover art in place of the mix's: JPEG or PNG.", metavar="FILE", rich_help_panel=FILE
    ),
]
Bext = Annotated[
    bool | None,
    typer.Option(
        "--bext",
        help="Give a WAV a broadcast chunk with its loudness.  [where the mix has one]",
        rich_help_panel=FILE,
    ),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        help="Write a manifest (JSON) of the master as well, in its folder or above: refmaster verify proves "
        "it.  [with --for: beside the files]",
        metavar="FILE",
        rich_help_panel=FILE,
    ),
]
