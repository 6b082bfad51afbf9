"""Options that several verbs share, and how they become settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from refmaster.cli.help import EQUALIZER, FILE, LEVELS, MATCHING, SCREEN
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings

Mix = Annotated[str, typer.Argument(help="The mix to master.", metavar="MIX")]  # a path or a URL
References = Annotated[
    list[str],
    typer.Option(
        "--reference",
        "-r",
        metavar="FILE[:WEIGHT]",
        help="A reference recording or a saved profile; repeat for several, each may carry a weight.",
        rich_help_panel=MATCHING,
    ),
]
Strength = Annotated[
    str | None,
    typer.Option(
        "--strength",
        metavar="0..100|NAME",
        help="How far to follow the reference: evidence (25, only what is likely mastering), balanced (60), "
        "full (100, third-octave exact), or any number between.  [balanced]",
        rich_help_panel=MATCHING,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="A delivery preset (loudness and ceiling), such as spotify.",
        rich_help_panel=LEVELS,
    ),
]
Ceiling = Annotated[
    float | None,
    typer.Option("--ceiling", help="True-peak ceiling, dBTP.  [-1.0]", rich_help_panel=LEVELS),
]
MaxReduction = Annotated[
    float | None,
    typer.Option(
        "--max-reduction",
        help="Deepest limiting that loudness may cost, dB.  [8.0]",
        rich_help_panel=LEVELS,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing file.", rich_help_panel=FILE)
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=SCREEN),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=SCREEN)]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also print what was decided and why.", rich_help_panel=SCREEN),
]


def output_option(help_text: str) -> Any:
    """Return the option that names the file to write."""
    return typer.Option("-o", "--output", help=help_text, rich_help_panel=FILE)


def _value(kind: type, name: str, heading: str, help_text: str) -> Any:
    """Return the type of an option that is None unless given; its help states the default."""
    return Annotated[kind | None, typer.Option(name, help=help_text, rich_help_panel=heading)]


# Under the names of the fields of `MatchSettings`, and `target`.
MATCH_OPTIONS: dict[str, Any] = {
    "engine": _value(
        str, "--engine", MATCHING, "Whose curves: refmaster's, or those of matchering.  [refmaster]"
    ),
    "strength": Strength,
    "prior": _value(str, "--prior", MATCHING, "A file of refmaster learn: how songs differ.  [shipped]"),
    "tone": _value(bool, "--tone/--no-tone", MATCHING, "Match the spectrum.  [tone]"),
    "side": _value(bool, "--side/--no-side", MATCHING, "Match the width.  [side]"),
    "balance": _value(bool, "--balance/--no-balance", MATCHING, "Match left against right.  [balance]"),
    "loudness": _value(bool, "--loudness/--no-loudness", MATCHING, "Match the loudness.  [loudness]"),
    "low_hz": _value(float, "--low-hz", EQUALIZER, "No tone change below, Hz.  [25.0]"),
    "high_hz": _value(float, "--high-hz", EQUALIZER, "No tone change above, Hz.  [20000.0]"),
    "max_boost_db": _value(float, "--max-boost", EQUALIZER, "Largest boost, dB.  [12; full: 40]"),
    "max_cut_db": _value(float, "--max-cut", EQUALIZER, "Largest cut, dB.  [12; full: 40]"),
    "max_width_db": _value(
        float, "--max-width", EQUALIZER, "Most that side moves against mid, dB.  [3; full: 12]"
    ),
    "resolution_octaves": _value(
        float, "--resolution", EQUALIZER, "Smoothing of the curve, octaves.  [1; full: 1/3]"
    ),
    "phase": _value(str, "--phase", EQUALIZER, "linear or minimum.  [linear]"),
    "target_lufs": _value(float, "--lufs", LEVELS, "Integrated loudness to reach, LUFS.  [the reference's]"),
    "target": Target,
    "ceiling_dbtp": Ceiling,
    "max_reduction_db": MaxReduction,
}
RENDER_OPTIONS: dict[str, Any] = {
    "bit_depth": _value(str, "--bit-depth", FILE, "16, 24, 32f or 64f.  [the mix's]"),
    "sample_rate_hz": _value(int, "--sample-rate", FILE, "Of the master, Hz.  [the mix's]"),
    "dither_seed": _value(int, "--seed", FILE, "Seed of the dither.  [0]"),
    "no_cache": _value(bool, "--no-cache", MATCHING, "Measure mix and references anew, keep no profiles."),
}
PRINT_OPTIONS: dict[str, Any] = {"as_json": Json, "quiet": Quiet, "verbose": Verbose}


@dataclass(frozen=True)
class Printing:
    """The options that say how much a verb prints."""

    as_json: bool
    quiet: bool
    verbose: bool

    @property
    def progress(self) -> bool:
        """Whether progress is drawn on a terminal."""
        return not (self.quiet or self.as_json)


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options behind its parameters `settings`, `render_options` and `printing`."""
    groups: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
        "settings": (MATCH_OPTIONS, match_settings),
        "render_options": (RENDER_OPTIONS, _render_options),
        "printing": (PRINT_OPTIONS, Printing),
    }
    # `settings` is made here, so its (heavy) type need not be importable when the hints are resolved.
    hints = get_type_hints(verb, localns={"MatchSettings": Any}, include_extras=True)
    parameters = []
    for name, own in inspect.signature(verb).parameters.items():
        if name in groups:
            options, _ = groups[name]
            parameters += [
                _keyword(option, kind, False if kind.__origin__ is bool else None)
                for option, kind in options.items()
            ]
        else:
            parameters.append(_keyword(name, hints[name], own.default))

    @functools.wraps(verb)
    def with_groups(**values: Any) -> None:
        for name in groups.keys() & hints.keys():
            options, made_by = groups[name]
            values[name] = made_by(**{option: values.pop(option) for option in options})
        verb(**values)

    del with_groups.__wrapped__  # its signature would be read instead
    with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_groups.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_groups


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _render_options(*, no_cache: bool | None, **values: Any) -> dict[str, Any]:
    """Return keyword arguments of `refmaster.mastering.master_file` and `plan_file`."""
    given = {name: value for name, value in values.items() if value is not None}
    return {**given, "use_cache": not no_cache}


def match_settings(*, strength: str | None, target: str | None, **values: Any) -> MatchSettings:
    """Return the settings that the options ask for; what was not given (None) keeps its default.

    Raises
    ------
    SettingsError
        Naming the option, what it expects and what it found.
    """
    from refmaster.settings.match import MatchSettings
    from refmaster.settings.model import settings_from
    from refmaster.settings.targets import delivery_target

    given = {name: value for name, value in values.items() if value is not None}
    if strength is not None:
        given["strength"] = parse_strength(strength)
    _refuse_ignored(given)
    if target is not None:
        given = {**delivery_target(target).match_values, **given}
    return settings_from(MatchSettings, given, names={name: option_name(name) for name in MATCH_OPTIONS})


def option_name(field: str) -> str:
    """Return what a field of the settings is called on the command line; of a flag, its negative."""
    names: str = MATCH_OPTIONS[field].__metadata__[0].default  # typer keeps the first name there
    return names.rpartition("/")[2]


def _refuse_ignored(given: dict[str, Any]) -> None:
    """Refuse options that the engine does not honour, even where they ask for the default."""
    from refmaster.settings.match import ignored_by

    asked = [name for name, value in given.items() if value is not True]  # flags are on by default
    ignored = [option_name(name) for name in ignored_by(given.get("engine", ""), asked)]
    if ignored:
        raise SettingsError(
            f"--engine {given['engine']} makes its own curves and cannot honour {', '.join(ignored)}: "
            "drop that, or use the engine refmaster"
        )


def parse_strength(text: str) -> float | str:
    """Return a strength as the settings take it: a number of percent, or its name."""
    from refmaster.settings.match import STRENGTH_NAMES

    if text in STRENGTH_NAMES:
        return text
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        names = ", ".join(STRENGTH_NAMES)
        raise SettingsError(f"--strength: expected 0..100 or one of {names}, found {text!r}") from None


def parse_references(references: list[str]) -> list[tuple[str, float]]:
    """Split ``FILE[:WEIGHT]``; a path that exists as it stands has no weight."""
    parsed = []
    for text in references:
        head, colon, tail = text.rpartition(":")
        weight = _number(tail) if colon and head and not Path(text).exists() else None
        parsed.append((text, 1.0) if weight is None else (head, weight))
    return parsed


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
