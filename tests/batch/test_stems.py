"""Stems in jobs, in place of a mix."""

from __future__ import annotations

import pytest

from refmaster import Stems, master_file
from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError
from refmaster.plan import load_plan
from refmaster.settings.match import MatchSettings

from .conftest import Ears, Project, write_song

HEAD = "version: 1\ndefaults: {reference: reference.wav, settings: {target_lufs: -20}, save_plan: true}\n"


@pytest.fixture
def stems(project: Project) -> Project:
    write_song(project.folder / "stems" / "Song" / "low.wav", seed=3)
    write_song(project.folder / "stems" / "Song" / "high.wav", seed=4)
    return project


@pytest.mark.parametrize(
    "named", ["stems/Song", "stems/*/*.wav", "[stems/Song/high.wav, stems/Song/low.wav]"]
)
def test_the_master_is_that_of_their_sum(stems: Project, named: str) -> None:
    stems.write(HEAD + f"jobs:\n  - stems: {named}\n")
    ears = Ears()
    stems.run(ears)
    assert {key: result.code for key, result in ears.results.items()} == {"Song.wav": 0}
    folder = stems.folder / "stems" / "Song"
    alone = stems.folder / "alone.wav"
    settings = MatchSettings(target_lufs=-20.0)
    master_file(
        Stems([folder / "high.wav", folder / "low.wav"]), stems.folder / "reference.wav", alone, settings
    )
    assert (stems.masters / "Song.wav").read_bytes() == alone.read_bytes()
    plan = load_plan(stems.masters / "Song.plan.yaml")
    assert [stem.file for stem in plan.stems] == [f"../stems/Song/{name}.wav" for name in ("high", "low")]
    assert all(row.kept for row in stems.run().rows)
    write_song(folder / "low.wav", seed=5)
    ears = Ears()
    stems.run(ears)
    assert set(ears.results) == {"Song.wav"}


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("{mix: mixes/one.wav, stems: stems/Song}", "expected mix or stems, found both"),
        ("{title: Song}", "expected a mix, or stems that it is the sum of; found neither"),
        ("{stems: [stems/Song/low.wav]}", "expected from 2 to 32 files that sum to the mix, found 1"),
        ("{stems: [stems/Song/low.wav, stems/gone.wav]}", "no such file"),
        ("{stems: stems/Song, settings: {engine: matchering}}", "takes no stems; give it the mix"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(stems: Project, job: str, said: str) -> None:
    stems.write(f"{HEAD}jobs: [{job}]\n")
    with pytest.raises(SettingsError) as caught:
        plan_batch(stems.jobs_file)
    assert said in str(caught.value)
    assert "jobs.yaml:3:" in str(caught.value)


def test_stems_that_are_not_aligned_are_one_error_that_names_them(stems: Project) -> None:
    write_song(stems.folder / "stems" / "Song" / "low.wav", seed=3, seconds=1.0)
    stems.write(f"{HEAD}jobs: [{{stems: stems/Song}}, {{mix: mixes/one.wav}}]\n")
    ears = Ears()
    stems.run(ears)
    assert {key: int(result.code) for key, result in ears.results.items()} == {"Song.wav": 2, "one.wav": 0}
    message = ears.results["Song.wav"].message
    assert "low.wav" in message
    assert "high.wav" in message
    assert not (stems.masters / "Song.wav").exists()
