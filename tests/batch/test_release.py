"""Releases as jobs."""

from __future__ import annotations

import pytest

from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError

from .conftest import Ears, Project, write_song

ALBUM = (
    "version: 1\ntitle: Record\ntracks: [{file: mixes/a.wav, sequence: {gap_s: 1}}, {file: mixes/b.wav}]\n"
)


@pytest.fixture
def album(project: Project) -> Project:
    for number, name in enumerate("ab", 4):
        write_song(project.folder / "mixes" / f"{name}.wav", seconds=4.5, seed=number)
    (project.folder / "album.yaml").write_text(ALBUM)
    project.write("version: 1\njobs:\n  - {kind: release, album: album.yaml}\n")
    return project


def test_a_release_is_made_once_and_again_when_its_album_changes(album: Project) -> None:
    ears = Ears()
    album.run(ears)
    assert {key: int(result.code) for key, result in ears.results.items()} == {"Record/release.json": 0}
    folder = album.masters / "Record"
    assert {path.name for path in folder.iterdir()} >= {"Archive", "CD", "DDP", "Masters", "release.html"}
    assert all(row.kept for row in album.run().rows)
    (album.folder / "album.yaml").write_text(ALBUM.replace("gap_s: 1", "gap_s: 2"))
    ears = Ears()
    album.run(ears)
    assert set(ears.results) == {"Record/release.json"}
    assert {path.name for path in album.masters.iterdir()} >= {"Record"}
    assert not [path for path in album.masters.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_released_is_told_before_any_work(album: Project) -> None:
    (album.folder / "album.yaml").write_text(ALBUM.replace("gap_s: 1", "crossfade_s: 1"))
    with pytest.raises(SettingsError, match="none before it to cross over from"):
        plan_batch(album.jobs_file)
