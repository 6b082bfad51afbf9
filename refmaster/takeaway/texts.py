"""Curves as the texts of other programs.

GraphicEQ and parametric text are Equalizer APO's (its wiki, "Configuration reference"; how it takes them is
read in its sources, ``filters/GraphicEQFilter``, ``filters/BiQuadFilterFactory``, ``helpers/GainIterator``):

* ``GraphicEQ: 20 -1.5; 25 0`` has pairs of Hz and dB, linear in dB over log frequency and flat beyond the
  ends, which is how a plan's curves are meant. Equalizer APO makes a minimum-phase filter of them.
* ``Filter 1: ON PK Fc 100.0 Hz Gain 1.00 dB Q 1.000``: PK is a bell, LSC and HSC are shelves whose Fc is the
  frequency of half the gain; all with the Q of the Audio EQ Cookbook. An Fc with three decimals would be read
  with its point as a thousands separator. Room EQ Wizard's generic equaliser has the same lines.
* Where mid and side differ, ``Copy`` makes channels MID and SIDE of L and R and puts them back together.

The REW table is the text that Room EQ Wizard imports as a frequency response (its help, "Importing
Measurement Data"): a line for each frequency, rising, with the level in dB; comments begin with ``*``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refmaster.dsp.curves import Points
from refmaster.settings.takeaway import CurvePart
from refmaster.takeaway.bands import BandFit, BandKind, ParametricBand
from refmaster.version import made_by

ENCODE_MID_SIDE = "MID=0.5*L+0.5*R SIDE=0.5*L+-0.5*R"
DECODE_MID_SIDE = "L=MID+SIDE R=MID+-1.0*SIDE"
FILTER_NAMES: dict[BandKind, str] = {"low_shelf": "LSC", "bell": "PK", "high_shelf": "HSC"}


def graphic_eq_text(curves: Mapping[CurvePart, Points], title: str) -> str:
    """Return Equalizer APO's GraphicEQ; one curve is for all channels, two are for mid and side."""
    lines = {
        part: ["GraphicEQ: " + "; ".join(f"{hz:.10g} {gain:.2f}" for hz, gain in points)]
        for part, points in curves.items()
    }
    return _equalizer_apo(lines, title)


def bands_text(fits: Mapping[CurvePart, BandFit], title: str, sample_rate_hz: int) -> str:
    """Return Equalizer APO's parametric filters; one fit is for all channels, two are for mid and side."""
    lines = {}
    for part, fit in fits.items():
        fitted = (
            f"# {len(fit.bands)} bands at {sample_rate_hz} Hz, {fit.rms_error_db:.2f} dB RMS and at most "
            f"{fit.max_error_db:.2f} dB from the curve, 40 Hz to 16 kHz; Q as in the Audio EQ Cookbook"
        )
        filters = [_filter(number, band) for number, band in enumerate(fit.bands, 1)]
        lines[part] = [fitted, *(filters or ["Preamp: 0 dB"])]
    return _equalizer_apo(lines, title)


def rew_text(points: Points, title: str) -> str:
    """Return the table of frequencies and gains that Room EQ Wizard imports."""
    rows = [f"{hz:.10g} {gain:.3f}" for hz, gain in points]
    return "\n".join([f"* {title}, by {made_by()}", "* Freq(Hz) SPL(dB)", *rows]) + "\n"


def _filter(number: int, band: ParametricBand) -> str:
    return (
        f"Filter {number:2}: ON  {FILTER_NAMES[band.kind]:<3}  Fc {band.hz:7.1f} Hz  "
        f"Gain {band.gain_db:6.2f} dB  Q {band.q:.3f}"
    )


def _equalizer_apo(lines: Mapping[CurvePart, Sequence[str]], title: str) -> str:
    head = f"# {title}, by {made_by()}"
    if len(lines) == 1:
        (only,) = lines.values()
        return "\n".join([head, *only]) + "\n"
    text = [head, f"Copy: {ENCODE_MID_SIDE}"]
    for part, own in lines.items():
        text += [f"Channel: {part.upper()}", *own]
    return "\n".join([*text, "Channel: ALL", f"Copy: {DECODE_MID_SIDE}"]) + "\n"
