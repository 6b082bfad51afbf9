"""A profile: the measurements of one recording, whole and segment by segment.

A profile is data. It holds no audio, can be saved as YAML and stands wherever a reference file can. Values
are rounded when they are measured (levels to 0.001 dB), so that a saved profile and a fresh one are the
same and lead to the same plan. Levels that do not exist (silence, a recording that is too short) are None
in single values and `FLOOR_DB` in series and spectra.

Spectra are band powers in the bands of 1/24 octave of `bands.BANDS_HZ`, in dB, scaled so that a
full-scale sine reads -3.01 dB; mid is (L+R)/2, side is (L-R)/2, and a mono recording is all mid.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import FailFast, Field, model_validator

from refmaster.profile.faults import Faults
from refmaster.settings.document import PROFILE_MAX_BYTES, PROFILE_MAX_VALUES, read_document
from refmaster.settings.emit import emit_model
from refmaster.settings.model import Model, validate_document
from refmaster.settings.output import MAX_SAMPLE_RATE_HZ, SampleRateHz
from refmaster.settings.summary import Summarized, measured

FLOOR_DB = -200.0
SILENT_BELOW_DB = -110.0

# Ranges hold whatever a recording may measure (a sample of 1e-300 has -6000 dBFS) and refuse what would only
# overflow.
MAX_CHANNELS = 1024
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=1e9)]
Level = Annotated[float, Field(ge=-10_000.0, le=100.0)]
Ratio = Annotated[float, Field(ge=-10_000.0, le=10_000.0)]
Hertz = Annotated[float, Field(gt=0.0, le=MAX_SAMPLE_RATE_HZ / 2)]
FlooredLevel = Annotated[float, Field(ge=FLOOR_DB, le=100.0)]
Deviation = Annotated[float, Field(ge=0.0, le=300.0)]
# The first value that is wrong is enough: a profile is made by a program.
Bands = Annotated[tuple[Hertz, ...], Field(max_length=1000), FailFast()]
BandLevelsDb = Annotated[tuple[FlooredLevel, ...], Field(max_length=1000), FailFast()]
Deviations = Annotated[tuple[Deviation, ...], Field(max_length=1000), FailFast()]
Segments = Annotated[tuple[BandLevelsDb, ...], Field(max_length=10_000), FailFast()]
Series = Annotated[tuple[FlooredLevel, ...], FailFast()]


class SourceFacts(Model):
    """The recording that was measured."""

    file: str = Field(description="path as given")
    sha256: str | None = Field(description="of the file; null for an array")
    container: str
    subtype: str
    lossy: bool = Field(description="the codec is lossy")
    sample_rate_hz: SampleRateHz
    channels: int = Field(ge=1, le=MAX_CHANNELS)
    frames: Count
    duration_s: Seconds = Field(description="s")


class Levels(Model):
    """Loudness and peaks, ITU-R BS.1770-5, EBU Tech 3341 and 3342."""

    integrated_lufs: Level | None = Field(description="LUFS, gated; null: silence or under 0.4 s")
    max_momentary_lufs: Level | None = Field(description="LUFS, 400 ms")
    max_short_term_lufs: Level | None = Field(description="LUFS, 3 s")
    loudness_range_lu: Deviation | None = Field(description="LU")
    loudness_range_stable: bool = Field(description="false under 60 s, where it may still move")
    true_peak_dbtp: Level | None = Field(description="dBTP")
    true_peak_filter: str = Field(description="the interpolation filter of the true peak")
    sample_peak_dbfs: Level | None = Field(description="dBFS")
    plr_db: Ratio | None = Field(description="dB, true peak over integrated loudness")
    psr_db: Ratio | None = Field(description="dB, smallest true peak over short-term loudness")
    crest_factor_db: Ratio | None = Field(description="dB, sample peak over RMS")
    clipped_runs: Count = Field(description="flat tops of 3 and more samples at the peak")
    gate_passed_share: Share = Field(description="share of 400 ms blocks that passed the loudness gates")


class StereoFacts(Model):
    """The stereo image."""

    correlation: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        description="-1 to 1; null for mono or silence"
    )
    balance_db: Ratio | None = Field(description="dB, left over right")
    side_to_mid_db: Ratio | None = Field(description="dB; null for mono or silence")
    dc: tuple[Annotated[float, Field(ge=-1e5, le=1e5)], ...] = Field(
        description="mean sample value of each channel, full scale is 1"
    )


class BandSpectrum(Model):
    """Long-term average spectrum in bands of 1/24 octave, frames gated at -70 LUFS and 20 LU."""

    frequencies_hz: Bands = Field(description="Hz, band centres")
    mid_db: BandLevelsDb = Field(description="dB, mid")
    side_db: BandLevelsDb = Field(description="dB, side; empty for mono")
    frames_passed_share: Share = Field(description="share of frames that passed the gate")

    @model_validator(mode="after")
    def _of_one_length(self) -> BandSpectrum:
        _require_rising(self.frequencies_hz)
        _require_length("mid_db", self.mid_db, len(self.frequencies_hz))
        _require_length("side_db", self.side_db, len(self.frequencies_hz), may_be_empty=True)
        return self


class SegmentLevels(Model):
    """Third-octave levels of a recording's segments: how its spectrum varies within it.

    Segments are gated as the spectrum is and stand in order of time; of a recording beyond 6 minutes every
    second (fourth, ...) one is kept. Matching pairs segments that play the same.
    """

    segment_s: float = Field(
        gt=0.0, le=60.0, description="s, length of a segment: 0.75 to the nearest half frame"
    )
    frequencies_hz: Bands = Field(description="Hz, third-octave centres")
    mid_std_db: Deviations = Field(description="dB, standard deviation of the mid over the segments")
    side_std_db: Deviations = Field(description="dB, of the side; empty for mono")
    segment_mid_db: Segments = Field(description="dB, a row per segment")
    segment_side_db: Segments = Field(description="dB, a row per segment")

    @model_validator(mode="after")
    def _of_one_length(self) -> SegmentLevels:
        _require_rising(self.frequencies_hz)
        bands, segments = len(self.frequencies_hz), len(self.segment_mid_db)
        _require_length("segment_side_db", self.segment_side_db, segments, may_be_empty=True)
        for name in ("mid", "side"):
            rows = getattr(self, f"segment_{name}_db")
            _require_length(f"{name}_std_db", getattr(self, f"{name}_std_db"), bands, may_be_empty=not rows)
            for number, row in enumerate(rows):
                _require_length(f"segment_{name}_db[{number}]", row, bands)
        return self


class TimeSeries(Model):
    """Loudness over time; momentary values are the 400 ms gating blocks of the integrated loudness."""

    hop_s: float = Field(gt=0.0, le=10.0, description="s")
    momentary_lufs: Series = Field(description="LUFS; -200 is silence")
    short_term_lufs: Series = Field(description="LUFS; -200 is silence")


class Profile(Summarized, Model):
    """The measurements of one recording."""

    omitted_when_empty: ClassVar[tuple[str, ...]] = ("faults",)

    version: int = Field(ge=1, le=1)
    made_by: str
    source: SourceFacts
    levels: Levels
    stereo: StereoFacts
    spectrum: BandSpectrum
    evidence: SegmentLevels
    series: TimeSeries
    faults: Faults | None = Field(default=None, description="null: not looked for")

    @model_validator(mode="after")
    def _of_one_recording(self) -> Profile:
        channels, half_rate_hz = self.source.channels, self.source.sample_rate_hz / 2
        _require_length("stereo.dc", self.stereo.dc, channels)
        if channels != 2 and (self.spectrum.side_db or self.evidence.segment_side_db):
            raise ValueError(f"expected no side, since source.channels is {channels}")
        highest_hz = max(self.spectrum.frequencies_hz, default=0.0)
        if highest_hz > half_rate_hz:
            raise ValueError(
                f"spectrum.frequencies_hz: expected at most {half_rate_hz:g} Hz, found {highest_hz:g} Hz"
            )
        return self

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.source.file).name

    def summary(self) -> list[tuple[str, str]]:
        """Return file, loudness, peaks and stereo image in words."""
        source, levels, stereo = self.source, self.levels, self.stereo
        return [
            ("file", source.file),
            (
                "format",
                f"{source.container} {source.subtype}, {source.sample_rate_hz} Hz, channels: "
                f"{source.channels}, {source.duration_s:.2f} s",
            ),
            (
                "loudness",
                f"{measured(levels.integrated_lufs, 'LUFS')} integrated, "
                f"{measured(levels.max_short_term_lufs, 'LUFS')} short-term at most, range "
                f"{measured(levels.loudness_range_lu, 'LU')}",
            ),
            (
                "peaks",
                f"{measured(levels.true_peak_dbtp, 'dBTP', decimals=2)}, "
                f"{measured(levels.sample_peak_dbfs, 'dBFS', decimals=2)}, PLR "
                f"{measured(levels.plr_db, 'dB')}",
            ),
            (
                "stereo",
                f"side to mid {measured(stereo.side_to_mid_db, 'dB')}, left over right "
                f"{measured(stereo.balance_db, 'dB', decimals=2)}",
            ),
        ]

    def single_values(self) -> dict[str, Any]:
        """Return the single values of a profile as JSON data: no spectra, no series."""
        return {
            "source": self.source.model_dump(mode="json"),
            **self.levels.model_dump(mode="json"),
            "momentary_spread_lu": self.momentary_spread_lu,
            **self.stereo.model_dump(mode="json"),
        }

    @property
    def momentary_spread_lu(self) -> float | None:
        """The 95th less the 50th percentile of the gated momentary loudness, in LU; None for silence."""
        from refmaster.meters.loudness import momentary_spread_lu

        spread = momentary_spread_lu(self.series.momentary_lufs)
        return None if spread is None else round(spread, 3)

    @property
    def is_silent(self) -> bool:
        """Whether no band from 20 Hz up holds anything: digital silence, or a constant."""
        return max((*self.spectrum.mid_db, *self.spectrum.side_db), default=FLOOR_DB) < SILENT_BELOW_DB


def _require_length(name: str, values: Sequence[object], length: int, *, may_be_empty: bool = False) -> None:
    if len(values) != length and (values or not may_be_empty):
        raise ValueError(f"{name}: expected {length} values, found {len(values)}")


def _require_rising(frequencies_hz: Sequence[float]) -> None:
    for low, high in itertools.pairwise(frequencies_hz):
        if high <= low:
            raise ValueError(f"frequencies_hz: expected rising values, found {low:g} Hz before {high:g} Hz")


def save_profile(profile: Profile, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a profile as YAML (the destination is replaced only when the text is complete)."""
    from refmaster.io.atomic import write_text

    header = (
        f"refmaster profile of {profile.name}.\n"
        f"Stands wherever a reference file can: --reference {Path(path).name}"
    )
    write_text(path, emit_model(profile, header=header), overwrite=overwrite)


def load_profile(path: str | Path) -> Profile:
    """Read a saved profile; SettingsError names every problem with its line."""
    document = read_document(path, max_bytes=PROFILE_MAX_BYTES, max_values=PROFILE_MAX_VALUES)
    return validate_document(Profile, document)
