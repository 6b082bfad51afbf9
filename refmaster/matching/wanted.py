"""Of mix and references: the gain that is likely mastering, for tone and width, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.features import Features
from refmaster.matching.posterior import ContentPrior, Posterior, SegmentMatch, match_references, posterior
from refmaster.matching.prior import Prior, mid_prior, side_prior
from refmaster.profile.bands import JUDGED_THIRDS

# Of fewer third octaves nothing can be said.
MIN_BANDS = 4
# The quality of a match that could not be made: the recordings count as different music.
UNMATCHED_DB2 = 100.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A posterior and where it was observed.

    Attributes
    ----------
    posterior : Posterior
        Over the third octaves of prior.py.
    known : ndarray of bool, shape (bands,)
        Where mix and references have energy and content was learned.
    level_is_free : bool
        The level of the mean says nothing.
    """

    posterior: Posterior
    known: Mask
    level_is_free: bool

    @property
    def gain_db(self) -> Array:
        """The likely gain in dB, shape (bands,); its level removed where that is free."""
        mean = self.posterior.mean_db
        return np.asarray(mean - mean[self._counts].mean()) if self.level_is_free else mean

    @property
    def covariance(self) -> Array:
        """Of that gain, dB^2, shape (bands, bands)."""
        if not self.level_is_free:
            return self.posterior.covariance
        counts = self._counts
        remove = np.eye(len(counts)) - counts / counts.sum()
        return np.asarray(remove @ self.posterior.covariance @ remove.T)

    @property
    def _counts(self) -> Mask:
        return np.asarray(self.known & JUDGED_THIRDS)


def wanted_gains(
    mix: Features, references: Sequence[tuple[Features, float]], prior: Prior
) -> tuple[Wanted | None, Wanted | None]:
    """Return what is likely mastering in the mid, and in the side against the mid.

    Parameters
    ----------
    mix : Features
        Of what is to be matched.
    references : sequence of (Features, weight)
        At least one.
    prior : Prior
        How finished songs differ.

    Returns
    -------
    Wanted or None, Wanted or None
        None where too little is known: no energy in common, or no width.
    """
    content = mid_prior(prior)
    known = content.learned & mix.mid_present
    for reference, _ in references:
        known = known & reference.mid_present
    if known.sum() < MIN_BANDS:
        return None, None
    weights = np.array([weight for _, weight in references])
    matches = _matched(mix, references, known, weights, content)
    matched, long_term = [], []
    for (reference, _), match in zip(references, matches, strict=True):
        long_term.append(reference.mid_db - mix.mid_db)
        matched.append(
            long_term[-1] if match is None else match.difference(mix.segment_mid_db, reference.segment_mid_db)
        )
    mid = _posterior(matched, long_term, matches, known, weights, content)
    return mid, _width(mix, references, matches, side_prior(prior))


def _matched(
    mix: Features,
    references: Sequence[tuple[Features, float]],
    known: Mask,
    weights: Array,
    prior: ContentPrior,
) -> list[SegmentMatch | None]:
    """Match the references that have segments; None for those that have not."""
    able = [i for i, (r, _) in enumerate(references) if len(r.segment_mid_db) and len(mix.segment_mid_db)]
    found: list[SegmentMatch | None] = [None] * len(references)
    if able:
        segments = [references[i][0].segment_mid_db for i in able]
        matches = match_references(mix.segment_mid_db, segments, known, weights[able], prior)
        for i, match in zip(able, matches, strict=True):
            found[i] = match
    return found


def _width(
    mix: Features,
    references: Sequence[tuple[Features, float]],
    matches: Sequence[SegmentMatch | None],
    prior: ContentPrior,
) -> Wanted | None:
    """Compare side-to-mid between the segments that the mids were matched by."""
    known = prior.learned & mix.side_present
    matched, long_term, used, weights = [], [], [], []
    for (reference, weight), match in zip(references, matches, strict=True):
        if mix.width_db is None or reference.width_db is None:
            continue
        known = known & reference.side_present
        difference = reference.width_db - mix.width_db
        long_term.append(difference)
        own, its = mix.segment_width_db, reference.segment_width_db
        usable = match if own is not None and its is not None else None
        if usable is not None and own is not None and its is not None:
            difference = usable.difference(own, its)
        matched.append(difference)
        used.append(usable)
        weights.append(weight)
    if not used or known.sum() < MIN_BANDS:
        return None
    return _posterior(matched, long_term, used, known, np.array(weights), prior)


def _posterior(
    matched: Sequence[Array],
    long_term: Sequence[Array],
    matches: Sequence[SegmentMatch | None],
    known: Mask,
    weights: Array,
    prior: ContentPrior,
) -> Wanted:
    quality = np.array([UNMATCHED_DB2 if match is None else match.quality_db2 for match in matches])

    def prepared(rows: Sequence[Array]) -> Array:
        found = np.array(rows)
        return found - found[:, known].mean(axis=1, keepdims=True) if prior.level_is_free else found

    return Wanted(
        posterior=posterior(prepared(matched), prepared(long_term), quality, known, weights, prior),
        known=known,
        level_is_free=prior.level_is_free,
    )
