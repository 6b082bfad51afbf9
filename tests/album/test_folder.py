"""The album's folder: what refmaster wrote it replaces unasked, anything else it refuses, all at once."""

import contextlib
import time

import pytest
import soundfile as sf

from refmaster.album.folder import RECORD_NAME
from refmaster.album.passes import master_album, render_album_plan
from refmaster.errors import OutputError

SONGS = [
    (1, "ana", {"seconds": 2.0, "tilt_db": 3.0}),
    (2, "ben", {"seconds": 2.0, "tilt_db": -3.0, "level_db": -6.0}),
    (3, "ana", {"seconds": 2.0}),
]
LOUD = "match: {target_lufs: -16}"


@pytest.fixture
def done(write_album, tmp_path):
    """Return album.yaml of an album that stands mastered in ``out``."""
    path = write_album(SONGS, text=LOUD)
    master_album(path, tmp_path / "out")
    return path


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != RECORD_NAME}


def stages_of(path, folder, **options):
    stages = []
    result = master_album(path, folder, progress=lambda stage, _d, _t: stages.append(stage), **options)
    return result, stages


def test_a_changed_key_replaces_the_masters_unasked(done, write_album, tmp_path):
    done.write_text(done.read_text().replace("-16}", "-17}"))
    result = master_album(done, tmp_path / "out")
    assert result.kept_promises
    assert not any(track.kept for track in result.tracks)
    fresh = master_album(done, tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert len(fresh.tracks) == len(result.changed) == 3


def test_a_replaced_mix_replaces_the_masters_unasked(done, made_song, tmp_path):
    sf.write(tmp_path / "02.wav", made_song(2, tilt_db=-3.0, level_db=-3.0), 44100, "PCM_24")
    result = master_album(done, tmp_path / "out")
    assert result.kept_promises
    assert any("a new mix" in line for line in result.changed)
    master_album(done, tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_everything_foreign_or_edited_is_refused_at_once_and_before_work(done, tmp_path):
    out = tmp_path / "out"
    (out / "01 01.wav").write_bytes(b"mine")
    with (out / "plans" / "02 02.yaml").open("a") as file:
        file.write("# mine\n")
    done.write_text(done.read_text().replace("-16}", "-17}") + "    title: Other\n")
    (out / "03 Other.wav").write_bytes(b"foreign")
    before, stages = contents(out), []
    with pytest.raises(OutputError) as caught:
        master_album(done, out, progress=lambda stage, _d, _t: stages.append(stage))
    first, third, second = str(caught.value).splitlines()
    assert first.startswith(f"{out / '01 01.wav'}: exists already and was changed since refmaster wrote it")
    assert second.startswith(f"{out / 'plans' / '02 02.yaml'}: exists already and was changed")
    assert third.startswith(f"{out / '03 Other.wav'}: exists already; ")
    assert stages == []
    assert contents(out) == before
    assert master_album(done, out, overwrite=True).kept_promises


def test_a_file_that_was_edited_while_its_master_was_made_is_not_lost(done, tmp_path):
    done.write_text(done.read_text().replace("-16}", "-17}"))

    def edit(stage, _done, _total):
        if stage.startswith("2 of 3: measuring the master"):
            (tmp_path / "out" / "02 02.wav").write_bytes(b"mine")

    with pytest.raises(OutputError, match=r"02 02\.wav: exists already and was changed"):
        master_album(done, tmp_path / "out", progress=edit)
    assert (tmp_path / "out" / "02 02.wav").read_bytes() == b"mine"


class Killed(BaseException):
    """Stands for a process that ends here: nothing after it is done."""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 25, 4))
def test_killed_at_any_moment_the_next_run_goes_on_unasked(done, tmp_path, monkeypatch, number):
    from refmaster.io.atomic import AtomicFile

    before, calls = contents(tmp_path / "out"), []
    commit = AtomicFile.commit

    def killed(self):
        calls.append(self)
        if len(calls) == number:
            raise Killed
        commit(self)

    done.write_text(done.read_text().replace("-16}", "-17}"))
    monkeypatch.setattr(AtomicFile, "commit", killed)
    with contextlib.suppress(Killed):
        master_album(done, tmp_path / "out")
    monkeypatch.setattr(AtomicFile, "commit", commit)
    half = contents(tmp_path / "out")
    master_album(done, tmp_path / "out")
    after = contents(tmp_path / "out")
    assert half.keys() == before.keys() == after.keys()
    for name in half:
        assert half[name] in (before[name], after[name]) or name.endswith(".yaml")
    master_album(done, tmp_path / "fresh")
    assert after == contents(tmp_path / "fresh")


def test_an_unchanged_run_does_nothing_and_says_so(done, tmp_path):
    first = master_album(done, tmp_path / "out", overwrite=True)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    started = time.process_time()
    again, stages = stages_of(done, tmp_path / "out")
    assert time.process_time() - started < 0.5
    assert stages == []
    assert again.unchanged
    assert again.changed == ()
    assert all(track.kept for track in again.tracks)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == times
    assert again.plan == first.plan
    assert again.findings == first.findings
    assert [t.findings for t in again.tracks] == [t.findings for t in first.tracks]
    for one, other in zip(again.tracks, first.tracks, strict=True):
        assert one.after.measured["integrated_lufs"] == other.after.measured["integrated_lufs"]
        assert one.plan == other.plan
    dry, stages = stages_of(done, tmp_path / "out", dry_run=True)
    assert dry.unchanged
    assert stages == []


@pytest.mark.parametrize("change", ["mix", "key", "master", "plan", "code", "reference"])
def test_any_change_is_noticed(done, made_song, tmp_path, monkeypatch, change):
    if change == "mix":
        sf.write(tmp_path / "02.wav", made_song(5), 44100, "PCM_24")
    elif change == "key":
        done.write_text(done.read_text().replace("-16}", "-17}"))
    elif change == "master":
        (tmp_path / "out" / "02 02.wav").unlink()
    elif change == "plan":
        (tmp_path / "out" / "plans" / "02 02.yaml").unlink()
    elif change == "code":
        monkeypatch.setattr("refmaster.album.previous.package_digest", lambda: "other")
    elif change == "reference":
        sf.write(tmp_path / "ref.wav", made_song(9), 44100, "PCM_24")
        done.write_text(done.read_text() + "references: [{file: ref.wav}]\n")
        assert not master_album(done, tmp_path / "out").unchanged
        assert master_album(done, tmp_path / "out").unchanged
        sf.write(tmp_path / "ref.wav", made_song(8), 44100, "PCM_24")
    assert not master_album(done, tmp_path / "out").unchanged
    assert master_album(done, tmp_path / "out").unchanged


def test_nothing_moved_where_the_masters_were_corrected(write_album, tmp_path, monkeypatch):
    """The plan as first derived differs from the plan as rendered; that is no news of this run."""
    monkeypatch.setattr("refmaster.album.passes.POOLED_OFF_LU", 0.0)
    path = write_album(SONGS, text=LOUD)
    master_album(path, tmp_path / "out")
    monkeypatch.setattr("refmaster.album.previous.package_digest", lambda: "other")
    again = master_album(path, tmp_path / "out")
    assert not again.unchanged
    assert again.changed == ()


def test_a_dry_run_leaves_the_plans_of_finished_masters(done, write_album, tmp_path, monkeypatch):
    before = contents(tmp_path / "out")
    monkeypatch.setattr("refmaster.album.previous.package_digest", lambda: "other")
    assert not master_album(done, tmp_path / "out", dry_run=True).unchanged
    assert contents(tmp_path / "out") == before


def test_the_masters_are_not_measured_again(done, tmp_path):
    _, stages = stages_of(done, tmp_path / "out", target_lufs=-16.0)  # the same album, put otherwise
    assert not [stage for stage in stages if stage.startswith("measuring")]


def test_an_album_plan_in_its_own_folder_replaces_its_masters_unasked(done, tmp_path):
    plan = tmp_path / "out" / "album-plan.yaml"
    text = plan.read_text()
    gain = next(line for line in text.splitlines() if line.startswith("  gain_db: "))
    number = float(gain.split()[1])
    edited = text.replace(gain, gain.replace(f"{number}", f"{number - 1.0}"), 1)
    plan.write_text(edited)
    result = render_album_plan(plan, tmp_path / "out")
    assert not any(track.kept for track in result.tracks)
    assert plan.read_text() == edited
    with pytest.raises(OutputError, match=r"album-plan\.yaml: exists already and was changed"):
        master_album(done, tmp_path / "out")
