"""Checks of a mix and its references, before anything is derived.

A recording that cannot be mastered raises an error (`require_usable`, `require_supported`); everything else
that a person should know is a finding (`inspect_mix`, `inspect_reference`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster.check.clicks import inspect_clicks
from refmaster.check.edges import inspect_edges
from refmaster.check.findings import Finding, info, warning
from refmaster.check.levels import (
    CLIPPED_FROM_RUNS,
    FULL_SCALE_DBTP,
    all_times,
    clipped_levels,
    flat_tops,
    inspect_levels,
)
from refmaster.check.noise import inspect_noise
from refmaster.check.origin import inspect_origin
from refmaster.check.stereo import inspect_channels, louder
from refmaster.check.swapped import inspect_swapped
from refmaster.check.tone import inspect_tone
from refmaster.errors import AudioError
from refmaster.io.source import AudioSource
from refmaster.matching.image import (
    has_image_to_follow,
    has_silent_channel,
    is_imbalanced,
    is_out_of_phase,
)
from refmaster.plan import MasteringPlan
from refmaster.profile.bands import cutoff_hz
from refmaster.profile.model import Profile
from refmaster.settings.aspects import ASPECTS, ServedAspect, ServedAspects, serves

SHORT_TERM_S = 3.0
SHORT_REFERENCE_S = 20.0
NEAR_MONO_DB = -30.0
LOW_PASSED_BELOW_HZ = 17500.0
MIN_DURATION_S = 0.4
INAUDIBLE_DC = 1e-6
# The findings on a reference that concern some aspects only.
_IMAGE: ServedAspects = ("width", "balance")
_CONCERNS: dict[str, Sequence[ServedAspect]] = {
    "reference_clipped": ("tone", "dynamics", "loudness"),
    "reference_low_passed": ("tone",),
    "reference_lossy": ("tone", "width"),
    "lossy_origin": ("tone", "width"),
    "upsampled": ("tone",),
    "reference_short": ("tone", "width", "dynamics"),
    "reference_one_sided": _IMAGE,
    "reference_imbalanced": _IMAGE,
    "reference_out_of_phase": ("tone", *_IMAGE),
    "reference_surround": _IMAGE,
    "reference_mono": _IMAGE,
    "mix_mono": _IMAGE,
    "channels_swapped": _IMAGE,
}


def require_usable(profile: Profile, role: str) -> None:
    """Refuse a recording whose loudness cannot be measured.

    Raises
    ------
    AudioError
        The recording is silent, holds only DC, or lasts under 0.4 s (one gating block of BS.1770).
    """
    source = profile.source
    if profile.levels.integrated_lufs is not None and not profile.is_silent:
        return
    if source.duration_s < MIN_DURATION_S:
        raise AudioError(
            f"{source.file}: expected at least {MIN_DURATION_S} s of audio to measure its loudness, found "
            f"{source.duration_s:.3f} s; give a longer {role}"
        )
    found = "only a constant (DC)" if max(abs(dc) for dc in profile.stereo.dc) > INAUDIBLE_DC else "silence"
    raise AudioError(
        f"{source.file}: expected music, found {found} (nothing above -70 LUFS); check that this is the "
        f"right {role}"
    )


def require_supported(mix: AudioSource) -> None:
    """Refuse a mix whose format cannot be mastered, before it is measured.

    Raises
    ------
    AudioError
        More than two channels.
    """
    found = mix.format
    if found.channels > 2:
        raise AudioError(
            f"{mix.name}: expected a mono or stereo mix, found {found.channels} channels; fold it down "
            "to stereo first"
        )


def require_planned_mix(plan: MasteringPlan, mix: Profile) -> None:
    """Refuse another mix than the plan was made for, where it says which.

    Raises
    ------
    AudioError
        The mix has another SHA-256 than the plan's.
    """
    if plan.mix.sha256 is not None and mix.source.sha256 != plan.mix.sha256:
        raise AudioError(
            f"{mix.source.file}: expected the mix that the plan was made for (sha256 "
            f"{plan.mix.sha256[:12]}...), found another file ({str(mix.source.sha256)[:12]}...); derive a "
            "new plan, or name the file as mix= to render it all the same"
        )


def inspect_mix(mix: Profile, references: Sequence[Profile] = ()) -> list[Finding]:
    """Return the findings on a mix; with references its balance is held against theirs."""
    findings = [*_short(mix, "mix"), *inspect_levels(mix)]
    if mix.source.lossy:
        findings.append(
            info("mix_lossy", f"the mix is a lossy file ({mix.source.subtype})", "master from the original")
        )
    return [
        *findings,
        *inspect_channels(mix),
        *inspect_tone(mix, references),
        *inspect_edges(mix),
        *inspect_noise(mix),
        *inspect_clicks(mix),
        *inspect_origin(mix, "mix"),
    ]


def inspect_reference(reference: Profile, mix: Profile, aspects: ServedAspects = ()) -> list[Finding]:
    """Return the findings on a reference that concern the aspects it serves (by default all), and the mix."""
    return [
        finding
        for finding in _reference_findings(reference, mix)
        if any(serves(aspects, aspect) for aspect in _CONCERNS.get(finding.code, ASPECTS))
    ]


def _reference_findings(reference: Profile, mix: Profile) -> list[Finding]:
    name = reference.name
    findings = _short(reference, f"reference {name}")
    levels = reference.levels
    if reference.source.sha256 is not None and reference.source.sha256 == mix.source.sha256:
        findings.append(
            warning("reference_is_mix", f"the reference {name} is the mix itself: there is nothing to match")
        )
    runs = flat_tops(reference)
    if runs >= CLIPPED_FROM_RUNS:
        findings.append(
            warning(
                "reference_clipped",
                f"the reference {name} is clipped ({runs} flat tops, "
                f"{levels.true_peak_dbtp:+.1f} dBTP): its treble holds distortion, its loudness cost peaks",
                times_s=all_times(level.times_s for level in clipped_levels(reference)),
                value=float(runs),
                limit=float(CLIPPED_FROM_RUNS),
                unit="flat tops",
            )
        )
    elif levels.true_peak_dbtp is not None and levels.true_peak_dbtp > FULL_SCALE_DBTP:
        findings.append(
            info(
                "reference_over",
                f"the reference {name} reaches {levels.true_peak_dbtp:+.1f} dBTP",
                times_s=() if reference.faults is None else reference.faults.overs.times_s,
                value=levels.true_peak_dbtp,
                limit=FULL_SCALE_DBTP,
                unit="dBTP",
            )
        )
    cutoff = cutoff_hz(np.asarray(reference.spectrum.frequencies_hz), np.asarray(reference.spectrum.mid_db))
    if cutoff is not None and cutoff < LOW_PASSED_BELOW_HZ:
        findings.append(
            warning(
                "reference_low_passed",
                f"the reference {name} ends at {cutoff / 1000:.1f} kHz (a lossy codec or a filter): "
                "nothing above is matched",
            )
        )
    elif reference.source.lossy:
        findings.append(
            info("reference_lossy", f"the reference {name} is lossy ({reference.source.subtype})")
        )
    said = cutoff is not None and cutoff < LOW_PASSED_BELOW_HZ
    findings += [f for f in inspect_origin(reference, "reference") if not (said and f.code == "upsampled")]
    findings += [
        *_reference_channels(reference),
        *_image(reference, mix),
        *inspect_swapped(mix, reference),
    ]
    if SHORT_TERM_S <= reference.source.duration_s < min(SHORT_REFERENCE_S, 0.25 * mix.source.duration_s):
        findings.append(
            warning(
                "reference_short",
                f"the reference {name} is {reference.source.duration_s:.1f} s against a mix of "
                f"{mix.source.duration_s:.0f} s: its balance is that of a passage",
            )
        )
    return findings


def _reference_channels(reference: Profile) -> list[Finding]:
    """Return what is wrong with the channels of a reference."""
    name = reference.name
    if has_silent_channel(reference):
        return [
            warning(
                "reference_one_sided",
                f"one channel of the reference {name} is silent: its width and balance are not followed",
                "use a stereo reference",
            )
        ]
    findings = []
    if is_imbalanced(reference):
        findings.append(
            warning(
                "reference_imbalanced",
                f"{louder(reference)} in the reference {name}: its width and balance are not followed",
                "check the file, or use another reference",
            )
        )
    if is_out_of_phase(reference):
        findings.append(
            warning(
                "reference_out_of_phase",
                f"the channels of the reference {name} are out of phase (correlation "
                f"{reference.stereo.correlation:.2f}): its width and balance are not followed, its tone is "
                "read from what mono leaves",
                "check its polarity, or use another reference",
            )
        )
    return findings


def _image(reference: Profile, mix: Profile) -> list[Finding]:
    """Return the findings on a reference's stereo image, where its channels are in order."""
    name, channels, stereo = reference.name, reference.source.channels, reference.stereo
    if mix.source.channels == 1:
        if channels > 1:
            return [info("mix_mono", "the mix is mono and stays mono: width and balance are not matched")]
        return []
    if channels > 2:
        return [
            info(
                "reference_surround",
                f"the reference {name} has {channels} channels: its tone and loudness are matched, width and "
                "balance are not",
            )
        ]
    if channels == 2 and not has_image_to_follow(reference):
        return []
    if stereo.side_to_mid_db is None or stereo.side_to_mid_db < NEAR_MONO_DB:
        return [warning("reference_mono", f"the reference {name} is mono: the mix keeps its own width")]
    return []


def _short(profile: Profile, subject: str) -> list[Finding]:
    if profile.source.duration_s >= SHORT_TERM_S:
        return []
    return [
        warning(
            "too_short",
            f"the {subject} lasts {profile.source.duration_s:.2f} s: short-term loudness, loudness range and "
            "PSR need 3 s and could not be measured",
        )
    ]
