"""Sections: what the loud and the quiet parts of a mix need beyond the curve that serves the whole.

Loud parts are compared with loud parts and quiet ones with quiet. The difference of the two differences is
d = g + c: the gain g that was applied in the loud parts and not in the quiet ones, and content c. Songs
differ far more in what they play loud and quiet than mastering does about it, so up to `balanced` g is told
only where the parts share their material with the reference's (posterior.py), and applied only as far as it
is likelier than none. Beyond `balanced` each part follows the reference's part more and more, and at `full`
altogether, within 6 dB of the whole's curve.

The curves stand on top of the tone's, and leave each part as loud as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refmaster._types import Array, Mask
from refmaster.matching.content_prior import mid_model
from refmaster.matching.curves import curve_at, tone_points, width_points
from refmaster.matching.dial import limited
from refmaster.matching.explain import REGIONS
from refmaster.matching.features import MatchFeatures, match_features
from refmaster.matching.likely import MIN_BANDS
from refmaster.matching.neutral import MixLoudness, loudness_neutral
from refmaster.matching.parts import LOUD, QUIET, Parts, part_profile, parts_of, power_shares
from refmaster.matching.posterior import (
    QUALITY_HALF_DB2,
    ContentModel,
    Differences,
    match_references,
    shared_gain,
)
from refmaster.matching.shape import CurveShape
from refmaster.matching.tone import ToneMatch, derive_tone
from refmaster.profile.bands import LEARNED_THIRDS, judged, thirds_at_bands
from refmaster.profile.model import Profile
from refmaster.settings.match import (
    BALANCED_PERCENT,
    EVIDENCE_PERCENT,
    FULL_MAX_GAIN_DB,
    MatchSettings,
)
from refmaster.settings.sections import SectionKind, Sections
from refmaster.units import db_to_power, power_to_db

# The content of a difference between two parts is that of both.
PART_CONTENT = 2.0
# Log odds that an engineer treats the parts differently, before anything is heard. Chosen by
# benchmarks/sections.py --choose.
PRIOR_LOG_ODDS = -9.0
# Smaller differences between two curves are not worth two.
NEGLIGIBLE_DB = 0.2

ONE_CURVE = "one curve serves"
IN_PART = "in part they follow the reference's parts"

WeightedProfiles = Sequence[tuple[Profile, float]]
_Parted = tuple[Profile, Parts, float]


def no_sections(why: str) -> Sections:
    """Return the sections of a song that the tone serves alone."""
    return Sections(why=why)


def derive_sections(
    mix: Profile, references: WeightedProfiles, settings: MatchSettings, match: ToneMatch
) -> Sections:
    """Derive what loud and quiet parts get on top of the tone, or say why they get nothing.

    Parameters
    ----------
    mix : Profile
        What is to be matched.
    references : sequence of (Profile, weight)
        Those that have one kind of part only do not count.
    settings : MatchSettings
        How far, in which range, within which bounds.
    match : ToneMatch
        The curves of the whole.
    """
    if not settings.tone:
        return no_sections(f"tone is switched off: {ONE_CURVE}")
    if not match.known.any():
        return no_sections(f"mix and reference share no band with energy: {ONE_CURVE}")
    own = parts_of(mix)
    if isinstance(own, str):
        return no_sections(f"the mix {own}: {ONE_CURVE}")
    found = [(profile, parts_of(profile), weight) for profile, weight in references]
    theirs = [(profile, parts, weight) for profile, parts, weight in found if isinstance(parts, Parts)]
    if not theirs:
        reasons = "; ".join(f"{profile.name} {parts}" for profile, parts, _ in found)
        return no_sections(f"{reasons}: {ONE_CURVE}")
    gain, why = _likely_gain(mix, own, theirs, match)
    share = max(0.0, (settings.percent - BALANCED_PERCENT) / (100.0 - BALANCED_PERCENT))
    if gain is None and share == 0.0:
        return no_sections(f"{why}: {ONE_CURVE}")
    if share > 0.0:
        full = settings.model_copy(update={"strength": "full"})
        whole = derive_tone(mix, [(profile, weight) for profile, _, weight in theirs], full)
    added = {}
    for name in (QUIET, LOUD):
        loudness = MixLoudness(part_profile(mix, own.segments[name]), match.frequencies_hz)
        mid, width = _gained(gain, name, own, settings, match), np.zeros(len(match.mid_db))
        if share > 0.0:
            full_mid, full_width = _followed(name, mix, own, theirs, full, whole)
            mid, width = (1.0 - share) * mid + share * full_mid, share * full_width
        added[name] = _placed(mid, width, loudness, settings, match)
    if share > 0.0:
        why = "the parts follow the reference's parts" if share == 1.0 else f"{why}; {IN_PART}"
    apart = added[LOUD][0] - added[QUIET][0]
    if np.abs(apart).max() < NEGLIGIBLE_DB:
        return no_sections(f"loud and quiet parts want nearly the same: {ONE_CURVE}")
    hz, stereo = match.frequencies_hz, mix.source.channels == 2
    return Sections(
        why=f"{why}; {_in_words(apart, match)}",
        kinds=tuple(
            SectionKind(
                name=name, mid=tone_points(hz, mid), width=width_points(hz, mid, side) if stereo else ()
            )
            for name, (mid, side) in added.items()
        ),
        spans=own.spans,
    )


def long_term_gain_db(sections: Sections, mix: Profile, frequencies_hz: Array) -> Array:
    """Return what derived sections add to the mid's long-term spectrum, in dB at `frequencies_hz`."""
    parts = parts_of(mix)
    if sections.is_at_rest or isinstance(parts, str):
        return np.zeros(len(frequencies_hz))
    thirds = np.asarray(mix.evidence.frequencies_hz)
    shares = power_shares(mix, parts)
    power = sum(shares[kind.name] * db_to_power(curve_at(kind.mid, thirds)) for kind in sections.kinds)
    return np.interp(np.log2(frequencies_hz), np.log2(thirds), power_to_db(np.asarray(power)))


def _likely_gain(
    mix: Profile, own: Parts, theirs: Sequence[_Parted], match: ToneMatch
) -> tuple[Array | None, str]:
    """Return the gain of the loud over the quiet parts that is likely mastering, in third octaves, and why.

    None where the parts are other music, or where no gain is likelier.
    """
    features = match_features(mix)
    others = [match_features(profile) for profile, _, _ in theirs]
    known = LEARNED_THIRDS & features.mid_present
    for other in others:
        known = known & other.mid_present
    if known.sum() < MIN_BANDS:
        return None, "mix and reference share hardly any band with energy"
    model = mid_model(match.prior)
    model = replace(model, near_shape=PART_CONTENT * model.near_shape)
    weights = np.array([weight for _, _, weight in theirs])
    found = _differences(features, own, others, [parts for _, parts, _ in theirs], known, weights, model)
    if found is None:
        return None, "what the parts differ by from the reference's is likely the songs' own"
    gain, log_ratio = shared_gain(found, model)
    sureness = float(1.0 / (1.0 + np.exp(-np.clip(log_ratio + PRIOR_LOG_ODDS, -50.0, 50.0))))
    if sureness < 0.5:
        return None, "loud and quiet parts differ from the reference's alike"
    return sureness * gain, "loud and quiet parts were likely mastered differently"


def _differences(
    mix: MatchFeatures,
    own: Parts,
    references: Sequence[MatchFeatures],
    theirs: Sequence[Parts],
    known: Mask,
    weights: Array,
    model: ContentModel,
) -> Differences | None:
    """Return how loud parts differ beyond quiet ones, of the references that share the material; or None."""
    matched, quality = np.zeros((len(references), len(known))), np.zeros(len(references))
    for name, sign in ((LOUD, 1.0), (QUIET, -1.0)):
        segments = mix.mid.segments_db[own.segments[name]]
        others = [
            r.mid.segments_db[parts.segments[name]] for r, parts in zip(references, theirs, strict=True)
        ]
        for i, match in enumerate(match_references(segments, others, known, weights, model)):
            matched[i] += sign * match.difference(segments, others[i])
            quality[i] = max(quality[i], match.quality_db2)
    shared = quality < QUALITY_HALF_DB2
    if not shared.any():
        return None
    matched = matched[shared] - matched[shared][:, known].mean(axis=1, keepdims=True)
    return Differences(
        matched_db=matched,
        long_term_db=matched,
        quality_db2=quality[shared],
        weights=weights[shared] / weights[shared].sum(),
        known=known,
    )


def _gained(gain: Array | None, name: str, own: Parts, settings: MatchSettings, match: ToneMatch) -> Array:
    """Return what a part's mid gets of the gain between the parts, over the tone.

    The shares are such that the mean over the segments stays the tone's.
    """
    if gain is None:
        return np.zeros(len(match.frequencies_hz))
    count = {part: int(inside.sum()) for part, inside in own.segments.items()}
    others = (count[QUIET] if name == LOUD else -count[LOUD]) / (count[LOUD] + count[QUIET])
    scale = others * min(1.0, settings.percent / EVIDENCE_PERCENT)
    return scale * thirds_at_bands(gain, match.frequencies_hz)


def _followed(
    name: str,
    mix: Profile,
    own: Parts,
    theirs: Sequence[_Parted],
    full: MatchSettings,
    whole: ToneMatch,
) -> tuple[Array, Array]:
    """Return what a part's mid and width get over the whole's to follow the references' parts of its kind.

    Within `BALANCED_LIMIT_DB`, since a quiet part may have next to nothing where a loud one has cymbals.
    """
    part = part_profile(mix, own.segments[name])
    references = [(part_profile(profile, parts.segments[name]), weight) for profile, parts, weight in theirs]
    found = derive_tone(part, references, full)
    mid, counts = found.mid_db - whole.mid_db, found.known & judged(found.frequencies_hz)
    mid -= mid[counts].mean() if counts.any() else 0.0
    width = (found.side_db - found.mid_db) - (whole.side_db - whole.mid_db)
    return limited(mid), limited(width)


def _placed(
    mid: Array, width: Array, loudness: MixLoudness, settings: MatchSettings, match: ToneMatch
) -> tuple[Array, Array]:
    """Return what mid and side get over the tone, within range and bounds, the part as loud as it was."""
    full = settings.percent > BALANCED_PERCENT
    mid = np.clip(match.mid_db + mid, -settings.cut_bound_db(full=full), settings.boost_bound_db(full=full))
    width = match.side_db - match.mid_db + width
    shape = CurveShape(match.frequencies_hz, match.known, settings)

    def placed(curve: Array) -> Array:
        return shape(np.clip(curve, -FULL_MAX_GAIN_DB, FULL_MAX_GAIN_DB))

    mid = loudness_neutral(mid, width, loudness, placed, settings)
    return mid - match.mid_db, mid + width - match.side_db


def _in_words(apart_db: Array, match: ToneMatch) -> str:
    """Return where loud parts are moved most against quiet ones."""
    hz = match.frequencies_hz
    moves = []
    for region, low, high in REGIONS:
        inside = (hz >= low) & (hz < high) & match.known
        if inside.any():
            moves.append((float(apart_db[inside].mean()), region, low, high))
    move, region, low, high = max(moves, key=lambda found: abs(found[0]))
    return f"loud parts get {move:+.1f} dB over quiet ones in the {region} ({low:.0f}-{high:.0f} Hz)"
