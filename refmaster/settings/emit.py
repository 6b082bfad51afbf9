"""Write a model as YAML that a person can read: sections, a comment with each unit, rows for tables.

What is written reads back to an equal model: floats are written with the shortest digits that give the
same number, and text is quoted wherever it could be taken for something else.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from refmaster.errors import SettingsError
from refmaster.settings.document import parse_document

LINE_WIDTH = 100
_PLAIN = re.compile(r"^[A-Za-z_/][A-Za-z0-9_ ./()+%-]*$")


def emit_model(model: BaseModel, *, header: str = "") -> str:
    """Return YAML text of `model`; each field's description stands beside it as a comment.

    Parameters
    ----------
    model : BaseModel
        Nested models become sections; tuples of numbers become flow lists; tuples of tuples become rows.
    header : str
        Comment lines for the top of the file, without ``#``.

    Raises
    ------
    SettingsError
        A text is not UTF-8 (the name of a file), which YAML cannot hold.
    """
    head = [f"# {_printable(line)}".rstrip() for line in header.splitlines()]
    lines = [*head, "", *_fields(model, 0)] if head else _fields(model, 0)
    return "\n".join(lines) + "\n"


def _fields(model: BaseModel, indent: int, *, comments: bool = True) -> list[str]:
    """Return the lines of a model's fields; sections at the top of the file have a blank line before them."""
    lines: list[str] = []
    for name, info in type(model).model_fields.items():
        if info.exclude:
            continue
        value = getattr(model, name)
        if value == info.default and name in getattr(model, "omitted_when_empty", ()):
            continue
        comment = f"  # {info.description}" if info.description and comments else ""
        below = _below(value, indent + 1)
        beside = "" if below else f" {_inline(value)}"
        if indent == 0 and lines and isinstance(value, BaseModel):
            lines.append("")
        lines += [f"{'  ' * indent}{name}:{beside}{comment}", *below]
    return lines


def _below(value: Any, indent: int) -> list[str]:
    """Return the lines of a value that stands below its key; none for one that stands beside it."""
    pad = "  " * indent
    if isinstance(value, BaseModel):
        return _fields(value, indent)
    if isinstance(value, dict):
        return [f"{pad}{_scalar(k)}: {_scalar(v)}" for k, v in value.items()]
    if not isinstance(value, tuple | list):
        return []
    if any(isinstance(v, tuple | list | dict | BaseModel) for v in value):
        return _rows(value, indent)
    return _wrapped(value, indent) if len(value) > 8 else []


def _rows(rows: Any, indent: int) -> list[str]:
    pad = "  " * indent
    lines: list[str] = []
    for number, row in enumerate(rows):
        if isinstance(row, BaseModel):
            first, *rest = _fields(row, indent + 1, comments=number == 0)
            lines += [f"{pad}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{pad}- {_inline(row)}")
    return lines


def _wrapped(values: Any, indent: int) -> list[str]:
    pad = "  " * indent
    rows, row = [], pad + "["
    for i, value in enumerate(values):
        item = _scalar(value) + ("," if i < len(values) - 1 else "]")
        if len(row) + len(item) + 1 > LINE_WIDTH:
            rows.append(row.rstrip())
            row = pad + " "
        row += item if row.endswith("[") else " " + item
    return [*rows, row]


def _inline(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    # Plain only where the strict reader gives the very same text back.
    if _PLAIN.match(text) and text == text.strip() and parse_document(text, name="").data == text:
        return text
    return '"' + _printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _printable(text: str) -> str:
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable() and character != "\ufeff":
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise SettingsError("a name that is not UTF-8 cannot be written into a YAML file; rename the file")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
