"""The equalizer of a plan as an impulse response: the very filter that a render applies.

Channels of the file, by what the plan asks:

* one (mono) where the mix is mono, or where only the mid or the side is taken;
* two (left, right), the same, where mid and side have one curve;
* four where they differ, "true stereo" in the order left to left, left to right, right to left, right to
  right, as convolution reverbs have it. With M and S the filters of mid and side, left to left and right to
  right are (M + S) / 2, the two across (M - S) / 2; as these are equal, programs that want the two in the
  middle exchanged take the file as it is.

A linear-phase response is symmetric around its middle and late by that much; a minimum-phase one begins at 0.
Samples are 32-bit floats at the gain that they apply: nothing is normalised, and boosts may exceed 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refmaster._types import Array
from refmaster.dsp.fir import design_linear_phase, design_minimum_phase
from refmaster.io.atomic import atomic_destination
from refmaster.io.formats import OutputFormat
from refmaster.io.sink import AudioSink
from refmaster.plan import Tone
from refmaster.settings.match import Phase
from refmaster.settings.takeaway import CurvePart
from refmaster.takeaway.total import total_points

CHANNELS: dict[int, tuple[str, ...]] = {
    1: ("mono",),
    2: ("left", "right"),
    4: ("left to left", "left to right", "right to left", "right to right"),
}


def impulse_response(
    tone: Tone, parts: Sequence[CurvePart], sample_rate_hz: int, phase: Phase, *, stereo: bool
) -> Array:
    """Return an impulse response, shape (taps, channels), see the module for its channels.

    Parameters
    ----------
    tone : Tone
        The equalizer.
    parts : sequence of {"mid", "side"}
        One curve for all channels, or those of mid and side.
    sample_rate_hz : int
        Of the response.
    phase : {"linear", "minimum"}
        Linear-phase taps are odd in number and centred at ``(taps - 1) // 2``.
    stereo : bool
        Whether one curve is for left and right, or for a single channel.
    """
    design = design_linear_phase if phase == "linear" else design_minimum_phase
    curves = (total_points(tone, part, sample_rate_hz) for part in parts)
    filters = []
    for points in curves:
        hz, gain_db = zip(*points, strict=True)
        filters.append(design(hz, gain_db, sample_rate_hz))
    if len(filters) == 1:
        return np.column_stack(filters * 2 if stereo else filters)
    mid, side = filters
    own, across = (mid + side) / 2, (mid - side) / 2
    return np.column_stack([own, across, across, own])


def write_impulse(
    path: Path, response: Array, sample_rate_hz: int, *, overwrite: bool, inputs: Sequence[Path]
) -> None:
    """Write an impulse response as a WAV file of 32-bit floats.

    Raises
    ------
    OutputError
        As for `refmaster.io.atomic.atomic_destination`.
    """
    held = OutputFormat(
        container="WAV",
        subtype="FLOAT",
        sample_rate_hz=sample_rate_hz,
        channels=response.shape[1],
        dither=False,
        dither_seed=0,
    )
    with atomic_destination(path, overwrite=overwrite, inputs=inputs) as making:
        with AudioSink(making.path, held, frames=len(response), name=str(path)) as sink:
            sink.write(response)
        making.commit()
