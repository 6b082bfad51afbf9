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

# Engineers' tone: standard deviation in dB, correlation length in octaves, and how much larger the deviation
# is at both ends (shelves).
TONE_SD_DB, TONE_OCTAVES, TONE_EDGE = 1.1, 1.3, 0.6
# The album's mean tone differs from the prior's mean by this share of how songs differ.
TONE_ALBUM_SHARE = 0.3
# Engineers' level: a habit that moves level and true peak alike, and what moves each of them alone.
LEVEL_HABIT_SD_DB, LEVEL_OWN_SD_DB = 2.6, 0.5
WIDTH_SD_DB = 1.2
# Grids of the album's own scale of songs' variance. They only need to span what albums have.
TONE_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.06, 2.0, 6))
LEVEL_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.1, 2.0, 6))
WIDTH_SONG_SCALES = (0.3, 0.6, 1.0, 2.0)
# Degrees of freedom of the songs' Student-t: an interlude is far quieter than songs are.
LEVEL_SONG_DF, WIDTH_SONG_DF = 1.0, 3.0
# Variance in dB^2 of what an album's own level and width may be: anything.
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
    return EffectsModel(
        prior=songs,
        engineer_covariance=tone_engineer_covariance(),
        album_covariance=TONE_ALBUM_SHARE * songs.covariance,
        song_scales=TONE_SONG_SCALES,
        remove_level=True,
    )


def tone_engineer_covariance() -> Array:
    """Return G of tone: a Gaussian process over log frequency, somewhat larger at both ends."""
    x = np.log2(TONE_HZ)
    scale = 1.0 + TONE_EDGE * np.exp(-np.minimum(x - x[0], x[-1] - x))
    shape = np.exp(-0.5 * ((x[:, None] - x) / TONE_OCTAVES) ** 2)
    return np.asarray(TONE_SD_DB**2 * np.outer(scale, scale) * shape)


def level_model(prior: AlbumPrior, anchor: str) -> EffectsModel:
    """Return the model of level; its dims are the level that `anchor` names, and true peak.

    A level habit moves both alike, a song's dynamics move them against each other: the peak tells a quiet
    song from a song that was delivered quietly.
    """
    part: PriorPart = getattr(prior, anchor)
    return EffectsModel(
        prior=part.song_prior(),
        engineer_covariance=LEVEL_HABIT_SD_DB**2 * np.ones((2, 2)) + LEVEL_OWN_SD_DB**2 * np.eye(2),
        album_covariance=_FLAT * np.eye(2),
        song_scales=LEVEL_SONG_SCALES,
        song_df=LEVEL_SONG_DF,
    )


def width_model(prior: AlbumPrior) -> EffectsModel:
    """Return the model of width: one gain of the side over all bands."""
    return EffectsModel(
        prior=prior.width.song_prior(),
        engineer_covariance=np.array([[WIDTH_SD_DB**2]]),
        album_covariance=np.array([[_FLAT]]),
        song_scales=WIDTH_SONG_SCALES,
        song_df=WIDTH_SONG_DF,
    )
