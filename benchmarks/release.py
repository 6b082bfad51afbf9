"""The cost of releasing a real album of ten tracks against mastering it, and what the release reads back as.

Run it from the checkout; the tables are Markdown::

    python benchmarks/release.py --music FOLDER

Ten recordings of the folder become an album with a segue, a crossfade and gaps by ear, which is mastered to
-14 LUFS by ``refmaster album`` and released by ``refmaster release`` (archive, CD with cue sheet and DDP
image, one delivery), in turn, each time with empty folders and an empty cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import yaml
from evidence import finished_recordings
from runs import alternate, run, table

from refmaster.release.ddp_reader import read_ddp, track_bytes

TRACKS = 10


def main() -> None:
    """Print cost and read-back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    files = finished_recordings(options.music)[:TRACKS]
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        work = Path(folder)
        os.environ["REFMASTER_CACHE"] = str(work / "cache")
        album = work / "album.yaml"
        album.write_text(yaml.safe_dump(album_of(files)), encoding="utf-8")

        def once(verb: str) -> object:
            for name in ("cache", "out"):
                shutil.rmtree(work / name, ignore_errors=True)
            return run(["refmaster", verb, str(album), "-o", str(work / "out"), "-q"], accepted=(0, 1))

        costs = alternate([lambda: once("album"), lambda: once("release")], options.rounds)  # type: ignore[list-item,return-value]
        rows = [
            [name, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_mb:.0f}"]
            for name, cost in zip(("album", "release"), costs, strict=True)
        ]
        print(table(["ten tracks", "wall, s", "CPU, s", "peak, MB"], rows))
        print(f"\nCPU of a release over that of its masters: {costs[1].cpu_s / costs[0].cpu_s:.2f}\n")
        read_back(work / "out")


def album_of(files: list[Path]) -> dict[str, object]:
    """Return an album.yaml of the recordings."""
    tracks: list[dict[str, object]] = [{"file": str(path)} for path in files]
    tracks[2]["sequence"] = {"gap_s": 0.0}
    tracks[5]["sequence"] = {"crossfade_s": 4.0}
    return {
        "version": 1,
        "title": "Benchmark",
        "artist": "Various",
        "barcode": "5012345678900",
        "match": {"target_lufs": -14.0},
        "release": {"targets": ["spotify"]},
        "tracks": tracks,
    }


def read_back(release: Path) -> None:
    """Print whether program, tracks and image are one another to the bit."""
    found = read_ddp(release / "DDP")
    tracks = sorted((release / "CD").glob("[0-9][0-9] *.wav"))
    parts = [sf.read(path, dtype="int16")[0] for path in tracks]
    whole = sf.read(release / "CD" / "Benchmark.wav", dtype="int16")[0]
    same = [
        b"".join(track_bytes(found, n)) == part.astype("<i2").tobytes() for n, part in enumerate(parts, 1)
    ]
    print(f"- tracks one after another are the program: {np.array_equal(np.concatenate(parts), whole)}")
    print(f"- tracks of the DDP image are the tracks: {sum(same)} of {len(same)}")
    print(f"- problems of the image: {list(found.problems)}")


if __name__ == "__main__":
    main()
