"""References by aspect in jobs."""

from __future__ import annotations

import json

import pytest

from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError
from refmaster.plan import load_plan

from .conftest import Ears, Project, write_song

NAMED = "version: 1\nreferences: {house: reference.wav}\n"


def test_jobs_say_what_each_reference_serves(project: Project) -> None:
    write_song(project.folder / "loud.wav", seed=9, level=0.2)
    project.write(
        NAMED + "defaults: {save_plan: true}\njobs:\n  - mix: mixes/one.wav\n    reference:\n"
        "      - {name: house, aspects: [width, tone]}\n"
        "      - {name: house, weight: 2, aspects: [balance]}\n"
        "      - {name: loud.wav, aspects: [loudness]}\n"
    )
    ears = Ears()
    project.run(ears)
    assert ears.results["one.wav"].code == 0, ears.results
    plan = load_plan(project.masters / "one.plan.yaml")
    assert [(r.weight, r.aspects) for r in plan.references] == [
        (1.0, ("tone", "width")),
        (2.0, ("balance",)),
        (1.0, ("loudness",)),
    ]
    assert plan.dynamics.why == "no reference serves dynamics: not matched"
    assert all(row.kept for row in project.run().rows)
    changed = project.jobs_file.read_text().replace("[balance]", "[dynamics]")
    project.write(changed)
    ears = Ears()
    project.run(ears)
    assert set(ears.results) == {"one.wav"}


def test_a_job_without_aspects_is_the_job_that_it_was(project: Project) -> None:
    """So that no master of an earlier journal is made again for the sake of a new key."""
    every = "[tone, width, balance, dynamics, loudness]"
    project.write(NAMED + f"jobs: [{{mix: mixes/one.wav, reference: {{name: house, aspects: {every}}}}}]\n")
    *_, task = plan_batch(project.jobs_file)[1]
    assert "aspects" not in task.options
    project.write(NAMED + "jobs: [{mix: mixes/one.wav, reference: {name: house, aspects: [tone]}}]\n")
    *_, task = plan_batch(project.jobs_file)[1]
    assert json.loads(json.dumps(task.options))["aspects"] == [["tone"]]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            "{mix: mixes, reference: {name: house, aspects: [tune]}}",
            "expected tone, width, balance, dynamics or loudness, found",
        ),
        ("{mix: mixes, reference: mixes}", "found a folder: mixes; refmaster suggest chooses from it"),
        (
            "{mix: mixes, reference: {name: house, aspects: [tone]}, settings: {engine: matchering}}",
            "expected one reference for all aspects",
        ),
        (
            "{kind: compare, mix: mixes, reference: {name: house, aspects: [tone]}}",
            "a comparison needs a reference for all aspects",
        ),
        (
            "{kind: album, album: mixes, reference: {name: house, aspects: [tone]}}",
            "expected references for all aspects; found one for tone",
        ),
    ],
)
def test_what_knows_no_aspects_refuses_them_before_any_work(project: Project, job: str, said: str) -> None:
    project.write(f"{NAMED}jobs: [{job}]\n")
    with pytest.raises(SettingsError) as caught:
        plan_batch(project.jobs_file)
    assert said in str(caught.value)
