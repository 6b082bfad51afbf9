"""Everything that is wrong is found before any work, with its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from refmaster.batch.session import plan_batch
from refmaster.errors import SettingsError

from .conftest import Project, write_song


def problems(project: Project, text: str) -> list[str]:
    project.write(text)
    with pytest.raises(SettingsError) as caught:
        plan_batch(project.jobs_file)
    return [row.replace(f"{project.folder}/", "") for row in str(caught.value).splitlines()]


def test_all_problems_at_once_with_line_column_and_advice(project: Project) -> None:
    rows = problems(
        project,
        """\
version: 1
references: {house: gone.wav}
targets: {loud: {integrated_lufs: "-9"}}
jobs:
  - mix: mixes/*.wav
    refrence: house
  - mix: mixes/none.wav
    target: spotfy
  - kind: mastr
    mix: mixes
  - mix: $NO_SUCH_VARIABLE/x.wav
  - mix: mixes/*.flac
    reference: huose
  - mix: mixes
    output: "{titel}.wav"
  - mix: mixes
    settings: {strength: 140}
""",
    )
    assert 'jobs.yaml:6:5: jobs[0].refrence: unknown key, did you mean "reference"?' in rows
    assert "jobs.yaml:7:10: jobs[1].mix: no such file: mixes/none.wav" in rows
    assert "jobs.yaml:8:13: jobs[1].target: unknown target 'spotfy'; did you mean \"spotify\"?" in rows
    assert "jobs.yaml:9:11: jobs[2].kind: unknown kind 'mastr'; did you mean \"master\"?" in rows
    assert "jobs.yaml:2:21: references.house: no such file: gone.wav" in rows
    assert any("jobs[3].mix: the environment variable 'NO_SUCH_VARIABLE' is not set" in row for row in rows)
    assert "jobs.yaml:12:10: jobs[4].mix: matches no recording: mixes/*.flac" in rows
    assert any('jobs[4].reference: neither a named reference nor a file: huose; did you mean "house"?' in row
               for row in rows)  # fmt: skip
    assert any("jobs[5].output: unknown field {titel}; did you mean {title}?" in row for row in rows)
    assert any(row.startswith("jobs.yaml:17:26: jobs[6].settings.strength: ") for row in rows)
    assert 'jobs.yaml:3:35: targets.loud.integrated_lufs: expected a number, found "-9"' in rows
    assert not any("no such file: /x.wav" in row for row in rows)
    assert not project.masters.exists()


def test_a_relative_jobs_file_is_named_as_it_was_given(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("version: 1\njobs:\n  - mix: mixes\n    refrence: x\n")
    monkeypatch.chdir(project.folder)
    with pytest.raises(SettingsError, match=r"^jobs.yaml:4:5: jobs\[0\].refrence: unknown key, did you mean"):
        plan_batch("jobs.yaml")


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ('[{mix: mixes, output: "same.wav"}]', "writes"),
        ("[{mix: mixes}, {mix: mixes/one.wav, output: ONE.wav}]", "case or accents"),
        ('[{mix: mixes, output: "../mixes/{stem}.wav"}]', "inside the output folder"),
        ('[{mix: mixes, output: "/elsewhere/{stem}.wav"}]', "inside the output folder"),
        ('[{mix: mixes, output: "{target}.wav"}]', "{target} is empty"),
        ('[{mix: mixes, output: "{artist}.wav"}]', "{artist} is empty"),
        ('[{mix: mixes, output: "{title"}]', "malformed"),
    ],
)
def test_names_that_clash_or_leave_the_folder(project: Project, jobs: str, expected: str) -> None:
    assert any(expected in row for row in problems(project, f"version: 1\njobs: {jobs}\n"))


@pytest.mark.parametrize(
    "job",
    [
        "{mix: mixes/one.wav, output: mixes/one.wav}",
        "{mix: mixes/one.wav, reference: [house, mixes/two.wav], output: mixes/two.wav}",
    ],
)
def test_an_output_that_is_an_input_is_refused(project: Project, job: str) -> None:
    rows = problems(project, f"version: 1\noutput: .\nreferences: {{house: reference.wav}}\njobs: [{job}]\n")
    assert any("would write over an input" in row for row in rows)


def test_one_mistake_is_one_problem(project: Project) -> None:
    rows = problems(
        project,
        "version: 1\ntargets: {loud: {integrated_lufs: -90}}\ndefaults: {target: loud, tagret: x}\n"
        "jobs: [{mix: mixes}, 3]\n",
    )
    assert [row.split(": ")[1] for row in rows] == [
        "targets.loud.integrated_lufs", "defaults.tagret", "jobs[1]"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key", ["output", "state", "include", "references: {r", "jobs: [{mix", "jobs: [{kind: album, album"]
)
def test_a_name_too_long_for_a_file_is_a_problem_with_its_place(project: Project, key: str) -> None:
    end = "}" * key.count("{") + "]" * key.count("[")
    rows = problems(project, f"version: 1\n{key}: {'x' * 300}{end}\n")
    assert rows[0].startswith("jobs.yaml:2:")
    assert rows[0].endswith("expected names of at most 255 bytes, found one of 300")


def test_an_output_folder_that_is_a_file(project: Project) -> None:
    rows = problems(project, "version: 1\noutput: reference.wav/x\njobs: [{mix: mixes}]\n")
    assert rows == ["jobs.yaml: output: reference.wav is no folder"]


def test_contradiction_with_what_is_inherited(project: Project) -> None:
    rows = problems(
        project,
        "version: 1\ndefaults: {settings: {target_lufs: -12}}\n"
        "jobs:\n  - {mix: mixes, settings: {loudness: false}}\n",
    )
    assert rows == [
        "jobs.yaml:4:28: jobs[0].settings: with what it inherits: a target_lufs and loudness: false "
        "contradict each other; drop one of them"
    ]


def test_the_nearest_level_wins_and_a_job_overrides_its_target(project: Project) -> None:
    project.write(
        """\
version: 1
targets: {loud: {integrated_lufs: -9.0, true_peak_dbtp: -0.5}}
defaults: {target: spotify, settings: {strength: 30, ceiling_dbtp: -2, low_hz: 40}}
jobs:
  - {mix: mixes/one.wav}
  - {mix: mixes/one.wav, target: loud, settings: {strength: full}, output: b.wav}
  - {mix: mixes/one.wav, target: null, settings: {target_lufs: -11}, output: c.wav}
"""
    )
    _, tasks = plan_batch(project.jobs_file)
    names = ("strength", "target_lufs", "ceiling_dbtp", "low_hz")
    chosen = [tuple(task.options["settings"][name] for name in names) for task in tasks]
    assert chosen == [(30.0, -14.0, -2.0, 40.0), ("full", -9.0, -0.5, 40.0), (30.0, -11.0, -2.0, 40.0)]


def test_includes_bring_references_defaults_and_jobs_with_their_own_folders(project: Project) -> None:
    write_song(project.folder / "shared" / "ref.wav", seed=5)
    write_song(project.folder / "shared" / "extra.wav", seed=6)
    (project.folder / "shared" / "style.yaml").write_text(
        "version: 1\nreferences: {ours: ref.wav}\n"
        "defaults: {reference: ours, dither_seed: 7, bit_depth: '24'}\n"
        "jobs: [{mix: extra.wav}]\n"
    )
    project.write(
        "version: 1\ninclude: shared/style.yaml\ndefaults: {bit_depth: '16'}\njobs: [{mix: mixes/one.wav}]\n"
    )
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["refmaster/references/ours.yaml", "extra.wav", "one.wav"]
    assert tasks[0].inputs == (str(project.folder / "shared" / "ref.wav"),)
    assert all(task.options["dither_seed"] == 7 and task.options["bit_depth"] == "16" for task in tasks[1:])
    assert all(task.after == (tasks[0].key,) for task in tasks[1:])


def test_a_file_that_is_included_twice_is_read_once(project: Project) -> None:
    for number in range(40):  # read each time it is named, the last would be read 2**40 times
        name = f"{number + 1}.yaml"
        (project.folder / f"{number}.yaml").write_text(f"version: 1\ninclude: [{name}, {name}]\n")
    (project.folder / "40.yaml").write_text("version: 1\njobs: [{mix: mixes/one.wav}]\n")
    project.write("version: 1\ninclude: [0.yaml, 0.yaml]\ndefaults: {target: spotify}\n")
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["one.wav"]


def test_includes_in_a_circle_and_missing_ones(project: Project) -> None:
    (project.folder / "other.yaml").write_text("version: 1\ninclude: jobs.yaml\n")
    rows = problems(project, "version: 1\ninclude: [other.yaml, gone.yaml]\njobs: [{mix: mixes}]\n")
    assert any("includes itself" in row for row in rows)
    assert any("jobs.yaml:2:23: include[1]: no such file: gone.yaml" in row for row in rows)


def test_anchors_and_environment_variables(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONGS", "mixes")
    project.write(
        "version: 1\njobs:\n  - &one {mix: '$SONGS/one.wav', settings: &s {strength: 20}}\n"
        "  - {<<: *one, mix: '${SONGS}/two.wav'}\n"
    )
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["one.wav", "two.wav"]
    assert all(task.options["settings"]["strength"] == 20 for task in tasks)


def test_folders_leave_out_outputs_hidden_files_and_what_is_no_audio(project: Project) -> None:
    project.song("sub/three.wav", seed=3)
    write_song(project.folder / "mixes" / "out" / "old.wav")
    (project.folder / "mixes" / ".hidden.wav").write_bytes(b"x")
    (project.folder / "mixes" / "notes.txt").write_text("x")
    project.write("version: 1\noutput: mixes/out\njobs: [{mix: 'mixes/**/*.wav'}]\n")
    _, tasks = plan_batch(project.jobs_file)
    assert sorted(task.title for task in tasks) == ["one", "three", "two"]


def test_titles_tags_and_unsafe_characters_in_names(project: Project, fixture_path: object) -> None:
    import soundfile as sf
    from mutagen.flac import FLAC

    samples, rate = sf.read(project.folder / "mixes" / "one.wav")
    sf.write(project.folder / "song.flac", samples, rate)
    tagged = FLAC(project.folder / "song.flac")
    tagged.update({"artist": "AC/DC", "tracknumber": "3"})
    tagged.save()
    project.write(
        "version: 1\njobs: [{mix: song.flac, title: 'Who: me?', output: '{artist}/{track} {title}{ext}'}]\n"
    )
    _, tasks = plan_batch(project.jobs_file)
    assert [task.key for task in tasks] == ["AC-DC/03 Who- me-.flac"]


def test_a_new_kind_is_a_class_and_a_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from typing import ClassVar, Literal

    from refmaster.batch import kinds
    from refmaster.batch.kinds.measure import MeasureJob, MeasureKind

    class LookJob(MeasureJob):
        kind: Literal["look"] = "look"  # type: ignore[assignment]

    class LookKind(MeasureKind):
        name: ClassVar[str] = "look"
        model: ClassVar[type[LookJob]] = LookJob

    monkeypatch.setitem(kinds.KINDS, "look", LookKind())
    project.write("version: 1\njobs: [{kind: look, file: mixes}]\n")
    _, tasks = plan_batch(project.jobs_file)
    assert [task.kind for task in tasks] == ["look", "look"]


def test_planning_imports_nothing_heavy() -> None:
    code = "import sys, refmaster.batch.session; print({'numpy', 'soundfile', 'scipy'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_paths_are_relative_to_the_file(project: Project, tmp_path: Path) -> None:
    _, tasks = plan_batch(project.jobs_file)
    assert all(Path(task.outputs[0]).is_relative_to(tmp_path / "masters") for task in tasks)
