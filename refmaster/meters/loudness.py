"""Programme loudness: ITU-R BS.1770-4, EBU Tech 3341 (momentary, short-term) and Tech 3342 (range).

========== ======= ====== ===============================================================================
quantity   window  hop    notes
========== ======= ====== ===============================================================================
momentary  400 ms  100 ms the maximum is taken over windows every 10 ms: with 100 ms it reads up to
                          0.6 LU low
short-term 3 s     100 ms the maximum is taken over windows every 10 ms
integrated 400 ms  100 ms gates at -70 LUFS and 10 LU below the mean of what passed the first
range      3 s     100 ms gates at -70 LUFS and 20 LU below; 10th to 95th percentile
========== ======= ====== ===============================================================================

Only whole windows count; nothing is padded. What is shorter than a window has no such value: ``None``.
Digital silence has the loudness ``-inf``.

A power here is the mean square of the K-weighted channels, summed with the channels' weights; its loudness
is ``-0.691 + 10 log10 power``. The meter keeps one number per 10 ms, 3 MB an hour, and nothing else grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refmaster._types import Array, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.errors import AudioError
from refmaster.meters.kweighting import KWeightedPower
from refmaster.units import db_to_power, lufs_to_power, power_to_db, power_to_lufs

ABSOLUTE_GATE_LUFS = -70.0
INTEGRATED_GATE_LU = -10.0
RANGE_GATE_LU = -20.0
"""Relative gates, below the mean of the windows that pass the absolute one."""
RANGE_PERCENTILES = (10.0, 95.0)
RANGE_STABLE_SECONDS = 60.0
"""Tech 3342, section 3: before this much programme the loudness range is not stable."""

MOMENTARY_STEPS = 40
SHORT_TERM_STEPS = 300
HOP_STEPS = 10
_SURROUND = 1.41

CHANNEL_WEIGHTS: dict[int, tuple[float, ...]] = {
    1: (1.0,),
    2: (1.0, 1.0),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
}
"""Weights by channel count: mono; L R; L R C Ls Rs; L R C LFE Ls Rs (the order in WAV and FLAC)."""


@dataclass(frozen=True, kw_only=True)
class LoudnessResult:
    """Loudness of a recording; ``None`` is what the signal was too short for.

    Attributes
    ----------
    integrated_lufs : float or None
        Gated loudness; ``-inf`` when no block passed the gate.
    max_momentary_lufs, max_short_term_lufs : float or None
        Largest over windows every 10 ms.
    loudness_range_lu : float or None
        ``None`` also when no window passed the gate.
    loudness_range_stable : bool
        The signal is a minute or longer; before that the range may still move.
    momentary_lufs, short_term_lufs : ndarray
        Loudness of the windows of 400 ms and of 3 s that begin at 0, 100, 200 ms, ...
    gated_share : float
        Share of the 400 ms windows that passed both gates, 0 to 1.
    """

    integrated_lufs: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None
    loudness_range_lu: float | None
    loudness_range_stable: bool
    momentary_lufs: Array
    short_term_lufs: Array
    gated_share: float


def gate_block_powers(powers: Array, *, relative_gate_lu: float = INTEGRATED_GATE_LU) -> Array:
    """Return the powers above -70 LUFS and above the relative gate below their mean."""
    loud = powers[powers > lufs_to_power(ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return loud
    return np.asarray(loud[loud > loud.mean() * db_to_power(relative_gate_lu)])


def integrated_lufs_from_block_powers(powers: Array) -> float | None:
    """Return the gated loudness of 400 ms windows, of one signal or of several together.

    Parameters
    ----------
    powers : ndarray
        Their K-weighted powers, weighted by channel, linear.

    Returns
    -------
    float or None
        In LUFS; ``-inf`` when no window passed the gate, ``None`` when there is none.
    """
    if not len(powers):
        return None
    gated = gate_block_powers(powers)
    return power_to_lufs(float(gated.mean())) if len(gated) else -np.inf


def loudness_range_from_short_term(short_term_lufs: Array) -> float | None:
    """Return the loudness range (Tech 3342) of 3 s windows every 100 ms.

    Parameters
    ----------
    short_term_lufs : ndarray
        Short-term loudness, in LUFS.

    Returns
    -------
    float or None
        In LU; ``None`` when no window passed the gates.
    """
    powers = lufs_to_power(short_term_lufs)
    gated = np.sort(gate_block_powers(powers, relative_gate_lu=RANGE_GATE_LU))
    if not len(gated):
        return None
    # Nearest rank, as in the script printed in Tech 3342.
    low, high = (gated[round((len(gated) - 1) * p / 100.0)] for p in RANGE_PERCENTILES)
    return power_to_db(float(high / low))


def momentary_spread_lu(momentary_lufs: ArrayLike) -> float | None:
    """Return how far the loud parts of a signal stand above its middle.

    Parameters
    ----------
    momentary_lufs : ndarray
        Loudness of 400 ms windows, in LUFS; those count that pass the gates of the integrated loudness.

    Returns
    -------
    float or None
        Their 95th less their 50th percentile, in LU; ``None`` when none passed the gates.
    """
    gated = gate_block_powers(lufs_to_power(np.asarray(momentary_lufs)))
    if not len(gated):
        return None
    middle, high = np.percentile(power_to_lufs(gated), (50.0, 95.0))
    return float(high - middle)


class PowerSteps:
    """K-weighted power in 10 ms steps: sums of squares, the channels weighted and added.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    channel_weights : sequence of float
        Weight of each channel's power; 0 leaves a channel out.
    """

    def __init__(self, sample_rate_hz: int, channel_weights: Sequence[float]) -> None:
        weights = np.asarray(channel_weights, dtype=np.float64)
        self._heard = np.flatnonzero(weights)
        self._all_heard = len(self._heard) == len(weights)
        self._weights = weights[self._heard]
        self._power = KWeightedPower(sample_rate_hz, len(self._heard))
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._steps: list[Array] = []

    def update(self, block: Block) -> None:
        """Take the next ``(frames, channels)``, any number of frames."""
        for second in self._seconds.push(block):
            self._steps.append(self._power.second(self._of_heard(second)) @ self._weights)

    def sums(self) -> Array:
        """Return the sum of each whole step so far; more may follow."""
        steps = list(self._steps)
        rest = self._seconds.remainder()
        if rest is not None:
            self._seconds.push(rest)
            steps.append(self._power.last(self._of_heard(rest)) @ self._weights)
        return np.concatenate([*steps, np.empty(0)])

    def window_powers(self, sums: Array, steps: int) -> Array:
        """Return the mean power of the windows of so many steps that begin at each step.

        Windows are summed afresh and not from running totals, so that silence after sound is exactly silent.
        """
        frames = np.resize(self._power.step_frames, len(sums)).astype(np.float64)
        totals = []
        for values in (sums, frames):
            tens = _sliding_sum(values, HOP_STEPS)
            totals.append(_sliding_sum(tens, steps // HOP_STEPS, HOP_STEPS))
        return np.asarray(totals[0] / totals[1])

    def _of_heard(self, block: Block) -> Block:
        return block if self._all_heard else block[:, self._heard]


class LoudnessMeter:
    """Streaming loudness meter.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    channels : int
        Number of channels.
    channel_weights : sequence of float, optional
        Weight of each channel's power; 0 leaves a channel out. By default that of `CHANNEL_WEIGHTS`.

    Raises
    ------
    AudioError
        No weights are known for this number of channels.
    """

    def __init__(
        self, sample_rate_hz: int, channels: int, *, channel_weights: Sequence[float] | None = None
    ) -> None:
        if channel_weights is None:
            if channels not in CHANNEL_WEIGHTS:
                known = ", ".join(str(count) for count in CHANNEL_WEIGHTS)
                raise AudioError(
                    f"expected {known} channels to measure loudness, found {channels}, for which BS.1770 "
                    "gives no order of loudspeakers; fold it down first, or pass channel_weights"
                )
            channel_weights = CHANNEL_WEIGHTS[channels]
        if len(channel_weights) != channels:
            raise ValueError(f"expected {channels} channel_weights, got {len(channel_weights)}")
        self._steps = PowerSteps(sample_rate_hz, channel_weights)
        self._stable_frames = RANGE_STABLE_SECONDS * sample_rate_hz
        self._frames = 0

    def update(self, block: Block) -> None:
        """Take the next ``(frames, channels)``, any number of frames."""
        self._frames += len(block)
        self._steps.update(block)

    def result(self) -> LoudnessResult:
        """Return what was measured so far; more may follow."""
        sums = self._steps.sums()
        momentary = self._steps.window_powers(sums, MOMENTARY_STEPS)
        short_term = self._steps.window_powers(sums, SHORT_TERM_STEPS)
        blocks = momentary[::HOP_STEPS]
        short_term_lufs = power_to_lufs(short_term[::HOP_STEPS])
        return LoudnessResult(
            integrated_lufs=integrated_lufs_from_block_powers(blocks),
            max_momentary_lufs=_maximum_lufs(momentary),
            max_short_term_lufs=_maximum_lufs(short_term),
            loudness_range_lu=loudness_range_from_short_term(short_term_lufs),
            loudness_range_stable=self._frames >= self._stable_frames,
            momentary_lufs=power_to_lufs(blocks),
            short_term_lufs=short_term_lufs,
            gated_share=len(gate_block_powers(blocks)) / len(blocks) if len(blocks) else 0.0,
        )


def _sliding_sum(values: Array, length: int, stride: int = 1) -> Array:
    """Return ``values[i] + values[i + stride] + ...``, ``length`` terms, wherever all of them exist."""
    count = len(values) - (length - 1) * stride
    if count <= 0:
        return np.empty(0)
    total = values[:count].copy()
    for term in range(1, length):
        total += values[term * stride : term * stride + count]
    return total


def _maximum_lufs(powers: Array) -> float | None:
    return power_to_lufs(float(powers.max())) if len(powers) else None
