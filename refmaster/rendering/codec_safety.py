"""True peaks that lossy codecs add: found on the decoded file, and met by a lower ceiling of the limiter.

A codec changes the waveform by its quantisation noise, so a file that holds a ceiling may not hold it when
it is decoded. How much is added depends on the music, and cannot be told without encoding. So the written
master is encoded and decoded, the limiter's ceiling is lowered by what the worst codec is over, the level is
solved anew, and the master is rendered again, until all decoded files are at or below the promised ceiling.

Some encoders leave a few peaks far above all others, elsewhere in each render. Of these only half is followed
at first: most are gone in the next render, and limiting for them would cost more than they are worth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from refmaster._types import Block, Progress
from refmaster.check.codecs import DecodedLevels, LoweredCeiling, judge_decoded
from refmaster.check.findings import Finding
from refmaster.io.codecs import decoded
from refmaster.io.source import AudioSource, counted
from refmaster.matching.correct import lowered_ceiling
from refmaster.meters.loudness import LoudnessMeter
from refmaster.meters.true_peak import TruePeakMeter
from refmaster.plan import MasteringPlan
from refmaster.rendering.loop import Rendered, RenderLoop
from refmaster.settings.codecs import Codec
from refmaster.threads import prefetched

# Each costs a whole render and the encoding; two are enough in most cases.
MAX_LOWERINGS = 8
# From this one on single peaks are followed wholly.
_WHOLLY_FROM = 4
# A ceiling further below the promised one is no mastering any more.
_MAX_LOWERED_DB = 12.0
# Beyond the measured excess: more limiting adds a little to what the codec adds.
_MARGIN_DB = 0.03
# So many of the highest pieces of 100 ms are single peaks.
_SINGLE_PEAKS = 3


class Safe(NamedTuple):
    """A master that was held against lossy codecs."""

    done: Rendered
    decoded: tuple[DecodedLevels, ...]
    lowered: LoweredCeiling | None

    @property
    def findings(self) -> list[Finding]:
        """The findings on the decoded files."""
        return judge_decoded(self.done.plan, self.done.master, self.decoded, self.lowered)


class _Excess(NamedTuple):
    """Excess of a decoded file over the promised ceiling in dB, at its highest and without single peaks."""

    over_db: float
    usual_db: float
    codec: Codec | None


def checked(done: Rendered, progress: Progress | None) -> Safe:
    """Measure what the codecs that a plan names make of its master, and change nothing."""
    return Safe(done, tuple(_levels_in(done, done.plan.output.codecs, progress)), None)


def made_safe(first: Rendered, loop: RenderLoop, progress: Progress | None) -> Safe:
    """Lower the limiter's ceiling until a master is safe in all codecs that its plan names.

    Parameters
    ----------
    first : Rendered
        The master; a lossy file is held against the ceiling as it is, too.
    loop : RenderLoop
        Renders it again.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Returns
    -------
    Safe
        The last attempt, which is not safe where no ceiling tried was low enough.
    """
    asked = first.plan.output.codecs
    found = _levels_in(first, asked, progress)
    start = excess = _worst(first, found, progress)
    done, order = first, list(asked)
    for attempt in range(MAX_LOWERINGS):
        lower = _lowered_plan(done.plan, excess, wholly=attempt >= _WHOLLY_FROM)
        if lower is None:
            break
        plan, slope = loop.solved(lower, again=True)
        done = loop.until_met(plan, slope, corrects_tone=False)
        # the worst one first: where it is still over, the others need not be encoded
        worst = excess.codec
        order.sort(key=lambda codec: codec != worst)
        found = _levels_in(done, order, progress, until_over=True)
        excess = _worst(done, found, progress)
    if len(found) < len(asked):
        found += _levels_in(done, order[len(found) :], progress)
    in_order = tuple(sorted(found, key=lambda levels: asked.index(levels.codec)))
    return Safe(done, in_order, None if done is first else _cost(first, done, start))


def decoded_levels(heard: AudioSource, codec: Codec, progress: Progress | None) -> DecodedLevels:
    """Return the levels of audio that was decoded from a codec."""
    lufs, peak, usual = _measured(heard, f"decoding {codec}", progress)
    return DecodedLevels(codec=codec, true_peak_dbtp=peak, usual_peak_dbtp=usual, integrated_lufs=lufs)


def _measured(
    heard: AudioSource, stage: str, progress: Progress | None
) -> tuple[float | None, float | None, float | None]:
    """Return integrated loudness, true peak, and true peak without single peaks."""
    rate, channels = heard.format.sample_rate_hz, heard.format.channels
    loudness, peak = LoudnessMeter(rate, channels), TruePeakMeter(rate, channels)
    for block in counted(prefetched(heard.blocks()), stage, heard.format.frames, progress):
        planar = cast("Block", np.asfortranarray(block))
        loudness.update(planar)
        peak.update(planar)
    series = np.sort(peak.result().true_peak_series_dbtp)
    usual = series[-min(_SINGLE_PEAKS + 1, len(series))]
    lufs = loudness.result().integrated_lufs
    return (
        None if lufs is None else round(lufs, 3),
        _finite(peak.result().true_peak_dbtp),
        _finite(float(usual)),
    )


def _finite(level_db: float) -> float | None:
    return round(level_db, 3) if np.isfinite(level_db) else None


def _levels_in(
    done: Rendered, codecs: Iterable[Codec], progress: Progress | None, *, until_over: bool = False
) -> list[DecodedLevels]:
    """Return the levels of a master decoded from each codec, with `until_over` up to the first one over."""
    found: list[DecodedLevels] = []
    for codec in codecs:
        with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
            found.append(decoded_levels(decoded(done.written, codec, Path(folder)), codec, progress))
        if until_over and _over_db(found[-1].true_peak_dbtp, done.plan) > 0.0:
            break
    return found


def _worst(done: Rendered, found: Iterable[DecodedLevels], progress: Progress | None) -> _Excess:
    """Return the excess of what is furthest over the ceiling; the file itself counts where it is lossy."""
    each = [
        _Excess(_over_db(f.true_peak_dbtp, done.plan), _over_db(f.usual_peak_dbtp, done.plan), f.codec)
        for f in found
    ]
    own_db = _over_db(done.master.levels.true_peak_dbtp, done.plan)
    if done.master.source.lossy and own_db > 0.0:
        _, _, usual = _measured(done.written, "measuring the peaks", progress)
        each.append(_Excess(own_db, _over_db(usual, done.plan), None))
    return max(each, key=lambda excess: excess.over_db, default=_Excess(-np.inf, -np.inf, None))


def _over_db(true_peak_dbtp: float | None, plan: MasteringPlan) -> float:
    return -np.inf if true_peak_dbtp is None else true_peak_dbtp - plan.promise.true_peak_dbtp


def _lowered_plan(plan: MasteringPlan, excess: _Excess, *, wholly: bool) -> MasteringPlan | None:
    """Return the plan with its ceiling lowered; None where it need not be, or where that is of no use."""
    if excess.over_db <= 0.0 or not plan.limiter.enabled:
        return None
    usual_db = max(excess.usual_db, 0.0)
    by_db = excess.over_db if wholly else (usual_db + excess.over_db) / 2.0
    lower = lowered_ceiling(plan, by_db + _MARGIN_DB, "decoded from lossy codecs")
    too_low = lower.limiter.ceiling_dbtp < plan.promise.true_peak_dbtp - _MAX_LOWERED_DB
    return None if too_low else lower


def _cost(first: Rendered, done: Rendered, start: _Excess) -> LoweredCeiling:
    reductions = [
        0.0 if each.renderer.activity is None else each.renderer.activity.max_gain_reduction_db
        for each in (first, done)
    ]
    before, after = (each.master.levels.integrated_lufs for each in (first, done))
    return LoweredCeiling(
        before_dbtp=first.plan.limiter.ceiling_dbtp,
        after_dbtp=done.plan.limiter.ceiling_dbtp,
        over_db=start.over_db,
        worst="the file itself" if start.codec is None else str(start.codec),
        more_limiting_db=reductions[1] - reductions[0],
        quieter_lu=0.0 if before is None or after is None else before - after,
    )
