"""Learn the album prior anew from a folder of recordings: writes refmaster/album/prior.yaml.

Run from the checkout::

    python tests/benchmarks/album_prior.py --music FOLDER

Stems are left out; the file holds statistics of the recordings and their names, no audio.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from refmaster.album.features import features_of
from refmaster.album.prior import PRIOR_FILE, learn_prior
from refmaster.album.request import MIX_SUFFIXES
from refmaster.io.atomic import write_text
from refmaster.profile.cache import cached_profile
from refmaster.settings.emit import emit_model

HEADER = """How finished songs differ, for refmaster's album model: statistics of the recordings named below.
Made by tests/benchmarks/album_prior.py; robust means and covariances, as refmaster.album.prior says."""


def recordings(folder: Path) -> list[Path]:
    """Return the folder's recordings, without stems."""
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in MIX_SUFFIXES)
    return [f for f in files if "_stem_" not in f.name]


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True)
    files = recordings(parser.parse_args().music)
    prior = learn_prior([features_of(cached_profile(f)) for f in files], [f.stem for f in files])
    write_text(PRIOR_FILE, emit_model(prior, header=HEADER), overwrite=True)
    print(f"{PRIOR_FILE}: learned from {len(files)} recordings")


if __name__ == "__main__":
    main()
