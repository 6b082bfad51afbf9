"""A master's result as one JSON object and as a table of before, reference and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from refmaster.mastering import MasterResult
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.model import Profile

Getter = Callable[[Profile], float | None]

LEVEL_ROWS: tuple[tuple[str, str, str, Getter], ...] = (
    ("Integrated loudness", "LUFS", "{:.2f}", lambda p: p.levels.integrated_lufs),
    ("Maximum short-term", "LUFS", "{:.1f}", lambda p: p.levels.max_short_term_lufs),
    ("Maximum momentary", "LUFS", "{:.1f}", lambda p: p.levels.max_momentary_lufs),
    ("Loudness range", "LU", "{:.1f}", lambda p: p.levels.loudness_range_lu),
    ("True peak", "dBTP", "{:.2f}", lambda p: p.levels.true_peak_dbtp),
    ("Sample peak", "dBFS", "{:.2f}", lambda p: p.levels.sample_peak_dbfs),
    ("PLR", "dB", "{:.1f}", lambda p: p.levels.plr_db),
    ("PSR", "dB", "{:.1f}", lambda p: p.levels.psr_db),
    ("Crest factor", "dB", "{:.1f}", lambda p: p.levels.crest_factor_db),
    ("Side to mid", "dB", "{:.1f}", lambda p: p.stereo.side_to_mid_db),
    ("Correlation", "", "{:.2f}", lambda p: p.stereo.correlation),
    ("Left over right", "dB", "{:.2f}", lambda p: p.stereo.balance_db),
)


def comparison_rows(profiles: Sequence[Profile]) -> list[list[str]]:
    """Return rows of ``[what, unit, value, value, ...]``, a value for each profile."""
    return [
        [what, unit, *(_shown(get(profile), form) for profile in profiles)]
        for what, unit, form, get in LEVEL_ROWS
    ]


def result_rows(result: MasterResult) -> list[list[str]]:
    """Return the table of a master: mix, first reference and master side by side."""
    shown = [result.mix, *result.references[:1], result.master]
    rows = comparison_rows(shown)
    for number, reference in enumerate(result.references):
        before, after = tonal_distance_db(result.mix, reference), tonal_distance_db(result.master, reference)
        name = "Tone to reference" + (f" {number + 1}" if len(result.references) > 1 else "")
        rows.append([name, "dB RMS", _shown(before, "{:.2f}"), "0", _shown(after, "{:.2f}")])
    return rows


def result_json(result: MasterResult) -> dict[str, Any]:
    """Return one object: requested, achieved, plan, findings."""
    plan = result.plan
    return {
        "requested": {
            "mix": result.mix.source.file,
            "references": [r.model_dump(mode="json") for r in plan.references],
            "integrated_lufs": plan.promise.integrated_lufs,
            "true_peak_dbtp": plan.promise.true_peak_dbtp,
            **plan.requested.model_dump(mode="json"),
        },
        "achieved": {
            "output": str(result.output) if result.output else None,
            "kept_promises": result.kept_promises,
            "renders": result.renders,
            "before": result.mix.single_values(),
            "references": [r.single_values() for r in result.references],
            "after": result.master.single_values(),
            "tone_to_reference_db": [
                {
                    "before": _rounded(tonal_distance_db(result.mix, r)),
                    "after": _rounded(tonal_distance_db(result.master, r)),
                }
                for r in result.references
            ],
            "limiter": _activity_json(result),
        },
        "plan": plan.model_dump(mode="json"),
        "findings": [finding.model_dump(mode="json") for finding in result.findings],
    }


def _activity_json(result: MasterResult) -> dict[str, float] | None:
    if result.limiter is None:
        return None
    return {
        "max_gain_reduction_db": round(result.limiter.max_gain_reduction_db, 2),
        "mean_gain_reduction_db": round(result.limiter.mean_gain_reduction_db, 2),
        "active_share": round(result.limiter.active_share, 4),
    }


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value + 0.0)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
