"""The exceptions that refmaster raises, and the exit codes of its command line.

::

    RefmasterError
    └── InputError          bad use or bad input: the command line exits with 2
        ├── AudioError      a file or array that cannot be used as audio
        ├── SettingsError   a YAML file or an option with wrong content
        └── OutputError     a destination that cannot be written

A broken promise is no exception: it is a finding of the report, and the command line exits with 1. Any other
exception is a fault of refmaster itself, and the command line exits with 3.

Every message says what was expected, what was found and what to do.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit code of the command line or of a job of a batch; those above 100 follow the shell."""

    DONE = 0
    PROMISE_NOT_MET = 1
    BAD_INPUT = 2
    FAULT = 3
    TIMEOUT = 124
    NOT_RUN = 125
    INTERRUPTED = 130
    CRASHED = 134
    OUT_OF_MEMORY = 137
    TERMINATED = 143


class RefmasterError(Exception):
    """Base of all errors that refmaster raises on purpose."""


class InputError(RefmasterError):
    """Bad use or bad input."""


class AudioError(InputError):
    """A file or an array that cannot be used as audio."""


class SettingsError(InputError):
    """A YAML file or an option with wrong content."""


class OutputError(InputError):
    """A destination that cannot be written."""
