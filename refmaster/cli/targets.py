"""``refmaster targets``: what each delivery target asks for, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from refmaster.cli import deliveries, options
from refmaster.cli.help import FILE

if TYPE_CHECKING:
    from refmaster.settings.targets import DeliveryTarget


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "targets",
        help="List the delivery targets of --for and --target, and sources.",
        epilog="Examples: refmaster master mix.wav -r ref.wav -o Masters/ --for spotify --for cd\n\n"
        "refmaster targets --show cd > my-target.yaml      (edit it, then: --for my-target.yaml)",
    )(run)


def run(
    targets: deliveries.TargetFolder = None,
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            metavar="NAME",
            help="Print a target's file, to make one of your own.",
            rich_help_panel=FILE,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print the table of delivery targets, or one target's file."""
    from refmaster.cli import screen
    from refmaster.settings.target_files import delivery_targets, target_text

    if show is not None:
        print(target_text(show, targets), end="")
        return
    table = delivery_targets(targets)
    as_of = min(target.checked_on for target in table.values())
    if as_json:
        listed = {name: target.model_dump(mode="json") for name, target in table.items()}
        screen.print_json({"version": 1, "as_of": f"{as_of:%Y-%m}", "targets": listed})
        return
    rows = [
        [name, _file(target), target.grade, _loudness(target), _peak(target)]
        for name, target in table.items()
    ]
    screen.print_table(["name", "file", "grade", "LUFS", "peak dB"], rows, text_columns=3)
    for name, target in table.items():
        screen.print_text(" ".join(filter(None, (f"{name}: {target.source}.", target.note))), indent=4)
    print()
    screen.print_text(
        f"as of {as_of:%Y-%m}; official: the platform's own page, standard: a published standard, "
        "secondary: as others report it. LUFS with +- are required, others are what music is played at. "
        "Peaks are true peaks (dBTP), on a CD samples (dBFS)."
    )


def _file(target: DeliveryTarget) -> str:
    """Return the format of the file in words: word lengths, rates in kHz, containers."""
    bits = "/".join(sorted(target.bit_depths)) + " bit" if target.bit_depths else ""
    rates = _span([rate / 1000 for rate in sorted(target.sample_rates_hz)])
    stereo = "stereo" if target.channels == (2,) else ""
    limiter = "" if target.limiter else "no limiter"
    return ", ".join(part for part in (bits, rates, "/".join(target.containers), stereo, limiter) if part)


def _span(rates_khz: list[float]) -> str:
    if not rates_khz:
        return ""
    return f"{rates_khz[0]:g}" + (f"-{rates_khz[-1]:g}" if len(rates_khz) > 1 else "") + " kHz"


def _loudness(target: DeliveryTarget) -> str:
    if target.integrated_lufs is None:
        return "-"
    tolerance = "" if target.tolerance_lu is None else f" +-{target.tolerance_lu:g}"
    return f"{target.integrated_lufs:g}{tolerance}"


def _peak(target: DeliveryTarget) -> str:
    limits: Iterable[float | None] = (target.true_peak_dbtp, target.sample_peak_dbfs)
    return "/".join(f"{limit:g}" for limit in limits if limit is not None) or "-"
