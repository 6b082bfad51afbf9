"""``refmaster measure``: loudness, true peak, spectrum and stereo image of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import options
from refmaster.cli.help import FILE
from refmaster.errors import ExitCode, InputError, SettingsError

if TYPE_CHECKING:
    from refmaster._types import Progress
    from refmaster.check.second_opinion import SecondOpinion
    from refmaster.cli.profiles import Measured
    from refmaster.profile.model import Profile

Failure = tuple[str | Path, InputError]


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "measure",
        help="Measure loudness, true peak, dynamics, spectrum and image.",
        epilog="Example: refmaster measure master.wav --save profile.yaml",
    )(run)


def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Recordings, folders of those, or saved profiles.")
    ],
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
    """Measure each file; those that cannot be measured do not keep the others from it."""
    from refmaster.batch.staging import Staging
    from refmaster.cli import screen
    from refmaster.cli.complaints import message_of
    from refmaster.cli.profiles import print_profiles

    paths, failures = recordings_of(files)
    if save is not None and len(paths) != 1:
        raise SettingsError(f"--save: expected one FILE to save the profile of, found {len(paths)}")
    measured: list[Measured] = []
    with screen.progress_bar(not (quiet or as_json)) as progress, Staging(progress) as staging:
        for path in paths:
            try:
                file = staging.fetched(str(path))
                measured.append(
                    _measured(file, save, progress, overwrite=overwrite, second_opinion=second_opinion)
                )
            except InputError as error:
                failures.append((path, error))
    if len(failures) == 1 and not measured:
        raise failures[0][1]
    if as_json:
        screen.print_json(_json(measured, failures))
    elif not quiet and measured:
        print_profiles(measured)
    for _, failure in failures:
        screen.complain(message_of(failure))
    if failures:
        raise typer.Exit(ExitCode.BAD_INPUT)


def recordings_of(files: Sequence[str]) -> tuple[list[str | Path], list[Failure]]:
    """Return the files (or URLs) and the recordings in folders, and the folders that have none."""
    from refmaster.io.recordings import recordings_in

    paths: list[str | Path] = []
    failures: list[Failure] = []
    for file in files:
        try:
            paths += recordings_in([Path(file)]) if Path(file).is_dir() else [file]
        except InputError as error:
            failures.append((file, error))
    return paths, failures


def _measured(
    path: Path, save: Path | None, progress: Progress | None, *, overwrite: bool, second_opinion: bool
) -> Measured:
    """Return a file's profile, and the second opinion if that is asked for; save the profile."""
    from refmaster.cli.folders import folders_made
    from refmaster.io.atomic import check_destination
    from refmaster.io.names import check_text
    from refmaster.profile.model import save_profile
    from refmaster.profile.obtain import profile_of

    with folders_made(save and save.parent):
        if save is not None:
            check_destination(save, overwrite=overwrite, inputs=[path])
            check_text([path])
        profile = profile_of(path, progress, stage=f"measuring {path.name}")
        if save is not None:
            save_profile(profile, save, overwrite=overwrite)
    return profile, _opinion(path, profile) if second_opinion else None


def _opinion(path: Path, profile: Profile) -> SecondOpinion:
    from refmaster.check.second_opinion import SecondOpinion, second_opinion
    from refmaster.io.open import open_audio
    from refmaster.io.suffixes import is_yaml

    if is_yaml(path):
        return SecondOpinion(skipped="a saved profile holds no audio")
    return second_opinion(open_audio(path), profile.levels.integrated_lufs)


def _json(measured: Sequence[Measured], failures: Sequence[Failure]) -> dict[str, Any]:
    """Return one object: profiles, second opinions where they are asked for, errors where there are any."""
    found: dict[str, Any] = {"profiles": [profile.model_dump(mode="json") for profile, _ in measured]}
    opinions = [opinion for _, opinion in measured if opinion is not None]
    if opinions:
        found["second_opinions"] = [{"meter": "pyloudnorm", **asdict(o)} for o in opinions]
    return found | errors_json(failures)


def errors_json(failures: Sequence[Failure]) -> dict[str, Any]:
    """Return the inputs that failed, and why, under one key; nothing where none did."""
    from refmaster.cli.complaints import message_of

    if not failures:
        return {}
    return {
        "errors": [
            {"file": str(path), "kind": type(error).__name__, "message": message_of(error)}
            for path, error in failures
        ]
    }
