"""Each finding on an album: provoked on a planned album of made songs, and missed just inside its limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import soundfile as sf

from refmaster import AlbumResult, master_album
from refmaster.album.judge import judge_album, judge_tracks
from refmaster.album.plan import AlbumPlan
from refmaster.album.pooled import pooled_lufs
from refmaster.check.findings import Finding
from refmaster.meters.masking import CLEAN_NOISE_TO_MASK_DB
from refmaster.settings.records import ReferenceRecord


@dataclass(frozen=True)
class Album:
    """A planned album, as if it had been rendered by a plan that changes nothing."""

    plan: AlbumPlan
    tracks: tuple[Any, ...]
    planned: Callable[..., AlbumResult]

    def judged(self, plan: AlbumPlan | None = None) -> list[Finding]:
        return judge_album(plan or self.plan, self.tracks)

    def by(self, *engineers: str | None) -> list[Finding]:
        """Judge the album as if these engineers had mixed its tracks."""
        tracks = [
            t.model_copy(update={"engineer": e}) for t, e in zip(self.plan.tracks, engineers, strict=True)
        ]
        return self.judged(self.plan.model_copy(update={"tracks": tuple(tracks)}))

    def of(self, count: int) -> list[Finding]:
        """Judge the first tracks alone, of which no loudness was asked."""
        promise = self.plan.promise.model_copy(update={"integrated_lufs": None})
        plan = self.plan.model_copy(update={"tracks": self.plan.tracks[:count], "promise": promise})
        return judge_album(plan, self.tracks[:count])

    def with_mix(self, **values: int) -> list[Finding]:
        """Judge the album as if the first mix had other facts."""
        first, *rest = self.plan.tracks
        first = first.model_copy(update={"mix": first.mix.model_copy(update=values)})
        return self.judged(self.plan.model_copy(update={"tracks": (first, *rest)}))

    def promised(self, missed_lu: float, **values: Any) -> list[Finding]:
        """Judge an album that is `missed_lu` louder than was asked."""
        asked = self.lufs() - missed_lu
        promise = self.plan.promise.model_copy(update={"integrated_lufs": asked, **values})
        return self.judged(self.plan.model_copy(update={"promise": promise}))

    def short_of_its_reference(self, missed_lu: float) -> list[Finding]:
        """Judge an album that follows a reference as far as its limiting stays clean."""
        promise = self.plan.promise.model_copy(
            update={"integrated_lufs": self.lufs() - missed_lu, "limited_by": "audibility"}
        )
        requested = self.plan.requested.model_copy(update={"target_lufs": None})
        record = ReferenceRecord(file="reference.wav", sha256=None, weight=1.0)
        values = {"promise": promise, "requested": requested, "references": (record,)}
        return self.judged(self.plan.model_copy(update=values))

    def lufs(self) -> float:
        found = pooled_lufs([track.after.momentary_lufs for track in self.tracks], [0.0] * len(self.tracks))
        assert found is not None
        return found

    def level_by(self, engineer_db: float) -> list[Finding]:
        """Judge the album with its last engineer, who mixed one song, moved by `engineer_db`."""
        *others, last = self.plan.engineers
        assert last.tracks == 1
        engineers = (*others, last.model_copy(update={"level_db": engineer_db}))
        return self.judged(self.plan.model_copy(update={"engineers": engineers}))

    def with_bass(self, more_db: float) -> list[Finding]:
        """Judge three tracks that are alike, but for the bass of the first."""
        alike = [
            replace(t, before=replace(self.tracks[0].before, tone_db=self.tracks[0].before.tone_db.copy()))
            for t in self.tracks
        ]
        alike[0].before.tone_db[2:6] += more_db
        return _of_tracks(judge_tracks(self.plan, alike))

    def with_interlude(self, level_db: float) -> list[Finding]:
        """Plan four songs, the second of which is quieter or louder than the others."""
        return _of_tracks(
            self.planned("ana", "ben", "ana", "ben", levels_db=(0.0, level_db, 0.0, 0.0)).tracks
        )


def _of_tracks(tracks: Sequence[Any]) -> list[Finding]:
    return [finding for track in tracks for finding in track.findings]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, made_song: Callable[..., Any]) -> Album:
    """Three songs, two by ana and one by ben."""

    def planned(*engineers: str, levels_db: Sequence[float] = (0.0, 0.0, 0.0)) -> AlbumResult:
        folder = tmp_path_factory.mktemp("album")
        lines = ["version: 1", "match: {target_lufs: -16}", "tracks:"]
        for number, (engineer, level_db) in enumerate(zip(engineers, levels_db, strict=True), 1):
            samples = made_song(number, level_db=level_db)
            sf.write(folder / f"{number}.wav", samples - samples.mean(axis=0), 44100, "PCM_24")
            lines.append(f"  - {{file: {number}.wav, engineer: {engineer}}}")
        (folder / "album.yaml").write_text("\n".join(lines))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REFMASTER_CACHE", str(folder / "cache"))
            return master_album(folder / "album.yaml", folder / "out", dry_run=True)

    result = planned("ana", "ana", "ben")
    at_rest = (
        t.plan.model_copy(update={"tone": t.plan.tone.model_copy(update={"mid": ()})}) for t in result.tracks
    )
    tracks = (
        replace(track, after=track.before, plan=plan, findings=())
        for track, plan in zip(result.tracks, at_rest, strict=True)
    )
    bare = Album(result.plan, tuple(tracks), planned)
    promise = result.plan.promise.model_copy(update={"integrated_lufs": bare.lufs(), "limited_by": None})
    return replace(bare, plan=result.plan.model_copy(update={"promise": promise}))


Case = Callable[[Album], list[Finding]]

# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "loudness_missed": (lambda album: album.promised(0.101), lambda album: album.promised(0.099)),
    "loudness_limited": (
        lambda album: album.promised(-1.0, limited_by="max_reduction"),
        lambda album: album.promised(0.0),
    ),
    "loudness_short": (
        lambda album: album.short_of_its_reference(-0.3),
        lambda album: album.promised(0.0, limited_by=None),
    ),
    "limiting_audible": (
        lambda album: album.promised(0.0, noise_to_mask_db=CLEAN_NOISE_TO_MASK_DB + 0.1),
        lambda album: album.promised(0.0, noise_to_mask_db=CLEAN_NOISE_TO_MASK_DB),
    ),
    "mixed_rates": (
        lambda album: album.with_mix(sample_rate_hz=48000),
        lambda album: album.with_mix(sample_rate_hz=44100),
    ),
    "mixed_channels": (
        lambda album: album.with_mix(channels=1),
        lambda album: album.with_mix(channels=2),
    ),
    "one_track": (lambda album: album.of(1), lambda album: album.of(3)),
    "engineers_unknown": (
        lambda album: album.by(None, None, None),
        lambda album: album.by("ana", "ana", None),
    ),
    "one_engineer": (lambda album: album.by("ana", "ana", "ana"), lambda album: album.by("ana", "ana", None)),
    "one_song_each": (
        lambda album: album.by("ana", "ben", "cleo"),
        lambda album: album.by("ana", "ben", "ana"),
    ),
    "level_by_one_song": (lambda album: album.level_by(-2.5), lambda album: album.level_by(-2.49)),
    "unlike_the_album": (lambda album: album.with_bass(12.0), lambda album: album.with_bass(4.9)),
    "unlike_level": (lambda album: album.with_interlude(-7.0), lambda album: album.with_interlude(-6.0)),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, album: Album) -> None:
    provoked, near_miss = ({finding.code for finding in case(album)} for case in CASES[code])
    assert provoked - near_miss == {code}
    assert near_miss <= provoked


def test_one_rate_asked_for_all_is_no_mixture(album: Album) -> None:
    output = album.plan.output.model_copy(update={"sample_rate_hz": 48000})
    asked = replace(album, plan=album.plan.model_copy(update={"output": output}))
    assert asked.with_mix(sample_rate_hz=48000) == []
