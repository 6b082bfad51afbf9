"""Deliveries as a table, a row for each target, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refmaster.check.findings import Finding, kept_promises
from refmaster.rendering.result import MasterResult
from refmaster.report.result import result_json, shown
from refmaster.settings.targets import DeliveryTarget

DELIVERY_HEADER = ("target", "format", "LUFS", "asked", "dBTP", "at most", "limiting dB")

Delivered = Sequence[tuple[DeliveryTarget, MasterResult]]


def delivery_rows(delivered: Delivered) -> list[list[str]]:
    """Return a row for each delivery, as `DELIVERY_HEADER`."""
    return [
        [
            target.name,
            _format(result),
            shown(result.master.levels.integrated_lufs),
            shown(result.plan.promise.integrated_lufs, "{:.1f}"),
            shown(result.master.levels.true_peak_dbtp),
            shown(result.plan.promise.true_peak_dbtp, "{:.1f}"),
            "off" if result.limiter is None else f"{result.limiter.max_gain_reduction_db:.1f}",
        ]
        for target, result in delivered
    ]


def shared_findings(delivered: Delivered) -> list[Finding]:
    """Return the findings that all deliveries have: those on mix, references and plan."""
    first, *others = (result.findings for _, result in delivered)
    return [finding for finding in first if all(finding in found for found in others)] if others else []


def own_findings(delivered: Delivered) -> list[tuple[str, list[Finding]]]:
    """Return what is to be said of each delivery alone, by target."""
    shared = shared_findings(delivered)
    return [(target.name, [f for f in result.findings if f not in shared]) for target, result in delivered]


def deliveries_json(delivered: Delivered) -> dict[str, Any]:
    """Return one object: whether all promises were kept, and each delivery as a master's result."""
    return {
        "kept_promises": all(kept_promises(result.findings) for _, result in delivered),
        "deliveries": [
            {"target": target.model_dump(mode="json"), **result_json(result)} for target, result in delivered
        ],
    }


def _format(result: MasterResult) -> str:
    source = result.master.source
    return f"{source.container} {source.subtype.removeprefix('PCM_')}, {source.sample_rate_hz / 1000:g} kHz"
