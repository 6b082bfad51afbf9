"""Tags and cover art of the masters of a batch."""

from __future__ import annotations

import pytest
from mutagen.flac import FLAC

from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError
from refmaster.plan import load_plan

from .conftest import Ears, Project

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636000000002000148"
    "afa4710000000049454e44ae426082"
)


def test_tags_are_inherited_one_by_one_and_the_art_is_an_input(project: Project) -> None:
    (project.folder / "art").mkdir()
    (project.folder / "art" / "cover.png").write_bytes(PNG)
    project.write(
        "version: 1\nreferences: {house: reference.wav}\n"
        "defaults: {reference: house, tags: {album: Both, genre: Folk}, art: art/cover.png}\n"
        "jobs:\n"
        "  - {mix: mixes/one.wav, output: one.flac, tags: {title: One, genre: Jazz, isrc: de-a12-34-56789}}\n"
        "  - {mix: mixes/two.wav, output: two.flac, save_plan: true}\n"
    )
    ears = Ears()
    project.run(ears)
    assert all(result.finished for result in ears.results.values()), ears.results
    one, two = FLAC(project.masters / "one.flac"), FLAC(project.masters / "two.flac")
    assert (one["title"], one["album"], one["genre"]) == (["One"], ["Both"], ["Jazz"])
    assert one["isrc"] == ["DEA123456789"]
    assert (two["album"], two["genre"]) == (["Both"], ["Folk"])
    assert one.pictures[0].data == two.pictures[0].data == PNG
    plan = load_plan(project.masters / "two.plan.yaml")
    assert plan.art is not None
    assert plan.art.file == "../art/cover.png"
    assert all(row.kept for row in project.run().rows)
    (project.folder / "art" / "cover.png").write_bytes(PNG[:8] + PNG[8:].replace(b"IDAT", b"IDAT"[::-1]))
    ears = Ears()
    project.run(ears)
    assert {"one.flac", "two.flac"} <= set(ears.results)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("{mix: mixes, tags: {isrc: DEA123456789}}", "isrc: expected one mix for that tag, found 2"),
        ("{mix: mixes, tags: {isrc: DEA}}", "isrc: expected an ISRC"),
        ("{mix: mixes, art: gone.png}", "no such file: gone.png"),
        ("{mix: mixes, tags: [title]}", "tags: expected keys and values"),
    ],
)
def test_problems_before_any_work(project: Project, job: str, said: str) -> None:
    project.write(
        f"version: 1\nreferences: {{house: reference.wav}}\njobs:\n  - {job[:-1]}, reference: house}}\n"
    )
    with pytest.raises(SettingsError) as caught:
        plan_batch(project.jobs_file)
    assert said in str(caught.value)
