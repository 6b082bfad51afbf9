"""``refmaster curve``: a plan's equalizer for other programs, and theirs for a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.choices import CURVE_FORMATS, CURVE_PARTS, PHASES, completing
from refmaster.cli.help import EQUALIZER, FILE
from refmaster.io.names import shown_line

if TYPE_CHECKING:
    from refmaster.takeaway.bands import BandFit
    from refmaster.takeaway.files import WrittenCurve

# Options by the settings that they are.
_NAMES = {
    "format": "--format",
    "bands": "--bands",
    "sample_rate_hz": "--sample-rate",
    "phase": "--phase",
    "part": "--part",
}


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "curve",
        help="Take a plan's equalizer to other programs, or one into a plan.",
        epilog="Example: refmaster curve plan.yaml --bands 8 -o eq.txt",
    )(run)


@options.grouped()
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan (YAML).")],
    output: Annotated[
        Path, options.output_option("The file to write: .wav, .txt, .frd or .yaml; with --read a plan.")
    ],
    printing: options.Printing,
    format: Annotated[  # noqa: A002 - the option's name
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(CURVE_FORMATS),
            help="Impulse response, Equalizer APO's GraphicEQ, a REW table, parametric bands, or a plan with "
            "moves in place of its curves.  "
            "[by the suffix of the output]",
            rich_help_panel=FILE,
            autocompletion=completing(lambda: CURVE_FORMATS),
        ),
    ] = None,
    bands: Annotated[
        int | None,
        typer.Option(
            "--bands", help="Fit so many shelves and bells, 2 to 24.  [8]", rich_help_panel=EQUALIZER
        ),
    ] = None,
    sample_rate_hz: Annotated[
        int | None,
        typer.Option(
            "--sample-rate",
            help="Of the impulse response, or that the bands run at, Hz.  [the plan's]",
            rich_help_panel=FILE,
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            "--phase",
            help="Of the impulse response: linear or minimum.  [the plan's]",
            rich_help_panel=EQUALIZER,
            autocompletion=completing(lambda: PHASES),
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            metavar="|".join(CURVE_PARTS),
            help="Only the curve of the mid, or of the side.  [both]",
            rich_help_panel=EQUALIZER,
            autocompletion=completing(lambda: CURVE_PARTS),
        ),
    ] = None,
    read: Annotated[
        Path | None,
        typer.Option(
            "--read",
            metavar="FILE",
            help="Take the curve of this text (Equalizer APO, REW) into the plan that is written.",
            rich_help_panel=FILE,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write one curve, or read one."""
    from refmaster.cli import screen
    from refmaster.cli.folders import folders_made
    from refmaster.settings.model import settings_from
    from refmaster.settings.takeaway import CurveSettings
    from refmaster.takeaway.files import export_curve, import_curve

    values = {
        "format": format,
        "bands": bands,
        "sample_rate_hz": sample_rate_hz,
        "phase": phase,
        "part": part,
    }
    given = {name: value for name, value in values.items() if value is not None}
    asked = settings_from(CurveSettings, given, names=_NAMES)
    if read is not None:
        _refuse_with_read(given)
        with folders_made(output.parent):
            edited = import_curve(read, plan, output, part=asked.part, overwrite=overwrite)
        if printing.as_json:
            screen.print_json({"output": str(output), "tone": edited.tone.model_dump(mode="json")})
        elif not printing.quiet:
            screen.print_text(f"written {shown_line(str(output))}: {edited.tone.why}", indent=8)
            if edited.level.gain_db is not None:
                screen.print_text(
                    f"note: the gain, {edited.level.gain_db:+.2f} dB, was solved for the old equalizer; "
                    "with lufs in place of gain_db, below level, render solves it anew",
                    indent=2,
                )
        return
    with folders_made(output.parent):
        written = export_curve(plan, output, overwrite=overwrite, **given)
    if printing.as_json:
        screen.print_json(_as_json(written))
    elif not printing.quiet:
        for line in _lines(written):
            screen.print_text(line, indent=8)
        if printing.verbose:
            for part_name, fit in written.fits.items():
                rows = [
                    [b.kind.replace("_", " "), f"{b.hz:.1f}", f"{b.gain_db:+.2f}", f"{b.q:.3f}"]
                    for b in fit.bands
                ]
                screen.print_table([part_name, "Hz", "dB", "Q"], rows)


def _refuse_with_read(given: dict[str, Any]) -> None:
    from refmaster.errors import SettingsError

    useless = [_NAMES[name] for name in given if name != "part"]
    if useless:
        raise SettingsError(f"{', '.join(useless)}: of no use with --read, which writes a plan; leave it out")


def _lines(written: WrittenCurve) -> list[str]:
    """Return what is said of a file that was written."""
    rate = written.sample_rate_hz
    about = {
        "impulse": f"impulse response, {rate} Hz, {len(written.channels)} channel(s): "
        + ", ".join(written.channels),
        "graphiceq": "GraphicEQ of Equalizer APO",
        "rew": "frequency table of REW",
        "bands": f"parametric bands at {rate} Hz, Q as in the Audio EQ Cookbook",
        "moves": "the plan, with moves in place of its curves",
    }[written.format]
    lines = [f"written {shown_line(str(written.output))} ({about})"]
    if written.delay_frames:
        lines.append(f"delay   {written.delay_frames} samples, {written.delay_frames / (rate or 1):.3f} s")
    for part, fit in written.fits.items():
        name = f"{part}: " if len(written.fits) > 1 else ""
        lines.append(
            f"fit     {name}{len(fit.bands)} bands, {fit.rms_error_db:.2f} dB RMS and at most "
            f"{fit.max_error_db:.2f} dB from the curve, 40 Hz to 16 kHz"
        )
    if written.left_out and written.format != "moves":
        lines.append(f"note: not in it, but in the plan: {'; '.join(written.left_out)}")
    return lines


def _as_json(written: WrittenCurve) -> dict[str, Any]:
    from dataclasses import asdict

    def fit_json(fit: BandFit) -> dict[str, Any]:
        return {
            "bands": [asdict(band) for band in fit.bands],
            "rms_error_db": round(fit.rms_error_db, 3),
            "max_error_db": round(fit.max_error_db, 3),
        }

    return {
        "output": str(written.output),
        "format": written.format,
        "parts": written.parts,
        "sample_rate_hz": written.sample_rate_hz,
        "channels": written.channels,
        "delay_frames": written.delay_frames,
        "fits": {part: fit_json(fit) for part, fit in written.fits.items()},
        "left_out": written.left_out,
    }
