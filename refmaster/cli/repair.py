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


def with_repair(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of options with those of `REPAIR_OPTIONS` as one ``repair``, where any is given.

    ``all`` stands for each repair, ``none`` takes back what a settings file asks for.

    Raises
    ------
    SettingsError
        Naming the option, what it expects and what it found.
    """
    from refmaster.settings.model import settings_from
    from refmaster.settings.repair import RepairSettings

    others = {name: value for name, value in given.items() if name not in REPAIR_OPTIONS}
    repairs = given.get("repair", [])
    unknown = [name for name in repairs if name not in REPAIRS]
    if unknown or ("none" in repairs and len(set(repairs)) > 1):
        expected = f"one of {', '.join(REPAIRS)}" if unknown else "none alone"
        raise SettingsError(f"--repair: expected {expected}, found {', '.join(unknown or repairs)}")
    every = [name for name in REPAIRS if name not in ("all", "none")]
    named = every if set(repairs) & {"all", "none"} else repairs
    asked: dict[str, Any] = dict.fromkeys(named, "none" not in repairs)
    asked |= {name: given[name] for name in ("fade_in_s", "fade_out_s") if name in given}
    settings_from(RepairSettings, asked, names={"fade_in_s": "--fade-in", "fade_out_s": "--fade-out"})
    return {**others, "repair": asked} if asked else others
