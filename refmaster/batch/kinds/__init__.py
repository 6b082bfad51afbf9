"""The kinds of jobs. A new one is a file here with its keys and its `Kind`, and a line in `KINDS`."""

from __future__ import annotations

from typing import Any

from refmaster.batch.kinds.album import AlbumKind
from refmaster.batch.kinds.base import Kind, Staged
from refmaster.batch.kinds.compare import CompareKind
from refmaster.batch.kinds.master import MasterKind
from refmaster.batch.kinds.measure import MeasureKind
from refmaster.batch.kinds.release import ReleaseKind

__all__ = ["DEFAULT_KIND", "KINDS", "Staged"]

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind for kind in (MasterKind(), MeasureKind(), AlbumKind(), ReleaseKind(), CompareKind())
}
DEFAULT_KIND = MasterKind.name
