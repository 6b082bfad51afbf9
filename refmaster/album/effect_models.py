"""The models of tone, level and width: how finished songs differ, and what engineers do to them.

How songs differ is learned: `benchmarks/album_prior.py` makes `song_prior.yaml`. What engineers do was set by
hand; `benchmarks/album_constants.py` tries each constant below at other values, on simulated albums whose
prior was learned without them. The engineers' variance is a constant because ten tracks cannot tell a broad
engineer from unlike songs: estimated from the album alone it made albums worse.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from refmaster._types import Array
from refmaster.album.effects import EffectsModel, SongPrior
from refmaster.album.features import TONE_HZ
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document

SONG_PRIOR_FILE = Path(__file__).with_name("song_prior.yaml")

# Engineers' tone: two shelves and two bells, gains in dB and corners in Hz spread evenly between bounds.
SHELF_SD_DB, LOW_SHELVES_HZ, HIGH_SHELVES_HZ = 2.9, (60.0, 300.0), (2500.0, 10000.0)
BELL_SD_DB, BELLS_HZ, BELLS_Q = 2.3, (150.0, 6000.0), (0.5, 2.0)
# Tone is looked at through this many shapes, those that engineers make most.
TONE_SHAPES = 10
# Half of the covariance between the shapes is kept: 25 songs cannot settle it.
TONE_SHRINK = 0.5
# The album's mean tone differs from the prior's mean by this share of how songs differ.
TONE_ALBUM_SHARE = 0.3
# How much of the predicted tone is taken back: see `EffectsModel`.
TONE_SURE_SHARE, TONE_DOUBT = 0.8, 0.12
# Engineers' level: a habit that moves level and true peak alike, and what moves each of them alone.
LEVEL_HABIT_SD_DB, LEVEL_OWN_SD_DB = 2.6, 0.3
WIDTH_SD_DB = 1.2
# Grids of the album's own scale of songs' variance. They only need to span what albums have.
TONE_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.5, 2.8, 6))
LEVEL_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.1, 2.0, 6))
WIDTH_SONG_SCALES = (0.3, 0.6, 1.0, 2.0)
# Degrees of freedom of the songs' Student-t: an interlude is far quieter than songs are.
TONE_SONG_DF, LEVEL_SONG_DF, WIDTH_SONG_DF = 10.0, 1.0, 3.0
# An album's own level and width may be anything.
_FLAT = 1e4


class PriorPart(Model):
    """Mean and covariance of one kind of value over songs."""

    mean: tuple[float, ...] = Field(description="dB")
    covariance: tuple[tuple[float, ...], ...] = Field(description="dB^2, lower triangle")

    def song_prior(self) -> SongPrior:
        """Return it as arrays."""
        dims = len(self.mean)
        lower = np.zeros((dims, dims))
        for i, row in enumerate(self.covariance):
            lower[i, : len(row)] = row
        return SongPrior(mean=np.array(self.mean), covariance=lower + np.tril(lower, -1).T)


class AlbumPrior(Model):
    """The file `song_prior.yaml`; each level has true peak beside it."""

    version: Annotated[int, Field(ge=1, le=1)]
    learned_from: tuple[str, ...] = Field(description="recordings")
    tone: PriorPart = Field(description="third octaves from 40 Hz to 16 kHz, level removed")
    loud_sections: PriorPart = Field(description="[level LUFS, true peak dBTP]")
    max_short_term: PriorPart
    integrated: PriorPart
    width: PriorPart


@cache
def shipped_album_prior() -> AlbumPrior:
    """Return the prior that ships with the package."""
    return validate_document(AlbumPrior, read_document(SONG_PRIOR_FILE))


def tone_model(prior: AlbumPrior) -> EffectsModel:
    """Return the model of tone."""
    songs = prior.tone.song_prior()
    shapes, engineers = _tone_shapes()
    covariance = shapes @ songs.covariance @ shapes.T
    diagonal = np.diag(np.diag(covariance))
    return EffectsModel(
        shapes=shapes,
        song_mean=songs.mean,
        song_covariance=(1.0 - TONE_SHRINK) * covariance + TONE_SHRINK * diagonal,
        engineer_covariance=np.diag(engineers),
        album_share=TONE_ALBUM_SHARE,
        song_scales=TONE_SONG_SCALES,
        song_df=TONE_SONG_DF,
        sure_share=TONE_SURE_SHARE,
        doubt=TONE_DOUBT,
    )


def tone_engineer_covariance() -> Array:
    """Return the covariance of the gains that engineers apply, shape (27, 27).

    A gain in dB times a shape: those of the Audio EQ Cookbook's filters (R. Bristow-Johnson) at small gains.
    """
    found = np.zeros((len(TONE_HZ), len(TONE_HZ)))
    for corners, sign in ((LOW_SHELVES_HZ, 1), (HIGH_SHELVES_HZ, -1)):
        shelves = np.array([1.0 / (1.0 + (TONE_HZ / hz) ** (4 * sign)) for hz in np.geomspace(*corners, 16)])
        found += SHELF_SD_DB**2 * shelves.T @ shelves / len(shelves)
    for q in np.geomspace(*BELLS_Q, 8):
        places = [TONE_HZ / hz for hz in np.geomspace(*BELLS_HZ, 32)]
        bells = np.array([1.0 / (1.0 + (q * (x - 1.0 / x)) ** 2) for x in places])
        found += 2 * BELL_SD_DB**2 * bells.T @ bells / len(bells) / 8
    return found


def _tone_shapes() -> tuple[Array, Array]:
    """Return the shapes, shape (shapes, 27), without level, and the variance that engineers give each."""
    level_free = np.eye(len(TONE_HZ)) - 1.0 / len(TONE_HZ)
    values, vectors = np.linalg.eigh(level_free @ tone_engineer_covariance() @ level_free)
    return vectors.T[: -TONE_SHAPES - 1 : -1], values[: -TONE_SHAPES - 1 : -1]


def level_model(prior: AlbumPrior, anchor: str) -> EffectsModel:
    """Return the model of level; its dims are the level that `anchor` names, and true peak.

    A level habit moves both alike, a song's dynamics move them against each other: the peak tells a quiet
    song from a song that was delivered quietly.
    """
    part: PriorPart = getattr(prior, anchor)
    songs = part.song_prior()
    return EffectsModel(
        shapes=np.eye(2),
        song_mean=songs.mean,
        song_covariance=songs.covariance,
        engineer_covariance=LEVEL_HABIT_SD_DB**2 * np.ones((2, 2)) + LEVEL_OWN_SD_DB**2 * np.eye(2),
        album_share=_FLAT,
        song_scales=LEVEL_SONG_SCALES,
        song_df=LEVEL_SONG_DF,
    )


def width_model(prior: AlbumPrior) -> EffectsModel:
    """Return the model of width: one gain of the side over all bands."""
    songs = prior.width.song_prior()
    return EffectsModel(
        shapes=np.eye(1),
        song_mean=songs.mean,
        song_covariance=songs.covariance,
        engineer_covariance=np.array([[WIDTH_SD_DB**2]]),
        album_share=_FLAT,
        song_scales=WIDTH_SONG_SCALES,
        song_df=WIDTH_SONG_DF,
    )
