"""Another engine's curves in refmaster's plan: it matches, everything promised stays refmaster's.

matchering runs on copies at its own rate, without its limiter; the curves that it applied are read off its
input and output and stand in the plan. So level, limiter, checks and the written file are the usual ones,
the plan renders to the same bytes like any other, and the master keeps the mix's rate, channels and length.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refmaster._types import Array, Progress
from refmaster.dsp.resample import Resampler
from refmaster.engines.identify import AppliedCurves, applied_curves, thinned
from refmaster.engines.peer import MAX_DURATION_S, SAMPLE_RATE_HZ, match_with_peer
from refmaster.errors import AudioError, SettingsError
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource
from refmaster.plan import Balance, CurvePoint, MasteringPlan, Region
from refmaster.profile.bands import judged
from refmaster.profile.model import Profile, is_profile_path

STAGE = "matchering matches"
POINTS_WITHIN_DB = 0.05
# What a plan may hold.
MAX_GAIN_DB = 60.0


def require_audio_reference(references: Sequence[str | Path | Profile | AudioSource]) -> AudioSource:
    """Return the one reference that matchering takes.

    Raises
    ------
    SettingsError
        None, several, or a profile instead of a recording.
    """
    if len(references) != 1:
        raise SettingsError(
            f"engine matchering: expected one reference, found {len(references)}; name one, or use the "
            "engine refmaster"
        )
    reference = references[0]
    if isinstance(reference, Profile) or (isinstance(reference, str | Path) and is_profile_path(reference)):
        raise SettingsError(
            "engine matchering: expected a reference recording, found a saved profile; name the recording, "
            "or use the engine refmaster"
        )
    return open_audio(reference) if isinstance(reference, str | Path) else reference


def require_hearable(
    mix: AudioSource, references: Sequence[str | Path | Profile | AudioSource]
) -> AudioSource:
    """Return the one reference that matchering takes, where it takes mix and reference.

    Raises
    ------
    AudioError
        The mix or the reference lasts over 15 minutes.
    SettingsError
        No reference, several, or a profile instead of a recording.
    """
    reference = require_audio_reference(references)
    for role, source in (("mix", mix), ("reference", reference)):
        frames = source.format.frames
        if frames is not None and frames > MAX_DURATION_S * source.format.sample_rate_hz:
            raise AudioError(
                f"{source.name}: matchering takes at most {MAX_DURATION_S // 60} minutes, the {role} has "
                f"{frames / source.format.sample_rate_hz / 60:.1f}; use the engine refmaster"
            )
    return reference


def planned_by_peer(
    plan: MasteringPlan, mix: AudioSource, reference: AudioSource, progress: Progress | None = None
) -> MasteringPlan:
    """Return the plan with matchering's curves in place of its own.

    Parameters
    ----------
    plan : MasteringPlan
        As derived; its level is not solved yet.
    mix, reference : AudioSource
        What matchering hears.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Raises
    ------
    AudioError
        matchering refuses the mix or the reference: over two channels, too short, equal.
    """
    curves = _matched(mix, reference, progress)
    counts = curves.mid_known & judged(curves.frequencies_hz)
    if not counts.any():
        raise AudioError(f"{mix.name}: matchering left nothing of it; use the engine refmaster")
    level = float(curves.mid_db[counts].mean())
    # Where the side is silent any gain does: the mid's keeps the plan readable.
    side_db = curves.side_db if curves.side_known.any() else curves.mid_db
    applied = curves.mid_db[counts] - level
    tone = plan.tone.model_copy(
        update={
            "why": "matchering's curves, read off its own output (mid and side, level removed)",
            "mid": _points(curves.frequencies_hz, curves.mid_db - level),
            "side": _points(curves.frequencies_hz, side_db - level) if mix.format.channels == 2 else (),
            "regions": tuple(_region(region, curves, level) for region in plan.tone.regions),
            "applied_db": round(float(np.sqrt(np.mean(applied**2))), 2),
        }
    )
    balance = Balance(why="matchering matches no balance", left_over_right_db=0.0)
    return plan.model_copy(update={"tone": tone, "balance": balance})


def _matched(mix: AudioSource, reference: AudioSource, progress: Progress | None) -> AppliedCurves:
    with tempfile.TemporaryDirectory(prefix="refmaster-") as name:
        folder = Path(name)
        before, wanted, after = (folder / f"{part}.wav" for part in ("mix", "reference", "matched"))
        _copy(mix, before, progress)
        _copy(reference, wanted, progress)
        if progress is not None:
            progress(STAGE, 0, None)
        names = (mix.name, reference.name)
        match_with_peer(before, wanted, after, limiter=False, subtype="DOUBLE", names=names)
        return applied_curves(before, after)


def _copy(source: AudioSource, path: Path, progress: Progress | None) -> None:
    """Write a source as a float WAV at matchering's rate."""
    from refmaster.io.sink import AudioSink, OutputFormat

    rate, channels = source.format.sample_rate_hz, source.format.channels
    resampler = None if rate == SAMPLE_RATE_HZ else Resampler(rate, SAMPLE_RATE_HZ, channels)
    done = 0
    output_format = OutputFormat(
        container="WAV",
        subtype="FLOAT",
        sample_rate_hz=SAMPLE_RATE_HZ,
        channels=channels,
        dither=False,
        dither_seed=0,
    )
    with AudioSink(path, output_format, name=str(path)) as sink:
        for block in source.blocks():
            sink.write(block if resampler is None else resampler.push(block))
            done += len(block)
            if progress is not None:
                progress(STAGE, done, source.format.frames)
        if resampler is not None:
            sink.write(resampler.flush())


def _points(frequencies_hz: Array, gain_db: Array) -> tuple[CurvePoint, ...]:
    bounded = np.clip(gain_db, -MAX_GAIN_DB, MAX_GAIN_DB)
    return tuple(
        (round(float(frequencies_hz[i]), 2), round(float(bounded[i]), 2) + 0.0)
        for i in thinned(frequencies_hz, bounded, POINTS_WITHIN_DB)
    )


def _region(region: Region, curves: AppliedCurves, level_db: float) -> Region:
    inside = (curves.frequencies_hz >= region.low_hz) & (curves.frequencies_hz < region.high_hz)
    applied = float(curves.mid_db[inside].mean()) - level_db if inside.any() else 0.0
    return region.model_copy(update={"applied_db": round(applied, 1) + 0.0, "why": "matchering's curve"})
