"""Every way into an engine: what it cannot do is refused, and what is reported was done."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from refmaster.album.request import load_album
from refmaster.errors import SettingsError

RATE = 44100


@pytest.fixture
def songs(tmp_path, rng, monkeypatch):
    """Two mixes and a reference of pulsing noise, 4 s each."""
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "cache"))
    pulse = 0.6 + 0.4 * np.sin(2 * np.pi * 2.0 * np.arange(4 * RATE) / RATE)
    for number, name in enumerate(("mixes/one", "mixes/two", "reference")):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        noise = rng.standard_normal((4 * RATE, 2))
        noise[1:] += 0.2 * number * noise[:-1]
        sf.write(path, 0.05 * noise * pulse[:, None], RATE, "PCM_24")
    return tmp_path


def batch(folder, settings, reference="house", *options):
    jobs = folder / "jobs.yaml"
    jobs.write_text(
        "version: 1\nreferences: {house: reference.wav}\noutput: masters\n"
        f"jobs:\n  - {{mix: mixes/one.wav, reference: {reference}, settings: {settings}, save_plan: true}}\n"
    )
    command = [sys.executable, "-m", "refmaster", "batch", str(jobs), "--jobs", "1", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("reference", ["house", "reference.wav"])
def test_a_batch_can_use_matchering(songs, reference):
    done = batch(songs, "{engine: matchering, target_lufs: -20}", reference)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "matchering's curves" in (songs / "masters" / "one.plan.yaml").read_text()


def test_a_batch_refuses_what_matchering_cannot_use_before_any_work(songs):
    done = batch(songs, "{engine: matchering}", "[house, mixes/two.wav]", "--dry-run")
    assert done.returncode == 2
    assert "jobs.yaml:5:" in done.stderr
    assert "one reference, found 2" in done.stderr


@pytest.mark.parametrize("source", ["mixes", "album.yaml"])
def test_an_album_refuses_matchering_wherever_it_is_asked_for(songs, source):
    (songs / "album.yaml").write_text("version: 1\ntracks: [{file: mixes/one.wav}, {file: mixes/two.wav}]\n")
    with pytest.raises(SettingsError, match="only refmaster's own engine"):
        load_album(songs / source, engine="matchering")


def test_an_override_counts_and_not_what_it_replaces(songs):
    tracks = "version: 1\ntracks: [{file: mixes/one.wav}]\nmatch: {engine: matchering}\n"
    (songs / "album.yaml").write_text(tracks)
    assert load_album(songs / "album.yaml", engine="refmaster").settings.match.engine == "refmaster"
    with pytest.raises(SettingsError, match=r"album\.yaml:3:17: match\.engine: .*only refmaster's own"):
        load_album(songs / "album.yaml")


def test_asking_the_own_engine_what_it_needs_imports_no_numpy():
    code = (
        "import sys; from refmaster.engines.registry import engine_named\n"
        "assert not engine_named('refmaster').needs_recordings\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
