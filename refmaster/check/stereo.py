"""Findings on a mix's channels: silent, unequal, inverted, and what mono loses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from refmaster.check.findings import Finding, info, warning
from refmaster.matching.image import (
    IMBALANCE_DB,
    OUT_OF_PHASE_BELOW,
    SILENT_CHANNEL_DB,
    has_silent_channel,
    is_imbalanced,
    is_out_of_phase,
)
from refmaster.profile.model import Profile
from refmaster.units import db_to_power, power_to_db

# Above this the side is louder than the mid: part of the sound is lost in mono.
WIDE_DB = 0.0
# Unrelated channels lose 3 dB in mono, and the widest of 28 recordings 4.6 dB, but for one whose synthesizers
# cancel by 7.3 dB.
MONO_LOSS_DB = 6.0
# The bass of music is in the middle, or unrelated at worst: mirrored, it is a channel with its sign changed.
INVERTED_BASS_BELOW = -0.5
PHASE_BANDS_HZ = ((20.0, 120.0), (120.0, 500.0), (500.0, 2000.0), (2000.0, 6000.0), (6000.0, 16000.0))
# A band that holds less of the whole cannot be missed.
_HEARD_DB = -30.0


class BandPhase(NamedTuple):
    """The way the channels of a recording agree within a band."""

    band_hz: tuple[float, float]
    correlation: float
    mono_loss_db: float
    share_db: float


def phase_per_band(profile: Profile) -> list[BandPhase]:
    """Return how the channels agree in each band of `PHASE_BANDS_HZ`; nothing for mono.

    The correlation is 2 LR / (L^2 + R^2), from the powers of mid and side: -1 to 1. What mono loses is the
    power of (L+R)/2 against the mean of the channels' powers.
    """
    spectrum = profile.spectrum
    if not spectrum.side_db:
        return []
    hz = np.array(spectrum.frequencies_hz)
    mid, side = db_to_power(np.array(spectrum.mid_db)), db_to_power(np.array(spectrum.side_db))
    whole, found = float((mid + side).sum()), []
    for low, high in PHASE_BANDS_HZ:
        inside = (hz >= low) & (hz < high)
        m, s = float(mid[inside].sum()), float(side[inside].sum())
        if m + s > 0.0:
            found.append(
                BandPhase(
                    band_hz=(low, high),
                    correlation=round((m - s) / (m + s), 2),
                    mono_loss_db=round(-power_to_db(max(m / (m + s), 1e-6)), 1),
                    share_db=power_to_db((m + s) / whole),
                )
            )
    return found


def inspect_channels(mix: Profile) -> list[Finding]:
    """Return what is wrong with the channels of a mix."""
    if has_silent_channel(mix):
        balance = mix.stereo.balance_db
        return [
            warning(
                "mix_one_sided",
                "one channel of the mix is silent and stays so: width and balance are not matched",
                "export it again, or as mono",
                value=balance,
                limit=SILENT_CHANNEL_DB,
                unit="dB between the channels",
            )
        ]
    return [*_width(mix), *_imbalance(mix), *_phase(mix)]


def _width(mix: Profile) -> Iterable[Finding]:
    if mix.stereo.side_to_mid_db is not None and mix.stereo.side_to_mid_db > WIDE_DB:
        yield info(
            "mix_wide",
            f"side is {mix.stereo.side_to_mid_db:+.1f} dB over mid",
            "check it in mono",
            value=mix.stereo.side_to_mid_db,
            limit=WIDE_DB,
            unit="dB",
        )


def _imbalance(mix: Profile) -> Iterable[Finding]:
    balance = mix.stereo.balance_db
    if balance is not None and is_imbalanced(mix):
        yield warning(
            "mix_imbalanced",
            f"{louder(mix)} in the mix",
            "check panning and export",
            channel="left" if balance > 0.0 else "right",
            value=abs(balance),
            limit=IMBALANCE_DB,
            unit="dB between the channels",
        )


def louder(profile: Profile) -> str:
    """Return which channel is louder, and by how much, in words."""
    balance = profile.stereo.balance_db or 0.0
    name, other = ("left", "right") if balance > 0.0 else ("right", "left")
    return f"the {name} channel is {abs(balance):.1f} dB louder than the {other}"


def _phase(mix: Profile) -> Iterable[Finding]:
    bands = [band for band in phase_per_band(mix) if band.share_db > _HEARD_DB]
    inverted = [b for b in bands[:1] if b.band_hz[0] < 100.0 and b.correlation < INVERTED_BASS_BELOW]
    if inverted:
        (bass,) = inverted
        yield warning(
            "mix_out_of_phase",
            f"the polarity of one channel is inverted: even the bass cancels in mono (correlation "
            f"{bass.correlation:.2f}, {bass.mono_loss_db:.0f} dB lost)",
            "invert one channel; check the cables and inserts of the sum",
            band_hz=bass.band_hz,
            value=bass.correlation,
            limit=INVERTED_BASS_BELOW,
            unit="correlation",
        )
        return
    if is_out_of_phase(mix):
        yield warning(
            "mix_out_of_phase",
            f"the mix's channels are out of phase (correlation {mix.stereo.correlation:.2f}): they "
            "cancel in mono, and tone is matched by what mono leaves",
            "check the polarity of the channels, and any widener",
            value=mix.stereo.correlation,
            limit=OUT_OF_PHASE_BELOW,
            unit="correlation",
        )
        return
    lost = [band for band in bands if band.mono_loss_db > MONO_LOSS_DB]
    if lost:
        worst = max(lost, key=lambda band: band.mono_loss_db)
        low, high = worst.band_hz
        yield warning(
            "mix_mono_loss",
            f"mono loses {worst.mono_loss_db:.1f} dB at {low:.0f}-{high:.0f} Hz (correlation "
            f"{worst.correlation:.2f} there)",
            "look for a widener, a phaser or a doubled track in that range",
            band_hz=worst.band_hz,
            value=worst.mono_loss_db,
            limit=MONO_LOSS_DB,
            unit="dB",
        )
