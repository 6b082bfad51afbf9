"""What all tests share: fixtures, hypothesis profiles, and the rule that CI skips nothing."""

from __future__ import annotations

import os

# As the command line has it: matrix products are small here, and a second thread only waits for a core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import HealthCheck, settings

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
IN_CI = os.environ.get("CI") == "true"
EBU_PROGRAMMES = "REFMASTER_EBU_PROGRAMMES"
SAMPLE_RATE_HZ = 48000

# The only reasons for which a test may be skipped in CI, as parts of the message.
ALLOWED_SKIPS = ("could not import 'pyebur128'",)  # no wheel for Python 3.13 and above

settings.register_profile(
    "local", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", settings.get_profile("local"), derandomize=True, print_blob=True, database=None
)
settings.load_profile("ci" if IN_CI else "local")


class SkipLedger:
    """Collects why tests were skipped, and fails a CI run that skipped without leave."""

    def __init__(self) -> None:
        self.skips: list[tuple[str, str]] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            self.skips.append((report.nodeid, reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skips and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skips:
            terminalreporter.section("skipped, which CI does not allow", red=True)
        for nodeid, reason in self.skips:
            terminalreporter.line(f"{nodeid}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    if IN_CI:
        config.pluginmanager.register(SkipLedger())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests on the EBU's own programmes where nobody says which folder holds them."""
    if EBU_PROGRAMMES in os.environ:
        return
    without = [item for item in items if item.get_closest_marker("ebu_programme")]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def fixture_path() -> Callable[[str], Path]:
    """Find a shipped fixture by its path below ``fixtures/``."""

    def find(relative: str) -> Path:
        path = FIXTURES / relative
        assert path.is_file(), f"no fixture {relative}"
        return path

    return find


@pytest.fixture(scope="session")
def example_mix(fixture_path: Callable[[str], Path]) -> Path:
    """A raw mix: 24 s, stereo, 48 kHz, 16-bit FLAC, peak about -6 dBFS."""
    return fixture_path("example/mix.flac")


@pytest.fixture(scope="session")
def example_reference(fixture_path: Callable[[str], Path]) -> Path:
    """A finished, loud record of a near genre: 24 s, stereo, 48 kHz, 16-bit FLAC."""
    return fixture_path("example/reference.flac")


@pytest.fixture(scope="session")
def short_example(
    tmp_path_factory: pytest.TempPathFactory, example_mix: Path, example_reference: Path
) -> Path:
    """A folder with five seconds of the example, ``mix.wav`` and ``reference.wav``; not to be changed."""
    folder = tmp_path_factory.mktemp("short")
    for path in (example_mix, example_reference):
        samples, rate = sf.read(path, frames=5 * SAMPLE_RATE_HZ, dtype="int16")
        sf.write(folder / f"{path.stem}.wav", samples, rate, "PCM_16")
    return folder


@pytest.fixture(scope="session")
def album_mixes(fixture_path: Callable[[str], Path]) -> tuple[Path, ...]:
    """Three raw mixes of one album: 16 s each, stereo, 48 kHz, 16-bit FLAC."""
    return tuple(fixture_path(f"album/{title}.flac") for title in ("lithium", "sodium", "potassium"))


@pytest.fixture(scope="session")
def finished_music(fixture_path: Callable[[str], Path]) -> tuple[Path, ...]:
    """Finished recordings: a string orchestra with wide dynamics, a limited song; stereo, 44.1 kHz."""
    return (fixture_path("music/strings.flac"), fixture_path("music/country.flac"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts anew, with the same seed, in every test."""
    return np.random.default_rng(20250101)


def _read_only(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Make a session's signal safe from the tests that share it."""
    shared = samples.astype(np.float32)
    shared.flags.writeable = False
    return shared


@pytest.fixture(scope="session")
def stereo_tone() -> npt.NDArray[np.float32]:
    """1 kHz sine, in phase in both channels, -23 dBFS peak (-23 LUFS), 5 s at 48 kHz; read-only."""
    time_s = np.arange(5 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = 10.0 ** (-23.0 / 20.0) * np.sin(2.0 * np.pi * 1000.0 * time_s)
    return _read_only(np.column_stack([tone, tone]))


@pytest.fixture(scope="session")
def stereo_pink() -> npt.NDArray[np.float32]:
    """Pulsing pink noise, the side 8 dB below the mid, peak -6 dBFS, 8 s at 48 kHz; read-only."""
    frames = 8 * SAMPLE_RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal((frames, 2)), axis=0)
    frequency_hz = np.fft.rfftfreq(frames, 1.0 / SAMPLE_RATE_HZ)
    weight = np.where(frequency_hz < 20.0, 0.0, 1.0 / np.sqrt(np.maximum(frequency_hz, 20.0)))
    mid, side = np.fft.irfft(spectrum * weight[:, None], frames, axis=0).T
    side = side * (10.0 ** (-8.0 / 20.0) * np.sqrt(np.mean(mid**2) / np.mean(side**2)))
    pulse = 0.6 + 0.4 * np.sin(2.0 * np.pi * 2.0 * np.arange(frames) / SAMPLE_RATE_HZ)
    stereo = np.column_stack([mid + side, mid - side]) * pulse[:, None]
    return _read_only(stereo * (10.0 ** (-6.0 / 20.0) / np.abs(stereo).max()))
