"""How finished songs differ and what engineers do to them: the shipped prior, and the models made of it.

What songs do was learned from 25 recordings (see `prior.yaml`); what engineers do was chosen on simulated
ones. Estimating the engineers' variance from an album alone was tried and made things worse: ten
tracks cannot tell a broad engineer from unlike songs. So it is a prior here, and what the album itself says
about it is only reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from refmaster._types import Array, Mask
from refmaster.album.effects import EffectsModel, SongPrior, centred
from refmaster.album.features import TONE_HZ, TrackFeatures
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document

PRIOR_FILE = Path(__file__).with_name("prior.yaml")
LEVEL_ANCHORS = ("loud_sections", "max_short_term", "integrated")

TONE_SD_DB, TONE_OCTAVES, TONE_EDGE = 1.1, 1.3, 0.6
TONE_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.06, 2.0, 6))
TONE_ALBUM_SHARE = 0.3
LEVEL_HABIT_SD_DB, LEVEL_OWN_SD_DB = 2.6, 0.5
LEVEL_SONG_SCALES = tuple(float(x) for x in np.geomspace(0.1, 2.0, 6))
WIDTH_SD_DB, SPREAD_SD_LU = 1.2, 1.0
SINGLE_SONG_SCALES = (0.3, 0.6, 1.0, 2.0)
# Looked at for the report, not for the prediction.
ENGINEER_SCALES = (0.1, 0.3, 1.0, 3.0)
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
    """The file `prior.yaml`."""

    version: Annotated[int, Field(ge=1, le=1)]
    learned_from: tuple[str, ...] = Field(description="recordings")
    tone: PriorPart = Field(description="third octaves from 40 Hz to 16 kHz, level removed")
    loud_sections: PriorPart = Field(description="[level LUFS, true peak dBTP]")
    max_short_term: PriorPart
    integrated: PriorPart
    width: PriorPart
    spread: PriorPart

    def level(self, anchor: str) -> PriorPart:
        """Return the prior of the level that `anchor` names, with true peak."""
        return {
            "loud_sections": self.loud_sections,
            "max_short_term": self.max_short_term,
            "integrated": self.integrated,
        }[anchor]


@cache
def shipped_prior() -> AlbumPrior:
    """Return the prior that ships with the package."""
    return validate_document(AlbumPrior, read_document(PRIOR_FILE))


def tone_model(
    prior: AlbumPrior, *, engineer_scales: tuple[float, ...] = (1.0,), song_scales: Sequence[float] = ()
) -> EffectsModel:
    """Return the model of tone."""
    songs = prior.tone.song_prior()
    return EffectsModel(
        prior=songs,
        engineer_covariance=tone_engineer_covariance(),
        album_covariance=TONE_ALBUM_SHARE * songs.covariance,
        remove_level=True,
        song_scales=tuple(song_scales) or TONE_SONG_SCALES,
        engineer_scales=engineer_scales,
    )


def tone_engineer_covariance() -> Array:
    """Return G of tone: a Gaussian process over log frequency, somewhat larger at both ends (shelves)."""
    x = np.log2(TONE_HZ)
    scale = 1.0 + TONE_EDGE * np.exp(-np.minimum(x - x[0], x[-1] - x))
    shape = np.exp(-0.5 * ((x[:, None] - x) / TONE_OCTAVES) ** 2)
    return np.asarray(TONE_SD_DB**2 * np.outer(scale, scale) * shape)


def level_model(
    prior: AlbumPrior, anchor: str, *, engineer_scales: tuple[float, ...] = (1.0,)
) -> EffectsModel:
    """Return the model of level; its dims are the level that `anchor` names, and true peak.

    A level habit moves both alike, a song's dynamics move them against each other: the peak tells a quiet
    song from a song that was delivered quietly.
    """
    return EffectsModel(
        prior=prior.level(anchor).song_prior(),
        engineer_covariance=LEVEL_HABIT_SD_DB**2 * np.ones((2, 2)) + LEVEL_OWN_SD_DB**2 * np.eye(2),
        album_covariance=_FLAT * np.eye(2),
        song_scales=LEVEL_SONG_SCALES,
        engineer_scales=engineer_scales,
        song_df=1.0,
    )


def width_model(prior: AlbumPrior) -> EffectsModel:
    """Return the model of width: one gain of the side over all bands."""
    return _single(prior.width, WIDTH_SD_DB)


def spread_model(prior: AlbumPrior) -> EffectsModel:
    """Return the model of loudness range."""
    return _single(prior.spread, SPREAD_SD_LU)


def _single(part: PriorPart, sd: float) -> EffectsModel:
    return EffectsModel(
        prior=part.song_prior(),
        engineer_covariance=np.array([[sd**2]]),
        album_covariance=np.array([[_FLAT]]),
        song_scales=SINGLE_SONG_SCALES,
        song_df=3.0,
    )


def learn_prior(tracks: Sequence[TrackFeatures], names: Sequence[str]) -> AlbumPrior:
    """Learn a prior from finished songs."""
    tone = np.array([t.tone_db for t in tracks])
    levels = {
        anchor: np.array([[t.level_lufs(anchor), t.true_peak_dbtp] for t in tracks])
        for anchor in LEVEL_ANCHORS
    }
    present = np.array([t.tone_present for t in tracks])
    return AlbumPrior(
        version=1,
        learned_from=tuple(names),
        tone=_learned(tone, present, remove_level=True, shrink=0.5, floor_db=1.6, df=27.0),
        **{anchor: _plain(values, floor_db=0.22) for anchor, values in levels.items()},
        width=_plain(np.array([[t.width_db] for t in tracks if t.width_db is not None]), floor_db=0.5),
        spread=_plain(np.array([[t.spread_lu] for t in tracks if t.spread_lu is not None]), floor_db=0.5),
    )


def _plain(values: Array, *, floor_db: float) -> PriorPart:
    present = np.ones(values.shape, dtype=bool)
    return _learned(values, present, remove_level=False, shrink=0.0, floor_db=floor_db, df=3.0)


def _learned(
    values: Array, present: Mask, *, remove_level: bool, shrink: float, floor_db: float, df: float
) -> PriorPart:
    """Learn mean and covariance robustly (multivariate t), partly shrunk to the diagonal."""
    x = centred(values, present, remove_level=remove_level)
    m = present.astype(np.float64)
    n, dims = x.shape
    weights = np.ones(n)
    mean, covariance = np.zeros(dims), np.eye(dims)
    for _ in range(12):
        w = m * weights[:, None]
        mean = (x * w).sum(0) / np.maximum(w.sum(0), 1e-9)
        r = (x - mean) * m
        empirical = np.einsum("i,ib,ic->bc", weights, r, r) / np.maximum(m.T @ m - 1.0, 1.0)
        diagonal = np.diag(np.diag(empirical))
        covariance = (1.0 - shrink) * empirical + shrink * diagonal + floor_db**2 * np.eye(dims)
        distance = np.array(
            [r[i, p] @ np.linalg.solve(covariance[np.ix_(p, p)], r[i, p]) for i, p in enumerate(present)]
        )
        weights = (df + dims) / (df + distance * dims / np.maximum(m.sum(1), 1.0))
        weights /= weights.mean()
    return PriorPart(
        mean=tuple(np.round(mean, 3).tolist()),
        covariance=tuple(tuple(np.round(row[: i + 1], 3).tolist()) for i, row in enumerate(covariance)),
    )
