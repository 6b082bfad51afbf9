"""Suggest references: rank recordings and saved profiles by how they fit a mix, and say why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from refmaster._types import Progress
from refmaster.check.preflight import require_supported, require_usable
from refmaster.errors import AudioError, InputError, SettingsError
from refmaster.io.open import open_audio
from refmaster.io.source import counted
from refmaster.io.suffixes import is_recording, is_yaml
from refmaster.matching.content_prior import load_prior
from refmaster.matching.ranking import RankedReference, best_together, rank_references
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.profile.model import Profile
from refmaster.profile.obtain import PathLike, profile_of
from refmaster.rendering.drive import DriveAnalyzer
from refmaster.settings.document import PROFILE_MAX_BYTES, PROFILE_MAX_VALUES, read_document
from refmaster.settings.kinds import kind_of
from refmaster.settings.limiter import DEFAULT_CEILING_DBTP, LimiterSettings
from refmaster.settings.summary import Summarized, measured

# No record is louder: asked for this, a mix shows how loud it gets before limiting is heard.
_LOUDEST_LUFS = 0.0
# A loudness that is missed by less is met.
_MET_WITHIN_LU = 0.1
# Differences under these are none.
_SAME_SPREAD_DB, _SAME_WIDTH_DB = 0.5, 1.5


@dataclass(frozen=True, kw_only=True, repr=False)
class Suggestions(Summarized):
    """References for a mix, the best first.

    Attributes
    ----------
    mix : Profile
    clean_lufs : float or None
        How loud the mix gets before its limiting is heard; None for a saved profile, which holds no audio.
    ranked : tuple of RankedReference
    together : tuple of RankedReference
        One to three that serve best together.
    left_out : tuple of str
        Candidates that cannot be references, and why.
    """

    mix: Profile
    clean_lufs: float | None
    ranked: tuple[RankedReference, ...]
    together: tuple[RankedReference, ...]
    left_out: tuple[str, ...]

    def summary(self) -> list[tuple[str, str]]:
        """Return the mix, the best reference and why, and those that serve together."""
        return [
            ("mix", f"{self.mix.name}, {measured(self.mix.levels.integrated_lufs, 'LUFS')}"),
            *((str(n), f"{r.profile.name}: {self.why(r)}") for n, r in enumerate(self.ranked[:5], 1)),
            ("together", ", ".join(r.profile.name for r in self.together)),
        ]

    def why(self, reference: RankedReference) -> str:
        """Return how a reference compares with the mix, in words."""
        said = ["plays the same music"] if reference.shared_material > 0.5 else []
        if reference.tone_distance_db is not None:
            said.append(f"tone {reference.tone_distance_db:.1f} dB RMS away")
        said += _compared(reference.spread_difference_db, _SAME_SPREAD_DB, "more dynamic", "less dynamic")
        said += _compared(reference.width_difference_db, _SAME_WIDTH_DB, "wider", "narrower")
        return ", ".join([*said, *self._loudness(reference)])

    def _loudness(self, reference: RankedReference) -> list[str]:
        lufs = reference.profile.levels.integrated_lufs
        if lufs is None or self.clean_lufs is None:
            return []
        beyond = lufs - self.clean_lufs
        if beyond <= _MET_WITHIN_LU:
            return [f"{lufs:.1f} LUFS can be reached cleanly"]
        return [f"{lufs:.1f} LUFS are {beyond:.1f} LU more than the mix takes cleanly"]


def suggest_references(
    mix: PathLike | Profile,
    candidates: Sequence[PathLike | Profile],
    *,
    prior: PathLike | None = None,
    ceiling_dbtp: float = DEFAULT_CEILING_DBTP,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> Suggestions:
    """Rank recordings as references for a mix.

    Parameters
    ----------
    mix : str, Path or Profile
        What is to be mastered.
    candidates : sequence of (str, Path or Profile)
        Recordings, saved profiles, and folders of those, which are searched to their depth. The mix itself
        is left out.
    prior : str or Path, optional
        A file of ``refmaster learn``; the shipped one by default.
    ceiling_dbtp : float
        True-peak ceiling under which the mix's loudness is tried.
    use_cache : bool
        Take profiles from the user's profile cache where it has them, and put them there where it does not.
    progress : callable, optional
        Called as ``progress(stage, done, in_all)``.

    Returns
    -------
    Suggestions

    Raises
    ------
    InputError
        The mix cannot be used, a folder holds no recording, or no candidate can be a reference.
    """
    learned = load_prior(prior)
    own = profile_of(mix, progress, stage="measuring the mix", use_cache=use_cache)
    require_usable(own, "mix")
    found, left_out = _measured(candidates, own, progress, use_cache=use_cache)
    if not found:
        raise InputError("\n".join(["expected at least one reference to suggest, found none", *left_out]))
    files = {id(profile): file for profile, file in found}
    ranked = [
        replace(reference, file=files[id(reference.profile)])
        for reference in rank_references(own, [profile for profile, _ in found], learned)
    ]
    return Suggestions(
        mix=own,
        clean_lufs=None
        if isinstance(mix, Profile) or is_yaml(mix)
        else _clean_lufs(mix, ceiling_dbtp, progress),
        ranked=tuple(ranked),
        together=tuple(best_together(own, ranked, learned)),
        left_out=tuple(left_out),
    )


def _measured(
    candidates: Sequence[PathLike | Profile], mix: Profile, progress: Progress | None, *, use_cache: bool
) -> tuple[list[tuple[Profile, str]], list[str]]:
    """Return the profiles of candidates that can be references and their files, and why others cannot."""
    found: list[tuple[Profile, str]] = []
    left_out: list[str] = []
    listed = list(_listed(candidates))
    for number, candidate in enumerate(listed):
        if progress is not None:
            progress(f"measuring the references: {number + 1} of {len(listed)}", number, len(listed))
        try:
            profile = profile_of(candidate, use_cache=use_cache)
            require_usable(profile, "reference")
        except (AudioError, SettingsError) as error:
            left_out.append(f"left out: {error}")
            continue
        if profile.source.sha256 is None or profile.source.sha256 != mix.source.sha256:
            found.append((profile, profile.source.file if isinstance(candidate, Profile) else str(candidate)))
        else:
            left_out.append(f"left out: {profile.source.file} is the mix itself")
    return found, left_out


def _listed(candidates: Iterable[PathLike | Profile]) -> Iterator[Path | Profile]:
    """Yield every candidate, those of folders one by one."""
    for candidate in candidates:
        if isinstance(candidate, Profile):
            yield candidate
        elif Path(candidate).is_dir():
            yield from _in_folder(Path(candidate))
        elif Path(candidate).is_file():
            yield Path(candidate)
        else:
            raise InputError(f"{candidate}: expected a folder, a recording or a profile, found nothing there")


def _in_folder(folder: Path) -> list[Path]:
    """Return the recordings and the saved profiles below a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    found = [p for p in files if is_recording(p) or (is_yaml(p) and _is_profile(p))]
    if not found:
        raise InputError(f"{folder}: expected recordings or saved profiles in this folder, found none")
    return found


def _is_profile(path: Path) -> bool:
    try:
        data = read_document(path, max_bytes=PROFILE_MAX_BYTES, max_values=PROFILE_MAX_VALUES).data
    except SettingsError:
        return False
    return isinstance(data, dict) and kind_of(data) == "a saved profile"


def _clean_lufs(mix: PathLike, ceiling_dbtp: float, progress: Progress | None) -> float | None:
    """Return the loudness up to which limiting a mix, as it is, is not heard."""
    source = open_audio(mix)
    require_supported(source)
    analyzer = DriveAnalyzer(source.format.sample_rate_hz, source.format.channels)
    for block in counted(source.blocks(), "trying the loudness", source.format.frames, progress):
        analyzer.update(block)
    limiter = LimiterSettings(ceiling_dbtp=ceiling_dbtp)
    found = analyzer.solve(_LOUDEST_LUFS, limiter, max_noise_to_mask_db=CLEAN_NOISE_TO_MASK_DB).found
    return found.lufs if math.isfinite(found.lufs) else None


def _compared(difference: float | None, same_within: float, more: str, less: str) -> list[str]:
    if difference is None or abs(difference) < same_within:
        return []
    return [f"{abs(difference):.1f} dB {more if difference > 0.0 else less}"]
