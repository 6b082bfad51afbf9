"""Albums and comparisons as jobs of a batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile as sf

from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError

from .conftest import Ears, Project, write_song


def test_an_album_is_mastered_and_resumed(project: Project) -> None:
    (project.folder / "album.yaml").write_text(
        "version: 1\ntitle: Two Songs\ntracks:\n"
        "  - {file: mixes/one.wav, engineer: a}\n  - {file: mixes/two.wav, engineer: b}\n"
    )
    project.write(
        "version: 1\nreferences: {house: reference.wav}\n"
        "jobs:\n  - {kind: album, album: album.yaml, reference: house, settings: {target_lufs: -20}}\n"
    )
    ears = Ears()
    summary = project.run(ears)
    found = ears.results["Two Songs/album-plan.yaml"]
    assert found.code in (0, 1), found
    assert found.achieved["tracks"] == 2
    names = {path.name for path in (project.masters / "Two Songs").iterdir()}
    assert {"01 one.wav", "02 two.wav", "album-plan.yaml"} <= names
    assert summary.exit_code == found.code
    assert all(row.kept for row in project.run().rows)
    write_song(project.folder / "mixes" / "two.wav", seed=21)
    ears = Ears()
    project.run(ears)
    assert set(ears.results) == {"Two Songs/album-plan.yaml"}


def test_an_album_of_a_folder_and_problems_before_any_work(project: Project) -> None:
    project.write("version: 1\njobs: [{kind: album, album: mixes, output: LP}]\n")
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["LP/album-plan.yaml"]
    assert len(tasks[0].outputs) == 3
    (project.folder / "album.yaml").write_text("version: 1\ntracks: [{file: gone.wav}]\n")
    project.write("version: 1\njobs: [{kind: album, album: album.yaml}, {kind: album, album: none.yaml}]\n")
    with pytest.raises(SettingsError) as caught:
        plan_batch(project.jobs_file)
    assert "gone.wav" in str(caught.value)
    assert "none.yaml: no such file" in str(caught.value)


def test_an_albums_title_is_taken_whole(project: Project) -> None:
    (project.folder / "album.yaml").write_text(
        "version: 1\ntitle: Symphony No. 5/6\ntracks: [{file: mixes/one.wav, engineer: a}]\n"
    )
    project.write("version: 1\njobs: [{kind: album, album: album.yaml}]\n")
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["Symphony No. 5-6/album-plan.yaml"]


@pytest.mark.parametrize("reference", ["house", "reference.wav"])
def test_another_engine_masters_in_a_batch(
    project: Project, fixture_path: Callable[[str], Path], reference: str
) -> None:
    """It listens to the recording itself, whether it is a named reference or not."""
    for name, song in (("reference.wav", "country.flac"), ("mixes/one.wav", "strings.flac")):
        samples, rate = sf.read(fixture_path(f"music/{song}"), stop=44100 * 6)
        sf.write(project.folder / name, samples, rate)
    project.write(
        "version: 1\nreferences: {house: reference.wav}\n"
        f"jobs: [{{mix: mixes/one.wav, reference: {reference}, settings: {{engine: matchering}}}}]\n"
    )
    ears = Ears()
    project.run(ears)
    found = ears.results["one.wav"]
    assert found.code in (0, 1), found
    assert "engine_matchering" in {finding["code"] for finding in found.findings}
    assert all(row.kept for row in project.run().rows)


@pytest.mark.slow
def test_a_comparison_writes_what_each_engine_measures(project: Project) -> None:
    project.write(
        "version: 1\nreferences: {house: reference.wav}\ndefaults: {reference: house}\n"
        "jobs: [{kind: compare, mix: mixes/one.wav}]\n"
    )
    ears = Ears()
    project.run(ears)
    assert ears.results["one.compare.json"].code in (0, 1), ears.results
    report = json.loads((project.masters / "one.compare.json").read_text())
    assert [engine["name"] for engine in report["engines"]] == ["refmaster", "matchering", "gain"]


def test_a_comparison_needs_one_recording(project: Project) -> None:
    project.write("version: 1\njobs: [{kind: compare, mix: mixes}]\n")
    with pytest.raises(SettingsError, match="needs one reference recording, found 0"):
        plan_batch(project.jobs_file)
