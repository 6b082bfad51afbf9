"""The verbs of a batch. A new one is a file here with a `Kind`, and a line in `KINDS`."""

from __future__ import annotations

from refmaster.batch.kinds.album import AlbumKind
from refmaster.batch.kinds.base import Kind, Produced, Staged
from refmaster.batch.kinds.compare import CompareKind
from refmaster.batch.kinds.master import MasterKind
from refmaster.batch.kinds.measure import MeasureKind

__all__ = ["KINDS", "Kind", "Produced", "Staged"]

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (MasterKind(), MeasureKind(), AlbumKind(), CompareKind())
}
