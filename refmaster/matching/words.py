"""A match in words: what differs from the reference, what is done about it, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from refmaster.matching.dial import BALANCED_LIMIT_DB
from refmaster.matching.image import has_silent_channel, image_aim_db
from refmaster.matching.tone import ToneMatch
from refmaster.matching.width import IMAGE_FROM_DB, WIDEST_SIDE_TO_MID_DB, OverallWidth, overall_width
from refmaster.plan import Region
from refmaster.profile.bands import band_levels
from refmaster.profile.model import Profile
from refmaster.settings.match import BALANCED_PERCENT, EVIDENCE_PERCENT, MatchSettings

# Differences below this are not named, nor more than this many.
NAMED_FROM_DB = 1.0
NAMED_AT_MOST = 3
# From this share on, the difference as a whole is likely mastering.
MOSTLY_SHARE = 0.5
# A width this close to its bound is held by it.
HELD_WITHIN_DB = 0.1


class _Area(NamedTuple):
    """Neighbouring regions that differ the same way."""

    place: str
    difference_db: float
    applied_db: float


def tone_in_words(
    regions: Sequence[Region],
    references: int,
    settings: MatchSettings,
    distance_db: float | None,
    likely_db: float | None,
) -> str:
    """Return why the tone is moved as it is.

    Parameters
    ----------
    regions : sequence of Region
        Those in which mix and reference have energy, from low to high.
    references : int
        How many there are.
    settings : MatchSettings
        What was asked.
    distance_db, likely_db : float or None
        RMS of the whole difference, and of the part of it that is likely mastering.
    """
    if distance_db is None:
        return "mix and reference share no band with energy: nothing is matched"
    unit, does, told = " dB", f"{_strength(settings)} applies ", []
    for area in _areas(regions):
        more = "more" if area.difference_db > 0.0 else "less"
        done = f" ({does}{area.applied_db:+.1f})" if settings.tone else ""
        told.append(f"{abs(area.difference_db):.1f}{unit} {more} {area.place}{done}")
        unit = does = ""
    subject = "the reference has" if references == 1 else "the references have"
    differs = f"{subject} {', '.join(told)}" if told else "no region differs from the reference by 1 dB"
    if not settings.tone:
        return f"{differs}; tone is switched off"
    return f"{differs}; {_sureness(regions, settings, distance_db, likely_db)}"


def width_in_words(
    match: ToneMatch, mix: Profile, references: Sequence[tuple[Profile, float]], settings: MatchSettings
) -> str:
    """Return why the side is moved against the mid as it is; nothing for a mono mix."""
    if mix.source.channels != 2:
        return ""
    if has_silent_channel(mix):
        return "one channel of the mix is silent and stays so"
    if not settings.side:
        return "switched off: the mix keeps its own"
    if image_aim_db(references, lambda stereo: stereo.side_to_mid_db) is None:
        return "no reference has a width to follow: the mix keeps its own"
    overall = overall_width(mix, band_levels(mix, match.frequencies_hz), references)
    if overall is None or not match.width_known.any():
        return "mix and reference have no side in common: the mix keeps its own"
    subject = "reference" if len(references) == 1 else "references"
    moved = overall.moved_db(match.mid_db, match.side_db - match.mid_db)
    return (
        f"side to mid is {overall.own_db:.1f} dB in the mix, {overall.wanted_db:.1f} dB in the {subject}; "
        f"it is moved by {moved:+.1f} dB{_width_held(match, overall, moved, settings)}"
    )


def _width_held(match: ToneMatch, overall: OverallWidth, moved: float, settings: MatchSettings) -> str:
    """Return what keeps the width from the references', or nothing."""
    own, wanted = overall.own_db, overall.wanted_db
    if wanted > own + NAMED_FROM_DB and settings.percent > EVIDENCE_PERCENT:
        if own < IMAGE_FROM_DB:
            return "; so little side is mostly noise, and hardly boosted"
        if wanted > WIDEST_SIDE_TO_MID_DB and own + moved > WIDEST_SIDE_TO_MID_DB - HELD_WITHIN_DB:
            return ", held where the side is as loud as the mid, for mono's sake"
    whole = min(BALANCED_LIMIT_DB, settings.width_bound_db(full=True))
    if settings.percent == BALANCED_PERCENT and abs(moved) > whole - HELD_WITHIN_DB:
        return f", held at the {whole:.3g} dB allowed"
    bound = settings.side_bound_db
    if np.abs(match.side_db - match.mid_db).max() > bound - HELD_WITHIN_DB:
        return f", held in places by the {bound:.3g} dB allowed"
    return ""


def _areas(regions: Sequence[Region]) -> list[_Area]:
    """Return the largest differences, neighbours of one sign taken together, from low to high."""
    groups: list[list[Region]] = []
    for region in regions:
        if abs(region.difference_db) < NAMED_FROM_DB:
            continue
        last = groups[-1][-1] if groups else None
        if last and last.high_hz == region.low_hz and last.difference_db * region.difference_db > 0.0:
            groups[-1].append(region)
        else:
            groups.append([region])
    areas = [_area(group, regions) for group in groups]
    largest = sorted(areas, key=lambda area: -abs(area.difference_db))[:NAMED_AT_MOST]
    return [area for area in areas if area in largest]


def _area(group: Sequence[Region], regions: Sequence[Region]) -> _Area:
    octaves = np.log2([region.high_hz / region.low_hz for region in group])
    low, high = _hertz(group[0].low_hz), _hertz(group[-1].high_hz)
    place = f"at {low.removesuffix(' kHz') if 'kHz' in high else low.removesuffix(' Hz')}-{high}"
    if group[0] is regions[0]:
        place = f"below {high}"
    elif group[-1] is regions[-1]:
        place = f"above {low}"
    return _Area(
        place,
        float(np.average([region.difference_db for region in group], weights=octaves)),
        float(np.average([region.applied_db for region in group], weights=octaves)),
    )


def _strength(settings: MatchSettings) -> str:
    return settings.strength if isinstance(settings.strength, str) else f"strength {settings.strength:g}"


def _hertz(hz: float) -> str:
    return f"{hz / 1000:g} kHz" if hz >= 1000.0 else f"{hz:g} Hz"


def _sureness(
    regions: Sequence[Region], settings: MatchSettings, distance_db: float, likely_db: float | None
) -> str:
    spreads = [region.uncertainty_db for region in regions if region.uncertainty_db is not None]
    if likely_db is None or not spreads:
        return "too few bands to tell mastering from the song"
    spread = np.sqrt(np.mean(np.square(spreads)))
    shares = f"{likely_db:.1f} of {distance_db:.1f} dB RMS"
    found = f"{shares} is likely mastering (\N{PLUS-MINUS SIGN} {spread:.1f} dB)"
    if likely_db >= MOSTLY_SHARE * distance_db:
        return found
    if settings.percent <= EVIDENCE_PERCENT:
        return f"{found}, the rest is left to the song"
    return f"{found}, the rest is a matter of taste"
