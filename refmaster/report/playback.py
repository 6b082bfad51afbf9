"""A recording on other playback systems as tables and as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refmaster.check.playback import PlaybackResult
from refmaster.matching.playback import RegionOnSystem, Translation
from refmaster.rendering.playback import Audition
from refmaster.report.result import rounded, shown


def loudness_table(found: PlaybackResult) -> list[list[str]]:
    """Return how loudness changes on each system, the header first, with what finished recordings do."""
    beside = ["reference LU", "difference LU"] if found.references else []
    rows = [["system", "loudness LU", *beside, "finished records LU"]]
    for translation in found.translations:
        values: list[float | None] = [translation.change_lu]
        if found.references:
            values += [translation.reference_change_lu, translation.difference_lu]
        system = translation.system
        usual = f"{system.finished_mean_lu:+.1f} \N{PLUS-MINUS SIGN} {system.finished_sd_lu:.1f}"
        rows.append([system.title, *(shown(value, "{:+.1f}") for value in values), usual])
    return rows


def balance_table(found: PlaybackResult) -> list[list[str]]:
    """Return the balance on each system, the header first: against the reference's, or against the whole."""
    first = found.translations[0].regions
    rows = [["dB", *(region.name for region in first)]]
    for translation in found.translations:
        levels = [
            region.difference_db if found.references else region.level_db for region in translation.regions
        ]
        form = "{:+.1f}" if found.references else "{:.1f}"
        levels = [None if level is None else round(level, 1) for level in levels]
        rows.append(
            [
                translation.system.name,
                *(shown(level, form) for level in levels),
            ]
        )
    return rows


def playback_json(found: PlaybackResult, auditions: Sequence[Audition] = ()) -> dict[str, Any]:
    """Return one object: the systems with their sources, findings, and the files to listen to."""
    return {
        "file": found.recording.source.file,
        "references": [reference.source.file for reference in found.references],
        "systems": [_system_json(translation) for translation in found.translations],
        "findings": [finding.model_dump(mode="json") for finding in found.findings],
        "auditions": [
            {"system": a.system, "output": str(a.output), "gain_db": rounded(a.gain_db)} for a in auditions
        ],
    }


def _system_json(found: Translation) -> dict[str, Any]:
    system = found.system
    return {
        "name": system.name,
        "title": system.title,
        "grade": system.grade,
        "source": system.source,
        "checked_on": system.checked_on,
        "change_lu": found.change_lu,
        "reference_change_lu": found.reference_change_lu,
        "difference_lu": rounded(found.difference_lu),
        "finished_mean_lu": system.finished_mean_lu,
        "finished_sd_lu": system.finished_sd_lu,
        "regions": [_region_json(region) for region in found.regions],
    }


def _region_json(region: RegionOnSystem) -> dict[str, Any]:
    return {
        "name": region.name,
        "low_hz": region.low_hz,
        "high_hz": region.high_hz,
        "level_db": region.level_db,
        "reference_level_db": region.reference_level_db,
        "difference_db": rounded(region.difference_db),
    }
