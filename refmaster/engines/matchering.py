"""matchering's curves in refmaster's plan: matchering matches, everything promised stays refmaster's.

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
from refmaster.check.findings import Finding, info, warning
from refmaster.dsp.curves import combined_points
from refmaster.dsp.resample import Resampler
from refmaster.engines.base import Engine
from refmaster.engines.identify import AppliedCurves, applied_curves, thinned
from refmaster.engines.peer import MAX_DURATION_S, SAMPLE_RATE_HZ, match_with_peer
from refmaster.errors import AudioError, SettingsError
from refmaster.io.formats import OutputFormat
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink
from refmaster.io.source import AudioSource
from refmaster.io.suffixes import is_yaml
from refmaster.plan import Balance, MasteringPlan, Region
from refmaster.profile.bands import judged
from refmaster.profile.model import Profile
from refmaster.profile.obtain import Recording
from refmaster.settings.aspects import ServedAspects
from refmaster.settings.curves import MAX_GAIN_DB, CurvePoint
from refmaster.settings.dynamics import Dynamics

STAGE = "matchering matches"
POINTS_WITHIN_DB = 0.05
# A larger move of the side against the mid than this is more than a stereo image bears.
FAR_SIDE_DB = 12.0
# refmaster does not follow these flaws of a reference; matchering does, so the finding must say so.
_FOLLOWED = {
    "reference_mono": "matchering follows it and takes the width away",
    "reference_low_passed": "matchering follows it and takes the treble away",
    "reference_one_sided": "matchering follows what is left of its width",
    "reference_imbalanced": "matchering follows the width that comes of it",
    "reference_out_of_phase": "matchering follows its width",
}


class MatcheringEngine(Engine):
    """matchering 2.0: one reference recording, at most 15 minutes, the whole difference followed."""

    label = "matchering, our limiter"
    needs_recordings = True
    matches_albums = False
    tone_is_corrected = False

    def check(
        self,
        references: Sequence[Recording],
        mix: AudioSource | None = None,
        aspects: Sequence[ServedAspects] = (),
    ) -> None:
        """Refuse all but one reference recording for all aspects, and with a mix anything over 15 minutes."""
        for named in filter(None, aspects):
            raise SettingsError(
                f"engine matchering: expected one reference for all aspects, found one for "
                f"{', '.join(named)}; name it without aspects, or use the engine refmaster"
            )
        reference = _the_reference(references)
        if mix is None:
            return
        for role, source in (("mix", mix), ("reference", _opened(reference))):
            duration_s = source.format.duration_s
            if duration_s is not None and duration_s > MAX_DURATION_S:
                raise AudioError(
                    f"{source.name}: matchering takes at most {MAX_DURATION_S // 60} minutes, the {role} has "
                    f"{duration_s / 60:.1f}; use the engine refmaster"
                )

    def with_curves(
        self,
        plan: MasteringPlan,
        mix: AudioSource,
        references: Sequence[Recording],
        progress: Progress | None,
        /,
    ) -> MasteringPlan:
        """Return the plan with matchering's curves in place of its own.

        Raises
        ------
        AudioError
            matchering refuses the mix or the reference: over two channels, too short, equal.
        """
        curves = _matched(mix, _opened(_the_reference(references)), progress)
        counts = curves.mid_known & judged(curves.frequencies_hz)
        if not counts.any():
            raise AudioError(f"{mix.name}: matchering left nothing of it; use the engine refmaster")
        level_db = float(curves.mid_db[counts].mean())
        # Where the side is silent any gain does: the mid's keeps the plan readable.
        side_db = curves.side_db if curves.side_known.any() else curves.mid_db
        applied_db = curves.mid_db[counts] - level_db
        mid, side = (_points(curves.frequencies_hz, db - level_db) for db in (curves.mid_db, side_db))
        mono_hz = plan.tone.mono_below_hz
        tone = plan.tone.model_copy(
            update={
                "why": "matchering's curves, read off its own output (mid and side, level removed)",
                "width_why": "" if mono_hz is None else f"the side is removed below {mono_hz:g} Hz",
                "mid": mid,
                "width": combined_points(side, mid, sign=-1.0) if mix.format.channels == 2 else (),
                "regions": tuple(_region(region, curves, level_db) for region in plan.tone.regions),
                "applied_db": round(float(np.sqrt(np.mean(applied_db**2))), 2),
            }
        )
        balance = Balance(why="matchering matches no balance", left_over_right_db=0.0)
        dynamics = Dynamics(why="matchering matches no dynamics", crossover_hz=(), bands=())
        return plan.model_copy(update={"tone": tone, "balance": balance, "dynamics": dynamics})

    def findings(self, findings: Sequence[Finding], plan: MasteringPlan, mix: Profile, /) -> list[Finding]:
        """Return the findings as they hold for matchering, with its limits and where it goes far."""
        told = [_corrected(finding) for finding in findings]
        told.append(
            info(
                "engine_matchering",
                "matchering made the curves; level, limiter and checks are refmaster's",
                "it follows the whole difference to the reference, what is song in it included",
            )
        )
        rate = mix.source.sample_rate_hz
        if rate != SAMPLE_RATE_HZ:
            held = "; above 21.6 kHz they hold their last gain" if rate > SAMPLE_RATE_HZ else ""
            told.append(
                info(
                    "engine_rate",
                    f"matchering works at {SAMPLE_RATE_HZ} Hz: its curves were made on a copy at that "
                    f"rate{held}",
                    "the master was rendered from the mix itself",
                )
            )
        if mix.source.channels == 1:
            told.append(
                info("engine_mono", "matchering works in stereo: of its curves only the mid's is used")
            )
        return [*told, *_far_side(plan)]


def _the_reference(references: Sequence[Recording]) -> str | Path | AudioSource:
    if len(references) != 1:
        raise SettingsError(
            f"engine matchering: expected one reference, found {len(references)}; name one, or use the "
            "engine refmaster"
        )
    reference = references[0]
    if isinstance(reference, Profile) or (isinstance(reference, str | Path) and is_yaml(reference)):
        raise SettingsError(
            "engine matchering: expected a reference recording, found a saved profile; name the recording, "
            "or use the engine refmaster"
        )
    return reference


def _opened(reference: str | Path | AudioSource) -> AudioSource:
    return open_audio(reference) if isinstance(reference, str | Path) else reference


def _corrected(finding: Finding) -> Finding:
    followed = _FOLLOWED.get(finding.code)
    if followed is None:
        return finding
    message = finding.message.rpartition(":")[0]
    return warning(finding.code, f"{message}, and {followed}", "use the engine refmaster")


def _far_side(plan: MasteringPlan) -> list[Finding]:
    """Return a warning where the side is moved against the mid by more than an image bears."""
    if not plan.tone.width:
        return []
    frequencies_hz, width_db = np.array(plan.tone.width).T
    worst = int(np.argmax(np.abs(width_db)))
    if abs(width_db[worst]) <= FAR_SIDE_DB:
        return []
    return [
        warning(
            "engine_width",
            f"matchering moves side against mid by {width_db[worst]:+.0f} dB at "
            f"{frequencies_hz[worst]:.0f} Hz",
            "check the master in mono, or use the engine refmaster",
        )
    ]


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
