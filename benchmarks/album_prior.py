"""Learn how finished songs differ, from a folder of recordings: makes refmaster/album/song_prior.yaml.

Run it from the checkout::

    python benchmarks/album_prior.py --music FOLDER [--output FILE]

Stems (``_stem_`` in the name) are left out. The file holds statistics of the recordings and their names, no
audio. Values are dB; `learn_album_prior` is used by the other album benchmarks to learn without some songs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refmaster._types import Array
from refmaster.album.effect_models import SONG_PRIOR_FILE, AlbumPrior, PriorPart
from refmaster.album.effects import filled
from refmaster.album.features import TrackFeatures, track_features
from refmaster.io.atomic import write_text
from refmaster.io.suffixes import is_recording
from refmaster.profile.cache import cached_profile
from refmaster.settings.emit import emit_model

HEADER = """How finished songs differ, for refmaster's album model: statistics of the recordings named below.
Made by benchmarks/album_prior.py: robust means and covariances."""
# Standard deviations that are added to what was found: other songs differ more than those learned from.
TONE_FLOOR_DB, LEVEL_FLOOR_DB, WIDTH_FLOOR_DB = 1.5, 0.8, 0.5
# Degrees of freedom of the multivariate t by which odd songs count less.
TONE_DF, PLAIN_DF = 27.0, 3.0
ROUNDS = 12


def recordings(folder: Path) -> list[Path]:
    """Return the folder's recordings, without stems."""
    return sorted(f for f in folder.iterdir() if is_recording(f) and "_stem_" not in f.name)


def learn_album_prior(tracks: Sequence[TrackFeatures], names: Sequence[str]) -> AlbumPrior:
    """Learn a prior from finished songs."""
    levels = {
        anchor: _plain([[t.level_lufs(anchor), t.true_peak_dbtp] for t in tracks], LEVEL_FLOOR_DB)
        for anchor in ("loud_sections", "max_short_term", "integrated")
    }
    return AlbumPrior(
        version=1,
        learned_from=tuple(names),
        tone=_learned(_tones(tracks), TONE_FLOOR_DB, TONE_DF),
        **levels,
        width=_plain([[t.width_db] for t in tracks if t.width_db is not None], WIDTH_FLOOR_DB),
    )


def _plain(rows: list[list[float]], floor_db: float) -> PriorPart:
    return _learned(np.array(rows), floor_db, PLAIN_DF)


def _tones(tracks: Sequence[TrackFeatures]) -> Array:
    """Return the tracks' tones without level, with absent bands as far from typical as their neighbours."""
    present = np.array([t.tone_present for t in tracks])
    tone = np.array([t.tone_db for t in tracks])
    tone = tone - np.mean(tone, axis=1, where=present, keepdims=True)
    typical = np.nanmedian(np.where(present, tone, np.nan), axis=0)
    tone = filled(tone - typical, present) + typical
    return tone - tone.mean(axis=1, keepdims=True)


def _learned(x: Array, floor_db: float, df: float) -> PriorPart:
    """Learn mean and covariance robustly (multivariate t)."""
    n, dims = x.shape
    weights = np.ones(n)
    mean, covariance = np.zeros(dims), np.eye(dims)
    for _ in range(ROUNDS):
        mean = weights @ x / n
        r = x - mean
        covariance = (r.T * weights) @ r / (n - 1) + floor_db**2 * np.eye(dims)
        distance = (r * np.linalg.solve(covariance, r.T).T).sum(axis=1)
        weights = (df + dims) / (df + distance)
        weights /= weights.mean()
    return PriorPart(
        mean=tuple(np.round(mean, 3).tolist()),
        covariance=tuple(tuple(np.round(row[: i + 1], 3).tolist()) for i, row in enumerate(covariance)),
    )


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--output", type=Path, default=SONG_PRIOR_FILE, help="the file to write")
    options = parser.parse_args()
    files = recordings(options.music)
    prior = learn_album_prior([track_features(cached_profile(f)) for f in files], [f.stem for f in files])
    write_text(options.output, emit_model(prior, header=HEADER), overwrite=True)
    print(f"{options.output}: learned from {len(files)} recordings")


if __name__ == "__main__":
    main()
