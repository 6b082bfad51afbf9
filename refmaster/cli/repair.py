"""Options that ask for the repair of a mix."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from refmaster.cli.choices import REPAIRS, completing
from refmaster.cli.help import REPAIR
from refmaster.errors import SettingsError

REPAIR_OPTIONS: dict[str, Any] = {
    "repair": Annotated[
        list[str] | None,
        typer.Option(
            "--repair",
            metavar="|".join(REPAIRS),
            help="Put right what the mix needs: a constant offset (dc), clicks, short clipped tops (overs), "
            "long silence at head and tail (trim); repeat for several. Nothing else of the mix changes.",
            rich_help_panel=REPAIR,
            autocompletion=completing(lambda: REPAIRS),
        ),
    ],
    "fade_in_s": Annotated[
        float | None,
        typer.Option("--fade-in", metavar="S", help="Fade in over so many s.", rich_help_panel=REPAIR),
    ],
    "fade_out_s": Annotated[
        float | None,
        typer.Option("--fade-out", metavar="S", help="Fade out over so many s.", rich_help_panel=REPAIR),
    ],
}


def asked_repair(repairs: list[str], fades_s: dict[str, float]) -> dict[str, Any]:
    """Return the values of `RepairSettings` that the options ask for.

    Parameters
    ----------
    repairs : list of str
        As given; ``all`` stands for each of them, ``none`` takes back what a settings file asks for.
    fades_s : dict
        ``fade_in_s`` and ``fade_out_s``, where they are given.

    Raises
    ------
    SettingsError
        Naming the option, what it expects and what it found.
    """
    from refmaster.settings.model import settings_from
    from refmaster.settings.repair import RepairSettings

    unknown = [name for name in repairs if name not in REPAIRS]
    if unknown or ("none" in repairs and len(set(repairs)) > 1):
        expected = f"one of {', '.join(REPAIRS)}" if unknown else "none alone"
        raise SettingsError(f"--repair: expected {expected}, found {', '.join(unknown or repairs)}")
    every = [name for name in REPAIRS if name not in ("all", "none")]
    asked: dict[str, Any] = dict.fromkeys(every, False) if "none" in repairs else {}
    asked |= dict.fromkeys(every if "all" in repairs else [r for r in repairs if r != "none"], True)
    asked |= fades_s
    settings_from(RepairSettings, asked, names={"fade_in_s": "--fade-in", "fade_out_s": "--fade-out"})
    return asked
