"""The version of a profile: any change of what measures changes it, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster.profile.code_digest import PACKAGE, measuring_digest, measuring_sources

MEASURING = ["dsp/highest.py", "dsp/interpolation.py", "dsp/blocks.py", "io/wave.py", "io/open.py"]
MEASURING += ["meters/true_peak.py", "profile/bands.py", "profile/measure.py", "units.py"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    copy = tmp_path / "refmaster"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def digest(package: Path) -> str:
    measuring_digest.cache_clear()
    return measuring_digest(package)


def change(file: Path) -> None:
    file.write_text(file.read_text() + "\nCHANGED = True\n")


@pytest.mark.parametrize("name", MEASURING)
def test_a_change_of_what_measures_changes_it(package: Path, name: str) -> None:
    before = digest(package)
    change(package / name)
    assert digest(package) != before


def test_a_change_of_anything_else_does_not(package: Path) -> None:
    before = digest(package)
    for folder in ("album", "cli", "matching", "rendering"):
        for file in (package / folder).rglob("*.py"):
            change(file)
    change(package / "__init__.py")
    assert digest(package) == before


@pytest.mark.parametrize(
    "line",
    [
        "from refmaster.loudest import loudest_db",
        "from refmaster import loudest",
        "import refmaster.loudest",
        "from refmaster import (\n    loudest,\n)",
        "def later():\n    from refmaster.loudest import loudest_db",
    ],
)
def test_a_module_that_measuring_begins_to_import_belongs_to_it(package: Path, line: str) -> None:
    module, meter = package / "loudest.py", package / "meters" / "loudness.py"
    module.write_text("from refmaster.album.plan import load_album_plan\n")
    assert "loudest.py" not in measuring_sources(package)
    meter.write_text(f"{meter.read_text()}\n{line}\n")
    assert {"loudest.py", "album/__init__.py", "album/plan.py"} <= set(measuring_sources(package))
    before = digest(package)
    change(module)
    assert digest(package) != before


def test_every_module_that_measuring_runs_belongs_to_it(tmp_path: Path) -> None:
    sf.write(tmp_path / "song.wav", np.full((24000, 2), 0.1), 48000)
    program = (
        "import sys\n"
        "from refmaster.io.open import open_audio\n"
        "from refmaster.profile.measure import measure\n"
        "measure(open_audio(sys.argv[1]))\n"
        "print(*(m.__file__ for name, m in sys.modules.items() if name.startswith('refmaster.')))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "song.wav"], capture_output=True, text=True, check=True
    )
    ran = {Path(file).relative_to(PACKAGE).as_posix() for file in answer.stdout.split()}
    assert len(ran) > 20
    assert ran <= set(measuring_sources(PACKAGE))


def test_it_costs_next_to_nothing() -> None:
    costs = []
    for _ in range(5):
        started = time.process_time()
        measuring_sources(PACKAGE)
        costs.append(time.process_time() - started)
    assert min(costs) < 0.02  # about 0.004 s
