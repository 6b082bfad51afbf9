"""Loudness and true peak of a file by meters that are not refmaster's own.

pyloudnorm gives the loudness. libebur128 gives loudness and true peak where its Python package is installed;
else ffmpeg's filter ebur128 does, which decodes the file by itself and rounds to 0.1.
"""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refmaster.check.second_opinion import second_opinion
from refmaster.errors import AudioError
from refmaster.io.open import open_audio
from refmaster.units import amplitude_to_db

# libebur128 and ffmpeg say this, or -inf, where nothing passed the gate.
_SILENT_LUFS = -70.0
_TIMEOUT_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class IndependentReading:
    """A measurement by one meter.

    Attributes
    ----------
    meter : str
        pyloudnorm, libebur128 or ffmpeg.
    integrated_lufs : float or None
        None for silence.
    true_peak_dbtp : float or None
        None for silence, and where the meter has none.
    resolution : float
        Steps of its values in LU and dB.
    """

    meter: str
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    resolution: float = 0.001

    @property
    def has_true_peak(self) -> bool:
        """Whether the meter reads true peaks."""
        return self.meter != "pyloudnorm"


def independent_readings(path: Path) -> list[IndependentReading]:
    """Measure a file with every independent meter there is.

    Raises
    ------
    AudioError
        It cannot be read to its end.
    """
    opinion = second_opinion(open_audio(path), None)
    readings = []
    if opinion.skipped is None:
        lufs = opinion.integrated_lufs
        readings.append(IndependentReading(meter="pyloudnorm", integrated_lufs=lufs, true_peak_dbtp=None))
    if importlib.util.find_spec("pyebur128") is not None:
        readings.append(_by_libebur128(path))
    elif shutil.which("ffmpeg") is not None:
        readings.append(_by_ffmpeg(path))
    return readings


def _by_libebur128(path: Path) -> IndependentReading:
    import pyebur128  # type: ignore[import-untyped, import-not-found, unused-ignore]

    source = open_audio(path)
    mode: Any = pyebur128.MeasurementMode
    channels = source.format.channels
    state = pyebur128.R128State(channels, source.format.sample_rate_hz, mode.MODE_I | mode.MODE_TRUE_PEAK)
    for block in source.blocks():
        state.add_frames(np.ascontiguousarray(block, dtype=np.float64).ravel(), len(block))
    peak = max(pyebur128.get_true_peak(state, channel) for channel in range(channels))
    return IndependentReading(
        meter="libebur128",
        integrated_lufs=_loudness(pyebur128.get_loudness_global(state)),
        true_peak_dbtp=round(float(amplitude_to_db(peak)), 3) if peak > 0.0 else None,
    )


def _by_ffmpeg(path: Path) -> IndependentReading:
    # "file:" keeps ffmpeg from reading a protocol or an option into the name.
    command = [
        "ffmpeg", "-nostdin", "-nostats", "-hide_banner", "-protocol_whitelist", "file,pipe",
        "-i", f"file:{path.absolute()}", "-map", "0:a:0", "-af", "ebur128=peak=true:framelog=verbose",
        "-f", "null", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise AudioError(f"{path}: could not be measured by ffmpeg: {error}") from error
    said = done.stderr.decode("utf-8", "replace")
    summary = said.rpartition("Summary:")[2]
    lufs, peak = (re.search(rf"\b{name}:\s+(\S+)", summary) for name in ("I", "Peak"))
    if done.returncode or lufs is None or peak is None:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise AudioError(f"{path}: could not be measured by ffmpeg: {last[:200]}")
    dbtp = float(peak[1])
    return IndependentReading(
        meter="ffmpeg",
        integrated_lufs=_loudness(float(lufs[1])),
        true_peak_dbtp=dbtp if math.isfinite(dbtp) else None,
        resolution=0.1,
    )


def _loudness(lufs: float) -> float | None:
    return round(lufs, 3) if math.isfinite(lufs) and lufs > _SILENT_LUFS else None
