"""Plain help text with the options under headings, laid out without rich so that it appears at once."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from refmaster.cli.choices import with_names

ARGUMENTS = "Arguments"
MATCHING = "What to match"
REPAIR = "Repair of the mix"
EQUALIZER = "Equalizer"
LEVELS = "Loudness and limiting"
FILE = "The file"
DELIVERY = "Delivery"
OPTIONS = "Options"
SCREEN = "Output on screen"
_ORDER = (ARGUMENTS, REPAIR, MATCHING, EQUALIZER, LEVELS, FILE, DELIVERY, OPTIONS, SCREEN)


class GroupedCommand(TyperCommand):
    """A command whose help shows its options under their `rich_help_panel`, those without one last."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each heading that has options."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _ORDER}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                names, text = record
                sections[_heading(parameter, ctx)].append((names, with_names(text)))
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _heading(parameter: Any, ctx: Any) -> str:
    if parameter.param_type_name == "argument":
        return ARGUMENTS
    if set(parameter.opts) & set(ctx.help_option_names):
        return SCREEN
    return getattr(parameter, "rich_help_panel", None) or OPTIONS
