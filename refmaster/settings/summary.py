"""Results as a few lines of text, and as a small HTML table in notebooks.

A result holds spectra and time series; its ``repr`` is for reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

MAX_TEXT_CHARACTERS = 160


class Summarized:
    """A result whose ``repr`` is the lines of its `summary`."""

    def summary(self) -> list[tuple[str, str]]:
        """Return what a person looks at first, as pairs of name and text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        rows = _shortened(self.summary())
        width = max((len(name) for name, _ in rows), default=0)
        return (
            "\n".join([f"<{type(self).__name__}", *(f"  {name:<{width}}  {text}" for name, text in rows)])
            + ">"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Return the summary as notebooks draw it."""
        cell = '<td style="text-align: left">{}</td>'
        rows = "".join(
            f"<tr><th>{escape(name)}</th>{cell.format(escape(text))}</tr>"
            for name, text in _shortened(self.summary())
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


def _shortened(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (name, text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 3] + "...")
        for name, text in rows
    ]


def measured(value: float | None, unit: str, *, decimals: int = 1, signed: bool = False) -> str:
    """Return a value with its unit, such as ``-14.0 LUFS``; ``no LUFS`` where there is none."""
    if value is None:
        return f"no {unit}"
    sign = "+" if signed else ""
    return f"{value + 0.0:{sign}.{decimals}f} {unit}"
