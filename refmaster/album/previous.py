"""Recognise a run that asks for what stands already: the same request, mixes, references and code."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from refmaster.album.effect_models import AlbumPrior
from refmaster.album.request import Album
from refmaster.errors import AudioError
from refmaster.profile.cache import content_sha256

PACKAGE = Path(__file__).parents[1]


def request_digest(album: Album, folder: Path, prior: AlbumPrior | None) -> str | None:
    """Return a digest of all that an album in `folder` depends on; None where an input cannot be read."""
    files = [*album.paths, *(path for path, _ in album.references)]
    if album.settings.match.prior is not None:
        files.append(Path(album.settings.match.prior))
    try:
        contents = [content_sha256(path) for path in files]
    except AudioError:
        return None
    parts = {
        "code": package_digest(),
        "settings": album.settings.model_dump(mode="json"),
        "weights": [weight for _, weight in album.references],
        "files": [str(path.absolute()) for path in (folder, *files)],  # plans name them by their relation
        "contents": contents,
        "prior": None if prior is None else prior.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@functools.cache
def package_digest() -> str:
    """Return a digest of the package's code and of the data beside it."""
    digest = hashlib.sha256()
    for path in sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".yaml")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()
