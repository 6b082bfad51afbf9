"""``refmaster check``: what should be mended in recordings before they are mastered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refmaster.cli import deliveries, options
from refmaster.cli.help import MATCHING
from refmaster.errors import ExitCode, InputError

if TYPE_CHECKING:
    from refmaster.check.recording import CheckResult

LISTED_TIMES = 5

Failure = tuple[str | Path, InputError]


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command(
        "check",
        help="Check mixes for what should be mended before mastering.\n\n"
        "Exit code 1 says that a limit failed.",
        epilog="Examples: refmaster check mix.wav --reference ref.wav\n\n"
        "refmaster check master.wav --for spotify --for cd    (a finished master, not a mix)",
    )(run)


def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Recordings, folders of those, or saved profiles.")
    ],
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help="Hold the tone against this recording or saved profile, and judge it too; repeat for "
            "several.  [finished songs at large]",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    for_: deliveries.CheckedFor = None,
    targets: deliveries.TargetFolder = None,
    no_cache: options.NoCache = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check each file; those that cannot be measured do not keep the others from it."""
    from refmaster.batch.staging import Staging
    from refmaster.check.recording import check_file
    from refmaster.cli import screen
    from refmaster.cli.complaints import message_of
    from refmaster.cli.measure import recordings_of

    asked = deliveries.targets_asked(for_ or [], targets)
    paths, failures = recordings_of(files)
    checked: list[tuple[str, CheckResult]] = []
    with screen.progress_bar(not (quiet or as_json)) as progress, Staging(progress) as staging:
        references = [staging.fetched(name) for name in reference or []]
        for path in paths:
            try:
                file = staging.fetched(str(path))
                found = check_file(file, references, targets=asked, use_cache=not no_cache, progress=progress)
                checked.append((str(path), found))
            except InputError as error:
                failures.append((path, error))
    if len(failures) == 1 and not checked:
        raise failures[0][1]
    if as_json:
        screen.print_json(_json(checked, failures))
    else:
        for path, result in checked:
            _print(path, result, quiet=quiet)
    for _, failure in failures:
        screen.complain(message_of(failure))
    if failures:
        raise typer.Exit(ExitCode.BAD_INPUT)
    screen.conclude(kept_promises=all(result.passed for _, result in checked))


def _print(path: str, result: CheckResult, *, quiet: bool) -> None:
    """Print a file's name and its findings with their times, worst first."""
    from refmaster.cli import screen

    if not quiet:
        screen.print_text(f"{path}: {'passed' if result.passed else 'a limit failed'}")
    told = [f.model_copy(update={"message": f.message + _times(f.times_s)}) for f in result.findings]
    screen.print_findings(told, quiet=quiet)


def _times(times_s: Sequence[float]) -> str:
    """Return times as minutes and seconds, the first few of them."""
    if not times_s:
        return ""
    tenths = list(dict.fromkeys(int(10 * time) for time in times_s))  # never rounded up to a full minute
    said = ", ".join(f"{t // 600}:{t // 10 % 60:02}.{t % 10}" for t in tenths[:LISTED_TIMES])
    more = len(tenths) - LISTED_TIMES
    return f" (at {said}{f' and {more} more' if more > 0 else ''})"


def _json(checked: Sequence[tuple[str, CheckResult]], failures: Sequence[Failure]) -> dict[str, Any]:
    """Return one object: each file with its findings, errors where there are any."""
    from refmaster.cli.measure import errors_json

    found: dict[str, Any] = {
        "files": [
            {
                "file": path,
                "passed": result.passed,
                "findings": [finding.model_dump(mode="json") for finding in result.findings],
            }
            for path, result in checked
        ]
    }
    return found | errors_json(failures)
