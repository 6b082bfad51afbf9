"""Albums with known engineers, made of real recordings on the level of features.

An engineer's equalizer, width and level are applied to a recording's third-octave segments and loudest
moments, and the album's own code predicts them back. Errors are against the undisturbed album. The priors are
learned without the album's tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from album_prior import learn_album_prior
from evidence import engineer_sections
from judge import read
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.album.effect_models import AlbumPrior
from refmaster.album.features import TONE_HZ, TrackFeatures, track_features
from refmaster.album.moves import engineer_moves, level_targets_lufs
from refmaster.album.request import Album, AlbumSettings, AlbumTrack, EngineerSettings
from refmaster.meters.kweighting import k_weighting_power_gain
from refmaster.profile.cache import cached_profile
from refmaster.profile.model import Profile

DESIGN_RATE_HZ = 44100
WINDOW, WINDOWS = 8192, 16
SPLITS = {"6/3/1": (6, 3, 1), "4/4/4": (4, 4, 4), "5/5": (5, 5), "1x6": (1,) * 6}
SMALLER = {
    6: {"6/3/1": (3, 2, 1), "4/4/4": (2, 2, 2), "5/5": (3, 3), "1x6": (1,) * 6},
    7: {"6/3/1": (4, 2, 1), "4/4/4": (3, 2, 2), "5/5": (4, 3), "1x6": (1,) * 6},
}


@dataclass(frozen=True)
class Engineer:
    """A random engineer: shelves within 5 dB, two bells within 4 dB, width 0.6 to 1.3, level within 4 dB."""

    sections: Array
    width: float
    level_db: float

    @classmethod
    def draw(cls, random: np.random.Generator, rate: int = DESIGN_RATE_HZ) -> Engineer:
        """Draw one; the same generator state gives the same sound at every rate."""
        sections = engineer_sections(rate, random)
        return cls(sections, float(random.uniform(0.6, 1.3)), float(random.uniform(-4, 4)))

    @classmethod
    def none(cls) -> Engineer:
        """Return one who does nothing."""
        return cls(np.array([[1.0, 0, 0, 1, 0, 0]]), 1.0, 0.0)

    def gain_db(self, hz: Array) -> Array:
        """Return the equalizer's gain at frequencies in Hz."""
        from scipy.signal import sosfreqz

        response = sosfreqz(self.sections, np.minimum(hz, 21000.0), fs=DESIGN_RATE_HZ)[1]
        return 20 * np.log10(np.abs(response))


@dataclass
class Song:
    """A recording: its profile, and windows around its loudest samples."""

    path: Path
    profile: Profile = field(init=False)
    features: TrackFeatures = field(init=False)

    def __post_init__(self) -> None:
        self.profile = cached_profile(self.path)
        self.features = track_features(self.profile)

    def lifted(self, gain_db: float) -> Song:
        """Return the same song at another level."""
        copy = Song(self.path)
        f = self.features
        copy.features = replace(
            f,
            tone_db=f.tone_db + gain_db,
            integrated_lufs=f.integrated_lufs + gain_db,
            loud_lufs=f.loud_lufs + gain_db,
            max_short_term_lufs=f.max_short_term_lufs + gain_db,
            true_peak_dbtp=f.true_peak_dbtp + gain_db,
        )
        return copy

    @cached_property
    def windows(self) -> tuple[NDArray[np.complex64], int]:
        """The spectra of mid and side of the loudest moments, shape (2, windows, bins), and the rate."""
        samples, rate = read(self.path)
        samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
        half = WINDOW // 2
        blocks = len(samples) // half
        peaks = np.abs(samples[: blocks * half]).reshape(blocks, -1).max(axis=1)
        starts = np.clip(np.argsort(peaks)[::-1] * half - half // 2, 0, len(samples) - WINDOW)
        found = np.array([samples[s : s + WINDOW] for s in starts[:WINDOWS]])
        both = np.stack([found.mean(axis=2), (found[:, :, 0] - found[:, :, 1]) / 2])
        return np.fft.rfft(both, axis=2).astype(np.complex64), rate

    @cached_property
    def segment_powers(self) -> tuple[Array, Array]:
        """The powers of mid and side in each segment and band."""
        evidence = self.profile.evidence
        mid = 10 ** (np.array(evidence.segment_mid_db) / 10)
        side = 10 ** (np.array(evidence.segment_side_db) / 10) if evidence.segment_side_db else 0.0 * mid
        return mid, side

    @cached_property
    def own_peak_db(self) -> float:
        """The highest sample of the loudest moments."""
        return self._peak_db(Engineer.none())

    def mixed_by(self, engineer: Engineer) -> TrackFeatures:
        """Return the features of the mix that an engineer would have delivered."""
        f = self.features
        gain = engineer.gain_db(f.segment_hz) + engineer.level_db
        mid, side = self.segment_powers
        weight = k_weighting_power_gain(f.segment_hz, f.source.sample_rate_hz) * 10 ** (gain / 10)
        segments = (mid + side * engineer.width**2) * weight
        mixed = replace(f, segments=segments.astype(np.float32))
        moved = {}
        for anchor in ("loud_sections", "max_short_term", "integrated"):
            now, then = (self._level(x, anchor) for x in (mixed, f))
            moved[anchor] = now - then
        return replace(
            mixed,
            tone_db=f.tone_db + engineer.gain_db(TONE_HZ) + engineer.level_db,
            width_db=None if f.width_db is None else f.width_db + 20 * np.log10(engineer.width),
            integrated_lufs=f.integrated_lufs + moved["integrated"],
            loud_lufs=f.loud_lufs + moved["loud_sections"],
            max_short_term_lufs=f.max_short_term_lufs + moved["max_short_term"],
            true_peak_dbtp=f.true_peak_dbtp + self._peak_db(engineer) - self.own_peak_db,
        )

    @staticmethod
    def _level(f: TrackFeatures, anchor: str) -> float:
        """Return the level of successive segments of 0.75 s."""
        power = f.segments.sum(axis=1, dtype=np.float64)
        if anchor == "integrated":
            return float(10 * np.log10(power.mean()))
        smooth = np.convolve(power, np.full(4, 0.25), "valid") if len(power) >= 4 else power
        found = smooth.max() if anchor == "max_short_term" else np.percentile(smooth, 95)
        return float(10 * np.log10(found))

    def _peak_db(self, engineer: Engineer) -> float:
        (mid, side), rate = self.windows
        both = np.stack([mid + engineer.width * side, mid - engineer.width * side])
        hz = np.fft.rfftfreq(WINDOW, 1 / rate)
        response = 10 ** (engineer.gain_db(np.maximum(hz, 1.0)) / 20)
        heard = np.fft.irfft(both * response, n=WINDOW, axis=2)
        inner = heard[:, :, WINDOW // 8 : -WINDOW // 8]
        return float(20 * np.log10(np.abs(inner).max()) + engineer.level_db)


@dataclass(frozen=True)
class Pool:
    """Songs that albums are drawn from, and those that their priors may be learned from."""

    songs: Sequence[Song]
    learned_from: Sequence[Song]


@dataclass(frozen=True)
class Case:
    """An album: its songs, who mixed them, and a prior that was learned without them."""

    songs: list[Song]
    engineers: list[Engineer]
    who: list[int]
    prior: AlbumPrior
    named: bool = True

    @cached_property
    def mixes(self) -> list[TrackFeatures]:
        """The features of the mixes as delivered."""
        return [song.mixed_by(self.engineers[w]) for song, w in zip(self.songs, self.who, strict=True)]

    def album(self, **settings: object) -> Album:
        """Return the album as a person would describe it."""
        names = [f"engineer {w + 1}" if self.named else None for w in self.who]
        tracks = tuple(
            AlbumTrack(file=s.path.name, engineer=n) for s, n in zip(self.songs, names, strict=True)
        )
        asked = AlbumSettings(version=1, tracks=tracks, engineers=EngineerSettings.model_validate(settings))
        paths = tuple(s.path for s in self.songs)
        return Album(name="simulated", settings=asked, paths=paths, references=())


@dataclass(frozen=True)
class CaseErrors:
    """Errors against the undisturbed album, in dB RMS, of one case.

    `covered` is the share of tracks and third octaves whose true habit lies within the stated deviation.
    """

    tone: dict[str, float]
    level: dict[str, float]
    width: dict[str, float]
    covered: float
    largest_tone_db: float
    order_kept: bool


def solve(case: Case) -> CaseErrors:
    """Run the album's model and the naive alternatives on one case."""
    album = case.album(width=True)
    mixes, who = case.mixes, np.array(case.who)
    moves = engineer_moves(album, mixes, case.prior)
    fit = moves.tone_fit
    applied = np.array([case.engineers[w].gain_db(TONE_HZ) for w in who])
    tone = {"before": tone_error(applied), "refmaster": tone_error(applied + moves.tone_db)}
    found = np.array([f.tone_db - f.tone_db.mean() for f in mixes])
    tone["every track to the mean"] = tone_error(applied - found)
    tone["engineers' means removed"] = tone_error(applied - _means(found, who))
    own = np.array([s.features.loud_lufs for s in case.songs])
    loud = np.array([f.loud_lufs for f in mixes])
    after = level_targets_lufs(album, mixes, moves)
    level = {
        "before": float(np.std(loud - own)),
        "refmaster": float(np.std(after - own)),
        "all equally loud": float(np.std(own)),
        "engineers' means removed": float(np.std(loud - _means(loud[:, None], who)[:, 0] - own)),
    }
    width = 20 * np.log10([case.engineers[w].width for w in who])
    return CaseErrors(
        tone=tone,
        level=level,
        width={"before": float(np.std(width)), "refmaster": float(np.std(width + moves.width_db))},
        covered=float(np.mean(np.abs(_free(applied) - fit.offsets_db[fit.index]) < fit.std_db[fit.index])),
        largest_tone_db=float(_rms(moves.tone_db).max()),
        order_kept=bool((np.argsort(after) == np.argsort(loud)).all()),
    )


def tone_error(moved_db: Array) -> float:
    """Return the RMS over tracks and third octaves, each track's level and the album's mean removed."""
    return float(np.sqrt(np.mean(_free(moved_db) ** 2)))


def _free(curves: Array) -> Array:
    """Return curves without their levels and without their mean curve."""
    rest = curves - curves.mean(axis=1, keepdims=True)
    return np.asarray(rest - rest.mean(axis=0))


def _rms(curves: Array) -> Array:
    return np.sqrt(np.mean((curves - curves.mean(axis=1, keepdims=True)) ** 2, axis=1))


def _means(values: Array, who: NDArray[np.int_]) -> Array:
    return np.array([values[who == w].mean(axis=0) for w in who]) - values.mean(axis=0)


def cases(pool: Pool, split: str, seeds: Sequence[int]) -> list[Case]:
    """Return one album for each seed; the prior is learned from the pool's others that are not drawn."""
    count = len(pool.songs)
    sizes = SMALLER.get(count, SPLITS)[split]
    made = []
    for seed in seeds:
        random = np.random.default_rng([seed, count, *map(ord, split)])
        chosen = [pool.songs[i] for i in random.permutation(count)[: sum(sizes)]]
        who = [number for number, size in enumerate(sizes) for _ in range(size)]
        engineers = [Engineer.draw(random) for _ in sizes]
        left_out = {s.path for s in chosen}
        rest = [s for s in pool.learned_from if s.path not in left_out]
        prior = learn_album_prior([s.features for s in rest], [s.path.stem for s in rest])
        made.append(Case(chosen, engineers, who, prior))
    return made
