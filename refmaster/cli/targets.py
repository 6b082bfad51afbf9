"""``refmaster targets``: the delivery presets, and who says so."""

from __future__ import annotations

import typer

from refmaster.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "targets",
        help="List the delivery presets for --target, with their sources.",
        epilog="Example: refmaster master mix.wav -r ref.wav --target spotify -o master.wav",
    )(run)


def run(as_json: options.Json = False) -> None:
    """Print the table of delivery targets."""
    from refmaster.cli import screen
    from refmaster.settings.targets import delivery_table

    table = delivery_table()
    if as_json:
        screen.print_json(table.model_dump(mode="json"))
        return
    rows = [
        [
            name,
            target.source,
            target.grade,
            target.note,
            "-" if target.integrated_lufs is None else f"{target.integrated_lufs:g}",
            f"{target.true_peak_dbtp:g}",
        ]
        for name, target in table.targets.items()
    ]
    screen.print_table(["name", "source", "grade", "note", "LUFS", "dBTP"], rows, text_columns=4)
    screen.print_text(
        f"as of {table.as_of}; official: the platform's own page, standard: a published standard, "
        "secondary: as others report it"
    )
