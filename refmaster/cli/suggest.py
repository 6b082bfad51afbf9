"""``refmaster suggest``: which recordings serve as references for a mix, and why."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options

if TYPE_CHECKING:
    from refmaster.comparison.suggest import Suggestions
    from refmaster.matching.ranking import RankedReference

# The best are listed, and the first of them explained.
LISTED, EXPLAINED = 10, 3


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "suggest",
        help="Suggest references for MIX.\n\n"
        "Recordings and saved profiles are ranked by how they fit it, and it is said why.",
        epilog="Example: refmaster suggest mix.wav References/",
    )(run)


def run(
    mix: options.Mix,
    candidates: Annotated[
        list[str],
        typer.Argument(metavar="FOLDER...", help="Folders of finished music, recordings, saved profiles."),
    ],
    prior: options.Prior = None,
    ceiling: options.Ceiling = None,
    no_cache: options.NoCache = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List and explain all of them.")] = False,
) -> None:
    """Rank the candidates."""
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.comparison.suggest import suggest_references
    from refmaster.settings.limiter import LimiterSettings

    limiter = LimiterSettings() if ceiling is None else LimiterSettings(ceiling_dbtp=ceiling)
    with screen.progress_bar(not (quiet or as_json)) as progress, Staging(progress) as staging:
        found = suggest_references(
            staging.fetched(mix),
            [staging.fetched(candidate) for candidate in candidates],
            prior=prior,
            ceiling_dbtp=limiter.ceiling_dbtp,
            use_cache=not no_cache,
            progress=progress,
        )
    if as_json:
        screen.print_json(_json(found))
    elif not quiet:
        _print(found, mix, everything=verbose)


def _print(found: Suggestions, mix: str, *, everything: bool) -> None:
    from refmaster.cli import screen
    from refmaster.cli.table import Name
    from refmaster.report.result import shown

    listed = found.ranked if everything else found.ranked[:LISTED]
    rows = [
        [
            Name(reference.profile.name),
            shown(reference.fit, "{:.1f}"),
            shown(reference.tone_distance_db, "{:.1f}"),
            shown(reference.profile.levels.integrated_lufs, "{:.1f}"),
            shown(reference.spread_difference_db, "{:+.1f}"),
            shown(reference.width_difference_db, "{:+.1f}"),
        ]
        for reference in listed
    ]
    screen.print_table(["reference", "fit", "tone dB RMS", "LUFS", "dynamics dB", "width dB"], rows)
    for number, reference in enumerate(listed if everything else listed[:EXPLAINED], 1):
        screen.print_text(f"{number}. {reference.profile.name}: {found.why(reference)}", indent=3)
    if found.clean_lufs is not None:
        screen.print_text(
            f"the mix as it is gets to {found.clean_lufs:.1f} LUFS before its limiting is heard"
        )
    names = " ".join(f"-r {shlex.quote(r.file)}" for r in found.together)
    kind = "the best alone" if len(found.together) == 1 else "the best together"
    screen.print_text(f"{kind}: refmaster master {shlex.quote(mix)} {names} -o master.wav", indent=3)
    for reason in found.left_out:
        screen.print_text(f"note: {reason}", indent=6)


def _json(found: Suggestions) -> dict[str, Any]:
    def row(reference: RankedReference) -> dict[str, Any]:
        numbers = {
            field.name: getattr(reference, field.name)
            for field in fields(reference)
            if field.name not in ("profile", "file")
        }
        return {
            "file": reference.file,
            "integrated_lufs": reference.profile.levels.integrated_lufs,
            **{name: None if value is None else round(value, 3) + 0.0 for name, value in numbers.items()},
            "why": found.why(reference),
        }

    return {
        "mix": found.mix.source.file,
        "clean_lufs": None if found.clean_lufs is None else round(found.clean_lufs, 2),
        "references": [row(reference) for reference in found.ranked],
        "together": [reference.file for reference in found.together],
        "left_out": list(found.left_out),
    }
