"""The equalizer of a plan with sections: a bank of filters for each kind of part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from refmaster._types import Array
from refmaster.dsp.fir import curve_on_grid
from refmaster.dsp.sections import BankSpan, SectionEqualizer
from refmaster.plan import CurvePoint, Sections

Curve = tuple[Array, Array]
"""Frequencies in Hz and gains in dB."""


def section_equalizer(
    sections: Sections,
    tone: Sequence[Curve],
    design: Callable[[Array, Array, int], Array],
    *,
    sample_rate_hz: int,
    duration_s: float,
    delay_frames: int | None,
) -> SectionEqualizer:
    """Return the kernel that moves between the tone alone and what the sections add to it.

    Parameters
    ----------
    sections : Sections
        A span that starts at 0 s or reaches the song's end is not faded there.
    tone : sequence of (frequencies, gains)
        The tone's curve of the mid and, for stereo, the one of the side.
    design : callable
        Makes a filter of frequencies in Hz, gains in dB and a sample rate.
    sample_rate_hz : int
        Of the signal that is equalized.
    duration_s : float
        Length of the song.
    delay_frames : int, optional
        Of the filters, as `SectionEqualizer` takes it.
    """
    banks = []
    for kind in (None, *sections.kinds):
        added = ((), ()) if kind is None else (kind.mid, kind.side)
        taps = [
            design(*_sum(curve, points), sample_rate_hz) for curve, points in zip(tone, added, strict=False)
        ]
        banks.append((taps[0], taps[1] if len(taps) > 1 else None))
    names = [kind.name for kind in sections.kinds]
    spans = [
        BankSpan(
            start * sample_rate_hz if start > 0.0 else -np.inf,
            end * sample_rate_hz if end < duration_s else np.inf,
            1 + names.index(name),
        )
        for start, end, name in sections.spans
    ]
    return SectionEqualizer(
        len(tone),
        banks,
        spans,
        crossfade_frames=sections.crossfade_s * sample_rate_hz,
        delay_frames=delay_frames,
    )


def _sum(curve: Curve, points: tuple[CurvePoint, ...]) -> Curve:
    """Return a curve plus a plan's one: both are straight between the points of either."""
    if not points:
        return curve
    own = np.array([hz for hz, _ in points]), np.array([gain for _, gain in points])
    hz = np.union1d(curve[0], own[0])
    return hz, curve_on_grid(*curve, hz) + curve_on_grid(*own, hz)
