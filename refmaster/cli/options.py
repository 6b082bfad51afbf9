"""Options that several verbs share, and how they become settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from refmaster.cli.choices import (
    BIT_DEPTHS,
    ENGINES,
    LOUDNESSES,
    PHASES,
    STRENGTHS,
    TARGET_NAMES,
    completing,
    target_names,
)
from refmaster.cli.codecs import CodecNames, parse_codecs
from refmaster.cli.help import EQUALIZER, FILE, LEVELS, MATCHING, SCREEN
from refmaster.cli.labels import Art, Bext, TagOptions
from refmaster.cli.repair import REPAIR_OPTIONS, with_repair
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.settings.files import SettingsLayer
    from refmaster.settings.match import MatchSettings

Mix = Annotated[str, typer.Argument(help="The mix to master.", metavar="MIX")]  # a path or a URL
StemFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--stem",
        metavar="FILE",
        help="In place of MIX: a stem of it; repeat for all that sum to the mix, of one length and sample "
        "rate. A stem that explains what the mix misses gets an equalizer of its own.",
        rich_help_panel=FILE,
    ),
]
References = Annotated[
    list[str],
    typer.Option(
        "--reference",
        "-r",
        metavar="[ASPECT=]FILE[:WEIGHT]",
        help="A reference recording, a saved profile, or a folder, from which the best are chosen; repeat "
        "for several. Each may have a weight, and name what it serves: tone, width, balance, dynamics, "
        "loudness (tone,width=a.wav).  [all]",
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
        autocompletion=completing(lambda: STRENGTHS),
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help=f"A delivery preset (loudness and ceiling): {TARGET_NAMES}. More: refmaster targets.",
        rich_help_panel=LEVELS,
        autocompletion=completing(target_names),
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
        help="Deepest limiting that loudness may cost, dB.  [what is not heard]",
        rich_help_panel=LEVELS,
    ),
]
Prior = Annotated[
    str | None,
    typer.Option(
        "--prior", help="A file of refmaster learn: how songs differ.  [shipped]", rich_help_panel=MATCHING
    ),
]
NoCache = Annotated[
    bool | None,
    typer.Option(
        "--no-cache", help="Measure mix and references anew, keep no profiles.", rich_help_panel=MATCHING
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


def _value(
    kind: type,
    name: str,
    heading: str,
    help_text: str,
    *,
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Return the type of an option that is None unless given; its help states the default."""
    option = typer.Option(
        name,
        help=help_text,
        rich_help_panel=heading,
        metavar=metavar,
        autocompletion=completing(lambda: choices) if choices else None,
    )
    return Annotated[kind | None, option]


# Under the names of the fields of `MatchSettings`, and `target`; the fades are part of `repair`.
MATCH_OPTIONS: dict[str, Any] = {
    "engine": _value(
        str,
        "--engine",
        MATCHING,
        "Whose curves: refmaster's own, or those that matchering makes.  [refmaster]",
        metavar="|".join(ENGINES),
        choices=ENGINES,
    ),
    "strength": Strength,
    "prior": Prior,
    "tone": _value(bool, "--tone/--no-tone", MATCHING, "Match the spectrum.  [tone]"),
    "side": _value(bool, "--side/--no-side", MATCHING, "Match the width.  [side]"),
    "balance": _value(bool, "--balance/--no-balance", MATCHING, "Match left against right.  [balance]"),
    "dynamics": _value(bool, "--dynamics/--no-dynamics", MATCHING, "Match the dynamics.  [dynamics]"),
    "sections": _value(
        bool,
        "--sections/--no-sections",
        MATCHING,
        "Match loud parts with loud parts and quiet with quiet.  [no-sections]",
    ),
    "loudness": _value(
        str,
        "--loudness",
        MATCHING,
        "How far to follow the reference's loudness: clean (as far as limiting stays clean) or full (as far "
        "as it goes).  [clean]",
        metavar="|".join(LOUDNESSES),
        choices=LOUDNESSES,
    ),
    "no_loudness": _value(bool, "--no-loudness", MATCHING, "Keep the mix's own loudness."),
    "low_hz": _value(float, "--low-hz", EQUALIZER, "No tone change below, Hz.  [25.0]"),
    "high_hz": _value(float, "--high-hz", EQUALIZER, "No tone change above, Hz.  [20000.0]"),
    "max_boost_db": _value(float, "--max-boost", EQUALIZER, "Largest boost, dB.  [12; full: 48]"),
    "max_cut_db": _value(float, "--max-cut", EQUALIZER, "Largest cut, dB.  [12; full: 48]"),
    "max_width_db": _value(
        float, "--max-width", EQUALIZER, "Most that side moves against mid, dB.  [3; balanced: 9; full: 12]"
    ),
    "resolution_octaves": _value(
        float, "--resolution", EQUALIZER, "Smoothing of the curve, octaves.  [1; full: 1/3]"
    ),
    "phase": _value(str, "--phase", EQUALIZER, "linear or minimum.  [linear]", choices=PHASES),
    "mono_below_hz": _value(
        float, "--mono-below", EQUALIZER, "Remove the side below, Hz (vinyl: 250).  [kept]", metavar="HZ"
    ),
    "target_lufs": _value(float, "--lufs", LEVELS, "Integrated loudness to reach, LUFS.  [the reference's]"),
    "target": Target,
    "ceiling_dbtp": Ceiling,
    "max_reduction_db": MaxReduction,
    **REPAIR_OPTIONS,
}
RENDER_OPTIONS: dict[str, Any] = {
    "settings_file": _value(
        Path,
        "--settings",
        MATCHING,
        "Settings as YAML, with the keys of a job; options win over it, and it over your own defaults.",
        metavar="FILE",
    ),
    "bit_depth": _value(str, "--bit-depth", FILE, "16, 24, 32f or 64f.  [the mix's]", choices=BIT_DEPTHS),
    "sample_rate_hz": _value(int, "--sample-rate", FILE, "Of the master, Hz.  [the mix's]"),
    "dither_seed": _value(int, "--seed", FILE, "Seed of the dither.  [0]"),
    "loudness_tags": _value(
        str, "--loudness-tags", FILE, "Gains for players, written as tags: replaygain or r128.  [none]"
    ),
    "tags": TagOptions,
    "art": Art,
    "bext": Bext,
    "codecs": CodecNames,
    "no_cache": NoCache,
}
PRINT_OPTIONS: dict[str, Any] = {"as_json": Json, "quiet": Quiet, "verbose": Verbose}


@dataclass(frozen=True)
class Printing:
    """The options that say how much a verb prints."""

    as_json: bool
    quiet: bool
    verbose: bool
    layers: tuple[str, ...] = ()  # what the files with settings set, in words

    @property
    def progress(self) -> bool:
        """Whether progress is drawn on a terminal."""
        return not (self.quiet or self.as_json)


def grouped(*, without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options behind its parameters `settings`, `render_options` and `printing`.

    `without` names options of the groups that the verb does not have.
    """

    def give(verb: Callable[..., None]) -> Callable[..., None]:
        # `settings` is made here, so its (heavy) type need not be importable when the hints are resolved.
        hints = get_type_hints(verb, localns={"MatchSettings": Any}, include_extras=True)
        parameters = []
        for name, own in inspect.signature(verb).parameters.items():
            if name in _GROUPS:
                parameters += [
                    _keyword(option, kind, False if kind.__origin__ is bool else None)
                    for option, kind in _GROUPS[name].items()
                    if option not in without
                ]
            else:
                parameters.append(_keyword(name, hints[name], own.default))

        @functools.wraps(verb)
        def with_groups(**values: Any) -> None:
            groups = {
                group: {name: values.pop(name) for name in options if name in values}
                for group, options in _GROUPS.items()
                if group in hints
            }
            verb(**values, **_made(groups))

        del with_groups.__wrapped__  # its signature would be read instead
        with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_groups.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_groups

    return give


_GROUPS: dict[str, dict[str, Any]] = {
    "settings": MATCH_OPTIONS,
    "render_options": RENDER_OPTIONS,
    "printing": PRINT_OPTIONS,
}


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _made(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a verb's parameters from the values of its options."""
    made: dict[str, Any] = {}
    printing = groups.get("printing")
    render_options = groups.get("render_options")
    layers: list[SettingsLayer] = []
    if "settings" in groups:
        file = None if render_options is None else render_options.pop("settings_file")
        made["settings"], layers = _match_settings(file, **groups["settings"])
    if render_options is not None:
        use_cache = not render_options.pop("no_cache")
        given = {name: value for name, value in render_options.items() if value not in (None, [])}
        if "tags" in given:
            from refmaster.settings.tags import parse_tags

            given["tags"] = parse_tags(given["tags"])
        if "codecs" in given:
            given["codecs"] = parse_codecs(given["codecs"])
        from_files = {name: value for layer in layers for name, value in layer.output.items()}
        made["render_options"] = {**from_files, **given, "use_cache": use_cache}
    if printing is not None:
        made["printing"] = Printing(**printing, layers=tuple(map(_described, layers)))
    return made


def _described(layer: SettingsLayer) -> str:
    return f"{layer.path}: {', '.join([*layer.match, *layer.output]) or 'nothing'}"


def _match_settings(file: Path | None, **values: Any) -> tuple[MatchSettings, list[SettingsLayer]]:
    """Return the settings asked for, and the files that they come from besides the options.

    Raises
    ------
    SettingsError
        Naming the option, what it expects and what it found.
    """
    from refmaster.settings.files import load_settings, merged_layers, own_defaults
    from refmaster.settings.match import MatchSettings, ignored_by, with_target_values
    from refmaster.settings.model import settings_from

    given = with_repair({name: value for name, value in values.items() if value is not None})
    if "strength" in given:
        given["strength"] = parse_strength(given["strength"])
    if given.pop("no_loudness", False):
        if "loudness" in given:
            raise SettingsError("--loudness and --no-loudness contradict each other; drop one of them")
        given["loudness"] = False
    _refuse_ignored(given)
    given = with_target_values(given)
    layers = [] if file is None else [load_settings(file)]
    asked = merged_layers([*(layer.match for layer in layers), given])
    defaults = own_defaults()
    if defaults is not None:
        # Defaults stand where they can: an engine that is asked for is not refused for their sake.
        engine = asked.get("engine", defaults.match.get("engine", ""))
        useless = ignored_by(engine, defaults.match)
        kept = {name: value for name, value in defaults.match.items() if name not in useless}
        layers.insert(0, replace(defaults, match=kept))
        asked = merged_layers([kept, asked])
    names = {name: option_name(name) for name in MATCH_OPTIONS if name in given}
    if given.get("loudness") is False:
        names["loudness"] = option_name("no_loudness")
    return settings_from(MatchSettings, asked, names=names), layers


def option_name(field: str) -> str:
    """Return what a field of the settings is called on the command line; of a flag, the one to give."""
    from refmaster.settings.match import MatchSettings

    names: str = MATCH_OPTIONS[field].__metadata__[0].default  # typer keeps the first name there
    known = MatchSettings.model_fields.get(field)
    return names.partition("/")[0] if known and known.default is False else names.rpartition("/")[2]


def _refuse_ignored(given: dict[str, Any]) -> None:
    """Refuse options that the engine does not honour, even where they ask for the default."""
    from refmaster.settings.match import MatchSettings, ignored_by

    fields = MatchSettings.model_fields
    asked = [  # a flag that asks for its default asks for nothing
        name
        for name, value in given.items()
        if not isinstance(value, bool) or name not in fields or value is not fields[name].default
    ]
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
