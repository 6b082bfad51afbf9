"""The command line in this process, and a profile cache of the session's own."""

import signal
import sys

import pytest

from refmaster.cli.main import run


@pytest.fixture
def music(short_example):
    """Return a folder with five seconds of the example, ``mix.wav`` and ``reference.wav``."""
    return short_example


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path_factory.getbasetemp() / "cli-cache"))
    monkeypatch.setenv("REFMASTER_CONFIG", str(tmp_path_factory.getbasetemp() / "no-defaults"))


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
