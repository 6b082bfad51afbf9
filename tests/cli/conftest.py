"""Short music, the command line in this process, and a profile cache of the session's own."""

import signal
import sys

import pytest
import soundfile as sf

from refmaster.cli.main import run


@pytest.fixture(scope="session")
def music(tmp_path_factory, example_mix, example_reference):
    """Five seconds of the example, mix and reference."""
    folder = tmp_path_factory.mktemp("music")
    for path in (example_mix, example_reference):
        samples, rate = sf.read(path, frames=5 * 48000, dtype="int16")
        sf.write(folder / f"{path.stem}.wav", samples, rate, "PCM_16")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path_factory.getbasetemp() / "cli-cache"))


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line in this process; returns exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["refmaster", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as stopped:
                run()
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return call
