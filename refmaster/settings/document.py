"""Read YAML strictly, keeping for every value the line and column it stands at.

YAML 1.1 as most readers have it turns ``no`` into False, ``2:30`` into 150, ``0123`` into 83 and ``1e-3``
into a string, and lets the later of two equal keys win without a word. Here only ``true`` and ``false``
are booleans, numbers are decimal (``1e-3`` and ``-.5`` included), dates stay text, and a key that stands
twice is an error. Anchors, aliases and merge keys (``<<``) work.

A path of a value is a tuple of keys and indices, ``("tracks", 3, "file")``; lines and columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from refmaster.errors import SettingsError

KeyPath = tuple[str | int, ...]

# A file that unfolds (through aliases) into more values than this is no settings file.
MAX_VALUES = 2_000_000

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader with the few implicit types that are listed below."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


def _implicit(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_implicit("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_implicit("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_implicit(
    "float",
    r"^(?:[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+0123456789.",
)
_implicit("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_implicit("merge", r"^<<$", "<")
# What looks like a number but is none of the above (0123, 0x1F) stays text, so a typed field refuses it.


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a settings file; line and column count from 1."""

    line: int
    column: int
    key_path: str
    message: str


def problems_error(name: str, problems: list[Problem]) -> SettingsError:
    """Return one error that names every problem as ``file:line:column: key.path: message``."""
    rows = [
        f"{name}:{p.line}:{p.column}: " + (f"{p.key_path}: " if p.key_path else "") + p.message
        for p in sorted(problems, key=lambda p: (p.line, p.column))
    ]
    return SettingsError("\n".join(rows))


def format_key_path(path: KeyPath) -> str:
    """Return ``tracks[3].file`` for ``("tracks", 3, "file")``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


@dataclass
class Document:
    """A YAML file as plain data, with the place of every key and value.

    Attributes
    ----------
    name : str
        File name for messages.
    data : object
        Dicts, lists, str, int, float, bool and None.
    value_marks, key_marks : dict
        ``(line, column)`` of the value, and of its key, for every path.
    """

    name: str
    data: Any = None
    value_marks: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    key_marks: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem placed at `path`, or at the nearest enclosing value that has a place."""
        marks = self.key_marks if at_key else self.value_marks
        place = path
        while place not in marks and place:
            place = place[:-1]
            marks = self.value_marks
        line, column = marks.get(place, (1, 1))
        return Problem(line, column, format_key_path(path), message)


def read_document(path: str | Path) -> Document:
    """Read a YAML file.

    Raises
    ------
    SettingsError
        The file is missing, is no UTF-8 text, is no YAML, or has a key twice.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; give the path of a YAML file") from None
    except IsADirectoryError:
        raise SettingsError(f"{path}: is a directory; give the path of a YAML file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        message = f"{path}: expected a UTF-8 text file, found other bytes at {error.start}"
        raise SettingsError(message) from error
    return parse_document(text, name=str(path))


def parse_document(text: str, *, name: str) -> Document:
    """Parse YAML text; `name` stands for it in messages. Raises SettingsError as `read_document`."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise problems_error(name, [Problem(line, column, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{name}: not YAML: {error}") from error
    finally:
        loader.dispose()
    document = Document(name)
    builder = _Builder(document)
    if node is not None:
        document.data = builder.build(node, (), frozenset())
    if builder.problems:
        raise problems_error(name, builder.problems)
    return document


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(re.sub(r"\.(inf|nan)$", r"\1", text.lower())),
}


class _Builder:
    """Turns YAML nodes into plain data, noting marks and problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.values = 0

    def build(self, node: yaml.Node, path: KeyPath, open_nodes: frozenset[int]) -> Any:
        self.values += 1
        if id(node) in open_nodes or self.values > MAX_VALUES:
            self._note(node, path, "aliases that unfold without end")
            raise problems_error(self.document.name, self.problems[-1:])
        self.document.value_marks.setdefault(path, _place(node))
        inside = open_nodes | {id(node)}
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, inside)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i), inside) for i, child in enumerate(node.value)]
        scalar = _SCALARS.get(node.tag.rsplit(":", 1)[-1])
        if scalar is None:
            self._note(node, path, f"the tag {node.tag} is not supported")
            return None
        return scalar(node.value)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, open_nodes: frozenset[int]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            key = key_node.value
            if key_node.tag.endswith(":merge"):
                merged.extend(value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node])
            elif not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, path, "a key must be plain text")
            elif key in result:
                self._note(key_node, (*path, key), "this key stands twice")
            else:
                self.document.key_marks[(*path, key)] = _place(key_node)
                result[key] = self.build(value_node, (*path, key), open_nodes)
        for source in merged:
            extra = self.build(source, path, open_nodes)
            if isinstance(extra, dict):
                result = {**extra, **result}
            else:
                self.problems.append(self.document.problem(path, "<< expects a mapping to merge"))
        return result

    def _note(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(*_place(node), format_key_path(path), message))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
