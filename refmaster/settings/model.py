"""The base of all settings models, and their validation with place and advice.

Models are frozen, refuse unknown keys, and do not coerce: ``"3"`` is no number. Integers stand for
floats; not-a-number and infinity are refused.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from refmaster.errors import SettingsError
from refmaster.settings.document import Document, KeyPath, Problem, format_key_path, problems_error


class Model(BaseModel):
    """Base of settings, plans and profiles."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


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
    try:
        # JSON is the input mode in which strict models still take lists for tuples and text for paths.
        return model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise problems_error(document.name, document_problems(model, document, error)) from error


def document_problems(model: type[BaseModel], document: Document, error: ValidationError) -> list[Problem]:
    """Place every error of a failed validation in its document."""
    problems = [document_problem(model, document, item) for item in error.errors(include_url=False)]
    unique: dict[tuple[int, int, str, str], Problem] = {}
    for p in problems:
        unique.setdefault((p.line, p.column, p.key_path, p.message), p)
    return list(unique.values())


def document_problem(
    model: type[BaseModel], document: Document, item: Any, *, within: KeyPath = ()
) -> Problem:
    """Place one error of a validation, of the part of the document that stands at `within`."""
    data = document.data
    for part in within:
        data = data[part]
    path = _data_path(data, item["loc"])
    unknown = item["type"] == "extra_forbidden"
    text = _message(item, known_keys(model, path[:-1]) if unknown else [], path)
    return document.problem((*within, *path), text, at_key=unknown)


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
        rows = []
        for item in error.errors(include_url=False):
            path = tuple(item["loc"])
            unknown = item["type"] == "extra_forbidden"
            known = known_keys(model, path[:-1]) if unknown else []
            head = path[0] if path else ""
            name = (names or {}).get(str(head), format_key_path(path))
            rows.append((f"{name}: " if name else "") + _message(item, known, path))
        raise SettingsError("\n".join(dict.fromkeys(rows))) from error


def _data_path(data: Any, loc: tuple[str | int, ...]) -> KeyPath:
    """Return the part of an error's location that names keys of the data (unions add names of their own)."""
    path: list[str | int] = []
    here = data
    for i, part in enumerate(loc):
        inside_mapping = isinstance(here, dict) and isinstance(part, str) and part in here
        if inside_mapping or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            path.append(part)
            here = here[part]
        elif i == len(loc) - 1 and isinstance(here, dict) and isinstance(part, str) and part.isidentifier():
            path.append(part)
    return tuple(path)


def _message(item: Any, known: list[str], path: KeyPath) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6) if path else []
        if close:
            return f'unknown key, did you mean "{close[0]}"?'
        return f"unknown key; known here: {', '.join(sorted(known))}" if known else "unknown key"
    if kind == "missing":
        return "this key is required and missing"
    text = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    found = item.get("input")
    shown = json.dumps(found, default=str)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    if kind in ("value_error", "assertion_error"):
        return text
    return f"expected {text}, found {shown}"


def known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the model at `path` below `model` knows (empty when it cannot be told)."""
    candidates: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            following.extend(_step(candidate, part))
        candidates = following
    keys: list[str] = []
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            keys.extend(f.alias or name for name, f in candidate.model_fields.items())
    return keys


def _step(candidate: Any, part: str | int) -> list[Any]:
    if isinstance(candidate, type) and issubclass(candidate, BaseModel):
        for name, f in candidate.model_fields.items():
            if part in (name, f.alias):
                return _flatten(f.annotation)
        return []
    args = typing.get_args(candidate)
    if args and typing.get_origin(candidate) in (list, tuple):
        return _flatten(args[0])
    if args and typing.get_origin(candidate) is dict:
        return _flatten(args[1])
    return []


def _flatten(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation alone; Annotated is unwrapped."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _flatten(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [m for a in typing.get_args(annotation) for m in _flatten(a)]
    return [annotation]
