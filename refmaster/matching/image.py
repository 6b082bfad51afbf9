"""The stereo image: which references have one to follow, and what they ask of it together.

A silent channel, a large imbalance and channels out of phase are faults of a file, not an image: in a
reference they are not followed, and a mix's silent channel is given nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from refmaster.profile.model import Profile, StereoFacts

# Music as a whole is never panned this far: what the other channel holds is leakage, hum or dither.
SILENT_CHANNEL_DB = 40.0
# 28 recordings (all genres, stems, raw mixes) lie within 4.7 dB, which is a jazz combo panned hard.
IMBALANCE_DB = 7.0
# The same recordings lie above -0.2, wide electronic music among them; a swapped polarity mirrors the usual
# 0.4 to 1 to the other side of 0.
OUT_OF_PHASE_BELOW = -0.4


def has_silent_channel(profile: Profile) -> bool:
    """Return whether one channel of a stereo recording, which is not silent itself, holds no music."""
    balance = profile.stereo.balance_db
    if balance is not None:
        return abs(balance) >= SILENT_CHANNEL_DB
    return profile.source.channels == 2 and not profile.is_silent


def is_imbalanced(profile: Profile) -> bool:
    """Return whether one channel is so much louder that the file, not the music, must be the cause."""
    balance = profile.stereo.balance_db
    return balance is not None and IMBALANCE_DB < abs(balance) < SILENT_CHANNEL_DB


def is_out_of_phase(profile: Profile) -> bool:
    """Return whether the channels cancel each other in mono."""
    correlation = profile.stereo.correlation
    return correlation is not None and correlation < OUT_OF_PHASE_BELOW


def has_image_to_follow(reference: Profile) -> bool:
    """Return whether a reference's width and balance can be followed: it is stereo, without a fault."""
    faulty = has_silent_channel(reference) or is_imbalanced(reference) or is_out_of_phase(reference)
    return reference.source.channels == 2 and not faulty


def without_side(profile: Profile) -> Profile:
    """Return a profile as of a recording without any width."""
    evidence = profile.evidence.model_copy(update={"segment_side_db": (), "side_std_db": ()})
    spectrum = profile.spectrum.model_copy(update={"side_db": ()})
    return profile.model_copy(update={"evidence": evidence, "spectrum": spectrum})


def image_aim_db(
    references: Sequence[tuple[Profile, float]], value: Callable[[StereoFacts], float | None]
) -> float | None:
    """Return the weighted mean of a value of the references' images, in dB; None where there is none.

    Parameters
    ----------
    references : sequence of (Profile, weight)
        Those without an image to follow do not count.
    value : callable
        Takes the value, such as the balance, from a stereo image.
    """
    images = [
        (value(profile.stereo), weight) for profile, weight in references if has_image_to_follow(profile)
    ]
    known = [(found, weight) for found, weight in images if found is not None]
    return sum(v * w for v, w in known) / sum(w for _, w in known) if known else None
