"""The SHA-256 of files, which identifies a recording whatever it is called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from refmaster.errors import AudioError

_PIECE_BYTES = 1 << 19


class FileDigest:
    """The SHA-256 of a file's bytes, taken piece by piece beside other work.

    Raises
    ------
    AudioError
        From each method, if the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._at = 0

    def advance(self) -> bool:
        """Take the next bytes; False at the end of the file."""
        try:
            with Path(self._path).open("rb", buffering=0) as file:
                file.seek(self._at)
                piece = file.read(_PIECE_BYTES)
        except OSError as error:
            raise AudioError(f"{self._path}: cannot be read: {error.strerror or error}") from error
        self._hash.update(piece)
        self._at += len(piece)
        return len(piece) > 0

    def sha256(self) -> str:
        """Take what is left and return the digest in hexadecimal."""
        while self.advance():
            pass
        return self._hash.hexdigest()


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal; see `FileDigest`."""
    return FileDigest(path).sha256()
