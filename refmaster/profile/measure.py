"""Measure a recording: one pass over its blocks, every meter at once, one profile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Block, Progress
from refmaster.dsp.interpolation import LONG_FILTER_NAME
from refmaster.errors import AudioError
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource, counted
from refmaster.meters.loudness import LoudnessMeter, LoudnessResult
from refmaster.meters.spectrum import SpectrumMeter, SpectrumResult, band_power
from refmaster.meters.stereo import StereoMeter, StereoResult
from refmaster.meters.true_peak import TruePeakMeter, TruePeakResult, plr_db, psr_db
from refmaster.profile.bands import BANDS_PER_OCTAVE, band_centers_hz, band_edges_hz, third_centers_hz
from refmaster.profile.faults import FaultMeter
from refmaster.profile.model import (
    FLOOR_DB,
    BandSpectrum,
    Levels,
    Profile,
    SegmentLevels,
    SourceFacts,
    StereoFacts,
    TimeSeries,
)
from refmaster.threads import prefetched
from refmaster.units import power_to_db
from refmaster.version import made_by

if TYPE_CHECKING:
    from refmaster.io.digest import FileDigest

DECIMALS = 3


def measure(
    recording: str | Path | AudioSource,
    *,
    progress: Progress | None = None,
    stage: str | None = None,
    identify: bool = True,
    faults: bool = False,
) -> Profile:
    """Measure a recording.

    Parameters
    ----------
    recording : str, Path or AudioSource
        A path, an open recording, or an array with its rate as an `ArraySource`. It is read once, in blocks;
        memory does not grow with its length.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.
    stage : str, optional
        What the progress calls this; ``measuring`` and the recording's name by default.
    identify : bool
        Also take the file's SHA-256 (arrays have none).
    faults : bool
        Also look for what a mix should not have: clicks, clipping, silences and the like.

    Returns
    -------
    Profile

    Raises
    ------
    AudioError
        The source cannot be read to its end, was changed meanwhile, or has a sample beyond measuring.
    """
    source = _opened(recording)
    stage = stage or f"measuring {source.name}"
    rate, channels = source.format.sample_rate_hz, source.format.channels
    loudness = LoudnessMeter(rate, channels)
    peak = TruePeakMeter(rate, channels)
    thirds = third_centers_hz(rate)
    faulty = FaultMeter(rate, channels) if faults else None
    watcher = None if faulty is None else faulty.watch
    spectrum = SpectrumMeter(rate, channels, band_edges_hz(thirds, 3), watcher=watcher)
    stereo = StereoMeter(channels)
    digest = _digest(source) if identify else None

    def half_measured() -> Iterator[Block]:
        """Yield the blocks for the other half: the two take about as long, each on a thread of its own."""
        for block in source.blocks():
            # Each channel's frames side by side in memory: every meter works on whole channels.
            planar = cast("Block", np.asfortranarray(block))
            for meter in (loudness, peak, stereo):
                meter.update(planar)
            yield planar

    frames = 0
    for block in counted(prefetched(half_measured()), stage, source.format.frames, progress):
        spectrum.update(block)
        if faulty is not None:
            faulty.update(block)
        if digest is not None:
            digest.advance()
        frames += len(block)
    sha256 = None if digest is None else digest.sha256()
    source.check_unchanged()  # the hash is of the file that was measured
    heard, image, peaks = loudness.result(), stereo.result(), peak.result()
    tone = spectrum.result()
    return Profile(
        version=1,
        made_by=made_by(),
        source=_source_facts(source, frames, sha256),
        levels=_levels(heard, peaks, image),
        stereo=StereoFacts(
            correlation=_rounded(image.correlation),
            balance_db=_rounded(image.balance_db),
            side_to_mid_db=_rounded(image.side_to_mid_db),
            dc=tuple(round(v, 7) for v in image.dc),
        ),
        spectrum=_band_spectrum(tone, rate),
        evidence=_segment_levels(tone, thirds),
        series=TimeSeries(
            hop_s=0.1,
            momentary_lufs=_series(heard.momentary_lufs, 2),
            short_term_lufs=_series(heard.short_term_lufs, 2),
        ),
        faults=None if faulty is None else faulty.result(peaks.true_peak_series_dbtp),
    )


def _opened(recording: str | Path | AudioSource) -> AudioSource:
    if isinstance(recording, str | Path):
        return open_audio(recording)
    if not hasattr(recording, "blocks"):
        raise AudioError(
            f"expected the path of a recording, found {type(recording).__name__}; give an array as "
            "refmaster.ArraySource(samples, sample_rate_hz)"
        )
    return recording


def _digest(source: AudioSource) -> FileDigest | None:
    from refmaster.io.digest import FileDigest

    return None if source.path is None else FileDigest(source.path)


def _source_facts(source: AudioSource, frames: int, sha256: str | None) -> SourceFacts:
    found = source.format
    return SourceFacts(
        file=source.name,
        sha256=sha256,
        container=found.container,
        subtype=found.subtype,
        lossy=found.lossy,
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        frames=frames,
        duration_s=round(frames / found.sample_rate_hz, 6),
    )


def _levels(heard: LoudnessResult, peak: TruePeakResult, image: StereoResult) -> Levels:
    integrated = _rounded(heard.integrated_lufs)
    true_peak = _rounded(peak.true_peak_dbtp)
    return Levels(
        integrated_lufs=integrated,
        max_momentary_lufs=_rounded(heard.max_momentary_lufs),
        max_short_term_lufs=_rounded(heard.max_short_term_lufs),
        loudness_range_lu=_rounded(heard.loudness_range_lu),
        loudness_range_stable=heard.loudness_range_stable,
        true_peak_dbtp=true_peak,
        true_peak_filter=LONG_FILTER_NAME,
        sample_peak_dbfs=_rounded(image.sample_peak_dbfs),
        plr_db=_rounded(plr_db(true_peak, integrated)),
        psr_db=_rounded(psr_db(peak.true_peak_series_dbtp, heard.short_term_lufs)),
        crest_factor_db=_rounded(image.crest_factor_db),
        clipped_runs=image.clipped_runs,
        gate_passed_share=round(heard.gated_share, 4),
    )


def _band_spectrum(tone: SpectrumResult, sample_rate_hz: int) -> BandSpectrum:
    centers = band_centers_hz(sample_rate_hz)
    edges = band_edges_hz(centers, BANDS_PER_OCTAVE)
    return BandSpectrum(
        frequencies_hz=tuple(float(f) for f in np.round(centers, 3)),
        mid_db=_series(power_to_db(band_power(tone.frequencies_hz, tone.mid_power, edges)), DECIMALS),
        side_db=()
        if tone.side_power is None
        else _series(power_to_db(band_power(tone.frequencies_hz, tone.side_power, edges)), DECIMALS),
        frames_passed_share=round(tone.frames_passed_share, 4),
    )


def _segment_levels(tone: SpectrumResult, thirds_hz: Array) -> SegmentLevels:
    mid = np.maximum(power_to_db(tone.segment_mid_power), FLOOR_DB)
    side = (
        None
        if tone.segment_side_power is None
        else np.maximum(power_to_db(tone.segment_side_power), FLOOR_DB)
    )
    return SegmentLevels(
        segment_s=round(tone.segment_s, 3),
        frequencies_hz=tuple(float(f) for f in np.round(thirds_hz, 1)),
        mid_std_db=_series(mid.std(axis=0), 2) if len(mid) else (),
        side_std_db=_series(side.std(axis=0), 2) if side is not None and len(side) else (),
        segment_mid_db=tuple(_series(row, 1) for row in mid),
        segment_side_db=() if side is None else tuple(_series(row, 1) for row in side),
    )


def _series(values: NDArray[np.float64], decimals: int) -> tuple[float, ...]:
    return tuple(np.round(np.maximum(values, FLOOR_DB), decimals).tolist())


def _rounded(value: float | None) -> float | None:
    """Return a value to 0.001; None for what does not exist, silence's infinite level included."""
    return None if value is None or not np.isfinite(value) else round(float(value), DECIMALS)
