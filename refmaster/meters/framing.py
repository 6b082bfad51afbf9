"""Look for the frames of a lossy codec in decoded audio.

A codec cuts the signal into frames, transforms each and rounds the coefficients; at high frequencies many
become zero. Who transforms the decoded signal again with the same frames finds those zeros; frames that begin
a single sample earlier or later have none. So each transform is tried with its frames beginning at every
sample, on a few excerpts, and one beginning that stands out tells the codec. A low-pass makes none stand out.

References
----------
Herre, Schug, "Analysis of Decompressed Audio: The Inverse Decoder", 109th AES Convention, 2000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32
from refmaster.dsp.lapped import hybrid_basis, kaiser_bessel_slope, mdct_basis, vorbis_slope

EXCERPT_FRAMES = 16384
# Coefficients that are looked at, of the hundreds there are.
LINES = 20
# Where they lie, as shares of the frequency up to which there is sound: codecs round most where it is high.
_LOWEST, _HIGHEST = 0.35, 0.98
# A coefficient this far below its usual power counts as half a zero.
_ZERO_POWER = 0.001
# Lines whose power is not clearly above the rounding of the samples say nothing.
_ABOVE_ROUNDING = 16.0
# Fewer coefficients than this in an excerpt are too few to tell chance from frames.
_MIN_COEFFICIENTS = 200
# Samples on either side that a beginning is held against.
_NEIGHBOURS = 12
_OPUS_RATE_HZ = 48000
_OPUS_EMPHASIS = 0.85  # RFC 6716, 4.3.8

Basis = Callable[[NDArray[np.intp]], Array]
Codec = Literal["mp3", "aac", "vorbis", "opus"]


@dataclass(frozen=True, kw_only=True)
class Coding:
    """The transform of a codec."""

    codec: Codec
    hop: int
    basis: Basis
    side: bool = False  # rounded in the side as often as in the channels
    emphasis: float = 0.0


CODINGS = (
    Coding(codec="mp3", hop=576, basis=hybrid_basis),
    Coding(codec="aac", hop=1024, basis=partial(mdct_basis, kaiser_bessel_slope(1024), 1024), side=True),
    Coding(codec="vorbis", hop=1024, basis=partial(mdct_basis, vorbis_slope(1024), 1024)),
    Coding(codec="opus", hop=960, basis=partial(mdct_basis, vorbis_slope(120), 960), emphasis=_OPUS_EMPHASIS),
)


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Prominence of the frames of one codec.

    Attributes
    ----------
    codec : Codec
    prominence : float
        By how many standard deviations the best beginning of the frames stands out of all others; about 3
        to 5 where there are no frames.
    offset : int
        That beginning, in samples from the recording's start, below the codec's hop.
    """

    codec: Codec
    prominence: float
    offset: int


def find_framing(
    excerpts: Sequence[tuple[int, Array32]], sample_rate_hz: int, highest_hz: float, rounding_power: float
) -> list[Framing]:
    """Return how clearly each codec's frames stand out in excerpts of a recording, the clearest first.

    Parameters
    ----------
    excerpts : sequence of (int, ndarray of shape (EXCERPT_FRAMES, channels))
        Where each begins in the recording, and its samples; channels beyond the second are left out.
    sample_rate_hz : int
        In Hz; Opus is looked for at 48 kHz alone.
    highest_hz : float
        Up to here there is sound.
    rounding_power : float
        Mean square of the rounding of the samples.
    """
    found = [
        _framing(coding, excerpts, highest_hz / sample_rate_hz, rounding_power)
        for coding in CODINGS
        if coding.codec != "opus" or sample_rate_hz == _OPUS_RATE_HZ
    ]
    return sorted(found, key=lambda framing: -framing.prominence)


def _framing(
    coding: Coding, excerpts: Sequence[tuple[int, Array32]], highest: float, rounding_power: float
) -> Framing:
    """Return how clearly one codec's frames stand out; `highest` is a share of the sample rate."""
    hop = coding.hop
    bins = np.unique(np.linspace(_LOWEST, _HIGHEST, LINES) * (2 * hop * highest)).astype(np.intp)
    basis = coding.basis(np.unique(bins[bins < hop]))
    rounding = (rounding_power * (1.0 + coding.emphasis**2)) * np.sum(basis**2, axis=1)
    filters = np.conj(np.fft.rfft(basis.astype(np.float32), EXCERPT_FRAMES, axis=1))
    reach = EXCERPT_FRAMES - basis.shape[1] + 1
    together = np.zeros(hop)
    best = Framing(codec=coding.codec, prominence=0.0, offset=0)
    for start, samples in excerpts:
        zeros, heard = np.zeros(hop), 0
        for signal in _signals(samples, coding):
            found, count = _zeros(signal, filters, hop, reach, rounding)
            zeros, heard = zeros + found, heard + count
        if heard < _MIN_COEFFICIENTS:
            continue
        # Beginnings are counted from the recording's start, so that excerpts can be added.
        standing = np.roll(_standing_out(zeros), start % hop)
        together += standing
        best = max(best, _peak(coding, standing), key=lambda framing: framing.prominence)
    if len(excerpts) > 1:
        best = max(best, _peak(coding, _standing_out(together)), key=lambda framing: framing.prominence)
    return best


def _peak(coding: Coding, standing: Array) -> Framing:
    place = int(np.argmax(standing))
    return Framing(codec=coding.codec, prominence=float(standing[place]), offset=place)


def _signals(samples: Array32, coding: Coding) -> list[Array32]:
    """Return the signals that a codec may have rounded."""
    channels = [samples[:, number] for number in range(min(2, samples.shape[1]))]
    if len(channels) == 2:
        side = channels[0] - channels[1]
        if not side.any():
            channels = channels[:1]
        elif coding.side:
            channels.append(0.5 * side)
    if coding.emphasis:
        factor = np.float32(coding.emphasis)
        channels = [np.append(signal[:1], signal[1:] - factor * signal[:-1]) for signal in channels]
    return channels


def _zeros(
    signal: Array32, filters: NDArray[np.complex64], hop: int, reach: int, rounding: Array
) -> tuple[Array, int]:
    """Return how many coefficients are zero for frames from each of `hop` samples on, and of how many."""
    lines = np.fft.irfft(np.fft.rfft(signal) * filters, EXCERPT_FRAMES, axis=1)[:, : reach // hop * hop]
    power = np.square(lines, out=lines).reshape(len(lines), -1, hop)
    usual = power.mean(axis=2, keepdims=True)
    heard = usual > (_ABOVE_ROUNDING * rounding)[:, np.newaxis, np.newaxis]
    # 1 for a zero, 0 for a usual coefficient; the same for every beginning where nothing is heard.
    scale = np.where(heard, np.divide(1.0, _ZERO_POWER * usual, where=heard, out=np.zeros_like(usual)), 0.0)
    power *= scale.astype(np.float32)
    power += 1.0
    return np.reciprocal(power, out=power).sum(axis=(0, 1), dtype=np.float64), int(np.count_nonzero(heard))


def _standing_out(values: Array) -> Array:
    """Return by how many standard deviations, robustly taken, each value stands above its neighbours.

    Zeros come with one beginning and not with those beside it; what fades and attacks do to the count is
    smooth.
    """
    padded = np.pad(values, _NEIGHBOURS, mode="reflect")
    summed = np.cumsum(np.concatenate([np.zeros(1), padded]))
    around = (summed[2 * _NEIGHBOURS + 1 :] - summed[: -2 * _NEIGHBOURS - 1] - values) / (2 * _NEIGHBOURS)
    above = values - around
    lower = np.sort(above)[: -max(1, len(above) // 100)]  # a few tones leave few chances: the tail is long
    spread = max(1.4826 * float(np.median(np.abs(above - np.median(above)))), float(lower.std()))
    return above / spread if spread > 1e-9 else np.zeros_like(values)
