"""Engines side by side."""

import pytest
import soundfile as sf

from refmaster import SettingsError, measure, open_audio, save_profile
from refmaster.comparison.compare import compare, largest_move
from refmaster.comparison.process import RenderReport, peak_memory_mb


@pytest.fixture(scope="module")
def short(tmp_path_factory, example_mix, example_reference):
    folder = tmp_path_factory.mktemp("short")
    for name, path in (("mix", example_mix), ("reference", example_reference)):
        samples, rate = sf.read(path, frames=5 * 48000, start=96000)
        sf.write(folder / f"{name}.wav", samples, rate, "PCM_24")
    return folder


@pytest.mark.slow
def test_three_engines_are_measured_and_kept(short):
    (short / "kept").mkdir()
    found = compare(short / "mix.wav", short / "reference.wav", keep=short / "kept")
    ours, peer, gain = found.masters
    assert [m.name for m in found.masters] == ["refmaster", "matchering", "gain"]
    assert found.kept_promises
    assert sorted(p.name for p in (short / "kept").iterdir()) == [
        "mix-gain.wav",
        "mix-matchering.wav",
        "mix-refmaster.wav",
    ]
    assert sf.info(ours.kept).samplerate == 48000
    assert sf.info(peer.kept).samplerate == 44100
    assert ours.distances_db < gain.distances_db
    assert abs(gain.largest_move_db) < 0.5 < abs(ours.largest_move_db)
    target = found.references[0].levels.integrated_lufs
    assert ours.master.levels.integrated_lufs == pytest.approx(target, abs=0.06)
    assert gain.master.levels.integrated_lufs == pytest.approx(target, abs=0.06)
    # matchering's import alone takes more memory than all of refmaster's job.
    assert peer.peak_mb > ours.peak_mb > 30
    assert all(m.cpu_s > 0 for m in found.masters)


def test_largest_move(short):
    before = measure(open_audio(short / "mix.wav"))
    hz = before.spectrum.frequencies_hz
    bump = [g + (8.0 if 800 < f < 1250 else 0.0) for f, g in zip(hz, before.spectrum.mid_db, strict=True)]
    spectrum = before.spectrum.model_copy(update={"mid_db": tuple(bump)})
    moved_db, place_hz = largest_move(before, before.model_copy(update={"spectrum": spectrum}))
    assert 4.0 < moved_db < 8.0
    assert 800 < place_hz < 1250


def test_peak_memory_is_this_process_own():
    assert 20 < peak_memory_mb() < 8000


@pytest.mark.slow
def test_several_references_are_all_heard_but_by_matchering(short, tmp_path):
    found = compare(
        short / "mix.wav", [(short / "reference.wav", 1.0), (short / "mix.wav", 0.5)], keep=tmp_path
    )
    ours, peer, _ = found.masters
    assert [r.name for r in found.references] == ["reference.wav", "mix.wav"]
    assert all(len(m.distances_db) == 2 for m in found.masters)
    assert [f.message for f in peer.findings] == [
        "matchering takes one reference: of the 2 it heard reference.wav"
    ]
    assert "engine_one_reference" not in {f.code for f in ours.findings}
    alone = compare(short / "mix.wav", short / "reference.wav").masters[0]
    assert alone.distances_db[0] < ours.distances_db[0]
    assert len(repr(found).splitlines()) <= 10


def test_what_matchering_cannot_hear_is_not_chosen_for_it(short, tmp_path, monkeypatch):
    save_profile(measure(short / "reference.wav"), tmp_path / "ref.yaml")
    jobs = []
    monkeypatch.setattr("refmaster.comparison.compare.render_in_own_process", lambda job: _refused(jobs, job))
    weighted = [(tmp_path / "ref.yaml", 5.0), (short / "reference.wav", 1.0)]
    compare(short / "mix.wav", weighted)
    assert [len(job.references) for job in jobs] == [2, 1, 2]
    assert jobs[1].references[0][0].endswith("reference.wav")
    with pytest.raises(SettingsError, match="expected a reference recording, found a saved profile"):
        compare(short / "mix.wav", tmp_path / "ref.yaml")
    with pytest.raises(SettingsError, match="expected the paths of references, found a profile"):
        compare(short / "mix.wav", measure(short / "reference.wav"))
    with pytest.raises(SettingsError, match="expected a reference recording, found none"):
        compare(short / "mix.wav", [])


def _refused(jobs, job):
    jobs.append(job)
    return RenderReport(error="not rendered in this test", findings=(), cpu_s=0.1, peak_mb=None)
