"""The demands of a delivery target: levels, and the format of the file.

`LevelTarget` is the short form of a jobs file. A `DeliveryTarget` is a YAML file of its own.
"""

from __future__ import annotations

from datetime import date
from math import inf
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from refmaster.settings.codecs import Codec
from refmaster.settings.curves import MonoBelowHz
from refmaster.settings.limiter import DEFAULT_CEILING_DBTP, CeilingDbtp
from refmaster.settings.model import Model
from refmaster.settings.output import BitDepth, SampleRateHz

TargetLufs = Annotated[float, Field(ge=-60.0, le=-1.0)]
"""A loudness to ask for."""

DEFAULT_FILE_NAME = "{song}.{target}{ext}"
_NAME_FIELDS = frozenset({"song", "target", "ext"})
# A loudness counts as above another where it is so when both are shown with one decimal.
LOUDER_FROM_LU = 0.1

Container = Literal["wav", "aiff", "flac", "caf", "mp3", "ogg", "opus", "m4a"]
Meaning = Literal["playback", "required", "none"]


class LevelTarget(Model):
    """A loudness and a ceiling to reach."""

    integrated_lufs: TargetLufs | None = Field(
        default=None, description="LUFS; null: the reference's loudness"
    )
    true_peak_dbtp: CeilingDbtp = Field(default=DEFAULT_CEILING_DBTP, description="dBTP; masters stay below")

    @property
    def match_values(self) -> dict[str, float]:
        """The fields of `MatchSettings` that the target sets."""
        return _match_values(self.true_peak_dbtp, self.integrated_lufs)


class LouderPeak(Model):
    """A lower true peak that is asked of louder files."""

    above_lufs: TargetLufs = Field(description="LUFS")
    true_peak_dbtp: CeilingDbtp = Field(description="dBTP, of files that are louder")


class DeliveryTarget(Model):
    """The demands of a platform, a medium or a standard on a file that is handed over.

    Of rates, word lengths and containers the mix's own is kept where it stands in the list; otherwise the
    first of the list is taken. An empty list allows all.
    """

    version: int = Field(ge=1, le=1)
    name: str = Field(default="", description="as it is asked for; empty: the file's name")
    title: str
    kind: Literal["streaming", "podcast", "broadcast", "disc", "vinyl", "download", "other"] = "other"
    grade: Literal["official", "standard", "secondary"] = Field(
        description="the platform's own page, a standard, or as others report it"
    )
    source: str = Field(description="who says so")
    checked_on: date = Field(description="the day on which the source was last checked")
    note: str = ""
    integrated_lufs: TargetLufs | None = Field(default=None, description="LUFS; null: as the plan says")
    meant: Meaning = Field(
        default="none",
        description="playback: everything is played that loud; required: within tolerance_lu; none",
    )
    tolerance_lu: float | None = Field(default=None, gt=0.0, le=10.0, description="LU, where it is required")
    true_peak_dbtp: CeilingDbtp | None = Field(default=None, description="dBTP, never above; null: no limit")
    louder: LouderPeak | None = Field(default=None, description="a lower true peak for louder files")
    sample_peak_dbfs: CeilingDbtp | None = Field(
        default=None, description="dBFS, samples stay below; null: no limit"
    )
    sample_rates_hz: tuple[SampleRateHz, ...] = Field(default=(), description="Hz, the preferred one first")
    bit_depths: tuple[BitDepth, ...] = Field(default=(), description="the preferred one first")
    containers: tuple[Container, ...] = Field(default=("wav", "flac"), description="the preferred one first")
    channels: tuple[Literal[1, 2], ...] = (1, 2)
    codecs: tuple[Codec, ...] = Field(
        default=(), description="what the file is encoded to afterwards, such as mp3:320, vorbis:q5, aac:256"
    )
    limiter: bool = Field(default=True, description="false: no limiter, the gain keeps peaks below the limit")
    mono_below_hz: MonoBelowHz | None = Field(
        default=None, description="Hz, both channels are alike below; null: as they are"
    )
    max_duration_s: float | None = Field(default=None, gt=0.0, description="s; null: any")
    file_name: str = Field(
        default=DEFAULT_FILE_NAME, description="may use {song}, {target} and {ext} (.wav and so on)"
    )

    @model_validator(mode="after")
    def _agreeing(self) -> DeliveryTarget:
        if not self.containers or not self.channels:
            raise ValueError("containers and channels: expected one or more of each")
        if (self.meant == "none") != (self.integrated_lufs is None):
            raise ValueError(
                "integrated_lufs and meant: expected a loudness with playback or required, or null with none"
            )
        if (self.meant == "required") != (self.tolerance_lu is not None):
            raise ValueError("tolerance_lu: expected where meant is required, and only there")
        if self.louder is not None and (
            self.true_peak_dbtp is None or self.louder.true_peak_dbtp > self.true_peak_dbtp
        ):
            raise ValueError("louder: expected a lower true_peak_dbtp than the target's own")
        fields = {field for _, field, _, _ in Formatter().parse(self.file_name) if field is not None}
        if not fields <= _NAME_FIELDS or "ext" not in fields or {"/", "\\"} & set(self.file_name):
            raise ValueError(
                f"file_name: expected a name of {{song}}, {{target}} and {{ext}}, found {self.file_name!r}"
            )
        return self

    @property
    def ceiling_dbtp(self) -> float:
        """The highest true peak that keeps both limits, 0 dBTP where there is none."""
        limits = [limit for limit in (self.true_peak_dbtp, self.sample_peak_dbfs) if limit is not None]
        return min(limits, default=0.0)

    @property
    def match_values(self) -> dict[str, float]:
        """The fields of `MatchSettings` that the target sets."""
        return _match_values(self.ceiling_dbtp, self.integrated_lufs)

    @property
    def louder_than(self) -> float:
        """The loudness above which the lower true peak is asked for, LUFS; infinite without one."""
        return inf if self.louder is None else self.louder.above_lufs

    def true_peak_limit_dbtp(self, integrated_lufs: float | None) -> float | None:
        """Return the true peak allowed of a file of a loudness, in dBTP; None where there is no limit."""
        loud = integrated_lufs is not None and integrated_lufs >= self.louder_than + LOUDER_FROM_LU
        return self.louder.true_peak_dbtp if loud and self.louder is not None else self.true_peak_dbtp


def _match_values(ceiling_dbtp: float, integrated_lufs: float | None) -> dict[str, float]:
    values = {"ceiling_dbtp": ceiling_dbtp}
    return values if integrated_lufs is None else {**values, "target_lufs": integrated_lufs}
