"""The two doors: a plan's equalizer written for another program, and a text of one read into a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from refmaster.dsp.curves import Points, combined_points, curve_at
from refmaster.errors import SettingsError
from refmaster.io.atomic import check_destination, write_text
from refmaster.io.names import shown_line
from refmaster.plan import MasteringPlan, Tone, load_plan, relocated, save_plan
from refmaster.profile.bands import BANDS_HZ, third_octave_rms_db
from refmaster.profile.obtain import PathLike
from refmaster.settings.model import settings_from
from refmaster.settings.takeaway import DEFAULT_BANDS, CurveFormat, CurvePart, CurveSettings
from refmaster.takeaway.bands import BandFit, fit_bands
from refmaster.takeaway.impulse import CHANNELS, impulse_response, write_impulse
from refmaster.takeaway.moves import with_fitted_moves
from refmaster.takeaway.reading import read_curves
from refmaster.takeaway.texts import bands_text, graphic_eq_text, rew_text
from refmaster.takeaway.total import has_one_curve, left_out, total_points, without_mono_filter

_SUFFIXES: dict[str, CurveFormat] = {
    ".wav": "impulse",
    ".txt": "graphiceq",
    ".frd": "rew",
    ".yaml": "moves",
    ".yml": "moves",
}
_OTHER: dict[CurvePart, CurvePart] = {"mid": "side", "side": "mid"}
# What each setting is for; elsewhere it would be taken and ignored.
_ONLY_FOR: dict[str, tuple[CurveFormat, ...]] = {
    "bands": ("bands", "moves"),
    "sample_rate_hz": ("impulse", "bands"),
    "phase": ("impulse",),
}


@dataclass(frozen=True, kw_only=True)
class WrittenCurve:
    """A plan's equalizer as it was written.

    Attributes
    ----------
    output : Path
        The file.
    format : str
        "impulse", "graphiceq", "rew", "bands" or "moves".
    parts : tuple of str
        "mid" and "side" where both were written and differ; one of them where it is for all channels.
    sample_rate_hz : int or None
        Of an impulse response or of the bands.
    channels : tuple of str
        Of an impulse response, in order.
    delay_frames : int or None
        Of an impulse response.
    fits : dict
        The bands of each part, with their errors.
    left_out : tuple of str
        What the plan does besides its equalizer.
    """

    output: Path
    format: CurveFormat
    parts: tuple[CurvePart, ...]
    sample_rate_hz: int | None = None
    channels: tuple[str, ...] = ()
    delay_frames: int | None = None
    fits: Mapping[CurvePart, BandFit] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def export_curve(
    plan: MasteringPlan | PathLike, output: PathLike, *, overwrite: bool = False, **settings: Any
) -> WrittenCurve:
    """Write a plan's equalizer as an impulse response, as a text of other programs, or as parametric bands.

    Parameters
    ----------
    plan : MasteringPlan or path
        No audio is needed.
    output : str or Path
        The file to write; its suffix says the format where `format` does not.
    overwrite : bool
        Replace an existing file.
    **settings
        Of `refmaster.settings.takeaway.CurveSettings`: `format` ("impulse", "graphiceq", "rew", "bands" or
        "moves"), `bands` (how many to fit, 8 by default), `sample_rate_hz` (the plan's by default), `phase`
        ("linear" or "minimum"; the plan's by default), `part` ("mid" or "side" alone).

    Raises
    ------
    SettingsError
        The file is no plan, or a setting is wrong or of no use for the format.
    OutputError
        The file is there and may not be replaced, or cannot be written.
    """
    asked = settings_from(CurveSettings, {k: v for k, v in settings.items() if v is not None})
    path, inputs = Path(output), _inputs(plan)
    kind = _format_of(path, asked)
    check_destination(path, overwrite=overwrite, inputs=inputs)
    title = f"equalizer of {shown_line(inputs[0].name)}" if inputs else "equalizer of a plan"
    plan = _at_hand(plan)
    rest = left_out(plan, mono_filter=kind not in ("impulse", "moves"))
    if kind not in ("impulse", "moves"):
        plan = without_mono_filter(plan)
    parts = _parts_of(plan, asked, kind)
    if asked.part is not None:
        title = f"{asked.part} {title}"
    written = WrittenCurve(output=path, format=kind, parts=parts, left_out=rest)
    rate = asked.sample_rate_hz or plan.output.sample_rate_hz
    if kind == "impulse":
        phase = asked.phase or plan.tone.phase
        stereo = plan.mix.channels == 2 and asked.part is None
        response = impulse_response(plan.tone, parts, rate, phase, stereo=stereo)
        write_impulse(path, response, rate, overwrite=overwrite, inputs=inputs)
        delay = (len(response) - 1) // 2 if phase == "linear" else 0
        return replace(written, sample_rate_hz=rate, channels=CHANNELS[response.shape[1]], delay_frames=delay)
    count = asked.bands or DEFAULT_BANDS
    if kind == "moves":
        changed, fits = with_fitted_moves(plan, count)
        save_plan(changed, path, overwrite=overwrite)
        return replace(written, parts=tuple(fits), fits=fits)
    if kind == "bands":
        fits = {
            part: fit_bands(curve_at(total_points(plan.tone, part, rate), BANDS_HZ), count, rate)
            for part in parts
        }
        write_text(path, bands_text(fits, title, rate), overwrite=overwrite, inputs=inputs)
        return replace(written, sample_rate_hz=rate, fits=fits)
    curves = {part: total_points(plan.tone, part, rate) for part in parts}
    text = rew_text(curves[parts[0]], title) if kind == "rew" else graphic_eq_text(curves, title)
    write_text(path, text, overwrite=overwrite, inputs=inputs)
    return written


def import_curve(
    text: PathLike,
    plan: MasteringPlan | PathLike,
    output: PathLike,
    *,
    part: CurvePart | None = None,
    overwrite: bool = False,
) -> MasteringPlan:
    """Write a plan whose equalizer is the one of a text of Equalizer APO or Room EQ Wizard.

    Parameters
    ----------
    text : str or Path
        GraphicEQ, parametric filters, or a table of frequencies and gains.
    plan : MasteringPlan or path
        Whose other stages stay as they are, the level too: it was solved for the old equalizer.
    output : str or Path
        The plan to write.
    part : {"mid", "side"}, optional
        Take only this one from the text, and keep the plan's other one.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    MasteringPlan
        As it was written, its paths relative to the working folder.

    Raises
    ------
    SettingsError
        The text has no curve (naming the line), the plan is none, or a mono plan is asked for its side.
    OutputError
        The file is there and may not be replaced, or cannot be written.
    """
    check_destination(output, overwrite=overwrite, inputs=[text, *_inputs(plan)])
    plan = _at_hand(plan)
    found = read_curves(text, sample_rate_hz=plan.output.sample_rate_hz)
    _require_part(plan, part)
    tone = _with_curves(plan.tone, found, part)
    if plan.mix.channels == 1:
        tone = tone.model_copy(update={"width": ()})
    gain = curve_at(total_points(tone, "mid", plan.output.sample_rate_hz), BANDS_HZ)
    applied = third_octave_rms_db(gain, np.ones(len(BANDS_HZ), dtype=bool))
    said: dict[str, Any] = {
        "why": f"the curve{f' of the {part}' if part else ''} is that of {shown_line(Path(text).name)}",
        "width_why": tone.width_why if part == "mid" else "",
        "regions": (),
        "applied_db": None if applied is None else round(applied, 2),
    }
    plan = plan.model_copy(update={"tone": tone.model_copy(update=said)}).as_derived("tone")
    save_plan(plan, output, overwrite=overwrite)
    return plan


def _at_hand(plan: MasteringPlan | PathLike) -> MasteringPlan:
    """Return a plan whose paths are relative to the working folder."""
    if isinstance(plan, MasteringPlan):
        return plan
    return relocated(load_plan(plan), Path(), relative_to=Path(plan).parent)


def _inputs(plan: MasteringPlan | PathLike) -> list[Path]:
    return [] if isinstance(plan, MasteringPlan) else [Path(plan)]


def _format_of(path: Path, asked: CurveSettings) -> CurveFormat:
    """Return the format that is asked for, or that the suffix says; SettingsError where they do not fit."""
    by_suffix = _SUFFIXES.get(path.suffix.lower())
    if by_suffix == "graphiceq" and asked.bands is not None:
        by_suffix = "bands"
    kind = asked.format or by_suffix
    if kind is None:
        raise SettingsError(
            f"{path}: expected a name that ends in .wav (impulse response), .txt (text), .frd (REW) or .yaml "
            f'(plan with moves), found "{path.suffix}"; or say the format'
        )
    fixed = {"impulse": "that ends in .wav", "moves": "that ends in .yaml"}
    if kind != by_suffix and not fixed.keys().isdisjoint((kind, by_suffix)):
        raise SettingsError(
            f"{path}: the format {kind} needs a name {fixed.get(kind, 'of a text, such as .txt')}"
        )
    for name, formats in _ONLY_FOR.items():
        if getattr(asked, name) is not None and kind not in formats:
            raise SettingsError(
                f"{name}={getattr(asked, name)} is of no use for the format {kind}; leave it out"
            )
    return kind


def _require_part(plan: MasteringPlan, part: CurvePart | None) -> None:
    if part == "side" and plan.mix.channels == 1:
        raise SettingsError("the plan is for a mono mix, which has no side; leave part=side out")


def _parts_of(plan: MasteringPlan, asked: CurveSettings, kind: CurveFormat) -> tuple[CurvePart, ...]:
    """Return the curves to write: the one that is asked for, one that says all, or both."""
    _require_part(plan, asked.part)
    if asked.part is not None:
        if kind == "moves":
            raise SettingsError(f"part={asked.part} is of no use for the format moves; leave it out")
        return (asked.part,)
    if has_one_curve(plan):
        return ("mid",)
    if kind == "rew":
        raise SettingsError(
            "the plan's mid and side have different curves, and a REW table holds one: write two files, with "
            "part=mid and part=side"
        )
    return ("mid", "side")


def _with_curves(tone: Tone, found: Mapping[CurvePart, Points], part: CurvePart | None) -> Tone:
    """Return a tone with the curves of a text; the part that is not taken keeps its curve and its moves."""
    moves = tuple(
        move.model_copy(update={"on": _OTHER[part]})
        for move in tone.moves
        if part is not None and move.on != part
    )
    mid = tone.mid if part == "side" else found["mid"]
    side = tone.side if part == "mid" else found["side"]
    width = combined_points(side, mid, sign=-1.0)
    width = width if any(gain for _, gain in width) else ()
    return tone.model_copy(update={"mid": mid, "width": width, "moves": moves})
