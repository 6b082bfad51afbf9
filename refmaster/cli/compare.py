"""``refmaster compare``: refmaster, matchering and plain gain side by side, measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options

if TYPE_CHECKING:
    from refmaster.check.findings import Finding
    from refmaster.compare.comparison import Comparison, Contender
    from refmaster.profile.model import Profile
    from refmaster.settings.match import MatchSettings


# A move below this has no place worth telling.
NEGLIGIBLE_DB = 0.05


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "compare",
        help="Render MIX with refmaster, matchering and plain gain, and print what each measures.",
        epilog="Example: refmaster compare mix.wav --reference ref.wav --keep masters",
    )(run)


@options.takes_match_options
def run(
    settings: MatchSettings,
    mix: options.Mix,
    reference: Annotated[
        Path, typer.Option("-r", "--reference", metavar="FILE", help="A reference recording.")
    ],
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="FOLDER", help="Keep the masters in this folder.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare the engines on one mix."""
    from refmaster.cli import screen
    from refmaster.compare.comparison import compare_engines

    with screen.progress_bar(not (quiet or as_json)) as progress:
        found = compare_engines(mix, reference, settings, keep=keep, overwrite=overwrite, progress=progress)
    if as_json:
        screen.print_json(comparison_json(found))
    elif not quiet:
        header = ["", "", "mix", "reference", *[c.name for c in found.contenders]]
        screen.print_table(header, comparison_rows(found), text_columns=2)
        for contender in found.contenders:
            if contender.kept is not None:
                print(f"kept {contender.kept}")
    if not as_json:
        screen.print_findings(worth_telling(found), quiet=quiet)
    raise typer.Exit(0 if found.kept_promises else 1)


def worth_telling(found: Comparison) -> list[Finding]:
    """Return what is worse than a note, once, however many renders met it."""
    findings = [finding for contender in found.contenders for finding in contender.findings]
    return list({str(f): f for f in findings if f.severity != "info"}.values())


LEVEL_ROWS: tuple[tuple[str, str, str, Callable[[Profile], float | None]], ...] = (
    ("Integrated loudness", "LUFS", "{:.2f}", lambda p: p.levels.integrated_lufs),
    ("True peak", "dBTP", "{:.2f}", lambda p: p.levels.true_peak_dbtp),
    ("PLR", "dB", "{:.1f}", lambda p: p.levels.plr_db),
    ("Loudness range", "LU", "{:.1f}", lambda p: p.levels.loudness_range_lu),
    ("Crest factor", "dB", "{:.1f}", lambda p: p.levels.crest_factor_db),
    ("Side to mid", "dB", "{:.1f}", lambda p: p.stereo.side_to_mid_db),
)


def comparison_rows(found: Comparison) -> list[list[str]]:
    """Return the table's rows: mix, reference, and a column for each engine."""
    from refmaster.matching.tone import tonal_distance_db

    engines = found.contenders
    before = tonal_distance_db(found.mix, found.reference)
    rows = [
        ["Tone to reference", "dB RMS", _shown(before), "0", *[_shown(c.distance_db) for c in engines]],
        ["Largest move", "dB", "", "", *[_shown(_negligible(c.largest_move_db), "{:+.1f}") for c in engines]],
        ["", "at Hz", "", "", *[_place(c) for c in engines]],
    ]
    for what, unit, form, get in LEVEL_ROWS:
        profiles = [found.mix, found.reference, *[c.master for c in engines]]
        rows.append([what, unit, *[_shown(None if p is None else get(p), form) for p in profiles]])
    rows.append(["Processor time", "s", "", "", *[_shown(c.cpu_s, "{:.1f}") for c in engines]])
    rows.append(["Peak memory", "MB", "", "", *[_shown(c.peak_mb, "{:.0f}") for c in engines]])
    return rows


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return one object: requested, before, reference, engines."""
    from refmaster.matching.tone import tonal_distance_db

    return {
        "requested": {
            "mix": found.mix.source.file,
            "reference": found.reference.source.file,
            **found.settings.model_dump(mode="json"),
        },
        "kept_promises": found.kept_promises,
        "before": {
            "tone_to_reference_db": _rounded(tonal_distance_db(found.mix, found.reference)),
            **found.mix.single_values(),
        },
        "reference": found.reference.single_values(),
        "engines": [_engine_json(contender) for contender in found.contenders],
    }


def _engine_json(contender: Contender) -> dict[str, Any]:

    measured = None
    if contender.master is not None:
        measured = contender.master.single_values()
        measured["source"]["file"] = None if contender.kept is None else str(contender.kept)
    return {
        "name": contender.name,
        "tone_to_reference_db": _rounded(contender.distance_db),
        "largest_move_db": _rounded(contender.largest_move_db),
        "largest_move_hz": _rounded(contender.largest_move_hz),
        "cpu_s": contender.cpu_s,
        "peak_mb": contender.peak_mb,
        "measured": measured,
        "findings": [finding.model_dump(mode="json") for finding in contender.findings],
    }


def _shown(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(round(value, 3) + 0.0)


def _negligible(value: float | None) -> float | None:
    return 0.0 if value is not None and abs(value) < NEGLIGIBLE_DB else value


def _place(contender: Contender) -> str:
    moved = contender.largest_move_db is not None and abs(contender.largest_move_db) >= NEGLIGIBLE_DB
    return _shown(contender.largest_move_hz, "{:.0f}") if moved else "-"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
