"""The prior: how finished songs differ, learned from music (see learn.py), and what mastering does.

The learned part is a small YAML file with its provenance. One is shipped; `refmaster learn` makes another
from an own catalogue or genre.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from refmaster._types import Array
from refmaster.matching.posterior import ContentPrior
from refmaster.profile.bands import LEARNED_THIRDS, THIRDS_HZ
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document

SHIPPED_PRIOR = Path(__file__).with_name("prior_shipped.yaml")

FAR_SCALES = (2.0, 4.0, 8.0)
# A covariance of few songs misses part of how they differ broadly; mastering is broad as well, so what is
# missing there would be taken for mastering.
FAR_BROAD_SD_DB, FAR_BROAD_OCTAVES = 4.0, 2.0
NEAR_NOISE_DB2, FAR_NOISE_DB2 = 0.02, 0.3
QUALITY_HALF_DB2, QUALITY_POWER = 4.5, 8.0

Finite = Annotated[float, Field(allow_inf_nan=False)]
Triangle = tuple[tuple[Finite, ...], ...]


class LearnedTrack(Model):
    """A recording that a prior was learned from."""

    file: str = Field(description="name without its folder")
    sha256: str | None
    album: str


class LearnedContent(Model):
    """How content differs: in the mid's spectrum, or in side-to-mid."""

    near_log_rms: tuple[Finite, Finite] = Field(
        description="intercept, slope: log RMS in dB that matched segments differ by, over log quality"
    )
    near_log_rms_sd: float = Field(gt=0.0)
    near_shape: Triangle = Field(description="its covariance, mean variance 1; lower triangle")
    far_covariance: Triangle = Field(description="dB^2, of long-term spectra; lower triangle")

    @model_validator(mode="after")
    def _usable(self) -> LearnedContent:
        for name in ("near_shape", "far_covariance"):
            rows = getattr(self, name)
            if [len(row) for row in rows] != list(range(1, int(LEARNED_THIRDS.sum()) + 1)):
                raise ValueError(f"{name}: expected a lower triangle of {int(LEARNED_THIRDS.sum())} rows")
            if np.linalg.eigvalsh(_symmetric(rows)).min() <= 0.0:
                raise ValueError(f"{name}: expected a positive definite matrix; learn the prior again")
        return self


class Prior(Model):
    """What `refmaster learn` writes."""

    version: int = Field(ge=1, le=1)
    made_by: str
    segment_s: float = Field(gt=0.0, description="s, of the segments that were matched")
    frequencies_hz: tuple[float, ...] = Field(description="Hz, third-octave centres")
    tracks: tuple[LearnedTrack, ...] = Field(description="what it was learned from")
    mid: LearnedContent
    side: LearnedContent = Field(description="side-to-mid")

    @model_validator(mode="after")
    def _bands(self) -> Prior:
        expected = THIRDS_HZ[LEARNED_THIRDS]
        if len(self.frequencies_hz) != len(expected) or not np.allclose(
            self.frequencies_hz, expected, rtol=1e-3
        ):
            raise ValueError(
                f"frequencies_hz: expected the {len(expected)} third octaves from {expected[0]:.1f} to "
                f"{expected[-1]:.0f} Hz; learn the prior again"
            )
        return self


def load_prior(path: str | Path | None = None) -> Prior:
    """Read a prior, by default the one that is shipped.

    Raises
    ------
    SettingsError
        Naming every problem with its line.
    """
    return _shipped() if path is None else validate_document(Prior, read_document(path))


@functools.cache
def _shipped() -> Prior:
    return validate_document(Prior, read_document(SHIPPED_PRIOR))


def mid_prior(prior: Prior) -> ContentPrior:
    """Return the prior of the mid's spectrum, whose level is free."""
    broad = gain_covariance(THIRDS_HZ, sd_db=FAR_BROAD_SD_DB, octaves=FAR_BROAD_OCTAVES, shelf_sd_db=0.0)
    return content_prior(prior.mid, gain_covariance(THIRDS_HZ), broad, level_is_free=True)


def side_prior(prior: Prior) -> ContentPrior:
    """Return the prior of side-to-mid, whose level is part of the width."""
    nothing = np.zeros((len(THIRDS_HZ), len(THIRDS_HZ)))
    return content_prior(prior.side, side_gain_covariance(THIRDS_HZ), nothing, level_is_free=False)


def content_prior(
    content: LearnedContent, gain: Array, far_extra: Array, *, level_is_free: bool
) -> ContentPrior:
    """Return learned content, set into all third octaves.

    Parameters
    ----------
    content : LearnedContent
        What was learned.
    gain : ndarray, shape (bands, bands)
        Covariance of the gains.
    far_extra : ndarray, shape (bands, bands)
        What the covariance of other music is thought to miss.
    level_is_free : bool
        Level is no part of the gain.
    """
    return ContentPrior(
        learned=LEARNED_THIRDS,
        gain=gain,
        near_shape=_set_in(_symmetric(content.near_shape)),
        near_log_rms=content.near_log_rms,
        near_log_rms_sd=content.near_log_rms_sd,
        near_noise_db2=NEAR_NOISE_DB2,
        far_covariance=_set_in(_symmetric(content.far_covariance)),
        far_extra=far_extra,
        far_scales=FAR_SCALES,
        far_noise_db2=FAR_NOISE_DB2,
        quality_half=QUALITY_HALF_DB2,
        quality_power=QUALITY_POWER,
        level_is_free=level_is_free,
    )


def gain_covariance(
    frequencies_hz: Array,
    *,
    sd_db: float = 1.2,
    octaves: float = 1.1,
    shelf_sd_db: float = 2.0,
    level_sd_db: float = 0.0,
) -> Array:
    """Return the covariance in dB^2 of what mastering does: broad moves, shelves at both ends, a level.

    Parameters
    ----------
    frequencies_hz : ndarray, shape (bands,)
        Band centres.
    sd_db, octaves : float
        Standard deviation and correlation length of the broad moves.
    shelf_sd_db : float
        Of the gain of a shelf, at either end.
    level_sd_db : float
        Of a gain that all bands share.
    """
    place = np.log2(frequencies_hz)
    found = sd_db**2 * np.exp(-0.5 * ((place[:, None] - place[None]) / octaves) ** 2) + level_sd_db**2
    low, high = np.geomspace(50.0, 400.0, 8), np.geomspace(2000.0, 14000.0, 8)
    for corner, rises in [*((c, False) for c in low), *((c, True) for c in high)]:
        shelf = 1.0 / (1.0 + (frequencies_hz / corner) ** 2)
        shelf = 1.0 - shelf if rises else shelf
        found = found + shelf_sd_db**2 / len(low) * np.outer(shelf, shelf)
    return found


def side_gain_covariance(frequencies_hz: Array) -> Array:
    """Return the same of side against mid."""
    return gain_covariance(frequencies_hz, sd_db=0.5, octaves=1.5, shelf_sd_db=0.3, level_sd_db=1.5)


def lower_triangle(matrix: Array, decimals: int) -> Triangle:
    """Return a symmetric matrix as a prior holds it."""
    return tuple(tuple(np.round(row[: i + 1], decimals).tolist()) for i, row in enumerate(matrix))


def _symmetric(rows: Triangle) -> Array:
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : i + 1] = matrix[: i + 1, i] = row
    return matrix


def _set_in(matrix: Array) -> Array:
    """Return a matrix of the learned bands within all bands (the others are never read)."""
    whole: Any = np.eye(len(THIRDS_HZ))
    at = np.flatnonzero(LEARNED_THIRDS)
    whole[np.ix_(at, at)] = matrix
    return np.asarray(whole, dtype=np.float64)
