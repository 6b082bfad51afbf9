"""A recording as playback systems play it: their filters, and files to listen to at one loudness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refmaster._types import Array, Block, Progress
from refmaster.check.preflight import require_supported
from refmaster.dsp.blocks import through
from refmaster.dsp.fir import FirEqualizer, default_taps, design_minimum_phase
from refmaster.io.atomic import atomic_destination, check_destination
from refmaster.io.formats import output_format_for
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource, counted
from refmaster.io.suffixes import CONTAINERS
from refmaster.meters.loudness import LoudnessMeter
from refmaster.rendering.outlets import write_blocks
from refmaster.settings.playback import PlaybackSystem, playback_systems
from refmaster.units import amplitude_to_db, db_to_amplitude

# A quarter of the equalizer's length (93 ms at 44.1 kHz) follows every response that is above -30 dB to
# 0.3 dB from 50 Hz on, and the corner of the club's subwoofers below to 1 dB: a browser can convolve it.
_SHORTER_BY = 4
# Dither and rounding stay below full scale.
_PEAK_DBFS = -0.1
ORIGINAL = "original"


@dataclass(frozen=True, kw_only=True)
class Audition:
    """A recording as one system plays it, written at the loudness of the others.

    Attributes
    ----------
    system : str
        Its name, or "original".
    output : Path
    gain_db : float
        Behind the system's filter.
    """

    system: str
    output: Path
    gain_db: float


def playback_taps(system: PlaybackSystem, sample_rate_hz: int) -> tuple[Array, Array]:
    """Return the filters of mid and side, float64 of shape (taps,), of minimum phase as loudspeakers are.

    The side's is all zeros where the system loses it. Use them with ``delay_frames=0``.
    """
    hz, gain_db = zip(*(system.response or ((1000.0, 0.0),)), strict=True)
    taps = (default_taps(sample_rate_hz) - 1) // _SHORTER_BY + 1
    mid = design_minimum_phase(hz, gain_db, sample_rate_hz, taps=taps)
    return mid, mid * (0.0 if system.side_db is None else db_to_amplitude(system.side_db))


def render_playback(
    recording: str | Path,
    folder: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Audition, ...]:
    """Write a recording as each playback system plays it, all as loud as each other, and itself beside them.

    Where one of them would clip at the recording's loudness, all are lowered by as much.

    Parameters
    ----------
    recording : str or Path
        Mono or stereo.
    folder : str or Path
        Exists; the files are named after recording and system, in the recording's format (a lossy one is
        written as WAV, for its encoder would change the levels).
    overwrite : bool
        Replace existing files.
    progress : callable, optional
        Called as ``progress(stage, frames_done, frames_in_all)``.

    Returns
    -------
    tuple of Audition
        The original first.

    Raises
    ------
    AudioError, OutputError
        The recording cannot be read or has more than two channels, or a file cannot be written.
    """
    source = open_audio(recording)
    require_supported(source)
    stem = Path(recording)
    keeps = not source.format.lossy and stem.suffix.lower() in CONTAINERS
    suffix = stem.suffix if keeps else ".wav"
    systems: list[PlaybackSystem | None] = [None, *playback_systems()]
    outputs = [Path(folder) / f"{stem.stem} - {ORIGINAL if s is None else s.name}{suffix}" for s in systems]
    for output in outputs:
        check_destination(output, overwrite=overwrite, inputs=[stem])
    measured = [_measured(source, system, progress) for system in systems]
    wanted = measured[0][0]
    gains_db = [wanted - lufs if np.isfinite(wanted - lufs) else 0.0 for lufs, _ in measured]
    peaks = [gain + peak for gain, (_, peak) in zip(gains_db, measured, strict=True)]
    lowered = min(0.0, _PEAK_DBFS - max(peaks[1:]))
    auditions = []
    for system, output, gain in zip(systems, outputs, gains_db, strict=True):
        audition = Audition(
            system=ORIGINAL if system is None else system.name, output=output, gain_db=gain + lowered
        )
        _write(source, system, audition, overwrite=overwrite, progress=progress)
        auditions.append(audition)
    return tuple(auditions)


def _heard(source: AudioSource, system: PlaybackSystem | None) -> Iterator[Block]:
    """Yield a source as a system plays it, of the source's length; as it is without one."""
    if system is None:
        yield from source.blocks()
        return
    channels = source.format.channels
    mid, side = playback_taps(system, source.format.sample_rate_hz)
    kernel = FirEqualizer(channels, mid, side if channels == 2 else None, delay_frames=0)
    yield from through(kernel, source.blocks())


def _measured(
    source: AudioSource, system: PlaybackSystem | None, progress: Progress | None
) -> tuple[float, float]:
    """Return integrated loudness in LUFS and sample peak in dBFS; -inf for silence."""
    meter = LoudnessMeter(source.format.sample_rate_hz, source.format.channels)
    peak, stage = 0.0, f"measuring {ORIGINAL if system is None else system.name}"
    for block in counted(_heard(source, system), stage, source.format.frames, progress):
        meter.update(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    lufs = meter.result().integrated_lufs
    return (-np.inf if lufs is None else lufs), amplitude_to_db(peak)


def _write(
    source: AudioSource,
    system: PlaybackSystem | None,
    audition: Audition,
    *,
    overwrite: bool,
    progress: Progress | None,
) -> None:
    chosen = output_format_for(audition.output, source.format)
    gain = db_to_amplitude(audition.gain_db)
    heard = counted(_heard(source, system), f"writing {audition.system}", source.format.frames, progress)
    blocks = (block * block.dtype.type(gain) for block in heard)
    inputs = [] if source.path is None else [source.path]
    with atomic_destination(audition.output, overwrite=overwrite, inputs=inputs) as making:
        write_blocks(making.path, chosen, blocks, source.format.frames, name=str(audition.output))
        making.commit()
