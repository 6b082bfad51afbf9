"""The prior: how finished songs differ, learned from music, and what mastering does.

The learned part is a small YAML file with its provenance, written by ``refmaster learn`` (see learn.py). One
is shipped, `prior_shipped.yaml`; the verb makes another from an own catalogue or genre. Mastering's part are
the gain covariances here. Matrices have the bands of `THIRDS_HZ`, or those of `LEARNED_THIRDS` in the file.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from refmaster._types import Array
from refmaster.errors import SettingsError
from refmaster.matching.level_spread import FEATURES, SlopeModel
from refmaster.matching.posterior import ContentModel
from refmaster.profile.bands import LEARNED_THIRDS, THIRDS_HZ
from refmaster.settings.document import read_document
from refmaster.settings.model import Model, validate_document

SHIPPED_PRIOR = Path(__file__).with_name("prior_shipped.yaml")
LEARNED_HZ: Array = THIRDS_HZ[LEARNED_THIRDS]

# Gains of the mid: broad moves (standard deviation, correlation length) and shelves. Set by hand;
# benchmarks/choose_matching.py states what other values would do, out of sample.
GAIN_SD_DB, GAIN_OCTAVES, SHELF_SD_DB = 1.2, 1.1, 2.0
# Broad differences of other music that a covariance of few songs misses and would leave to mastering. Set by
# hand after a run of benchmarks/evidence.py where `evidence` with another song did worse than no EQ.
MISSED_SD_DB, MISSED_OCTAVES = 4.0, 2.0
# Gains of side over mid are broader and smaller, and mostly level; set by hand.
SIDE_GAIN_SD_DB, SIDE_GAIN_OCTAVES, SIDE_SHELF_SD_DB, SIDE_LEVEL_SD_DB = 0.5, 1.5, 0.3, 1.5

Finite = Annotated[float, Field(allow_inf_nan=False)]
Triangle = tuple[tuple[Finite, ...], ...]


class LearnedTrack(Model):
    """A recording that a prior was learned from."""

    file: str = Field(description="name without its folder")
    sha256: str | None
    album: str


class LearnedContent(Model):
    """The way content differs: in the mid's spectrum, or in side over mid."""

    near_log_rms: tuple[Finite, Finite] = Field(
        description="intercept, slope: log RMS in dB that matched segments differ by, over log quality"
    )
    near_log_rms_sd: float = Field(gt=0.0)
    near_shape: Triangle = Field(description="its covariance, mean variance 1; lower triangle")
    far_covariance: Triangle = Field(description="dB^2, of long-term spectra; lower triangle")

    @model_validator(mode="after")
    def _usable(self) -> LearnedContent:
        _require_covariance("near_shape", self.near_shape, len(LEARNED_HZ))
        _require_covariance("far_covariance", self.far_covariance, len(LEARNED_HZ))
        return self


class LearnedDynamics(Model):
    """The way the spread of levels differs: logarithms to the base 2 of the statistics of level_spread.py."""

    near_covariance: Triangle = Field(description="of halves that share their material; lower triangle")
    far_covariance: Triangle = Field(description="of songs; lower triangle")

    @model_validator(mode="after")
    def _usable(self) -> LearnedDynamics:
        _require_covariance("near_covariance", self.near_covariance, len(FEATURES))
        _require_covariance("far_covariance", self.far_covariance, len(FEATURES))
        return self


class Prior(Model):
    """A prior as `refmaster learn` writes it."""

    version: int = Field(ge=1, le=1)
    made_by: str
    segment_s: float = Field(gt=0.0, description="s, of the segments that were matched")
    frequencies_hz: tuple[float, ...] = Field(description="Hz, third-octave centres")
    tracks: tuple[LearnedTrack, ...] = Field(description="what it was learned from")
    mid: LearnedContent
    side: LearnedContent = Field(description="side-to-mid")
    dynamics: LearnedDynamics | None = Field(default=None, description="null: that of the prior that ships")

    @model_validator(mode="after")
    def _bands(self) -> Prior:
        if len(self.frequencies_hz) != len(LEARNED_HZ) or not np.allclose(
            self.frequencies_hz, LEARNED_HZ, rtol=1e-3
        ):
            raise ValueError(
                f"frequencies_hz: expected the {len(LEARNED_HZ)} third octaves from {LEARNED_HZ[0]:.1f} to "
                f"{LEARNED_HZ[-1]:.0f} Hz; learn the prior again"
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


def mid_model(prior: Prior) -> ContentModel:
    """Return the model of the mid's spectrum, whose level is free."""
    missed = gain_covariance(THIRDS_HZ, sd_db=MISSED_SD_DB, octaves=MISSED_OCTAVES, shelf_sd_db=0.0)
    return _model(prior.mid, mid_gain_covariance(THIRDS_HZ), missed, level_is_free=True)


def side_model(prior: Prior) -> ContentModel:
    """Return the model of side over mid, whose level is part of the width."""
    gain = gain_covariance(
        THIRDS_HZ, sd_db=SIDE_GAIN_SD_DB, octaves=SIDE_GAIN_OCTAVES, shelf_sd_db=SIDE_SHELF_SD_DB
    )
    return _model(prior.side, gain + SIDE_LEVEL_SD_DB**2, np.zeros(()), level_is_free=False)


def slope_model(prior: Prior) -> SlopeModel:
    """Return the model of dynamics; where the prior has none, that of the one which is shipped.

    Raises
    ------
    SettingsError
        Neither has one.
    """
    learned = prior.dynamics or _shipped().dynamics
    if learned is None:
        raise SettingsError(f"{SHIPPED_PRIOR.name}: expected the section dynamics; install refmaster again")
    return SlopeModel(near=_symmetric(learned.near_covariance), far=_symmetric(learned.far_covariance))


def mid_gain_covariance(frequencies_hz: Array) -> Array:
    """Return the covariance in dB^2 of the gains that mastering applies to the mid."""
    return gain_covariance(frequencies_hz, sd_db=GAIN_SD_DB, octaves=GAIN_OCTAVES, shelf_sd_db=SHELF_SD_DB)


def gain_covariance(frequencies_hz: Array, *, sd_db: float, octaves: float, shelf_sd_db: float) -> Array:
    """Return a covariance in dB^2 of gains: broad moves, and shelves at both ends.

    Parameters
    ----------
    frequencies_hz : ndarray, shape (bands,)
        Band centres.
    sd_db, octaves : float
        Standard deviation and correlation length of the broad moves.
    shelf_sd_db : float
        Standard deviation of the gain of a shelf, at either end.
    """
    place = np.log2(frequencies_hz)
    found = sd_db**2 * np.exp(-0.5 * ((place[:, None] - place[None]) / octaves) ** 2)
    low, high = np.geomspace(50.0, 400.0, 8), np.geomspace(2000.0, 14000.0, 8)
    for corner, rises in [*((c, False) for c in low), *((c, True) for c in high)]:
        shelf = 1.0 / (1.0 + (frequencies_hz / corner) ** 2)
        shelf = 1.0 - shelf if rises else shelf
        found = found + shelf_sd_db**2 / len(low) * np.outer(shelf, shelf)
    return found


def lower_triangle(matrix: Array, decimals: int) -> Triangle:
    """Return a symmetric matrix as a prior holds it."""
    return tuple(tuple(np.round(row[: i + 1], decimals).tolist()) for i, row in enumerate(matrix))


@functools.cache
def _shipped() -> Prior:
    return validate_document(Prior, read_document(SHIPPED_PRIOR))


def _model(content: LearnedContent, gain: Array, far_extra: Array, *, level_is_free: bool) -> ContentModel:
    return ContentModel(
        gain=gain,
        near_shape=_at_thirds(content.near_shape),
        near_log_rms=content.near_log_rms,
        near_log_rms_sd=content.near_log_rms_sd,
        far_covariance=_at_thirds(content.far_covariance),
        far_extra=far_extra,
        level_is_free=level_is_free,
    )


def _require_covariance(name: str, rows: Triangle, size: int) -> None:
    if [len(row) for row in rows] != list(range(1, size + 1)):
        raise ValueError(f"{name}: expected a lower triangle of {size} rows")
    if np.linalg.eigvalsh(_symmetric(rows)).min() <= 0.0:
        raise ValueError(f"{name}: expected a positive definite matrix; learn the prior again")


def _symmetric(rows: Triangle) -> Array:
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : i + 1] = matrix[: i + 1, i] = row
    return matrix


def _at_thirds(rows: Triangle) -> Array:
    """Return a matrix of the learned bands within all bands; the others are never read."""
    whole = np.eye(len(THIRDS_HZ))
    whole[np.ix_(LEARNED_THIRDS, LEARNED_THIRDS)] = _symmetric(rows)
    return whole
