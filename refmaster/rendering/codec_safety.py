"""True peaks that lossy codecs add: found on the decoded file, and met by a lower ceiling of the limiter.

A codec changes the waveform by its quantisation noise, so a file that holds a ceiling does not hold it when it
is decoded. How much is added depends on the music, and cannot be told without encoding. So the written master
is encoded and decoded, the limiter's ceiling is lowered by what the worst codec is over, the level is solved
anew, and the master is rendered again, until all decoded files are at or below the promised ceiling.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
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
MAX_LOWERINGS = 6
# A ceiling further below the promised one is no mastering any more.
MAX_LOWERED_DB = 12.0
# Above the measured excess: more limiting adds a little to what the codec adds.
MARGIN_DB = 0.03
THE_FILE = "the file itself"


class Safe(NamedTuple):
    """A master that was held against lossy codecs."""

    done: Rendered
    decoded: tuple[DecodedLevels, ...]
    lowered: LoweredCeiling | None

    @property
    def findings(self) -> list[Finding]:
        """What there is to say of the decoded files."""
        return judge_decoded(self.done.plan, self.done.master, self.decoded, self.lowered)


def checked(done: Rendered, progress: Progress | None) -> Safe:
    """Measure what the codecs that a plan names make of its master, and change nothing."""
    return Safe(done, _all_decoded(done, done.plan.output.codecs, progress), None)


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
    done, worst_before = first, ("", 0.0)
    codecs = list(first.plan.output.codecs)
    for attempt in range(MAX_LOWERINGS + 1):
        levels = _all_decoded(done, codecs, progress, stop_when_over=0 < attempt < MAX_LOWERINGS)
        worst, over_db = _worst(done, levels)
        if attempt == 0:
            worst_before = worst, over_db
        lower = None if attempt == MAX_LOWERINGS else _lowered_plan(done.plan, over_db)
        if lower is None:
            break
        # the worst one first: if it is still over, the others need not be encoded
        codecs.sort(key=lambda codec: str(codec) != worst)
        plan, slope = loop.solved(lower, again=True)
        done = loop.until_met(plan, slope, corrects_tone=False)
    if len(levels) < len(codecs):
        levels = _all_decoded(done, codecs, progress)
    levels = tuple(sorted(levels, key=lambda found: first.plan.output.codecs.index(found.codec)))
    return Safe(done, levels, _cost(first, done, *worst_before) if done is not first else None)


def _lowered_plan(plan: MasteringPlan, over_db: float) -> MasteringPlan | None:
    """Return the plan with its ceiling lowered by an excess; None where there is none, or no use in it."""
    if over_db <= 0.0 or not plan.limiter.enabled:
        return None
    lower = lowered_ceiling(plan, over_db + MARGIN_DB, "decoded from lossy codecs")
    too_low = lower.limiter.ceiling_dbtp < plan.promise.true_peak_dbtp - MAX_LOWERED_DB
    return None if too_low else lower


def _all_decoded(
    done: Rendered, codecs: Sequence[Codec], progress: Progress | None, *, stop_when_over: bool = False
) -> tuple[DecodedLevels, ...]:
    found: list[DecodedLevels] = []
    with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
        for codec in codecs:
            levels = _measured(done.written, codec, Path(folder), progress)
            found.append(levels)
            if stop_when_over and _over_db(levels.true_peak_dbtp, done.plan) > 0.0:
                break
    return tuple(found)


def _measured(source: AudioSource, codec: Codec, folder: Path, progress: Progress | None) -> DecodedLevels:
    heard = decoded(source, codec, folder)
    rate, channels = heard.format.sample_rate_hz, heard.format.channels
    loudness, peak = LoudnessMeter(rate, channels), TruePeakMeter(rate, channels)
    total = None if source.format.frames is None else source.format.frames
    for block in counted(prefetched(heard.blocks()), f"decoding {codec}", total, progress):
        planar = cast("Block", np.asfortranarray(block))
        loudness.update(planar)
        peak.update(planar)
    (folder / f"decoded.{codec.label}").unlink()
    dbtp = peak.result().true_peak_dbtp
    return DecodedLevels(
        codec=codec,
        true_peak_dbtp=round(dbtp, 3) if np.isfinite(dbtp) else None,
        integrated_lufs=loudness.result().integrated_lufs,
    )


def _worst(done: Rendered, levels: Sequence[DecodedLevels]) -> tuple[str, float]:
    """Return what is furthest over the ceiling, and by how much in dB."""
    found = [(_over_db(each.true_peak_dbtp, done.plan), str(each.codec)) for each in levels]
    if done.master.source.lossy:
        found.append((_over_db(done.master.levels.true_peak_dbtp, done.plan), THE_FILE))
    over_db, name = max(found, default=(0.0, ""))
    return name, over_db


def _over_db(true_peak_dbtp: float | None, plan: MasteringPlan) -> float:
    return -np.inf if true_peak_dbtp is None else true_peak_dbtp - plan.promise.true_peak_dbtp


def _cost(first: Rendered, done: Rendered, worst: str, over_db: float) -> LoweredCeiling:
    reductions = [
        0.0 if each.renderer.activity is None else each.renderer.activity.max_gain_reduction_db
        for each in (first, done)
    ]
    lufs = [each.master.levels.integrated_lufs for each in (first, done)]
    return LoweredCeiling(
        before_dbtp=first.plan.limiter.ceiling_dbtp,
        after_dbtp=done.plan.limiter.ceiling_dbtp,
        over_db=over_db,
        worst=worst,
        more_limiting_db=reductions[1] - reductions[0],
        quieter_lu=0.0 if lufs[0] is None or lufs[1] is None else lufs[0] - lufs[1],
    )
