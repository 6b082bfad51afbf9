"""The texts of other programs read back as curves: see `refmaster.takeaway.texts` for what they are.

A text is read strictly. What cannot become a curve of a plan (another filter, one channel of two, a line
that is none of the formats) is refused with its line, where those programs would skip it. Only above the
first line of data are lines without meaning taken for a heading, as Room EQ Wizard writes one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from refmaster.dsp.curves import Points, curve_at
from refmaster.profile.bands import band_centers_hz
from refmaster.settings.curves import MAX_GAIN_DB, MAX_HZ, CurvePoint
from refmaster.settings.document import Problem, problems_error, read_text
from refmaster.settings.takeaway import CurvePart
from refmaster.settings.words import found_text
from refmaster.takeaway.bands import BandKind, ParametricBand, band_gains_db
from refmaster.takeaway.texts import DECODE_MID_SIDE, ENCODE_MID_SIDE, FILTER_NAMES

MAX_CURVE_BYTES = 1 << 20
# Of a text. 96 points an octave from 10 Hz to 24 kHz are 1100; a plan is there to be read.
MAX_POINTS = 4000
MAX_FILTERS = 200
_MIN_Q, _MAX_Q = 0.05, 100.0
_ANY_HZ = 1000.0  # the point of a curve that is the same everywhere
# Of the sample rate: up to here filters have a place and a gain; the profile's grid, on which they are read,
# ends there.
_KNOWN_TO = 0.49

_COMMAND = re.compile(r"(GraphicEQ|Filter|Preamp|Channel|Copy)\b[ \t]*+[0-9]*+[ \t]*+:(.*)", re.DOTALL)
_FILTER = re.compile(
    r"ON\s+(?P<kind>[A-Za-z]+)\s+Fc\s+(?P<hz>\S+)\s*Hz\s+Gain\s+(?P<gain>\S+)\s*dB(?:\s+Q\s+(?P<q>\S+))?"
)
_NO_FILTER = re.compile(r"OFF\b.*|ON\s+None\b.*", re.IGNORECASE | re.DOTALL)
_NUMBER_FIRST = re.compile(r"[-+.]?[0-9]|[-+]?(?:nan|inf|infinity)\b", re.IGNORECASE)
_BELLS = ("PK", "PEQ", "Modal")
# Shelves without a Q have this slope S of the Audio EQ Cookbook in Equalizer APO, as in Room EQ Wizard.
_SHELVES_WITHOUT_Q: dict[str, BandKind] = {"LS": "low_shelf", "HS": "high_shelf"}
_SLOPE = 0.9


@dataclass
class _Parts:
    """A text's demands on one of mid and side; all of them add up."""

    curves: list[list[CurvePoint]] = field(default_factory=list)
    bands: list[ParametricBand] = field(default_factory=list)
    gain_db: float = 0.0

    def points(self, sample_rate_hz: int) -> Points:
        """Return the sum as points, none where nothing is asked; a single curve keeps its own."""
        if not self.bands and len(self.curves) == 1:
            return tuple((hz, gain + self.gain_db) for hz, gain in self.curves[0])
        own = {hz for curve in self.curves for hz, _ in curve}
        grid = band_centers_hz(sample_rate_hz) if self.bands else np.zeros(0)
        at = np.array(sorted({*own, *(round(float(hz), 2) for hz in grid)}))
        if not len(at):
            return () if self.gain_db == 0.0 else ((_ANY_HZ, self.gain_db),)
        total = np.full(len(at), self.gain_db)
        for curve in self.curves:
            total += curve_at(tuple(curve), at)
        if self.bands:
            inside = np.minimum(at, _KNOWN_TO * sample_rate_hz)
            total += band_gains_db(self.bands, inside, sample_rate_hz).sum(axis=0)
        return tuple((float(hz), round(float(gain), 3) + 0.0) for hz, gain in zip(at, total, strict=True))


def read_curves(path: str | Path, *, sample_rate_hz: int) -> dict[CurvePart, Points]:
    """Read the curves of mid and side from a text of Equalizer APO or Room EQ Wizard.

    Parameters
    ----------
    path : str or Path
        GraphicEQ or parametric filters, for all channels or for MID and SIDE as refmaster writes them, or a
        table of frequencies and levels.
    sample_rate_hz : int
        That parametric filters run at.

    Returns
    -------
    dict
        Points of Hz and dB for "mid" and "side", the same for both where the text has one curve; none where
        it leaves one at 0 dB.

    Raises
    ------
    SettingsError
        Naming the file, the line and the column, what was expected and what was found.
    """
    reader = _Reader(str(path), sample_rate_hz)
    text = read_text(path, max_bytes=MAX_CURVE_BYTES, expected="a text file with a curve")
    for number, line in enumerate(text.split("\n"), 1):
        reader.take(number, line.rstrip())
    return reader.result()


class _Reader:
    """Takes the lines of a text one after another."""

    def __init__(self, name: str, sample_rate_hz: int) -> None:
        self._name, self._rate = name, sample_rate_hz
        self._parts: dict[CurvePart, _Parts] = {"mid": _Parts(), "side": _Parts()}
        self._chosen: tuple[CurvePart, ...] = ("mid", "side")
        self._table: list[CurvePoint] = []
        self._points = 0
        self._has_commands = False
        self._has_curve = False  # a command that changes gains, if only by 0 dB
        self._line = 1

    def take(self, number: int, line: str) -> None:
        """Take a line."""
        self._line = number
        text = line.lstrip()
        column = len(line) - len(text) + 1
        if not text or text[0] in "#*;":
            return
        command = _COMMAND.fullmatch(text)
        if command is not None:
            if self._table:
                self._refuse(column, "a table of frequencies has begun, found a command")
            self._has_commands = True
            self._command(command[1], command[2], column + command.start(2))
        elif _NUMBER_FIRST.match(text) and not self._has_commands:
            self._row(text, column)
        elif self._table or self._has_commands:
            known = "a number" if self._table else "GraphicEQ, Filter, Preamp, Channel or Copy"
            self._refuse(column, f"expected {known} at the start of the line, found {found_text(text)}")

    def result(self) -> dict[CurvePart, Points]:
        """Return the curves of the whole text."""
        if self._table:
            for part in self._parts.values():
                part.curves.append(self._table)
        if not (self._table or self._has_curve):
            self._line = 1
            self._refuse(1, "no curve found: expected GraphicEQ, Filter lines, or a table of Hz and dB")
        found = {part: asked.points(self._rate) for part, asked in self._parts.items()}
        for points in found.values():
            for hz, gain in points:
                if abs(gain) > MAX_GAIN_DB:
                    self._line = 1
                    self._refuse(
                        1,
                        f"all lines together ask for {gain:+.1f} dB at {hz:g} Hz, beyond {MAX_GAIN_DB:g} dB",
                    )
        return found

    def _command(self, name: str, text: str, column: int) -> None:
        self._has_curve |= name in ("GraphicEQ", "Filter", "Preamp")
        if name == "GraphicEQ":
            points = self._graphic(text, column)
            for part in self._chosen:
                self._parts[part].curves.append(points)
        elif name == "Filter":
            self._filter(text, column)
        elif name == "Preamp":
            match = re.fullmatch(r"\s*(\S+)\s*dB\s*", text, re.IGNORECASE)
            gain = self._gain(match[1] if match else text.strip(), column)
            for part in self._chosen:
                self._parts[part].gain_db += gain
        elif name == "Channel":
            self._channel(text, column)
        elif "".join(text.upper().split()) not in (
            "".join(known.split()) for known in (ENCODE_MID_SIDE, DECODE_MID_SIDE)
        ):
            self._refuse(column, "Copy can only make MID and SIDE of L and R, as refmaster writes it")

    def _channel(self, text: str, column: int) -> None:
        names = set(text.upper().split())
        if names in ({"MID"}, {"SIDE"}):
            self._chosen = ("mid",) if names == {"MID"} else ("side",)
        elif names in ({"ALL"}, {"L", "R"}, {"1", "2"}, {"MID", "SIDE"}):
            self._chosen = ("mid", "side")
        else:
            self._refuse(
                column,
                f"expected ALL, L R, MID or SIDE, found {found_text(text.strip())}: a plan has no curve for "
                "one channel of two",
            )

    def _graphic(self, text: str, column: int) -> list[CurvePoint]:
        points: list[CurvePoint] = []
        for piece in text.rstrip().rstrip(";").split(";"):
            place = column + len(piece) - len(piece.lstrip())
            values = piece.split()
            if len(values) != 2:
                self._refuse(place, f'expected "Hz dB" between semicolons, found {found_text(piece.strip())}')
            self._append(points, values, place)
            column += len(piece) + 1
        return points

    def _row(self, text: str, column: int) -> None:
        values = text.replace(";", " ").split()
        if any("," in value[:-1] for value in values):
            if len(values) > 1 and not any(value.endswith(",") for value in values[:-1]):
                self._refuse(column, f"expected a point as the decimal mark, found {found_text(text)}")
            values = text.replace(",", " ").split()
        values = [value.rstrip(",") for value in values]
        if len(values) not in (2, 3):
            self._refuse(column, f"expected Hz and dB, and a phase at most, found {found_text(text)}")
        self._append(self._table, values[:2], column)

    def _append(self, points: list[CurvePoint], values: list[str], column: int) -> None:
        hz = self._frequency(values[0], column)
        if points and hz <= points[-1][0]:
            self._refuse(column, f"frequencies must rise, found {hz:g} Hz after {points[-1][0]:g} Hz")
        self._points += 1
        if self._points > MAX_POINTS:
            self._refuse(column, f"more than {MAX_POINTS} points: export fewer, such as 96 an octave")
        points.append((hz, self._gain(values[1], column)))

    def _filter(self, text: str, column: int) -> None:
        text = text.strip()
        if _NO_FILTER.fullmatch(text):
            return
        match = _FILTER.fullmatch(text)
        if match is None:
            self._refuse(column, f'expected "ON PK Fc 100 Hz Gain 1.0 dB Q 1.0", found {found_text(text)}')
        hz = self._frequency(_without_thousands(match["hz"]), column)
        gain = self._gain(match["gain"], column)
        band = ParametricBand(
            kind=self._kind(match, column), hz=hz, gain_db=gain, q=self._q(match, gain, column)
        )
        if hz >= _KNOWN_TO * self._rate:
            self._refuse(
                column,
                f"expected a filter below {_KNOWN_TO * self._rate:g} Hz (the plan renders at "
                f"{self._rate} Hz), found {hz:g} Hz",
            )
        for part in self._chosen:
            bands = self._parts[part].bands
            if len(bands) == MAX_FILTERS:
                self._refuse(column, f"more than {MAX_FILTERS} filters")
            bands.append(band)

    def _kind(self, match: re.Match[str], column: int) -> BandKind:
        name, has_q = match["kind"], match["q"] is not None
        kinds: dict[str, BandKind] = {label: kind for kind, label in FILTER_NAMES.items()}
        if name in _BELLS and has_q:
            return "bell"
        if name in kinds and has_q:
            return kinds[name]
        if name in _SHELVES_WITHOUT_Q and not has_q:
            return _SHELVES_WITHOUT_Q[name]
        return self._refuse(
            column,
            "expected PK, LSC or HSC with a Q (or LS or HS without one), found "
            f"{found_text(name)} {'with' if has_q else 'without'} Q",
        )

    def _q(self, match: re.Match[str], gain_db: float, column: int) -> float:
        if match["q"] is None:
            a = 10.0 ** (gain_db / 40.0)
            return float(1.0 / np.sqrt((a + 1.0 / a) * (1.0 / _SLOPE - 1.0) + 2.0))
        q = self._number(match["q"], column)
        if not _MIN_Q <= q <= _MAX_Q:
            self._refuse(column, f"expected a Q from {_MIN_Q:g} to {_MAX_Q:g}, found {q:g}")
        return q

    def _frequency(self, text: str, column: int) -> float:
        hz = self._number(text, column)
        if not 0.0 < hz <= MAX_HZ:
            self._refuse(column, f"expected a frequency above 0 and up to {MAX_HZ:g} Hz, found {hz:g}")
        return hz

    def _gain(self, text: str, column: int) -> float:
        gain = self._number(text, column)
        if abs(gain) > MAX_GAIN_DB:
            self._refuse(
                column,
                f"expected a gain from {-MAX_GAIN_DB:g} to {MAX_GAIN_DB:g} dB, found {gain:g}; is this a "
                "measured level, not an equalizer?",
            )
        return gain

    def _number(self, text: str, column: int) -> float:
        try:
            value = float(text) if "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._refuse(column, f"expected a number such as 1.5, found {found_text(text)}")
        return value

    def _refuse(self, column: int, message: str) -> NoReturn:
        raise problems_error(self._name, [Problem(self._line, column, "", message)])


def _without_thousands(text: str) -> str:
    """Return a filter's frequency as Equalizer APO reads it: three last digits are thousands."""
    return text.replace(".", "").replace(",", "") if re.fullmatch(r"\d{1,3}[.,]\d{3}", text) else text
