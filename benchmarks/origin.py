"""Tell where files come from: lossy codecs behind lossless files, lower sample rates, shorter words.

Run it from the checkout, on a folder of music; the tables are Markdown::

    python benchmarks/origin.py --music FOLDER [--work FOLDER]

`origin_material` says what the recordings are. They are halved by source: the tables
are of the second half, with the first in brackets. ``--work`` keeps what codecs returned.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from origin_material import (
    LOSSY,
    RATE_HZ,
    SYNTHETIC,
    Samples,
    fast_music,
    mastered,
    music_files,
    stored,
    through_codec,
    variants,
)
from runs import table

from refmaster.check.origin import FRAMES_PROMINENT_FROM, narrow_below_hz
from refmaster.meters.origin import OriginMeter, OriginResult

BITS = (16, 24)
FIRST_TRIM, GAINS_DB = 4001, (0.0, -1.3, 0.7, -4.0)
LOWER_RATES_HZ = (
    (16000, 48000),
    (32000, 48000),
    (22050, 44100),
    (32000, 44100),
    (44100, 96000),
    (48000, 96000),
)
HEADER = ("recordings", "found", "prominence, lowest / median / highest", "(first half)", "(prominence)")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A lossless recording, and the half that it belongs to."""

    name: str
    samples: Samples
    half: int


@dataclass
class Count:
    """How many recordings of a kind have a finding, and how clear it was in each; for each half."""

    found: list[int] = field(default_factory=lambda: [0, 0])
    clear: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    other: list[int] = field(default_factory=lambda: [0, 0])

    def add(
        self, piece: Piece, found: OriginResult, has_it: bool | None = None, *, expected: str = ""
    ) -> None:
        """Count a recording; by default whether it is found to come from a lossy codec."""
        self.clear[piece.half].append(prominence(found))
        if is_lossy(found) if has_it is None else has_it:
            self.found[piece.half] += 1
            self.other[piece.half] += bool(expected and found.framing and found.framing.codec != expected)

    def row(self, name: str) -> list[str]:
        """Return the row of a table: the second half, and the first in brackets."""
        cells = [name]
        for half in (1, 0):
            clear = sorted(self.clear[half]) or [0.0]
            named = f", {self.other[half]} by another's name" if self.other[half] else ""
            cells.append(f"{self.found[half]} of {len(self.clear[half])}{named}")
            cells.append(f"{clear[0]:.1f} / {clear[len(clear) // 2]:.1f} / {clear[-1]:.1f}")
        return cells


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--work", type=Path, help="a folder for what codecs returned, to run again sooner")
    parser.add_argument("--every", type=int, default=1, help="code only every second, third ... piece")
    given = parser.parse_args()
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
    pieces = list(enumerate(made_pieces(given.music, given.work)))
    print_lossless(pieces)
    print_lossy(pieces, given.work, given.every)
    print("\nThe folder's own recordings, decoded\n")
    own_header = ["recording", "coding", "named", "prominence", "ends at, kHz"]
    print(table(own_header, list(own(given.music))), flush=True)
    print_worked_on(pieces[:: given.every], given.work)


def print_lossless(pieces: Sequence[tuple[int, Piece]]) -> None:
    """Print what is found in lossless recordings, and in such of lower rates."""
    lossless: dict[str, Count] = defaultdict(Count)
    upsampled: dict[str, Count] = defaultdict(Count)
    for number, piece in pieces:
        for kind, (audio, rate_hz) in variants(piece.samples, number).items():
            found = judged(stored(audio, BITS[number % 2]), rate_hz)
            lossless[kind].add(piece, found)
            upsampled[kind].add(piece, found, is_upsampled(found, rate_hz))
        for low_hz, high_hz in LOWER_RATES_HZ if number % 3 == 0 else ():
            low = soxr.resample(piece.samples, RATE_HZ, low_hz, quality="VHQ")
            high = stored(soxr.resample(low, low_hz, high_hz, quality="HQ"), BITS[number % 2])
            name = f"{low_hz / 1000:g} in {high_hz / 1000:g} kHz"
            found = judged(high, high_hz)
            upsampled[name].add(piece, found, is_upsampled(found, high_hz))
    print(f"\nLossless recordings, {len(pieces)} sources: `lossy_origin` found\n")
    print(table(HEADER, [total.row(kind) for kind, total in lossless.items()]), flush=True)
    print("\nLower sample rates: `upsampled` found\n")
    rows = [total.row(kind) for kind, total in upsampled.items()]
    print(table([*HEADER[:2], HEADER[3]], [[row[0], row[1], row[3]] for row in rows]), flush=True)


def print_lossy(pieces: Sequence[tuple[int, Piece]], work: Path | None, every: int) -> None:
    """Print what is found in recordings from lossy codecs; each codec has other pieces."""
    lossy: dict[str, Count] = defaultdict(Count)
    for which, (codec, setting) in enumerate(LOSSY):
        for number, piece in pieces[which % every :: every]:
            audio, rate_hz = coded(work, piece, codec, setting)
            trim = FIRST_TRIM * number + number**3
            gain = 10 ** (GAINS_DB[number % 4] / 20)
            audio = stored(audio[trim % (RATE_HZ // 2) :] * gain, BITS[number % 2])
            lossy[f"{codec} {setting:g}"].add(piece, judged(audio, rate_hz), expected=codec)
    print("\nLossy recordings, trimmed, gain changed, dithered to 16 or 24 bit: `lossy_origin` found\n")
    print(table(HEADER, [total.row(kind) for kind, total in lossy.items()]), flush=True)


def print_worked_on(pieces: Sequence[tuple[int, Piece]], work: Path | None) -> None:
    """Print what is found in recordings from lossy codecs that were mastered or converted afterwards."""
    later: dict[str, Count] = defaultdict(Count)
    for codec, setting in (("mp3", 192.0), ("vorbis", 5.0), ("aac", 192.0), ("opus", 128.0)):
        for number, piece in pieces:
            audio, rate_hz = coded(work, piece, codec, setting)
            found = judged(stored(mastered(audio, number, rate_hz), 24), rate_hz)
            later[f"{codec} {setting:g}, then mastered"].add(piece, found, expected=codec)
            other_hz = 92100 - rate_hz
            found = judged(stored(soxr.resample(audio, rate_hz, other_hz, quality="VHQ"), 24), other_hz)
            later[f"{codec} {setting:g}, then {other_hz} Hz"].add(piece, found, expected=codec)
    print("\nLossy recordings that were worked on afterwards\n")
    print(table(HEADER, [total.row(kind) for kind, total in later.items()]), flush=True)


def made_pieces(folder: Path, work: Path | None) -> Iterator[Piece]:
    """Yield the lossless pieces; all of an artist's are in the same half."""
    files = music_files(folder)
    artists = sorted({path.stem.split("_")[1] for path in files})
    for path in files:
        samples, _ = kept(work, f"m_{path.stem}", lambda path=path: (fast_music(path), RATE_HZ))
        yield Piece(name=f"m_{path.stem}", samples=samples, half=artists.index(path.stem.split("_")[1]) % 2)
    for number, (name, make) in enumerate(SYNTHETIC.items()):
        samples, _ = kept(work, f"s_{name}", lambda make=make: (make(), RATE_HZ))
        yield Piece(name=f"s_{name}", samples=samples, half=number % 2)


def coded(work: Path | None, piece: Piece, codec: str, setting: float) -> tuple[Samples, int]:
    """Return a piece through a codec, and its rate."""
    name = f"{codec}{setting:g}_{piece.name}"
    return kept(work, name, lambda: through_codec(stored(piece.samples, 16), RATE_HZ, codec, setting))


def kept(work: Path | None, name: str, make: Callable[[], tuple[Samples, int]]) -> tuple[Samples, int]:
    """Return what `make` returns, from the folder of work where it is there."""
    if work is None:
        return make()
    path = work / f"{name}.wav"
    if not path.exists():
        samples, rate_hz = make()
        sf.write(path, samples, rate_hz, subtype="FLOAT")
    return sf.read(path, dtype="float64", always_2d=True)


def judged(samples: Samples, rate_hz: int) -> OriginResult:
    """Return where the samples say that they come from."""
    meter = OriginMeter(rate_hz)
    meter.update(np.asfortranarray(samples, dtype=np.float32))
    return meter.result()


def prominence(found: OriginResult) -> float:
    """Return how clearly a codec's frames stand out."""
    return 0.0 if found.framing is None else found.framing.prominence


def is_lossy(found: OriginResult) -> bool:
    """Whether `lossy_origin` is found."""
    return prominence(found) >= FRAMES_PROMINENT_FROM


def is_upsampled(found: OriginResult, rate_hz: int) -> bool:
    """Whether `upsampled` is found."""
    return found.bandwidth_hz is not None and found.bandwidth_hz <= narrow_below_hz(rate_hz)


def own(folder: Path) -> Iterator[list[str]]:
    """Yield a row for each of the folder's recordings, stems included."""
    for path in sorted(f for f in folder.iterdir() if f.suffix in {".flac", ".ogg", ".mp3"}):
        samples, rate_hz = sf.read(path, dtype="float64", always_2d=True)
        found = judged(stored(samples, 16), rate_hz)
        end = f"{found.bandwidth_hz / 1000:.1f}" if found.bandwidth_hz else "-"
        named = str(found.framing.codec) if found.framing and is_lossy(found) else "-"
        yield [path.stem, sf.info(path).subtype, named, f"{prominence(found):.1f}", end]


if __name__ == "__main__":
    main()
