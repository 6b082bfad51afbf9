"""Suggested references: whether the right recording comes first.

Run it from the checkout; the table is Markdown::

    python benchmarks/suggest.py --music FOLDER

Each finished recording is cut in two; one half is hidden behind a random mix engineer (as in evidence.py) and
is the mix. The candidates are the other half and all other recordings, whole. Then the other half is taken
away, and the tracks of the same album should come before other genres. No mix is judged with a prior that was
learned from its own group. A folder needs at least ten finished recordings and a `manifest.csv` (see
evidence.py) that names the albums.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evidence import Corpus, same_case
from runs import table

from refmaster.matching.content_prior import load_prior
from refmaster.matching.ranking import rank_references
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile

FIRST_OF_ALBUM = 3


def main() -> None:
    """Print the table, and how finished songs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="a folder of finished recordings")
    parser.add_argument("--seed", type=int, default=1, help="of the mix engineers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refmaster-benchmark-") as folder:
        corpus = Corpus(options.music, Path(folder))
        profiles = {track: t.profile for track, t in zip(corpus.files, corpus.tracks, strict=True)}
        places, shares, chances = [], [], []
        engineers = np.random.default_rng(options.seed)
        for name in corpus.files:
            prior = load_prior(corpus.prior(corpus.groups[name]))
            for half in (0, 1):
                case = same_case(corpus, name, half, engineers)
                mix, other_half = measure(case.mix), measure(case.references[0])
                others = [profile for track, profile in profiles.items() if track != name]
                ranked = [r.profile for r in rank_references(mix, [other_half, *others], prior)]
                places.append(ranked.index(other_half))
                siblings = [profiles[track] for track in corpus.siblings(name)]
                if len(siblings) >= FIRST_OF_ALBUM:
                    rest = [p for p in ranked if p is not other_half]
                    shares.append(share_before(rest, siblings))
                    chances.append(len(siblings) / len(rest))
    print(f"{len(places)} mixes of {len(corpus.files)} recordings\n")
    first = float(np.mean(np.array(places) == 0))
    rows = [
        ["the other half comes first", f"{first:.2f}"],
        ["its place, nine of ten within", f"{int(np.quantile(places, 0.9, method='higher')) + 1}"],
        [f"of the first {FIRST_OF_ALBUM}, from the same album", f"{np.mean(shares):.2f}"],
        ["the same by chance", f"{np.mean(chances):.2f}"],
    ]
    print(table(["suggest", "share"], rows))
    print(f"\nfinished songs differ by (standard deviation): {songs_differ(list(profiles.values()))}")


def share_before(ranked: Sequence[Profile], siblings: Sequence[Profile]) -> float:
    """Return which share of the first ranked are of the album."""
    return float(np.mean([any(p is s for s in siblings) for p in ranked[:FIRST_OF_ALBUM]]))


def songs_differ(profiles: Sequence[Profile]) -> str:
    """Return how far the spread of levels and the width of finished songs vary, in words."""
    spreads = [p.momentary_spread_lu for p in profiles if p.momentary_spread_lu is not None]
    widths = [p.stereo.side_to_mid_db for p in profiles if p.stereo.side_to_mid_db is not None]
    return f"spread of levels {np.std(spreads):.1f} dB, side to mid {np.std(widths):.1f} dB"


if __name__ == "__main__":
    main()
