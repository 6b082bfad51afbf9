"""One recording checked by itself, or against references: measured, and judged as before mastering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refmaster._types import Progress
from refmaster.check.delivery import judge_delivery
from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_mix, inspect_reference, require_supported, require_usable
from refmaster.io.open import open_audio
from refmaster.io.suffixes import is_yaml
from refmaster.profile.model import Profile
from refmaster.profile.obtain import PathLike, Recording, profile_of
from refmaster.settings.summary import Summarized, measured
from refmaster.settings.target_files import asked_targets
from refmaster.settings.targets import DeliveryTarget


@dataclass(frozen=True, kw_only=True, repr=False)
class CheckResult(Summarized):
    """A recording and what was found in it.

    Attributes
    ----------
    mix : Profile
        Of the recording that was checked.
    findings : tuple of Finding
        On the recording, and on the references that it was held against.
    """

    mix: Profile
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no limit failed: there is no warning and no broken promise."""
        return all(finding.severity == "info" for finding in self.findings)

    def summary(self) -> list[tuple[str, str]]:
        """Return the recording, and its first findings."""
        return [
            ("checked", f"{self.mix.name}, {measured(self.mix.levels.integrated_lufs, 'LUFS')}"),
            ("passed", "yes" if self.passed else "no"),
            *((finding.severity, finding.message) for finding in self.findings[:5]),
        ]


def check_file(
    recording: Recording,
    references: PathLike | Profile | Sequence[PathLike | Profile] = (),
    *,
    targets: str | DeliveryTarget | Sequence[str | DeliveryTarget] = (),
    use_cache: bool = True,
    progress: Progress | None = None,
) -> CheckResult:
    """Check a recording: what a mastering engineer would ask to be mended before the work begins.

    Parameters
    ----------
    recording : str, Path, Profile or AudioSource
        A mono or stereo mix, a saved profile, or an array as an `ArraySource`.
    references : path or Profile, or a sequence of those
        Recordings whose tone it is held against in place of that of finished songs at large; they are judged
        themselves too.
    targets : str, DeliveryTarget, or a sequence of those
        Hold a finished master against delivery targets, by name or as YAML files, in place of what a mix
        should be.
    use_cache : bool
        Take profiles from the user's profile cache where it has them, and put them there where it does not.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Returns
    -------
    CheckResult

    Raises
    ------
    InputError
        A recording cannot be read, is silent, too short, or has more than two channels.
    """
    mix = _measured(recording, "mix", progress, use_cache=use_cache)
    several = [references] if isinstance(references, str | Path | Profile) else references
    held_against = [_measured(r, "reference", progress, use_cache=use_cache) for r in several]
    asked = asked_targets(targets)
    findings = [finding for target in asked for finding in judge_delivery(mix, target)]
    findings += [] if asked else inspect_mix(mix, held_against)
    for reference in held_against:
        findings += inspect_reference(reference, mix)
    return CheckResult(mix=mix, findings=tuple(findings))


def _measured(recording: Recording, role: str, progress: Progress | None, *, use_cache: bool) -> Profile:
    if role == "mix" and not isinstance(recording, Profile):
        if not isinstance(recording, str | Path):
            require_supported(recording)
        elif not is_yaml(recording):
            require_supported(open_audio(recording))
    profile = profile_of(recording, progress, stage=f"checking the {role}", use_cache=use_cache)
    require_usable(profile, role)
    return profile
