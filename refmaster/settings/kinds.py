"""The kinds of YAML documents there are, told by their keys.

A document that stands where another kind is expected is answered in one sentence, not with a list of keys.
"""

from __future__ import annotations

from collections.abc import Iterable

from refmaster.errors import SettingsError

# By kind, in the order in which they are tried: keys that all stand in it and together in no other kind.
_KEYS = {
    "a plan": {"mix", "tone", "limiter", "promise"},
    "an album plan": {"common", "engineers", "tracks", "promise"},
    "a saved profile": {"source", "levels", "spectrum", "series"},
    "a prior": {"frequencies_hz", "tracks", "mid", "side"},
    "a manifest": {"deliveries", "versions"},
    "a jobs file": {"jobs"},
    "an album": {"tracks"},
    "a delivery target": {"grade", "checked_on"},
    "a settings file": {"strength"},
}


class WrongDocumentError(SettingsError):
    """A YAML file of one kind where another is expected.

    Attributes
    ----------
    path : str
        The file as it was named.
    found : str
        The kind of document that it is, such as ``a plan``.
    """

    def __init__(self, path: str, found: str, expected: str) -> None:
        super().__init__(f"{path}: this is {found}, expected {expected}")
        self.path = path
        self.found = found


def kind_of(keys: Iterable[str]) -> str | None:
    """Return the kind of a document, or of a model, from its top keys; None where they tell nothing."""
    there = set(keys)
    return next((kind for kind, telling in _KEYS.items() if telling <= there), None)


def require_kind(path: str, keys: Iterable[str], known_keys: Iterable[str]) -> None:
    """Raise WrongDocumentError where a document is of another kind than a model with `known_keys`.

    One with most of the keys that tell the model's own kind is taken for a damaged one of that kind.
    """
    there = set(keys)
    found, expected = kind_of(there), kind_of(known_keys)
    if found is None or expected is None or found == expected:
        return
    telling = _KEYS[expected]
    matched = len(telling & there)
    if len(_KEYS[found]) > matched or 2 * matched <= len(telling):
        raise WrongDocumentError(path, found, expected)
