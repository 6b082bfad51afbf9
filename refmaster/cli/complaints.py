"""Errors of the library in the words of the command line: options for arguments, and the verb that helps."""

from __future__ import annotations

import re

from refmaster.errors import AudioError, RefmasterError
from refmaster.io.names import shown_line
from refmaster.settings.kinds import WrongDocumentError

# Arguments as the library's messages write them, and the options that they are here.
_OPTIONS = (
    (re.compile(r"\boverwrite=True"), "--overwrite"),
    (re.compile(r"\bsample_rate_hz=(\d+)"), r"--sample-rate \1"),
    (re.compile(r"\bas mix= "), "with --mix "),
    (re.compile(r"\b(part|phase|bands)=(mid|side|linear|minimum|\d+)\b"), r"--\1 \2"),
)
# What takes a document of a kind.
_TAKEN_BY = {
    "a plan": "refmaster render {} -o MASTER",
    "an album plan": "refmaster album {} -o FOLDER",
    "an album": "refmaster album {} -o FOLDER",
    "a jobs file": "refmaster batch {}",
    "a saved profile": "refmaster master MIX --reference {} -o MASTER",
    "a prior": "refmaster master MIX --reference REF --prior {} -o MASTER",
    "a settings file": "refmaster master MIX --reference REF --settings {} -o MASTER",
}


def message_of(error: RefmasterError) -> str:
    """Return an error's message for a person at the command line."""
    message = str(error)
    for pattern, option in _OPTIONS:
        message = pattern.sub(option, message)
    if isinstance(error, WrongDocumentError) and error.found in _TAKEN_BY:
        message += f"; it goes with: {_TAKEN_BY[error.found].format(error.path)}"
    # Other errors may name several problems, a line each.
    return shown_line(message) if isinstance(error, AudioError) else message
