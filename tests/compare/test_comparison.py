"""Engines side by side."""

import pytest
import soundfile as sf

from refmaster import measure, open_audio
from refmaster.compare.comparison import compare_engines, largest_move
from refmaster.compare.process import peak_memory_mb


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
    found = compare_engines(short / "mix.wav", short / "reference.wav", keep=short / "kept")
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
    assert ours.distance_db < gain.distance_db
    assert abs(gain.largest_move_db) < 0.5 < abs(ours.largest_move_db)
    target = found.reference.levels.integrated_lufs
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
