"""Derive a plan from profiles and settings: every stage but the level, which needs the audio's peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster.dsp.curves import mono_gain_db
from refmaster.matching.curves import curve_at
from refmaster.matching.dynamics import derive_dynamics
from refmaster.matching.explain import explained_tone
from refmaster.matching.image import has_silent_channel, image_aim_db
from refmaster.matching.likely import Likely
from refmaster.matching.posterior import NearGain
from refmaster.matching.sections import derive_sections, no_sections
from refmaster.matching.tone import derive_tone
from refmaster.plan import (
    Balance,
    Level,
    LimiterStage,
    MasteringPlan,
    Output,
    Promise,
    Tone,
)
from refmaster.profile.model import Profile
from refmaster.settings.aspects import ServedAspect, ServedAspects, serves, unserved
from refmaster.settings.codecs import Codec
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.match import MatchSettings
from refmaster.settings.records import MixRecord, ReferenceRecord
from refmaster.settings.sections import Sections
from refmaster.units import db_to_power, power_to_db
from refmaster.version import made_by

MAX_BALANCE_DB = 2.0
NEGLIGIBLE_BALANCE_DB = 0.05
LOUDNESS_TOLERANCE_LU = 0.05

WeightedProfile = tuple[Profile, float]


@dataclass(frozen=True)
class _Asked:
    """References, and the aspects that each serves."""

    references: Sequence[WeightedProfile]
    aspects: Sequence[ServedAspects]

    def serving(self, aspect: ServedAspect) -> list[WeightedProfile]:
        """Return the references that serve an aspect."""
        return [r for r, its in zip(self.references, self.aspects, strict=True) if serves(its, aspect)]

    def lacks(self, aspect: ServedAspect) -> bool:
        """Return whether there are references, and none of them serves an aspect."""
        return len(self.references) > 0 and not self.serving(aspect)


def derive_plan(
    mix: Profile,
    references: Sequence[WeightedProfile],
    settings: MatchSettings,
    *,
    aspects: Sequence[ServedAspects] = (),
    sample_rate_hz: int | None = None,
    bit_depth: str | None = None,
    dither_seed: int = 0,
    loudness_tags: str | None = None,
    codecs: Sequence[Codec | str] = (),
    known_near: NearGain | None = None,
) -> MasteringPlan:
    """Derive a plan whose level stage is still 0 dB.

    Parameters
    ----------
    mix : Profile
        What is to be mastered.
    references : sequence of (Profile, weight)
        May be empty where only a loudness is asked: then no tone, width or balance is matched.
    settings : MatchSettings
        What to match, how far, how loud.
    aspects : sequence of tuple of str
        What each reference serves; by default each serves all. An aspect that none serves is not matched.
    sample_rate_hz : int, optional
        Of the output; the mix's by default.
    bit_depth : {"16", "24", "32f", "64f"}, optional
        Of the output; the mix's by default.
    dither_seed : int
        Recorded for the render.
    loudness_tags : {"replaygain", "r128"}, optional
        Recorded for the render.
    codecs : sequence of Codec or str, optional
        Recorded for the render, which keeps the true peak of the decoded files too.
    known_near : NearGain, optional
        The gain of the mid behind shared material, where stems told it.

    Returns
    -------
    MasteringPlan
    """
    asked = _Asked(references, aspects or [()] * len(references))
    tone, sections, likely = _tone_and_sections(mix, asked, settings, known_near)
    tone = _with_mono_below(tone, mix, settings)
    toned = iter(() if likely is None else zip(likely.fits, likely.oddness, strict=True))
    compared = [next(toned, (None, None)) if serves(a, "tone") else (None, None) for a in asked.aspects]
    balance = _balance_stage(mix, asked.serving("balance"), settings, tone)
    if asked.lacks("balance") and settings.balance:
        balance = Balance(why=unserved("balance"), left_over_right_db=0.0)
    dynamics_likely = likely if asked.serving("dynamics") == asked.serving("tone") else None
    dynamics = derive_dynamics(mix, asked.serving("dynamics"), settings, dynamics_likely)
    if asked.lacks("dynamics") and settings.dynamics:
        dynamics = dynamics.model_copy(update={"why": unserved("dynamics")})
    target = target_lufs(mix, asked.serving("loudness"), settings)
    return MasteringPlan(
        version=1,
        made_by=made_by(),
        mix=MixRecord(
            file=mix.source.file,
            sha256=mix.source.sha256,
            sample_rate_hz=mix.source.sample_rate_hz,
            channels=mix.source.channels,
            frames=mix.source.frames,
        ),
        references=tuple(
            ReferenceRecord(
                file=profile.source.file,
                sha256=profile.source.sha256,
                weight=weight,
                aspects=its,
                fit=None if fit is None else round(fit, 1) + 0.0,
                oddness=None if odd is None else round(odd, 2),
            )
            for (profile, weight), its, (fit, odd) in zip(references, asked.aspects, compared, strict=True)
        ),
        requested=settings,
        tone=tone,
        sections=sections,
        balance=balance,
        dynamics=dynamics,
        level=Level(why="not solved yet", gain_db=0.0),
        limiter=LimiterStage(
            why=f"holds {settings.ceiling_dbtp:g} dBTP; only peaks above it are touched",
            enabled=True,
            **LimiterSettings(ceiling_dbtp=settings.ceiling_dbtp).model_dump(),
        ),
        output=Output(
            sample_rate_hz=sample_rate_hz or mix.source.sample_rate_hz,
            bit_depth=bit_depth,  # type: ignore[arg-type]  # validated by the model
            dither=True,
            dither_seed=dither_seed,
            loudness_tags=loudness_tags,  # type: ignore[arg-type]
            codecs=tuple(codecs),  # type: ignore[arg-type]
        ),
        promise=Promise(
            integrated_lufs=target,
            tolerance_lu=LOUDNESS_TOLERANCE_LU,
            true_peak_dbtp=settings.ceiling_dbtp,
            limited_by=None,
        ),
    )


def _tone_and_sections(
    mix: Profile, asked: _Asked, settings: MatchSettings, known_near: NearGain | None
) -> tuple[Tone, Sections, Likely | None]:
    """Return tone and sections, and how the references of the tone compare, where there is anything to match.

    The sections follow the tone's references; a width of other references stays one for the whole song.
    """
    toned, widened = asked.serving("tone"), asked.serving("width")
    sections = no_sections("there is nothing to match" if settings.sections else "")
    if not (toned or widened) or not (settings.tone or settings.side):
        why = "tone and width are switched off"
        if not (toned or widened):
            why = unserved("tone or width") if asked.references else "no reference was given"
        return Tone(why=why, phase=settings.phase, mid=(), regions=()), sections, None
    others = None if widened == toned else widened
    match = derive_tone(mix, toned, settings, others, known_near)
    if settings.sections and toned:
        parted = settings if others is None else settings.model_copy(update={"side": False})
        sections = derive_sections(mix, toned, parted, match)
    elif settings.sections:
        sections = no_sections(unserved("tone"))
    return explained_tone(match, mix, toned, settings, others), sections, match.likely


def _with_mono_below(tone: Tone, mix: Profile, settings: MatchSettings) -> Tone:
    """Return a tone with the side removed below a frequency, where that is asked and there is a side."""
    if settings.mono_below_hz is None or mix.source.channels != 2:
        return tone
    removed = f"removed below {settings.mono_below_hz:g} Hz"
    why = f"{tone.width_why}; {removed}" if tone.width_why else f"the side is {removed}"
    return tone.model_copy(update={"mono_below_hz": settings.mono_below_hz, "width_why": why})


def target_lufs(mix: Profile, references: Sequence[WeightedProfile], settings: MatchSettings) -> float | None:
    """Return the integrated loudness to reach, in LUFS: asked, the references' mean, or the mix's own."""
    if settings.target_lufs is not None:
        return settings.target_lufs
    known = [(p.levels.integrated_lufs, w) for p, w in references if p.levels.integrated_lufs is not None]
    if settings.loudness is False or not known:
        return mix.levels.integrated_lufs
    total = sum(weight for _, weight in known)
    return round(sum(lufs * weight for lufs, weight in known) / total, 3)


def follows_reference(settings: MatchSettings, references: Sequence[object]) -> bool:
    """Return whether the loudness to reach is the references' of it, and nobody asked for a number."""
    return settings.target_lufs is None and settings.loudness is not False and len(references) > 0


def _balance_stage(
    mix: Profile, references: Sequence[WeightedProfile], settings: MatchSettings, tone: Tone
) -> Balance:
    own = mix.stereo.balance_db
    if has_silent_channel(mix):
        return Balance(why="one channel of the mix is silent and stays so", left_over_right_db=0.0)
    if mix.source.channels != 2 or own is None:
        return Balance(why="the mix is mono", left_over_right_db=0.0)
    wanted = image_aim_db(references, lambda stereo: stereo.balance_db)
    if not settings.balance or wanted is None:
        why = "no reference has a balance to follow" if settings.balance else "switched off"
        return Balance(why=why, left_over_right_db=0.0)
    aim = own + settings.fraction * (wanted - own)
    move = float(np.clip(aim - _balance_after(mix, tone), -MAX_BALANCE_DB, MAX_BALANCE_DB))
    if abs(move) < NEGLIGIBLE_BALANCE_DB:
        return Balance(why=f"left over right stays at {own:+.2f} dB", left_over_right_db=0.0)
    return Balance(
        why=f"left over right: {own:+.2f} dB in the mix, {wanted:+.2f} dB in the reference",
        left_over_right_db=round(move, 2),
    )


def _balance_after(mix: Profile, tone: Tone) -> float:
    """Return left over right in dB after the equalizer: gains of mid and side shift what they share.

    Left and right differ in power by four times the product of mid and side, which the equalizer scales by
    both its gains; the gains are taken as broadband, weighted by power.
    """
    frequencies = np.asarray(mix.spectrum.frequencies_hz)
    mid, side = db_to_power(np.asarray(mix.spectrum.mid_db)), db_to_power(np.asarray(mix.spectrum.side_db))
    mid_after = float(np.sum(mid * db_to_power(curve_at(tone.mid, frequencies))))
    side_db = curve_at(tone.mid, frequencies) + curve_at(tone.width, frequencies)
    if tone.mono_below_hz is not None:
        side_db += mono_gain_db(tone.mono_below_hz, frequencies)
    side_after = float(np.sum(side * db_to_power(side_db)))
    before, after = float(mid.sum() + side.sum()), mid_after + side_after
    ratio = db_to_power(mix.stereo.balance_db or 0.0)
    shared = before * (ratio - 1.0) / (ratio + 1.0)
    gains = np.sqrt(mid_after / max(float(mid.sum()), 1e-20) * side_after / max(float(side.sum()), 1e-20))
    shared = float(np.clip(shared * gains, -0.9 * after, 0.9 * after))
    return power_to_db((after + shared) / (after - shared))
