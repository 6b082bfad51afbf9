"""A master's result as one JSON object and as a table of mix, reference and master."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from refmaster.mastering import MasterResult
from refmaster.matching.tone import tonal_distance_db
from refmaster.profile.model import Profile

# By name: the unit, the format, and the value in a profile.
LEVELS: dict[str, tuple[str, str, Callable[[Profile], float | None]]] = {
    "Integrated loudness": ("LUFS", "{:.2f}", lambda p: p.levels.integrated_lufs),
    "Maximum short-term": ("LUFS", "{:.1f}", lambda p: p.levels.max_short_term_lufs),
    "Maximum momentary": ("LUFS", "{:.1f}", lambda p: p.levels.max_momentary_lufs),
    "Loudness range": ("LU", "{:.1f}", lambda p: p.levels.loudness_range_lu),
    "True peak": ("dBTP", "{:.2f}", lambda p: p.levels.true_peak_dbtp),
    "Sample peak": ("dBFS", "{:.2f}", lambda p: p.levels.sample_peak_dbfs),
    "PLR": ("dB", "{:.1f}", lambda p: p.levels.plr_db),
    "PSR": ("dB", "{:.1f}", lambda p: p.levels.psr_db),
    "Crest factor": ("dB", "{:.1f}", lambda p: p.levels.crest_factor_db),
    "Side to mid": ("dB", "{:.1f}", lambda p: p.stereo.side_to_mid_db),
    "Correlation": ("", "{:.2f}", lambda p: p.stereo.correlation),
    "Left over right": ("dB", "{:.2f}", lambda p: p.stereo.balance_db),
}
SHORT_LEVELS = (
    "Integrated loudness",
    "Maximum short-term",
    "Loudness range",
    "True peak",
    "PLR",
    "Side to mid",
)


def level_rows(profiles: Sequence[Profile | None], names: Iterable[str] = LEVELS) -> list[list[str]]:
    """Return rows of ``[name, unit, value, value, ...]``, a value for each profile, ``-`` for none."""
    rows = []
    for name in names:
        unit, form, value = LEVELS[name]
        rows.append([name, unit, *(shown(None if p is None else value(p), form) for p in profiles)])
    return rows


def result_rows(result: MasterResult) -> list[list[str]]:
    """Return the table of a master: mix, first reference and master side by side."""
    rows = level_rows([result.mix, *result.references[:1], result.master])
    for number, reference in enumerate(result.references, 1):
        name = "Tone to reference" + (f" {number}" if len(result.references) > 1 else "")
        before, after = (tonal_distance_db(p, reference) for p in (result.mix, result.master))
        rows.append([name, "dB RMS", shown(before), "0", shown(after)])
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
                    "before": rounded(tonal_distance_db(result.mix, r)),
                    "after": rounded(tonal_distance_db(result.master, r)),
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


def shown(value: float | None, form: str = "{:.2f}") -> str:
    """Return a number as text, ``-`` for none."""
    return "-" if value is None else form.format(value + 0.0)


def rounded(value: float | None) -> float | None:
    """Return a number as it stands in JSON, to 0.001."""
    return None if value is None else round(value, 3)
