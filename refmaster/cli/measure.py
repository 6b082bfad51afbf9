"""``refmaster measure``: what recordings measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmaster.cli import options
from refmaster.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "measure",
        help="Measure recordings: loudness, true peak, dynamics, spectrum, stereo image.",
        epilog="Example: refmaster measure master.wav --save profile.yaml",
    )(run)


def run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings or saved profiles.")],
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Save the profile as YAML; it can stand wherever a reference can."),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure each file."""
    if save is not None and len(files) != 1:
        raise SettingsError(f"--save: expected one FILE to save the profile of, found {len(files)}")
    from refmaster.cli import screen
    from refmaster.io.atomic import check_destination
    from refmaster.profile.model import save_profile
    from refmaster.profile.obtain import profile_of

    if save is not None:
        check_destination(save, overwrite=overwrite, inputs=files)
    with screen.progress_bar(not (quiet or as_json)) as progress:
        profiles = [profile_of(path, progress, stage="measuring") for path in files]
    if save is not None:
        save_profile(profiles[0], save, overwrite=overwrite)
    if as_json:
        screen.print_json({"profiles": [profile.model_dump(mode="json") for profile in profiles]})
    elif not quiet:
        screen.print_profiles(profiles)
