"""Each finding on a release: provoked, and missed just inside its limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from refmaster.check.findings import Finding
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.release.build import release_album
from refmaster.release.layout import lay_out
from refmaster.release.transitions import TOLD_JUMP_LU, TOLD_TONE_DB, Transition, judge_transitions
from refmaster.release.vinyl import TOLD_LOUDER_LU, judge_sides
from refmaster.settings.sequence import TrackSequence, VinylSettings

from .conftest import RATE_HZ, song
from .test_program import songs_of


def transition(**values: float) -> list[Finding]:
    found = Transition(song=1, gap_s=2.0, level_jump_lu=0.0, tone_jump_db=0.0)
    return judge_transitions([replace(found, **values)], ["One", "Two"])  # type: ignore[arg-type]


def profile(level_lufs: float) -> Profile:
    found = measure(ArraySource(song(1), RATE_HZ))
    return found.model_copy(
        update={"levels": found.levels.model_copy(update={"max_short_term_lufs": level_lufs})}
    )


def side(last_lufs: float) -> list[Finding]:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence()), RATE_HZ)
    return judge_sides([[0, 1]], layout, [profile(-15.0), profile(last_lufs)], VinylSettings())


def limited(folder: Path, *, crossfade_s: float) -> list[Finding]:
    """Release two songs that peak at the ceiling together, overlapping or not."""
    import soundfile as sf

    for gain, name in ((2.2, "a.wav"), (2.19, "b.wav")):
        both = np.tile(song(1, seconds=1.0), (5, 1))  # the beats of both coincide
        sf.write(folder / name, gain * both, RATE_HZ, "PCM_24")
    sequence: dict[str, Any] = {"crossfade_s": crossfade_s} if crossfade_s else {"gap_s": 1.0}
    album = {
        "version": 1,
        "tracks": [{"file": "a.wav"}, {"file": "b.wav", "sequence": sequence}],
        "release": {"cd": False, "targets": ["high-res"]},
    }
    (folder / "album.yaml").write_text(yaml.safe_dump(album))
    return list(release_album(folder / "album.yaml", folder / "Out").findings)


Case = Callable[[Path], list[Finding]]
CASES: dict[str, tuple[Case, Case]] = {
    "transition_level": (
        lambda _: transition(level_jump_lu=-(TOLD_JUMP_LU + 0.1)),
        lambda _: transition(level_jump_lu=TOLD_JUMP_LU),
    ),
    "transition_tone": (
        lambda _: transition(tone_jump_db=TOLD_TONE_DB + 0.1),
        lambda _: transition(tone_jump_db=TOLD_TONE_DB),
    ),
    "vinyl_order": (
        lambda _: side(-15.0 + TOLD_LOUDER_LU + 0.1),
        lambda _: side(-15.0 + TOLD_LOUDER_LU),
    ),
    "release_limited": (
        lambda folder: limited(folder, crossfade_s=4.0),
        lambda folder: limited(folder, crossfade_s=0.0),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_it_is_told_and_not_without_cause(code: str, tmp_path: Path) -> None:
    provoked, missed = CASES[code]
    for name, case, told in (("one", provoked, True), ("two", missed, False)):
        folder = tmp_path / name
        folder.mkdir()
        assert (code in [finding.code for finding in case(folder)]) == told
