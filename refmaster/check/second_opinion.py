"""The integrated loudness of a recording by an independent meter, pyloudnorm, to set beside refmaster's own.

pyloudnorm holds the whole recording in memory more than once and calls Python for every 100 ms, so it is not
asked about long recordings. Under 0.4 s, and for more than two channels, it gives no comparable value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refmaster.io.source import AudioSource

# 15 minutes of stereo at 44.1 kHz, which take about 1 GB.
MAX_SAMPLES = 80_000_000
MIN_DURATION_S = 0.4


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """A loudness by pyloudnorm.

    Attributes
    ----------
    integrated_lufs : float or None
        None for silence, and where the recording was not measured.
    difference_lu : float or None
        To refmaster's own value.
    skipped : str or None
        Why it was not measured; None where it was.
    """

    integrated_lufs: float | None = None
    difference_lu: float | None = None
    skipped: str | None = None


def second_opinion(source: AudioSource, own_lufs: float | None) -> SecondOpinion:
    """Measure a recording with pyloudnorm (BS.1770-4, the K-weighting filters of De Man).

    Parameters
    ----------
    source : AudioSource
        Mono or stereo; it is read whole.
    own_lufs : float or None
        Its integrated loudness by refmaster; None for silence.

    Raises
    ------
    AudioError
        The source cannot be read to its end, or a sample is not finite.
    """
    channels, rate = source.format.channels, source.format.sample_rate_hz
    if channels > 2:
        return SecondOpinion(skipped=f"{channels} channels; one or two can be compared")
    blocks, samples = [], 0
    for block in source.blocks():
        blocks.append(block)
        samples += block.size
        if samples > MAX_SAMPLES:
            minutes = MAX_SAMPLES / channels / rate / 60
            return SecondOpinion(skipped=f"over {minutes:.0f} minutes take too much memory")
    if samples < MIN_DURATION_S * rate * channels:
        return SecondOpinion(skipped=f"under {MIN_DURATION_S} s there is no loudness")
    import pyloudnorm

    audio = np.concatenate(blocks)
    blocks.clear()
    lufs = float(pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(audio))
    if not np.isfinite(lufs):
        return SecondOpinion()
    difference_lu = None if own_lufs is None else round(lufs - own_lufs, 3)
    return SecondOpinion(integrated_lufs=round(lufs, 3), difference_lu=difference_lu)
