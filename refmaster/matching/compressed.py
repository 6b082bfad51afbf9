"""Whether a mix has been compressed so far that no further compression is due."""

from __future__ import annotations

from refmaster.profile.model import Profile

# benchmarks/over_compressed.py: 25 finished recordings and raw mixes have a PLR from 11.2 and a PSR from 8.6
# dB; the raw mixes limited to -8 LUFS at -1 dBTP have at most 7.7 and 6.8. The limits lie nearer to these: to
# call a mix crushed that is not is the worse error.
LOW_PLR_DB = 9.0
LOW_PSR_DB = 7.0


def is_over_compressed(mix: Profile) -> bool:
    """Return whether a mix's peaks stand too little above its loudness, as a whole and where it is densest.

    Both ratios must be low: a sustained tone has a low PSR without any compressor, and a few peaks or a quiet
    passage raise the PLR of a mix that is crushed elsewhere.
    """
    plr_db, psr_db = mix.levels.plr_db, mix.levels.psr_db
    return plr_db is not None and psr_db is not None and plr_db < LOW_PLR_DB and psr_db < LOW_PSR_DB
