"""Both ways in which a destination is made; and `tagged_files`, which stands beside the tests, for import."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(params=["unnamed", "named"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to make a file: without a name where the system can, and under a hidden one."""
    way: str = request.param
    if way == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return way
