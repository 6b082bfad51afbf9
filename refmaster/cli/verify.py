"""``refmaster verify``: prove delivered files against their manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options

if TYPE_CHECKING:
    from refmaster.delivery.verify import Verification, VerifiedFile


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "verify",
        help="Prove that delivered files are as their MANIFEST says.\n\nHashes are compared, loudness and "
        "true peak measured by other meters than refmaster's. Exit code 1 says that a file is not what the "
        "manifest says.",
        epilog="Example: refmaster verify Masters/manifest.json --render",
    )(run)


def run(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A manifest (JSON) beside the files, or a release.")
    ],
    render: Annotated[
        bool,
        typer.Option(
            "--render",
            help="Render each file again from its plan and compare the bytes; this reads the mix, stems and "
            "cover art that the manifest names.",
        ),
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Verify the files of one manifest."""
    from refmaster.cli import screen
    from refmaster.delivery.verify import verify
    from refmaster.release.verify import is_release_record

    if is_release_record(manifest):
        _verify_release(manifest, render=render, as_json=as_json, quiet=quiet)
        return
    with screen.progress_bar(not (quiet or as_json)) as progress:
        result = verify(manifest, render=render, progress=progress)
    if as_json:
        screen.print_json(_json(result))
    else:
        if not quiet:
            _print_files(result, render=render)
        screen.print_findings(result.findings, quiet=quiet)
    screen.conclude(kept_promises=result.kept_promises)


def _verify_release(record: Path, *, render: bool, as_json: bool, quiet: bool) -> None:
    from refmaster.cli import screen
    from refmaster.errors import SettingsError
    from refmaster.release.verify import verify_release

    if render:
        raise SettingsError(
            "--render: expected a manifest for that, found a release; release it again instead"
        )
    problems = verify_release(record)
    if as_json:
        screen.print_json({"release": str(record), "kept_promises": not problems, "problems": problems})
    else:
        for problem in problems:
            screen.complain(problem)
        if not (problems or quiet):
            screen.print_text("every file is as it was released")
    screen.conclude(kept_promises=not problems)


def _print_files(result: Verification, *, render: bool) -> None:
    from refmaster.cli import screen
    from refmaster.cli.table import Name

    rows = []
    for file in result.files:
        achieved = file.delivery.achieved
        meters = [("manifest", achieved.integrated_lufs, achieved.true_peak_dbtp)]
        meters += [(r.meter, r.integrated_lufs, r.true_peak_dbtp) for r in file.readings]
        for number, (meter, lufs, dbtp) in enumerate(meters):
            first = [Name(file.delivery.file), file.render if render else ""] if number == 0 else ["", ""]
            rows.append([*first, meter, *("-" if v is None else f"{v:.2f}" for v in (lufs, dbtp))])
    screen.print_table(
        ["file", "rendered again" if render else "", "meter", "LUFS", "dBTP"], rows, text_columns=3
    )


def _json(result: Verification) -> dict[str, Any]:
    return {
        "manifest": str(result.manifest),
        "kept_promises": result.kept_promises,
        "files": [_file_json(file) for file in result.files],
    }


def _file_json(file: VerifiedFile) -> dict[str, Any]:
    from dataclasses import asdict

    delivery = file.delivery
    return {
        "file": delivery.file,
        "target": delivery.target,
        "asked": delivery.asked.model_dump(mode="json"),
        "achieved": delivery.achieved.model_dump(mode="json"),
        "readings": [asdict(reading) for reading in file.readings],
        "render": file.render,
        "findings": [finding.model_dump(mode="json") for finding in file.findings],
    }
