"""Lay out tables and paragraphs for a terminal of any width: lines break between words, never inside one.

A cell that is too long for its column wraps at its spaces. A `Name` (of a file) is elided in the middle
instead, because both ends of a name tell it from others. A newline begins a new line. Widths count terminal
cells.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

WIDE_GAP, NARROW_GAP = 3, 2
# A name is not elided to less, as long as anything else can give way.
NAME_CELLS = 12
HEADING_NAME_CELLS = 32
ELLIPSIS = "…"


class Name(str):
    """The name of a file, as a cell or a heading of a table."""

    __slots__ = ()


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1, width: int
) -> list[str]:
    """Return a table's lines, at most `width` wide where its numbers leave room for that.

    Columns from `text_columns` on are numbers and align right.
    """
    columns = [[row[i] for row in rows] for i in range(len(header))]
    natural = [
        max(_heading_width(name), *map(_longest_line, cells), 0)
        for name, cells in zip(header, columns, strict=True)
    ]
    gap = WIDE_GAP if sum(natural) + WIDE_GAP * (len(header) - 1) + 1 <= width else NARROW_GAP
    widths = _fitted(header, columns, natural, text_columns, width - 1 - gap * (len(header) - 1))
    rule = " " + "─" * (sum(widths) + gap * (len(widths) - 1))
    lines = _row_lines(header, widths, text_columns, gap, bottom=True)
    return [*lines, rule, *(line for row in rows for line in _row_lines(row, widths, text_columns, gap))]


def _fitted(
    header: Sequence[str], columns: Sequence[Sequence[str]], natural: list[int], text_columns: int, room: int
) -> list[int]:
    """Return widths that fit: first headings give way, then text, then names, and numbers last."""
    bodies = [max((_longest_line(cell) for cell in cells), default=0) for cells in columns]
    words = [max((_narrowest(cell) for cell in cells), default=0) for cells in columns]
    texts = [*words[:text_columns], *bodies[text_columns:]]
    heads = [_narrowest(name) for name in header]
    low_words, low_heads = ([min(width, NAME_CELLS) for width in widths] for widths in (words, heads))
    widths = natural
    for floors, head_floors in ((bodies, heads), (texts, heads), (words, low_heads), (low_words, low_heads)):
        widths = _shrunk(widths, [max(pair) for pair in zip(floors, head_floors, strict=True)], room)
    return widths


def _shrunk(widths: list[int], floors: list[int], room: int) -> list[int]:
    """Return the widths with the widest cut down, cell by cell, until they fit or reach their floors."""
    widths = list(widths)
    while sum(widths) > room:
        able = [i for i, (width, floor) in enumerate(zip(widths, floors, strict=True)) if width > floor]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _heading_width(name: str) -> int:
    """Return the width for a heading: a long name of a file would only spread the numbers below it."""
    width = _longest_line(name)
    return min(width, HEADING_NAME_CELLS) if isinstance(name, Name) else width


def _longest_line(cell: str) -> int:
    return max((cell_len(line) for line in cell.split("\n")), default=0)


def _narrowest(cell: str) -> int:
    """Return how narrow a cell can be without a word broken, or a name elided to nothing."""
    if isinstance(cell, Name):
        return min(_longest_line(cell), NAME_CELLS)
    return max((cell_len(word) for word in cell.split()), default=0)


def _row_lines(
    cells: Sequence[str], widths: Sequence[int], text_columns: int, gap: int, *, bottom: bool = False
) -> list[str]:
    """Return the lines of one row; with `bottom`, cells of fewer lines stand at its foot."""
    folded = [_folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, folded))
    lines = []
    for number in range(height):
        parts = []
        for i, (own, width) in enumerate(zip(folded, widths, strict=True)):
            at = number - (height - len(own) if bottom else 0)
            text = own[at] if 0 <= at < len(own) else ""
            space = " " * (width - cell_len(text))
            parts.append(text + space if i < text_columns else space + text)
        lines.append((" " + (" " * gap).join(parts)).rstrip())
    return lines


def _folded(cell: str, width: int) -> list[str]:
    if isinstance(cell, Name):
        return [elided(line, width) for line in cell.split("\n")]
    return [elided(line, width) for part in cell.split("\n") for line in wrapped(part, width) or [""]]


def wrapped(text: str, width: int, *, indent: int = 0) -> list[str]:
    """Return a paragraph as lines of at most `width`, all but the first indented; no word is broken."""
    return textwrap.wrap(
        text,
        max(width, 1),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def elided(name: str, width: int) -> str:
    """Return a name with its middle left out where it is wider than `width`."""
    if cell_len(name) <= width:
        return name
    keep = max(width - 1, 2)
    tail = keep // 2
    return set_cell_size(name, keep - tail).rstrip() + ELLIPSIS + _last_cells(name, tail).lstrip()


def _last_cells(text: str, width: int) -> str:
    kept = ""
    for character in reversed(text):
        if cell_len(character + kept) > width:
            break
        kept = character + kept
    return kept
