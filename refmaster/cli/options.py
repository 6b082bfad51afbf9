"""Options that several verbs share, and how they become settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.settings.match import MatchSettings

Mix = Annotated[Path, typer.Argument(help="The mix to master.", metavar="MIX")]
References = Annotated[
    list[str],
    typer.Option(
        "--reference",
        "-r",
        metavar="FILE[:WEIGHT]",
        help="A reference recording or a saved profile; repeat for several, each may carry a weight.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine", help="Whose curves: refmaster's, or those of matchering.  [refmaster]", show_default=False
    ),
]
Strength = Annotated[
    str | None,
    typer.Option(
        metavar="0..100|NAME",
        help="How far to follow the reference: evidence (25, only what is likely mastering), balanced (60), "
        "full (100, third-octave exact), or any number between.  [balanced]",
    ),
]
Prior = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="How songs differ, from refmaster learn.  [shipped]"),
]
Lufs = Annotated[
    float | None,
    typer.Option("--lufs", help="Integrated loudness to reach, LUFS.  [the reference's]", show_default=False),
]
Target = Annotated[
    str | None, typer.Option("--target", help="A delivery preset (loudness and ceiling), such as spotify.")
]
Ceiling = Annotated[
    float | None, typer.Option("--ceiling", help="True-peak ceiling, dBTP.  [-1]", show_default=False)
]
MaxReduction = Annotated[
    float | None,
    typer.Option("--max-reduction", help="Deepest limiting that loudness may cost, dB.  [8]"),
]
LowHz = Annotated[float | None, typer.Option("--low-hz", help="No tone change below, Hz.  [25]")]
HighHz = Annotated[float | None, typer.Option("--high-hz", help="No tone change above, Hz.  [20000]")]
MaxBoost = Annotated[float | None, typer.Option("--max-boost", help="Largest boost, dB.  [12; full: 40]")]
MaxCut = Annotated[float | None, typer.Option("--max-cut", help="Largest cut, dB.  [12; full: 40]")]
MaxWidth = Annotated[
    float | None, typer.Option("--max-width", help="Most that side moves against mid, dB.  [3; full: 12]")
]
Resolution = Annotated[
    float | None,
    typer.Option("--resolution", help="Smoothing of the curve, octaves.  [1; full: 1/3]"),
]
Tone = Annotated[bool, typer.Option("--tone/--no-tone", help="Match the spectrum.")]
Side = Annotated[bool, typer.Option("--side/--no-side", help="Match the width.")]
Balance = Annotated[bool, typer.Option("--balance/--no-balance", help="Match left against right.")]
Loudness = Annotated[bool, typer.Option("--loudness/--no-loudness", help="Match the loudness.")]
Phase = Annotated[str | None, typer.Option("--phase", help="linear or minimum.  [linear]")]
BitDepth = Annotated[
    str | None, typer.Option("--bit-depth", help="16, 24, 32f or 64f.  [the mix's]", show_default=False)
]
SampleRate = Annotated[
    int | None, typer.Option("--sample-rate", help="Of the master, Hz.  [the mix's]", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the dither.", min=0)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say also what was decided and why.")]

# What a field of the settings is called on the command line, for messages.
OPTION_NAMES = {
    "engine": "--engine",
    "strength": "--strength",
    "prior": "--prior",
    "target_lufs": "--lufs",
    "ceiling_dbtp": "--ceiling",
    "max_reduction_db": "--max-reduction",
    "low_hz": "--low-hz",
    "high_hz": "--high-hz",
    "max_boost_db": "--max-boost",
    "max_cut_db": "--max-cut",
    "max_width_db": "--max-width",
    "resolution_octaves": "--resolution",
    "phase": "--phase",
}


# The options that make up `MatchSettings`, under the names of its fields, with their defaults.
MATCH_OPTIONS: dict[str, tuple[Any, Any]] = {
    "engine": (Engine, None),
    "strength": (Strength, None),
    "prior": (Prior, None),
    "target_lufs": (Lufs, None),
    "target": (Target, None),
    "ceiling_dbtp": (Ceiling, None),
    "max_reduction_db": (MaxReduction, None),
    "low_hz": (LowHz, None),
    "high_hz": (HighHz, None),
    "max_boost_db": (MaxBoost, None),
    "max_cut_db": (MaxCut, None),
    "max_width_db": (MaxWidth, None),
    "resolution_octaves": (Resolution, None),
    "tone": (Tone, True),
    "side": (Side, True),
    "balance": (Balance, True),
    "loudness": (Loudness, True),
    "phase": (Phase, None),
}


def takes_match_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb that takes `settings` the options that make them up, ahead of its own options."""
    # `settings` is made here, so its (heavy) type need not be importable when the hints are resolved.
    hints = get_type_hints(verb, localns={"MatchSettings": Any}, include_extras=True)
    own = [p for name, p in inspect.signature(verb).parameters.items() if name != "settings"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in MATCH_OPTIONS.items()
    ]
    first = [p for p in own if p.default is inspect.Parameter.empty]
    last = [p for p in own if p.default is not inspect.Parameter.empty]

    @functools.wraps(verb)
    def with_settings(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in MATCH_OPTIONS}
        verb(settings=match_settings(**chosen), **values)

    parameters = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(p.name, p.annotation))
        for p in (*first, *shared, *last)
    ]
    del with_settings.__wrapped__  # its signature would be read instead
    with_settings.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_settings


def match_settings(*, strength: str | None, target: str | None, **values: Any) -> MatchSettings:
    """Return the settings that the options ask for; what was not given (None) keeps its default.

    Raises
    ------
    SettingsError
        Naming the option, what it expects and what it found.
    """
    from refmaster.settings.match import MatchSettings
    from refmaster.settings.model import settings_from

    given = {name: value for name, value in values.items() if value is not None}
    _refuse_ignored(given, strength)
    if strength is not None:
        given["strength"] = parse_strength(strength)
    if target is not None:
        given = {**_delivery(target), **given}
    return settings_from(MatchSettings, given, names=OPTION_NAMES)


def _refuse_ignored(given: dict[str, Any], strength: str | None) -> None:
    """Refuse options that the engine does not honour, even where they ask for the default."""
    from refmaster.settings.match import ignored_by

    asked = [name for name, value in given.items() if value is not True]  # flags are on unless switched off
    asked += [] if strength is None else ["strength"]
    ignored = [OPTION_NAMES.get(name, f"--no-{name}") for name in ignored_by(given.get("engine", ""), asked)]
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


def parse_references(references: list[str]) -> list[tuple[Path, float]]:
    """Split ``FILE[:WEIGHT]``; a path that exists as it stands has no weight."""
    parsed = []
    for text in references:
        head, colon, tail = text.rpartition(":")
        weight = _number(tail) if colon and head and not Path(text).exists() else None
        parsed.append((Path(text), 1.0) if weight is None else (Path(head), weight))
    return parsed


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _delivery(name: str) -> dict[str, float]:
    from refmaster.settings.targets import delivery_target

    target = delivery_target(name)
    values = {"ceiling_dbtp": target.true_peak_dbtp}
    if target.integrated_lufs is not None:
        values["target_lufs"] = target.integrated_lufs
    return values
