"""``refmaster measure``: loudness, true peak, spectrum and stereo image of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.errors import SettingsError

if TYPE_CHECKING:
    from refmaster.check.second_opinion import SecondOpinion
    from refmaster.profile.model import Profile


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "measure",
        help="Measure loudness, true peak, dynamics, spectrum and stereo image.",
        epilog="Example: refmaster measure master.wav --save profile.yaml",
    )(run)


def run(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings or saved profiles.")],
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            help="Save the profile as YAML; it can stand wherever a reference can.",
            rich_help_panel=FILE,
        ),
    ] = None,
    second_opinion: Annotated[
        bool,
        typer.Option(
            "--second-opinion",
            help="Also measure the integrated loudness with pyloudnorm, an independent meter.",
        ),
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure each file."""
    if save is not None and len(files) != 1:
        raise SettingsError(f"--save: expected one FILE to save the profile of, found {len(files)}")
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.io.atomic import check_destination
    from refmaster.profile.model import save_profile
    from refmaster.profile.obtain import profile_of

    if save is not None:
        check_destination(save, overwrite=overwrite, inputs=files)
    with screen.progress_bar(not (quiet or as_json)) as progress, Staging(progress) as staging:
        paths = [staging.fetched(file) for file in files]
        profiles = [profile_of(path, progress, stage="measuring") for path in paths]
        opinions = [_opinion(*pair) for pair in zip(paths, profiles, strict=True)] if second_opinion else []
    if save is not None:
        save_profile(profiles[0], save, overwrite=overwrite)
    if as_json:
        found: dict[str, Any] = {"profiles": [profile.model_dump(mode="json") for profile in profiles]}
        if opinions:
            found["second_opinions"] = [{"meter": "pyloudnorm", **asdict(o)} for o in opinions]
        screen.print_json(found)
    elif not quiet:
        screen.print_profiles(profiles, _opinion_rows(opinions))
        for profile, opinion in zip(profiles, opinions, strict=bool(opinions)):
            if opinion.skipped:
                print(f"note: {profile.name} was not measured by pyloudnorm: {opinion.skipped}")


def _opinion(path: Path, profile: Profile) -> SecondOpinion:
    from refmaster.check.second_opinion import SecondOpinion, second_opinion
    from refmaster.io.open import open_audio
    from refmaster.profile.model import is_profile_path

    if is_profile_path(path):
        return SecondOpinion(skipped="a saved profile holds no audio")
    return second_opinion(open_audio(path), profile.levels.integrated_lufs)


def _opinion_rows(opinions: Sequence[SecondOpinion]) -> list[list[str]]:
    if not opinions:
        return []
    from refmaster.report.result import shown

    return [
        ["By pyloudnorm", "LUFS", *(shown(o.integrated_lufs) for o in opinions)],
        ["Difference", "LU", *(shown(o.difference_lu, "{:+.3f}") for o in opinions)],
    ]
