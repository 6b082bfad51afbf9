"""Peak ratios of music as it is and after a limiter: where a mix counts as compressed too much.

Run it from the checkout, on a folder of finished recordings and raw mixes (``rawmix`` in the name); the
table is Markdown::

    python benchmarks/over_compressed.py --music FOLDER

The limit of `refmaster.matching.compressed` lies below every recording that is left as it is, and above the
raw mixes that are limited as the loudest records are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile as sf
from runs import table

from refmaster.dsp.limiter import Limiter
from refmaster.io.source import ArraySource
from refmaster.matching.compressed import is_over_compressed
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile
from refmaster.settings.limiter import LimiterSettings

EXCERPT_S = 40
TARGETS_LUFS = (-12.0, -10.0, -9.0, -8.0, -7.0)
ROUNDS = 4


def main() -> None:
    """Print a row for each kind of recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    files = sorted(parser.parse_args().music.iterdir())
    files = [f for f in files if f.suffix in {".flac", ".ogg", ".mp3", ".wav"} and "_stem_" not in f.name]
    mixes = [f for f in files if "rawmix" in f.name]
    finished = [f for f in files if f not in mixes]
    rows = [row("finished, as they are", [measure(f, identify=False) for f in finished])]
    rows.append(row("raw mixes, as they are", [measure(f, identify=False) for f in mixes]))
    rows += [
        row(f"raw mixes limited to {target:g} LUFS", [limited(f, target) for f in mixes])
        for target in TARGETS_LUFS
    ]
    print(table(["recordings", "PLR dB, lowest, median, highest", "PSR dB", "over-compressed"], rows))


def limited(path: Path, target_lufs: float) -> Profile:
    """Return the profile of an excerpt from the middle of a mix, limited at -1 dBTP to a loudness."""
    samples, rate = sf.read(path, dtype="float32", always_2d=True)
    start = max(0, len(samples) // 2 - EXCERPT_S * rate // 2)
    samples = samples[start : start + EXCERPT_S * rate]
    profile = measure(ArraySource(samples, rate, name=path.name))
    gain_db = 0.0
    for _ in range(ROUNDS):  # near the target is enough
        gain_db += target_lufs - (profile.levels.integrated_lufs or 0.0)
        limiter = Limiter(rate, samples.shape[1], LimiterSettings(), gain_db=gain_db)
        out = np.concatenate([limiter.push(samples), limiter.flush()])
        profile = measure(ArraySource(out, rate, name=path.name))
    return profile


def row(name: str, profiles: list[Profile]) -> list[str]:
    """Return a row of the table."""
    found = np.array([[p.levels.plr_db, p.levels.psr_db] for p in profiles], float)
    ranges = [
        f"{low:.1f}, {middle:.1f}, {high:.1f}"
        for low, middle, high in np.percentile(found, (0, 50, 100), 0).T
    ]
    return [name, *ranges, f"{sum(map(is_over_compressed, profiles))} of {len(profiles)}"]


if __name__ == "__main__":
    main()
