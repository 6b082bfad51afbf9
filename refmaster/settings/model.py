"""The base of all settings models, and their validation with place and advice.

Models are frozen, refuse unknown keys, and do not coerce: ``"3"`` is no number. Integers stand for
floats; not-a-number and infinity are refused. A model that is called with wrong values raises SettingsError;
pydantic's own doors (``model_validate`` and the like) raise its ValidationError.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from refmaster.errors import SettingsError
from refmaster.settings.document import (
    MAX_PROBLEMS,
    Document,
    KeyPath,
    Problem,
    format_key_path,
    problems_error,
)
from refmaster.settings.kinds import require_kind
from refmaster.settings.words import found_text, sentence

# Errors about a key, not about a value.
_OF_KEYS = ("missing", "extra_forbidden")


class Model(BaseModel):
    """Base of settings, plans and profiles."""

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _settings_error(type(self), values, error) from error

    omitted_when_empty: ClassVar[tuple[str, ...]] = ()
    """Fields that are not written into YAML while they are empty: what they are by default."""

    # Tells pydantic that values inside documents need not go through this door: they keep their places.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


LONGEST_NAME_BYTES = 255
"""Longest name of a file or folder; file systems answer a longer one with an error of their own."""


def checked_names(path: str) -> str:
    """Return a path whose names a file system takes; ValueError otherwise."""
    longest = max(len(name.encode("utf-8", "surrogatepass")) for name in path.split("/"))
    if longest > LONGEST_NAME_BYTES:
        raise ValueError(f"expected names of at most {LONGEST_NAME_BYTES} bytes, found one of {longest:,}")
    return path


PathText = Annotated[str, AfterValidator(checked_names)]
"""The path of a file, as text."""

M = TypeVar("M", bound=BaseModel)


def validate_document(model: type[M], document: Document) -> M:
    """Return `document` as a `model`.

    Raises
    ------
    SettingsError
        Naming every unknown key, missing key and wrong value at once, each as
        ``file:line:column: key.path: message``.
    """
    if not isinstance(document.data, dict):
        found = "an empty file" if document.data is None else type(document.data).__name__
        problem = document.problem((), f"expected keys and values, found {found}")
        raise problems_error(document.name, [problem])
    require_kind(document.name, document.data, model.model_fields)
    try:
        # JSON is the input mode in which strict models still take lists for tuples and text for paths.
        return model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        places = _by_place(document.data, listed_errors(document, error))
        problems = [_problem(model, document, items, path) for path, items in places]
        raise problems_error(document.name, problems) from error


def listed_errors(document: Document, error: ValidationError) -> list[Any]:
    """Return the errors of a validation.

    Raises
    ------
    SettingsError
        They are too many to list.
    """
    if error.error_count() > MAX_PROBLEMS:
        message = f"{error.error_count():,} problems: is this the right file?"
        raise problems_error(document.name, [document.problem((), message)]) from error
    return error.errors(include_url=False)


def document_problem(
    model: type[BaseModel], document: Document, item: Any, *, within: KeyPath = ()
) -> Problem:
    """Place one error of a validation, of the part of the document that stands at `within`."""
    data = document.data
    for part in within:
        data = data[part]
    return _problem(model, document, [item], _data_path(data, item["loc"]), within=within)


def _problem(
    model: type[BaseModel], document: Document, items: list[Any], path: KeyPath, *, within: KeyPath = ()
) -> Problem:
    at_key = items[0]["type"] == "extra_forbidden"
    return document.problem((*within, *path), _message(model, items, path), at_key=at_key)


def settings_from(model: type[M], values: dict[str, Any], *, names: dict[str, str] | None = None) -> M:
    """Build a model from keyword values (options of a call or of the command line).

    `names` maps a field to what the user calls it, such as ``{"ceiling_dbtp": "--ceiling"}``.

    Raises
    ------
    SettingsError
        Naming every wrong value.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _settings_error(model, values, error, names or {}) from error


def _settings_error(
    model: type[BaseModel],
    values: dict[str, Any],
    error: ValidationError,
    names: Mapping[str, str] = MappingProxyType({}),
) -> SettingsError:
    """Return the error of keyword values, a row for each value that is wrong."""
    rows = []
    for path, items in _by_place(values, error.errors(include_url=False)):
        name = names.get(str(path[0]) if path else "", format_key_path(path))
        rows.append((f"{name}: " if name else "") + _message(model, items, path))
    return SettingsError("\n".join(rows))


def _by_place(data: Any, errors: list[Any]) -> list[tuple[KeyPath, list[Any]]]:
    """Return the errors of each value and each key of the data; alternatives for a value stand together."""
    places: dict[tuple[KeyPath, str | None], list[Any]] = {}
    for item in errors:
        about_key = item["type"] if item["type"] in _OF_KEYS else None
        places.setdefault((_data_path(data, item["loc"]), about_key), []).append(item)
    return [(path, items) for (path, _), items in places.items()]


def _data_path(data: Any, loc: KeyPath) -> KeyPath:
    """Return the part of an error's location that names keys of the data (unions add names of their own)."""
    path: list[str | int] = []
    here = data
    for i, part in enumerate(loc):
        inside_mapping = isinstance(here, dict) and isinstance(part, str) and part in here
        if inside_mapping or (isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)):
            path.append(part)
            here = here[part]
        elif i == len(loc) - 1 and isinstance(here, dict) and isinstance(part, str) and part.isidentifier():
            path.append(part)
    return tuple(path)


def _message(model: type[BaseModel], items: list[Any], path: KeyPath) -> str:
    """Return what is wrong with one value or key, and what is expected."""
    item = items[0]
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6) if path else []
        if close:
            return f'unknown key, did you mean "{close[0]}"?'
        return f"unknown key; known here: {', '.join(sorted(known))}" if known else "unknown key"
    if item["type"] == "missing":
        if isinstance(item["loc"][-1], int):
            return f"expected more items, found {found_text(item['input'])}"
        return "this key is required and missing"
    return sentence(items)


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the model at `path` below `model` knows (empty where it cannot be told)."""
    kinds: list[Any] = [model]
    for part in path:
        kinds = [below for kind in kinds for below in _kinds_below(kind, part)]
    return [name for kind in kinds if _is_model(kind) for name in kind.model_fields]


def _kinds_below(kind: Any, part: str | int) -> list[Any]:
    """Return the types that a key or an index of a value of type `kind` may have."""
    if _is_model(kind):
        return _members(kind.model_fields[part].annotation) if part in kind.model_fields else []
    inner = {list: 0, tuple: 0, dict: 1}.get(typing.get_origin(kind))
    return [] if inner is None else _members(typing.get_args(kind)[inner])


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation alone; Annotated is unwrapped."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(annotation) for member in _members(part)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
