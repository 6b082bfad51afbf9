"""A profile: the measurements of one recording, whole and segment by segment.

A profile is data. It holds no audio, can be saved as YAML and stands wherever a reference file can. Values
are rounded when they are measured (levels to 0.001 dB), so that a saved profile and a fresh one are the
same and lead to the same plan. Levels that do not exist (silence, a recording that is too short) are None
in single values and `FLOOR_DB` in series and spectra.

Spectra are band powers in the bands of 1/24 octave of `bands.BANDS_HZ`, in dB, scaled so that a
full-scale sine reads -3.01 dB; mid is (L+R)/2, side is (L-R)/2, and a mono recording is all mid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from refmaster.io.suffixes import is_yaml
from refmaster.settings.document import read_document
from refmaster.settings.emit import emit_model
from refmaster.settings.model import Model, validate_document
from refmaster.settings.summary import Summarized, measured

FLOOR_DB = -200.0
SILENT_BELOW_DB = -110.0

Series = tuple[float, ...]


class SourceFacts(Model):
    """The recording that was measured."""

    file: str = Field(description="path as given")
    sha256: str | None = Field(description="of the file; null for an array")
    container: str
    subtype: str
    lossy: bool = Field(description="the codec is lossy")
    sample_rate_hz: int
    channels: int
    frames: int
    duration_s: float = Field(description="s")


class Levels(Model):
    """Loudness and peaks, ITU-R BS.1770-5, EBU Tech 3341 and 3342."""

    integrated_lufs: float | None = Field(description="LUFS, gated; null: silence or under 0.4 s")
    max_momentary_lufs: float | None = Field(description="LUFS, 400 ms")
    max_short_term_lufs: float | None = Field(description="LUFS, 3 s")
    loudness_range_lu: float | None = Field(description="LU")
    loudness_range_stable: bool = Field(description="false under 60 s, where it may still move")
    true_peak_dbtp: float | None = Field(description="dBTP")
    true_peak_filter: str = Field(description="the interpolation filter of the true peak")
    sample_peak_dbfs: float | None = Field(description="dBFS")
    plr_db: float | None = Field(description="dB, true peak over integrated loudness")
    psr_db: float | None = Field(description="dB, smallest true peak over short-term loudness")
    crest_factor_db: float | None = Field(description="dB, sample peak over RMS")
    clipped_runs: int = Field(description="flat tops of 3 and more samples at the peak")
    gate_passed_share: float = Field(description="share of 400 ms blocks that passed the loudness gates")


class StereoFacts(Model):
    """The stereo image."""

    correlation: float | None = Field(description="-1 to 1; null for mono or silence")
    balance_db: float | None = Field(description="dB, left over right")
    side_to_mid_db: float | None = Field(description="dB; null for mono or silence")
    dc: Series = Field(description="mean sample value of each channel, full scale is 1")


class BandSpectrum(Model):
    """Long-term average spectrum in bands of 1/24 octave, frames gated at -70 LUFS and 20 LU."""

    frequencies_hz: Series = Field(description="Hz, band centres")
    mid_db: Series = Field(description="dB, mid")
    side_db: Series = Field(description="dB, side; empty for mono")
    frames_passed_share: float = Field(description="share of frames that passed the gate")


class SegmentLevels(Model):
    """Variation of the spectrum within the recording: third-octave levels of its segments.

    Segments are gated as the spectrum is and stand in order of time; of a recording beyond 6 minutes every
    second (fourth, ...) one is kept. Matching pairs segments that play the same.
    """

    segment_s: float = Field(description="s, length of a segment: 0.75 to the nearest half frame")
    frequencies_hz: Series = Field(description="Hz, third-octave centres")
    mid_std_db: Series = Field(description="dB, standard deviation of the mid over the segments")
    side_std_db: Series = Field(description="dB, of the side; empty for mono")
    segment_mid_db: tuple[Series, ...] = Field(description="dB, a row per segment")
    segment_side_db: tuple[Series, ...] = Field(description="dB, a row per segment")


class TimeSeries(Model):
    """Loudness over time; momentary values are the 400 ms gating blocks of the integrated loudness."""

    hop_s: float = Field(description="s")
    momentary_lufs: Series = Field(description="LUFS; -200 is silence")
    short_term_lufs: Series = Field(description="LUFS; -200 is silence")


class Profile(Summarized, Model):
    """The measurements of one recording."""

    version: int = Field(ge=1, le=1)
    made_by: str
    source: SourceFacts
    levels: Levels
    stereo: StereoFacts
    spectrum: BandSpectrum
    evidence: SegmentLevels
    series: TimeSeries

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
            **self.stereo.model_dump(mode="json"),
        }

    @property
    def is_silent(self) -> bool:
        """Whether no band from 20 Hz up holds anything: digital silence, or a constant."""
        return max((*self.spectrum.mid_db, *self.spectrum.side_db), default=FLOOR_DB) < SILENT_BELOW_DB


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
    return validate_document(Profile, read_document(path))


def is_profile_path(path: str | Path) -> bool:
    """Return whether a path has the suffix of a saved profile rather than of audio."""
    return is_yaml(path)
