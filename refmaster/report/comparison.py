"""A comparison of engines as one JSON object and as a table."""

from __future__ import annotations

from typing import Any

from refmaster.check.findings import Finding
from refmaster.comparison.compare import ComparedMaster, Comparison
from refmaster.matching.tone import tonal_distance_db
from refmaster.report.result import level_rows, rounded, shown

# A smaller move is none: it has no frequency worth telling.
NEGLIGIBLE_DB = 0.05
LEVELS = (
    "Integrated loudness",
    "True peak",
    "PLR",
    "Loudness range",
    "Crest factor",
    "Side to mid",
)


def worth_telling(found: Comparison) -> list[Finding]:
    """Return what is worse than a note, once, however many renders met it."""
    findings = [finding for master in found.masters for finding in master.findings]
    return list({str(f): f for f in findings if f.severity != "info"}.values())


def comparison_rows(found: Comparison) -> list[list[str]]:
    """Return the table's rows: mix, a column for each reference, and one for each engine."""
    masters, references = found.masters, found.references
    blank = [""] * (1 + len(references))
    moves = [_move(master) for master in masters]
    return [
        *(_tone_row(found, number) for number in range(len(references))),
        ["Largest move", "dB", *blank, *[gain for gain, _ in moves]],
        ["", "at Hz", *blank, *[place for _, place in moves]],
        *level_rows([found.mix, *references, *[m.master for m in masters]], LEVELS),
        ["Processor time", "s", *blank, *[shown(m.cpu_s, "{:.1f}") for m in masters]],
        ["Peak memory", "MB", *blank, *[shown(m.peak_mb, "{:.0f}") for m in masters]],
    ]


def _tone_row(found: Comparison, number: int) -> list[str]:
    """Return how far mix, references and masters are from one reference."""
    reference, several = found.references[number], len(found.references) > 1
    between = [
        "0" if other is reference else shown(tonal_distance_db(other, reference))
        for other in found.references
    ]
    return [
        f"Tone to reference {number + 1}" if several else "Tone to reference",
        "dB RMS",
        shown(tonal_distance_db(found.mix, reference)),
        *between,
        *[shown(m.distances_db[number] if m.distances_db else None) for m in found.masters],
    ]


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return one object: requested, before, references, engines; tone is a number for each reference."""
    return {
        "requested": {
            "mix": found.mix.source.file,
            "references": [reference.source.file for reference in found.references],
            **found.settings.model_dump(mode="json"),
        },
        "kept_promises": found.kept_promises,
        "before": {
            "tone_to_reference_db": [rounded(tonal_distance_db(found.mix, r)) for r in found.references],
            **found.mix.single_values(),
        },
        "references": [reference.single_values() for reference in found.references],
        "engines": [_engine_json(master) for master in found.masters],
    }


def _engine_json(compared: ComparedMaster) -> dict[str, Any]:
    measured = None
    if compared.master is not None:
        measured = compared.master.single_values()
        measured["source"]["file"] = None if compared.kept is None else str(compared.kept)
    return {
        "name": compared.name,
        "tone_to_reference_db": [rounded(distance) for distance in compared.distances_db],
        "largest_move_db": rounded(compared.largest_move_db),
        "largest_move_hz": rounded(compared.largest_move_hz),
        "cpu_s": compared.cpu_s,
        "peak_mb": compared.peak_mb,
        "measured": measured,
        "findings": [finding.model_dump(mode="json") for finding in compared.findings],
    }


def _move(compared: ComparedMaster) -> tuple[str, str]:
    """Return the largest move in dB and its place in Hz, as text."""
    moved_db = compared.largest_move_db
    if moved_db is not None and abs(moved_db) < NEGLIGIBLE_DB:
        return "+0.0", "-"
    return shown(moved_db, "{:+.1f}"), shown(compared.largest_move_hz, "{:.0f}")
