"""The tracks of a DDP image as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from refmaster.io.atomic import atomic_destination
from refmaster.io.formats import OutputFormat
from refmaster.io.sink import AudioSink
from refmaster.release.ddp_reader import DdpImage, track_bytes
from refmaster.release.disc import SAMPLE_RATE_HZ


def write_tracks(found: DdpImage, folder: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write each track of a disc as a 16-bit WAV file, and return the files.

    Parameters
    ----------
    found : DdpImage
        The image.
    folder : str or Path
        Made where it is missing.
    overwrite : bool
        Replace existing files.

    Raises
    ------
    OutputError
        A file exists, or cannot be written.
    AudioError
        The image is shorter than its tracks.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    form = OutputFormat(
        container="WAV",
        subtype="PCM_16",
        sample_rate_hz=SAMPLE_RATE_HZ,
        channels=2,
        dither=False,
        dither_seed=0,
    )
    written = []
    for number in range(1, len(found.disc.tracks) + 1):
        path = folder / f"{number:02d}.wav"
        with atomic_destination(path, overwrite=overwrite, inputs=[found.image]) as making:
            with AudioSink(making.path, form, name=str(path)) as sink:
                for piece in track_bytes(found, number):
                    words = np.frombuffer(piece, dtype="<i2").reshape(-1, 2)
                    sink.write(words / np.float32(32768.0))
            making.commit()
        written.append(path)
    return written
