"""matchering 2.0, the peer: the one file that imports it, and only when it is asked for.

Its limits are its own: it works at 44.1 kHz, in stereo, on at most 15 minutes, wholly in memory, and its
import alone takes seconds.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from refmaster.errors import AudioError

SAMPLE_RATE_HZ = 44100
MAX_DURATION_S = 15 * 60


def match_with_peer(
    mix: Path,
    reference: Path,
    output: Path,
    *,
    limiter: bool,
    subtype: str = "PCM_24",
    names: tuple[str, str] | None = None,
) -> None:
    """Let matchering match `mix` to `reference` and write `output` (WAV, 44.1 kHz, stereo).

    Parameters
    ----------
    mix, reference, output : Path
        Files; matchering reads what libsndfile and ffmpeg read.
    limiter : bool
        Its own limiter (and its ceiling just below 0 dBFS); without it peaks may pass full scale, so ask
        for a float `subtype`.
    subtype : str
        libsndfile's name of the word format.
    names : (str, str), optional
        What messages call mix and reference, where these are copies.

    Raises
    ------
    AudioError
        matchering refuses the mix or the reference.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import uses names that SciPy has deprecated
        import matchering
        from matchering.log import ModuleError

        result = matchering.Result(str(output), subtype, use_limiter=limiter, normalize=limiter)
        try:
            matchering.process(target=str(mix), reference=str(reference), results=[result])
        except ModuleError as error:
            mix_name, reference_name = names or (mix.name, reference.name)
            raise AudioError(
                f"{mix_name}: matchering refuses it with reference {reference_name} ({error}); "
                "use the engine refmaster"
            ) from error
