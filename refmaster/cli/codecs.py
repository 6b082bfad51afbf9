"""Options that name lossy codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli.help import FILE
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.settings.codecs import Codec

CodecNames = Annotated[
    list[str] | None,
    typer.Option(
        "--codec",
        metavar="NAME:RATE",
        help="A lossy codec, such as mp3:128, vorbis:q5, opus:96 or aac:256: decoded from it, the master "
        "stays below the ceiling too. Repeat for several.  [none]",
        rich_help_panel=FILE,
    ),
]
Previews = Annotated[
    list[str] | None,
    typer.Option(
        "--preview",
        metavar="NAME:RATE",
        help="Keep what a lossy codec makes of the master beside it (master.mp3-128.wav), decoded and as "
        "loud as the master. Repeat for several.",
        rich_help_panel=FILE,
    ),
]


def parse_codecs(texts: list[str] | None, option: str = "--codec") -> tuple[Codec, ...]:
    """Return the codecs that an option names; SettingsError names the option and the known ones."""
    from refmaster.settings.codecs import Codec

    try:
        return tuple(map(Codec.parse, texts or ()))
    except SettingsError as error:
        raise SettingsError(f"{option}: {error}") from error
