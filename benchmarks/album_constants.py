"""The hand-set constants of the album's engineer model, tried at other values on simulated albums.

Run it from the checkout; the table is Markdown::

    python benchmarks/album_constants.py --music FOLDER [--seeds N]

Each constant is scaled while the others keep their values. A cell is the error after over the error before,
the mean over albums of every split (see `album.py`), and the share of albums that became worse; the priors
are learned without the album that is tried. The folder is as for `album.py`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: a second thread only waits

import argparse
from pathlib import Path
from types import ModuleType
from unittest import mock

import album_prior
import numpy as np
from album import pools_of
from album_prior import recordings
from album_simulation import SPLITS, Case, Song, cases, solve
from runs import table

from refmaster.album import effect_models, moves

FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
# The constants of the model, and which of an album's errors each decides.
MODEL_CONSTANTS: tuple[tuple[ModuleType, str, str], ...] = (
    (effect_models, "SHELF_SD_DB", "tone"),
    (effect_models, "BELL_SD_DB", "tone"),
    (effect_models, "TONE_SHAPES", "tone"),
    (effect_models, "TONE_SHRINK", "tone"),
    (effect_models, "TONE_ALBUM_SHARE", "tone"),
    (effect_models, "TONE_SONG_SCALES", "tone"),
    (effect_models, "TONE_SONG_DF", "tone"),
    (effect_models, "TONE_SURE_SHARE", "tone"),
    (effect_models, "TONE_DOUBT", "tone"),
    (effect_models, "LEVEL_HABIT_SD_DB", "level"),
    (effect_models, "LEVEL_OWN_SD_DB", "level"),
    (effect_models, "LEVEL_SONG_SCALES", "level"),
    (effect_models, "LEVEL_SONG_DF", "level"),
    (moves, "SINGLE_SONG_SHARE", "level"),
    (effect_models, "WIDTH_SD_DB", "width"),
    (effect_models, "WIDTH_SONG_SCALES", "width"),
    (effect_models, "WIDTH_SONG_DF", "width"),
)
# The constants by which the prior is learned: it is learned anew for each value.
LEARNING_CONSTANTS: tuple[tuple[ModuleType, str, str], ...] = (
    (album_prior, "TONE_FLOOR_DB", "tone"),
    (album_prior, "TONE_DF", "tone"),
    (album_prior, "LEVEL_FLOOR_DB", "level"),
    (album_prior, "WIDTH_FLOOR_DB", "width"),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--seeds", type=int, default=6, help="albums of each pool and split")
    options = parser.parse_args()
    songs = [Song(f) for f in recordings(options.music)]
    pools = pools_of(songs, options.music / "manifest.csv")

    def albums() -> list[Case]:
        seeds = range(2000, 2000 + options.seeds)
        return [case for pool in pools.values() for split in SPLITS for case in cases(pool, split, seeds)]

    fixed = albums()
    rows = []
    for module, name, kind in (*MODEL_CONSTANTS, *LEARNING_CONSTANTS):
        value = getattr(module, name)
        cells = []
        for factor in FACTORS:
            with mock.patch.object(module, name, scaled(value, factor)):
                tried = fixed if module is not album_prior else albums()
                cells.append(error_ratios(tried, kind))
        shown = f"{value[0]:g} to {value[-1]:g}" if isinstance(value, tuple) else f"{value:.3g}"
        rows.append([name, kind, shown, *cells])
    print(table(["constant", "error of", "value", *(f"x {factor:g}" for factor in FACTORS)], rows))


def scaled(value: float | tuple[float, ...], factor: float) -> float | tuple[float, ...]:
    """Return a number, or every number of a grid, times a factor; a count stays one."""
    if isinstance(value, tuple):
        return tuple(x * factor for x in value)
    return round(value * factor) if isinstance(value, int) else value * factor


def error_ratios(albums: list[Case], kind: str) -> str:
    """Return the error after over the error before, the mean over albums, and the share above 1."""
    errors = [getattr(solve(case), kind) for case in albums]
    ratios = np.array([e["refmaster"] / e["before"] for e in errors])
    return f"{ratios.mean():.3f} ({np.mean(ratios > 1):.0%})"


if __name__ == "__main__":
    main()
