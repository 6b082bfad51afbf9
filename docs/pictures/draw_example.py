"""Draw the README's picture: master the shipped example and write its spectra as ``example.svg``.

Run it from the repository's root: ``python docs/pictures/draw_example.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import refmaster

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent.parent / "fixtures" / "example"

WIDTH, HEIGHT = 860, 560
LEFT, RIGHT = 60, 840
LOW_HZ, HIGH_HZ = 30.0, 18000.0
JUDGED_LOW_HZ, JUDGED_HIGH_HZ = 40.0, 16000.0
SLOPE_DB_PER_OCTAVE = 2.0  # added to the spectra, so that music lies about level and differences show
BANDS_PER_THIRD = 8
GRAY, BLUE, ORANGE = "#8a8f98", "#2166ac", "#d6604d"

Array = NDArray[np.float64]


class Panel:
    """A rectangle of the picture with a dB axis; frequencies are logarithmic."""

    def __init__(self, top: int, bottom: int, low_db: float, high_db: float, title: str) -> None:
        self.top, self.bottom, self.low_db, self.high_db = top, bottom, low_db, high_db
        self.parts = [f'<text x="{LEFT}" y="{top - 10}" class="title">{escape(title)}</text>']
        for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000):
            x = self.x(hz)
            name = f"{hz // 1000}k" if hz >= 1000 else str(hz)
            self.parts.append(f'<path d="M{x:.1f} {top}V{bottom}" class="grid"/>')
            self.parts.append(
                f'<text x="{x:.1f}" y="{bottom + 16}" class="mark" text-anchor="middle">{name}</text>'
            )
        for db in range(int(low_db), int(high_db) + 1, 5 if high_db - low_db > 15 else 2):
            y = self.y(db)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" class="{"zero" if db == 0 else "grid"}"/>')
            self.parts.append(
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="mark" text-anchor="end">{db:+d}</text>'
            )

    def x(self, hz: float) -> float:
        """Return the place of a frequency."""
        return LEFT + (RIGHT - LEFT) * float(np.log(hz / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ))

    def y(self, db: float) -> float:
        """Return the place of a level; beyond the panel's range, its edge."""
        inside = min(max(db, self.low_db), self.high_db)
        return self.bottom - (self.bottom - self.top) * (inside - self.low_db) / (self.high_db - self.low_db)

    def points(self, hz: Array, db: Array) -> str:
        """Return a curve's points within the picture, as a path needs them."""
        places = [(self.x(f), self.y(v)) for f, v in zip(hz, db, strict=True) if LOW_HZ <= f <= HIGH_HZ]
        return "L".join(f"{x:.1f} {y:.1f}" for x, y in places)

    def line(self, hz: Array, db: Array, style: str) -> None:
        """Draw a curve."""
        self.parts.append(f'<path d="M{self.points(hz, db)}" fill="none" {style}/>')

    def area(self, hz: Array, low: Array, high: Array, style: str) -> None:
        """Fill what lies between two curves."""
        back = self.points(hz[::-1], high[::-1])
        self.parts.append(f'<path d="M{self.points(hz, low)}L{back}Z" stroke="none" {style}/>')

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Name the curves, at the right of the title."""
        x = RIGHT
        for name, style in reversed(entries):
            x -= 7 * len(name) + 42
            y = self.top - 14
            self.parts.append(f'<path d="M{x} {y}h24" fill="none" {style}/>')
            self.parts.append(f'<text x="{x + 30}" y="{y + 4}" class="mark">{escape(name)}</text>')


def third_octaves(profile: refmaster.Profile) -> tuple[Array, Array]:
    """Return frequencies and the mid's running third-octave level, level removed, tilted to lie flat."""
    hz = np.array(profile.spectrum.frequencies_hz)
    power = 10.0 ** (np.array(profile.spectrum.mid_db) / 10.0)
    smooth = 10.0 * np.log10(np.convolve(power, np.ones(BANDS_PER_THIRD), mode="same") + 1e-20)
    smooth += SLOPE_DB_PER_OCTAVE * np.log2(hz / 1000.0)
    judged = (hz >= JUDGED_LOW_HZ) & (hz <= JUDGED_HIGH_HZ)
    return hz, smooth - smooth[judged].mean()


def draw(result: refmaster.MasterResult) -> str:
    """Return the picture of a master as SVG text."""
    solid = f'stroke="{BLUE}" stroke-width="2.2"'
    gray = f'stroke="{GRAY}" stroke-width="1.6"'
    dashed = f'stroke="{ORANGE}" stroke-width="1.6" stroke-dasharray="5 3"'
    spectra = Panel(
        70,
        310,
        -20,
        10,
        f"Spectrum, dB: third octaves, level removed, +{SLOPE_DB_PER_OCTAVE:g} dB per octave",
    )
    named = (
        ("mix", result.mix, gray),
        ("reference", result.references[0], dashed),
        ("master", result.master, solid),
    )
    for _, profile, style in named:
        hz, level_db = third_octaves(profile)
        spectra.line(hz, level_db, style)
    spectra.legend([(name, style) for name, _, style in named])

    tone = result.plan.tone
    plan = Panel(380, 520, -6, 6, "The plan's equalizer, dB")
    hz, likely, spread = np.array(tone.likely_mid).T
    points_hz, gain_db = np.array(tone.mid).T
    plan.area(hz, likely - spread, likely + spread, f'fill="{ORANGE}" fill-opacity="0.25"')
    plan.line(hz, likely, f'stroke="{ORANGE}" stroke-width="1.6"')
    plan.line(points_hz, gain_db, solid)
    plan.legend(
        [
            ("likely mastering, ± 1 standard deviation", f'stroke="{ORANGE}" stroke-width="1.6"'),
            ("applied", solid),
        ]
    )

    before, after = result.mix.levels, result.master.levels
    loudness = f"{before.integrated_lufs:.1f} to {after.integrated_lufs:.1f} LUFS"
    peak = f"{before.true_peak_dbtp:.1f} to {after.true_peak_dbtp:.1f} dBTP"
    facts = f"{result.mix.name} toward {result.references[0].name}: {loudness}, true peak {peak}"
    style = (
        "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#24292f}"
        ".title{font-size:13px;font-weight:600}.mark{font-size:12px;fill:#57606a}.head{font-size:15px;font-weight:600}"
        ".grid{stroke:#e4e7eb;fill:none}.zero{stroke:#b6bcc4;fill:none}"
    )
    body = "\n".join([*spectra.parts, *plan.parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(facts)}">\n<style>{style}</style>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
        f'<text x="{LEFT}" y="28" class="head">{escape(facts)}</text>\n{body}\n'
        f'<text x="{RIGHT}" y="{HEIGHT - 6}" class="mark" text-anchor="end">Hz</text>\n</svg>\n'
    )


def main() -> None:
    """Master the example and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        result = refmaster.master_file(
            EXAMPLE / "mix.flac", EXAMPLE / "reference.flac", Path(folder) / "master.wav"
        )
    (HERE / "example.svg").write_text(draw(result), encoding="utf-8")


if __name__ == "__main__":
    main()
