"""A master's result as one JSON object and as a table of mix, reference and master."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from refmaster.dsp.dynamics import BandActivity
from refmaster.matching.image import image_aim_db
from refmaster.matching.tone import distance_to_aim_db, tonal_distance_db
from refmaster.profile.model import Profile
from refmaster.rendering.result import MasterResult
from refmaster.settings.aspects import ServedAspect, serves
from refmaster.settings.records import ReferenceRecord

# By name: the unit, the format, and the value in a profile.
LEVELS: dict[str, tuple[str, str, Callable[[Profile], float | None]]] = {
    "Integrated loudness": ("LUFS", "{:.2f}", lambda p: p.levels.integrated_lufs),
    "Maximum short-term": ("LUFS", "{:.1f}", lambda p: p.levels.max_short_term_lufs),
    "Maximum momentary": ("LUFS", "{:.1f}", lambda p: p.levels.max_momentary_lufs),
    "Loudness range": ("LU", "{:.1f}", lambda p: p.levels.loudness_range_lu),
    "Momentary spread": ("LU", "{:.1f}", lambda p: p.momentary_spread_lu),
    "True peak": ("dBTP", "{:.2f}", lambda p: p.levels.true_peak_dbtp),
    "Sample peak": ("dBFS", "{:.2f}", lambda p: p.levels.sample_peak_dbfs),
    "PLR": ("dB", "{:.1f}", lambda p: p.levels.plr_db),
    "PSR": ("dB", "{:.1f}", lambda p: p.levels.psr_db),
    "Crest factor": ("dB", "{:.1f}", lambda p: p.levels.crest_factor_db),
    "Side to mid": ("dB", "{:.1f}", lambda p: p.stereo.side_to_mid_db),
    "Correlation": ("", "{:.2f}", lambda p: p.stereo.correlation),
    "Left over right": ("dB", "{:.2f}", lambda p: p.stereo.balance_db),
}
REFERENCE_LEVELS = ("Integrated loudness", "True peak", "Side to mid", "Left over right")
REFERENCE_HEADER = (
    "reference",
    "weight",
    "LUFS",
    "dBTP",
    "side to mid dB",
    "left over right dB",
    "tone to mix dB RMS",
    "to master",
)


def level_rows(profiles: Sequence[Profile | None], names: Iterable[str] = LEVELS) -> list[list[str]]:
    """Return rows of ``[name, unit, value, value, ...]``, a value for each profile, ``-`` for none."""
    rows = []
    for name in names:
        unit, form, value = LEVELS[name]
        rows.append([name, unit, *(shown(None if p is None else value(p), form) for p in profiles)])
    return rows


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The values that a master was brought toward, and how far its tone came; None where there are none.

    Attributes
    ----------
    integrated_lufs : float or None
        As asked, or the references' mean.
    side_to_mid_db, balance_db : float or None
        Means of the references that have an image to follow.
    tone_before_db, tone_after_db : float or None
        RMS distance of mix and master, as measured, to the references' mean tone.
    """

    integrated_lufs: float | None
    side_to_mid_db: float | None
    balance_db: float | None
    tone_before_db: float | None
    tone_after_db: float | None


def aim_of(result: MasterResult) -> Aim | None:
    """Return what the references ask for together, by their weights; None without a reference."""
    if not result.references:
        return None
    toned = _serving(result, "tone")
    return Aim(
        integrated_lufs=result.plan.promise.integrated_lufs,
        side_to_mid_db=image_aim_db(_serving(result, "width"), lambda stereo: stereo.side_to_mid_db),
        balance_db=image_aim_db(_serving(result, "balance"), lambda stereo: stereo.balance_db),
        tone_before_db=distance_to_aim_db(result.mix, toned),
        tone_after_db=distance_to_aim_db(result.master, toned),
    )


def has_one_reference(result: MasterResult) -> bool:
    """Return whether one reference alone serves all aspects, so that the master is aimed at it."""
    return len(result.references) == 1 and not result.plan.references[0].aspects


def _serving(result: MasterResult, aspect: ServedAspect) -> list[tuple[Profile, float]]:
    """Return the references that serve an aspect, with their weights."""
    return [(profile, r.weight) for profile, r in _recorded(result) if serves(r.aspects, aspect)]


def _recorded(result: MasterResult) -> list[tuple[Profile, ReferenceRecord]]:
    """Return each reference with its record; none where a plan was rendered, which needs no references."""
    return list(zip(result.references, result.plan.references if result.references else (), strict=True))


def result_rows(result: MasterResult) -> list[list[str]]:
    """Return the table of a master: mix, reference and master side by side.

    Of several references it has what they ask for together; `reference_rows` has each.
    """
    aim, alone = aim_of(result), has_one_reference(result)
    if aim is None or alone:
        rows = level_rows([result.mix, *result.references, result.master])
    else:
        aims = {
            "Integrated loudness": aim.integrated_lufs,
            "Side to mid": aim.side_to_mid_db,
            "Left over right": aim.balance_db,
        }
        rows = [
            [name, unit, mix, shown(aims[name], LEVELS[name][1]) if name in aims else "", master]
            for name, unit, mix, master in level_rows([result.mix, result.master])
        ]
    if aim is not None and _serving(result, "tone"):
        tone = "Tone to reference" if alone else "Tone to the aim"
        rows.append([tone, "dB RMS", shown(aim.tone_before_db), "0", shown(aim.tone_after_db)])
    return rows


def reference_rows(result: MasterResult) -> list[list[str]]:
    """Return a row for each reference, as `REFERENCE_HEADER`; the tone only of those that serve it."""
    return [
        [
            profile.name,
            f"{record.weight:g}" + (f" for {', '.join(record.aspects)}" if record.aspects else ""),
            *(row[2] for row in level_rows([profile], REFERENCE_LEVELS)),
            *map(shown, _tone_distances(result, profile, record)),
        ]
        for profile, record in _recorded(result)
    ]


def _tone_distances(
    result: MasterResult, reference: Profile, record: ReferenceRecord
) -> tuple[float | None, float | None]:
    """Return how far mix and master are from a reference in tone; None where it does not serve the tone."""
    if not serves(record.aspects, "tone"):
        return None, None
    return tonal_distance_db(result.mix, reference), tonal_distance_db(result.master, reference)


def tone_left(result: MasterResult) -> str:
    """Return in words what the written master's tone is away from the reference; nothing without one."""
    aim = aim_of(result)
    if aim is None or aim.tone_before_db is None or aim.tone_after_db is None:
        return ""
    whose = "the reference" if len(_serving(result, "tone")) == 1 else "the references' mean"
    return (
        f"measured on the master: {aim.tone_after_db:.1f} dB RMS away from {whose}, the mix was "
        f"{aim.tone_before_db:.1f} dB away"
    )


def dynamics_done(result: MasterResult) -> str:
    """Return in words why the dynamics stage acts or rests, and what it did; nothing where there is none."""
    stage = result.plan.dynamics
    edges = [f"{edge:g}" for edge in stage.crossover_hz]
    names = [""]
    if edges:
        between = (f"{low}-{high} Hz" for low, high in itertools.pairwise(edges))
        names = [f"below {edges[0]} Hz ", *(f"{name} " for name in between), f"above {edges[-1]} Hz "]
    done = [f"{name}{_band_done(band)}" for name, band in zip(names, result.dynamics, strict=False)]
    return "; ".join(part for part in (stage.why, *done) if part)


def _band_done(band: BandActivity) -> str:
    if abs(band.max_change_db) < 0.05:
        return "it had nothing to do"
    return (
        f"{band.max_change_db:+.1f} dB at most; it acts {band.active_share:.0%} of the time, by "
        f"{band.mean_change_db:+.1f} dB on average"
    )


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
                dict(zip(("before", "after"), map(rounded, _tone_distances(result, *pair)), strict=True))
                for pair in _recorded(result)
            ],
            "aim": _aim_json(result),
            "limiter": _activity_json(result),
            "dynamics": [
                {name: round(value, 4) for name, value in asdict(band).items()} for band in result.dynamics
            ],
        },
        "plan": plan.model_dump(mode="json"),
        "findings": [finding.model_dump(mode="json") for finding in result.findings],
    }


def _aim_json(result: MasterResult) -> dict[str, float | None] | None:
    aim = aim_of(result)
    return None if aim is None else {name: rounded(value) for name, value in asdict(aim).items()}


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
