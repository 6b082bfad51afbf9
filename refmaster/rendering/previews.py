"""Auditions of what a lossy codec makes of a master: decoded, at the master's loudness, in time with it.

An audition is written beside the master, under its name with the codec in it (``master.mp3-128.wav``), at the
master's sample rate and length, in 24 bits: so the two can be compared by switching between them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from refmaster._types import Block, Progress
from refmaster.check.findings import Finding, info
from refmaster.io.atomic import atomic_destination, check_destinations
from refmaster.io.codecs import at_rate, decoded, require_codecs
from refmaster.io.formats import output_format_for
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource, counted
from refmaster.rendering.codec_safety import decoded_levels
from refmaster.rendering.outlets import write_blocks
from refmaster.rendering.result import MasterResult
from refmaster.settings.codecs import Codec
from refmaster.settings.model import settings_from
from refmaster.settings.output import OutputSettings
from refmaster.units import db_to_amplitude

MATCHED_WITHIN_LU = 0.1
_SPARE_DB = 0.05
"""Kept below full scale: dither and resampling move peaks a little."""


def checked_previews(
    output: str | Path, codecs: Sequence[Codec | str], *, overwrite: bool, inputs: Sequence[Path]
) -> tuple[Codec, ...]:
    """Return the codecs of auditions, once it is sure that these can be written.

    Raises
    ------
    SettingsError
        There is no such codec.
    OutputError
        An encoder is not there, or an audition cannot be written beside the master.
    """
    asked = settings_from(OutputSettings, {"codecs": tuple(codecs)}, names={"codecs": "previews"}).codecs
    require_codecs(asked)
    if asked:
        places = [preview_path(output, codec) for codec in dict.fromkeys(asked)]
        check_destinations([Path(output), *places], overwrite=overwrite, inputs=inputs)
    return tuple(dict.fromkeys(asked))


def preview_path(output: str | Path, codec: Codec) -> Path:
    """Return the place of an audition: beside the master, FLAC if that is FLAC, else WAV."""
    output = Path(output)
    suffix = ".flac" if output.suffix.lower() == ".flac" else ".wav"
    return output.with_name(f"{output.stem}.{codec.label}{suffix}")


def with_previews(
    result: MasterResult, codecs: Sequence[Codec], *, overwrite: bool, progress: Progress | None
) -> MasterResult:
    """Write the auditions of a master that was kept, and return its result with what there is to say."""
    if not codecs or result.output is None:
        return result
    master = open_audio(result.output)
    findings = [
        finding
        for codec in codecs
        for finding in _written(result, master, codec, overwrite=overwrite, progress=progress)
    ]
    return replace(result, findings=(*result.findings, *findings))


def _written(
    result: MasterResult, master: AudioSource, codec: Codec, *, overwrite: bool, progress: Progress | None
) -> Iterator[Finding]:
    """Write one audition; yield a finding where it cannot have the master's loudness."""
    path, frames = preview_path(master.name, codec), result.master.source.frames
    rate_hz = master.format.sample_rate_hz
    kept = output_format_for(path, master.format, bit_depth="24", dither_seed=result.plan.output.dither_seed)
    with tempfile.TemporaryDirectory(prefix="refmaster-") as folder:
        heard = decoded(master, codec, Path(folder))
        levels = decoded_levels(heard, codec, progress)
        own, lufs, peak = (
            result.master.levels.integrated_lufs,
            levels.integrated_lufs,
            levels.true_peak_dbtp,
        )
        wanted_db = 0.0 if own is None or lufs is None else own - lufs
        gain_db = wanted_db if peak is None else min(wanted_db, -_SPARE_DB - peak)
        blocks = _of_length(_gained(at_rate(heard, rate_hz), gain_db), frames)
        with atomic_destination(path, overwrite=overwrite, inputs=[Path(master.name)]) as making:
            told = counted(blocks, f"writing the preview {codec}", frames, progress)
            write_blocks(making.path, kept, iter(told), frames, name=str(path))
            making.commit()
    if wanted_db - gain_db > MATCHED_WITHIN_LU:
        yield info(
            "preview_quieter",
            f"{path.name} is {wanted_db - gain_db:.1f} LU quieter than the master, because it would clip",
            "turn the master down by as much to compare them",
            value=wanted_db - gain_db,
            limit=MATCHED_WITHIN_LU,
            unit="LU",
        )


def _gained(blocks: Iterable[Block], gain_db: float) -> Iterator[Block]:
    gain = db_to_amplitude(gain_db)
    for block in blocks:
        yield block * block.dtype.type(gain)


def _of_length(blocks: Iterator[Block], frames: int) -> Iterator[Block]:
    """Yield so many frames: a change of the sample rate and back may end a frame early or late."""
    left, last = frames, None
    for block in blocks:
        last = block[:left]
        left -= len(last)
        yield last
    if left and last is not None:
        yield np.zeros((left, last.shape[1]), last.dtype)
