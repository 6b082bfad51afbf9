"""The `refmaster` command: its verbs, and how errors become messages and exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from refmaster import __version__
from refmaster.cli import (
    album,
    batch,
    check,
    compare,
    curve,
    disc,
    learn,
    master,
    measure,
    plan,
    playback,
    release,
    render,
    suggest,
    targets,
    verify,
    watch,
)
from refmaster.cli.help import GroupedCommand
from refmaster.errors import ExitCode, RefmasterError
from refmaster.io.names import shown

# A backspace keeps click from joining the lines of the paragraph that follows it.
EPILOG = """
\b
Examples:
  refmaster master mix.wav --reference ref.wav -o master.wav
  refmaster master mix.wav -r a.flac -r b.flac:2 --strength 40 -o master.wav
  refmaster plan mix.wav --reference ref.wav -o plan.yaml    (edit it, then:)
  refmaster render plan.yaml -o master.wav
  refmaster curve plan.yaml --bands 8 -o eq.txt              (or: -o eq.wav)
  refmaster measure *.wav
  refmaster check mix.wav
  refmaster suggest mix.wav References/
  refmaster playback master.wav -r ref.wav       (mono, phone, car, club)
  refmaster compare mix.wav --reference ref.wav
  refmaster album album.yaml -o Masters/
  refmaster release album.yaml -o Release/
  refmaster disc Release/DDP                     (any DDP image)
  refmaster batch --init jobs.yaml                           (edit it, then:)
  refmaster batch jobs.yaml
  refmaster watch jobs.yaml
  refmaster learn Catalogue/ -o prior.yaml       (then: --prior prior.yaml)
  refmaster master mix.wav -r ref.wav -o Masters/ --for spotify --for cd
  refmaster targets                              (then: --for spotify)
  refmaster verify manifest.json --render

Exit codes: 0 done, 1 finished but a promise was not met, 2 bad use or bad input, 3 a fault of refmaster.
"""

app = typer.Typer(
    name="refmaster",
    help="Master a mix against reference recordings, and check the written file.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is as clear and starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    master,
    plan,
    render,
    curve,
    measure,
    check,
    playback,
    suggest,
    compare,
    album,
    release,
    disc,
    batch,
    watch,
    learn,
    targets,
    verify,
)
for module in VERBS:
    module.register(app)
for command in app.registered_commands:
    command.cls = GroupedCommand


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"refmaster {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ExitCode.TERMINATED)  # an exception, so that what is half-written is removed


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    # Matrix products here are small: a second BLAS thread would only wait, at the price of a whole core.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a screen that cannot show a character gets an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
    except RefmasterError as error:
        sys.exit(_bad_input(error))
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except Exception as error:  # noqa: BLE001 - the last door: shown with its traceback, exit 3
        sys.exit(_usage_or_fault(error))
    if code == ExitCode.INTERRUPTED:
        _complain("Interrupted", "interrupted; nothing half-written was left")
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _bad_input(error: RefmasterError) -> int:
    from refmaster.cli.complaints import message_of

    _complain(type(error).__name__, message_of(error))
    return ExitCode.BAD_INPUT


def _usage_or_fault(error: Exception) -> int:
    """Show a usage error as such; anything else is a fault of refmaster, shown whole for a report."""
    if hasattr(error, "show") and hasattr(error, "format_message"):
        error.show()
        _print_as_json("UsageError", error.format_message())
        return ExitCode.BAD_INPUT
    import traceback

    print(shown("".join(traceback.format_exception(error))), file=sys.stderr, end="")
    _complain(
        "Fault", "this is a fault of refmaster, not of your input; please report it with the lines above"
    )
    return ExitCode.FAULT


def _complain(kind: str, message: str) -> None:
    """Say what is wrong on standard error; as JSON on standard output too, where that is asked for."""
    from refmaster.cli.screen import complain

    complain(message)
    _print_as_json(kind, message)


def _print_as_json(kind: str, message: str) -> None:
    if "--json" in sys.argv[1:]:
        from refmaster.cli.screen import print_json

        print_json({"error": {"kind": kind, "message": message}})
