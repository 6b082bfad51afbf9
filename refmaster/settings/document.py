"""Read YAML strictly and within bounds, keeping for every value the line and column it stands at.

YAML 1.1 as most readers have it turns ``no`` into False, ``2:30`` into 150, ``0123`` into 83 and ``1e-3``
into a string, and lets the later of two equal keys win without a word. Here only ``true`` and ``false``
are booleans, numbers are decimal (``1e-3`` and ``-.5`` included), dates stay text, and a key that stands
twice is an error. Anchors, aliases and merge keys (``<<``) work. An explicit tag (``!!int``) is taken only
where the text is of that type.

A document is read from the parser's events, so that its bounds (bytes, depth, values, length of a text,
digits of a number) hold before anything is built: whatever it holds, it is answered in seconds.

A path of a value is a tuple of keys and indices, ``("tracks", 3, "file")``; lines and columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from refmaster.errors import SettingsError

KeyPath = tuple[str | int, ...]

# Bounds by kind. A prior learned from 10,000 songs has 1.5 MB, a profile of 3 hours 2.1 MB and 0.25 million
# values, a file of 100,000 jobs 21 MB and 1.5 million. A list or mapping counts as four values: it takes as
# much memory, and more where pydantic copies it into each of its errors.
MAX_BYTES, MAX_VALUES = 4 * 1024**2, 500_000
PROFILE_MAX_BYTES, PROFILE_MAX_VALUES = 16 * 1024**2, 1_000_000
JOBS_MAX_BYTES, JOBS_MAX_VALUES = 32 * 1024**2, 2_000_000
_COLLECTION_VALUES = 4
# Of every kind: levels of nesting, keys of one mapping, characters of a text, digits of a number.
MAX_DEPTH = 32
MAX_KEYS = 100_000
MAX_TEXT = 65_536
MAX_DIGITS = 100
# Beyond so many problems, reading ends; so many are shown.
MAX_PROBLEMS, SHOWN_PROBLEMS = 10_000, 100

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
# The parser takes the square of their number in time before it says anything.
_TAG_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029\ufeff])(%TAG)")
# The type of a plain scalar. What looks like a number but is none of these (0123, 0x1F) stays text, so a
# typed field refuses it.
_PLAIN = re.compile(
    r"(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?(?:0|[1-9][0-9]*))"
    r"|(?P<float>[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
    r"|(?P<null>~|null|Null|NULL|)"
)
_PLAIN_FIRST = frozenset(["", *"tTfF-+0123456789.~nN"])
_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(re.sub(r"\.(inf|nan)$", r"\1", text.lower())),
}

# A line, a column, and the places inside: of a list's items, or of a mapping's keys and values.
_Place = tuple[int, int, "list[_Place] | dict[str, tuple[int, int, _Place]] | None"]


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a settings file; line and column count from 1."""

    line: int
    column: int
    key_path: str
    message: str


def problems_error(name: str, problems: list[Problem]) -> SettingsError:
    """Return one error with a line ``file:line:column: key.path: message`` for every problem.

    Of more than `SHOWN_PROBLEMS`, the first ones are named and the others counted.
    """
    shown = sorted(problems, key=lambda p: (p.line, p.column))[:SHOWN_PROBLEMS]
    rows = [
        f"{name}:{p.line}:{p.column}: " + (f"{p.key_path}: " if p.key_path else "") + p.message for p in shown
    ]
    if len(problems) > len(shown):
        rows.append(f"{name}: and {len(problems) - len(shown):,} problems more")
    return SettingsError("\n".join(rows))


def format_key_path(path: KeyPath) -> str:
    """Return ``tracks[3].file`` for ``("tracks", 3, "file")``, on one line, long keys cut."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{_shown(part)}" if text else _shown(part)
    return text


def _shown(text: str) -> str:
    """Return a text for a message: on one line, and cut where it is long."""
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if text.isprintable() else repr(text)[1:-1]


@dataclass
class Document:
    """A YAML file as plain data, with the place of every key and value.

    Attributes
    ----------
    name : str
        File name for messages.
    data : object
        Dicts, lists, str, int, float, bool and None.
    place : tuple
        Line and column, with those of all that is inside.
    """

    name: str
    data: Any = None
    place: _Place = (1, 1, None)

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem placed at `path`, or at the nearest enclosing value that has a place."""
        line, column, inside = self.place
        for number, part in enumerate(path, 1):
            if isinstance(inside, dict) and part in inside:
                *key_place, value_place = inside[str(part)]
                line, column, inside = value_place
                if at_key and number == len(path):
                    line, column = key_place
            elif isinstance(inside, list) and isinstance(part, int) and part < len(inside):
                line, column, inside = inside[part]
            else:
                break
        return Problem(line, column, format_key_path(path), message)


def read_document(path: str | Path, *, max_bytes: int = MAX_BYTES, max_values: int | None = None) -> Document:
    """Read a YAML file of at most `max_bytes`, and `max_values` (by default `MAX_VALUES`).

    Raises
    ------
    SettingsError
        The file is missing, too large, no UTF-8 text, no YAML, out of bounds, or has a key twice.
    """
    text = read_text(path, max_bytes=max_bytes, expected="a YAML file")
    return parse_document(text, name=str(Path(path)), max_values=max_values)


def read_text(path: str | Path, *, max_bytes: int, expected: str) -> str:
    """Read a text file of at most `max_bytes`; `expected` names the kind of file in messages.

    Raises
    ------
    SettingsError
        The file is missing, too large, or no UTF-8 text.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; give the path of {expected}") from None
    except IsADirectoryError:
        raise SettingsError(f"{path}: is a directory; give the path of {expected}") from None
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be read ({reason})") from error
    if len(content) > max_bytes:
        raise SettingsError(
            f"{path}: expected at most {max_bytes:,} bytes, found more; is this the right file?"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}: expected a UTF-8 text file, found other bytes at {error.start}"
        raise SettingsError(message) from error


def parse_document(text: str, *, name: str, max_values: int | None = None) -> Document:
    """Parse YAML text; `name` stands for it in messages. Raises SettingsError as `read_document`."""
    directive = _TAG_DIRECTIVE.search(text)
    if directive is not None:
        line, column = _line_and_column(text, directive.start(1))
        raise problems_error(name, [Problem(line, column, "", "tags of one's own are not supported")])
    loader = _Loader(text)
    document = Document(name)
    try:
        _Reader(loader, document, MAX_VALUES if max_values is None else max_values).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise problems_error(name, [Problem(line, column, "", f"not YAML: {error.problem}")]) from error
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")
        line, column = _line_and_column(before, len(before))
        message = f"not YAML: the character #x{error.character:04x}: {error.reason}"
        raise problems_error(name, [Problem(line, column, "", message)]) from error
    finally:
        loader.dispose()
    return document


class _Reader:
    """Turns the parser's events into plain data and places, noting problems, as far as the bounds allow."""

    def __init__(self, loader: Any, document: Document, max_values: int) -> None:
        self._max_values = max_values
        self._next = loader.get_event
        self._document = document
        self._problems: list[Problem] = []
        self._path: list[str | int] = []
        self._values = 0
        # Those of finished values; None while the value is still open.
        self._anchors: dict[str, tuple[Any, _Place] | None] = {}

    def read(self) -> None:
        """Fill the document."""
        self._next()  # the stream starts
        if isinstance(self._next(), yaml.DocumentStartEvent):
            self._document.data, self._document.place = self._value(self._next(), 1)
            self._next()  # the document ends
            following = self._next()
            if isinstance(following, yaml.DocumentStartEvent):
                self._stop(following, "expected one document, found another")
        if self._problems:
            raise problems_error(self._document.name, self._problems)

    def _value(self, event: Any, depth: int) -> tuple[Any, _Place]:
        kind = type(event)
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if kind is yaml.AliasEvent:
            return self._of_alias(event, depth)
        self._count(event, depth, 1 if kind is yaml.ScalarEvent else _COLLECTION_VALUES)
        anchor = event.anchor
        if anchor is not None:
            if anchor in self._anchors:
                self._stop(event, f"the anchor &{_shown(anchor)} stands twice")
            self._anchors[anchor] = None
        if kind is yaml.ScalarEvent:
            found: tuple[Any, _Place] = self._scalar(event), (line, column, None)
        elif kind is yaml.SequenceStartEvent:
            self._check_tag(event, "seq")
            items, places = self._sequence(depth + 1)
            found = items, (line, column, places)
        else:
            self._check_tag(event, "map")
            data, inside = self._mapping(depth + 1)
            found = data, (line, column, inside)
        if anchor is not None:
            self._anchors[anchor] = found
        return found

    def _sequence(self, depth: int) -> tuple[list[Any], list[_Place]]:
        items: list[Any] = []
        places: list[_Place] = []
        self._path.append(0)
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            self._path[-1] = len(items)
            item, place = self._value(event, depth)
            items.append(item)
            places.append(place)
        self._path.pop()
        return items, places

    def _mapping(self, depth: int) -> tuple[dict[str, Any], dict[str, tuple[int, int, _Place]]]:
        data: dict[str, Any] = {}
        places: dict[str, tuple[int, int, _Place]] = {}
        merged: list[tuple[Any, _Place]] = []
        while type(event := self._next()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent or event.tag not in (None, "!", f"{_TAG}str"):
                self._note(event, "a key must be plain text")
                self._value(event, depth)
                self._value(self._next(), depth)
                continue
            key = self._short(event)
            self._path.append(key)
            value, place = self._value(self._next(), depth)
            if key == "<<" and event.implicit[0]:
                merged.extend(self._sources(event, value, place))
            elif key in data:
                self._note(event, "this key stands twice")
            else:
                mark: Any = event.start_mark
                data[key] = value
                places[key] = (mark.line + 1, mark.column + 1, place)
            self._path.pop()
            if len(data) > MAX_KEYS:
                self._stop(event, f"more than {MAX_KEYS:,} keys: this is no settings file")
        if not merged:
            return data, places
        own, own_places, data, places = data, places, {}, {}
        for value, (_, _, inside) in reversed(merged):  # of two that are merged, the earlier one wins
            data.update(value)
            places.update(inside)
        data.update(own)
        places.update(own_places)
        return data, places

    def _of_alias(self, event: Any, depth: int) -> tuple[Any, _Place]:
        """Return a copy of the anchored value, with the places of the original."""
        if event.anchor not in self._anchors:
            self._stop(event, f"no anchor &{_shown(event.anchor)} stands before this alias")
        found = self._anchors[event.anchor]
        if found is None:
            self._stop(event, "aliases that unfold without end")
        data, place = found
        return self._copied(data, event, depth), place

    def _copied(self, data: Any, event: Any, depth: int) -> Any:
        self._count(event, depth, _COLLECTION_VALUES if isinstance(data, dict | list) else 1)
        if isinstance(data, dict):
            return {key: self._copied(value, event, depth + 1) for key, value in data.items()}
        if isinstance(data, list):
            return [self._copied(item, event, depth + 1) for item in data]
        return data

    def _sources(self, event: Any, value: Any, place: _Place) -> list[tuple[Any, _Place]]:
        """Return the mappings that ``<<`` merges."""
        sources = [(value, place)]
        if isinstance(value, list) and isinstance(place[2], list):
            sources = list(zip(value, place[2], strict=True))
        if all(isinstance(source, dict) for source, _ in sources):
            return sources
        self._note(event, "<< expects a mapping to merge")
        return []

    def _scalar(self, event: Any) -> Any:
        text, tag = self._short(event), event.tag
        if tag in (None, "!"):
            if not event.implicit[0] or text[:1] not in _PLAIN_FIRST:
                return text
            kind = _plain_type(text)
        else:
            kind = tag.removeprefix(_TAG)
            if kind not in _SCALARS:
                self._note(event, f"the tag {_shown(tag)} is not supported")
                return None
            if kind != "str" and _plain_type(text) not in (kind, "int" if kind == "float" else kind):
                self._note(event, f'expected text of the type !!{kind}, found "{_shown(text)}"')
                return None
        if kind in ("int", "float") and len(text) > MAX_DIGITS:
            self._note(event, f"expected a number of at most {MAX_DIGITS} digits, found {len(text):,}")
            return None
        return _SCALARS[kind](text)

    def _short(self, event: Any) -> str:
        text: str = event.value
        if len(text) > MAX_TEXT:
            self._stop(event, f"expected a text of at most {MAX_TEXT:,} characters, found {len(text):,}")
        return text

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _TAG + kind):
            self._note(event, f"the tag {_shown(event.tag)} is not supported")

    def _count(self, event: Any, depth: int, values: int) -> None:
        self._values += values
        if self._values > self._max_values:
            alias = type(event) is yaml.AliasEvent
            what = "aliases that unfold without end" if alias else "this is no settings file"
            self._stop(event, f"more than {self._max_values:,} values: {what}")
        if depth > MAX_DEPTH:
            self._stop(event, f"nested deeper than {MAX_DEPTH} levels")

    def _note(self, event: Any, message: str) -> None:
        mark = event.start_mark
        path = format_key_path(tuple(self._path))
        self._problems.append(Problem(mark.line + 1, mark.column + 1, path, message))
        if len(self._problems) > MAX_PROBLEMS:
            raise problems_error(self._document.name, self._problems)

    def _stop(self, event: Any, message: str) -> NoReturn:
        """End reading at what makes it useless or endless to go on, whatever else was noted."""
        mark = event.start_mark
        problem = Problem(mark.line + 1, mark.column + 1, format_key_path(tuple(self._path)), message)
        raise problems_error(self._document.name, [problem])


def _plain_type(text: str) -> str:
    match = _PLAIN.fullmatch(text)
    return "str" if match is None else str(match.lastgroup)


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
