"""Findings on playback translation: where a recording loses more on other systems than records do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refmaster._types import Progress
from refmaster.check.findings import Finding, info, warning
from refmaster.check.preflight import require_usable
from refmaster.matching.playback import Translation, translate
from refmaster.profile.model import Profile
from refmaster.profile.obtain import Recording, profile_of
from refmaster.settings.playback import PlaybackSystem

# In standard deviations of what finished recordings lose on a system: none of 19 loses more than 2.9 of them,
# and left out one by one only one of them, on the laptop, would lie beyond 3 of the others.
LOSS_SDS = 3.0
# Two songs differ by this much, or more, in about three pairs of ten.
QUIETER_SDS = 1.5


@dataclass(frozen=True, kw_only=True)
class PlaybackResult:
    """A recording on other playback systems.

    Attributes
    ----------
    recording : Profile
    references : tuple of Profile
    translations : tuple of Translation
        One for each system.
    findings : tuple of Finding
    """

    recording: Profile
    references: tuple[Profile, ...]
    translations: tuple[Translation, ...]
    findings: tuple[Finding, ...]


def check_playback(
    recording: Recording,
    references: Sequence[Recording] = (),
    *,
    use_cache: bool = False,
    progress: Progress | None = None,
) -> PlaybackResult:
    """Tell how loud and how balanced a recording is on other playback systems.

    Parameters
    ----------
    recording : path, Profile or AudioSource
        A path may name audio or a saved profile.
    references : sequence of the same
        What it is held against: their mean.
    use_cache : bool
        Take profiles from the user's profile cache, and put them there.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Raises
    ------
    AudioError, SettingsError
        A recording cannot be read, or has no loudness.
    """
    own, *others = (
        profile_of(each, progress, stage="measuring", use_cache=use_cache)
        for each in (recording, *references)
    )
    require_usable(own, "recording")
    for other in others:
        require_usable(other, "reference")
    translations = translate(own, others)
    return PlaybackResult(
        recording=own,
        references=tuple(others),
        translations=translations,
        findings=tuple(judge_playback(translations)),
    )


def judge_playback(translations: Sequence[Translation]) -> list[Finding]:
    """Return where a recording loses more loudness than finished records do, and more than its reference.

    Where the reference loses as much it is the kind of music, and nothing is said.
    """
    return [finding for translation in translations for finding in _on_system(translation)]


def _on_system(found: Translation) -> list[Finding]:
    system, difference = found.system, found.difference_lu
    lowest = round(system.finished_mean_lu - LOSS_SDS * system.finished_sd_lu, 1)
    allowed = -round(QUIETER_SDS * system.finished_sd_lu, 1)
    beside = "" if difference is None else f", the reference's by {found.reference_change_lu:+.1f} LU"
    advice = _advice(system)
    if found.change_lu < lowest and (difference is None or difference < allowed):
        return [
            warning(
                "playback_loss",
                f"{system.title}: loudness changes by {found.change_lu:+.1f} LU{beside}; that of finished "
                f"recordings by {system.finished_mean_lu:+.1f} LU, and hardly ever by {lowest:+.1f}",
                advice,
                value=found.change_lu,
                limit=lowest,
                unit="LU",
            )
        ]
    if difference is not None and difference < allowed:
        return [
            info(
                "playback_quieter",
                f"{system.title}: loudness changes by {found.change_lu:+.1f} LU{beside}",
                advice,
                value=difference,
                limit=allowed,
                unit="LU",
            )
        ]
    return []


def _advice(system: PlaybackSystem) -> str:
    if not system.response:
        return "narrow the width, and check the polarity of wide sounds"
    if system.finished_mean_lu > 0.0:  # it lifts the bass
        return "there is little bass for it to lift: check the low end, and the song in mono"
    return "let sounds above 500 Hz carry what now only the bass has, and check the song in mono"
