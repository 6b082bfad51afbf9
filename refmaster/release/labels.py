"""The tags of released files, and the broadcast chunk of those for the archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from refmaster.album.request import Album
from refmaster.album.tags import track_tags
from refmaster.io.metadata.copy import copy_metadata
from refmaster.io.metadata.loudness import loudness_fields
from refmaster.profile.model import Profile
from refmaster.release.layout import Layout
from refmaster.rendering.outlets import bext_loudness


def label_pieces(
    album: Album,
    folder: Path,
    names: Sequence[str],
    layout: Layout,
    masters: Sequence[Profile],
    *,
    peaks_dbfs: Sequence[float | None],
    album_lufs: float | None,
    gain_db: float = 0.0,
    bext: bool = False,
) -> None:
    """Give each numbered track the tags of its mix and of album.yaml.

    Parameters
    ----------
    album : Album
        Says titles, artists, ISRC and barcode.
    folder : Path
        Of the release.
    names : sequence of str
        The files, in the order of the layout's marks.
    layout : Layout
        Which song each track is named after.
    masters : sequence of Profile
        Of each song: their loudness stands in the broadcast chunk.
    peaks_dbfs : sequence of (float or None)
        Largest sample of each file.
    album_lufs : float or None
        Loudness of all masters together, for the gains of players where album.yaml asks for them.
    gain_db : float
        Gain of the files over the masters.
    bext : bool
        Whether a file without a broadcast chunk gets one.

    Raises
    ------
    OutputError
        A file cannot be changed.
    """
    kind = album.settings.output.loudness_tags
    whole = {}
    known = [peak for peak in peaks_dbfs if peak is not None]
    if kind is not None and album_lufs is not None:
        whole = loudness_fields(kind, album_lufs + gain_db, max(known, default=None), album=True)
    files = zip(names, layout.marks, peaks_dbfs, strict=True)
    for number, (name, marks, peak_dbfs) in enumerate(files, start=1):
        levels = masters[marks.song].levels
        own = {}
        if kind is not None and levels.integrated_lufs is not None:
            own = loudness_fields(kind, levels.integrated_lufs + gain_db, peak_dbfs)
        said = track_tags(album, marks.song) | {
            "title": album.titles[marks.song],
            "tracknumber": str(number),
            "tracktotal": str(len(layout.marks)),
            **whole,
            **own,
        }
        copy_metadata(
            album.paths[marks.song],
            folder / name,
            said=said,
            bext=bext,
            loudness=bext_loudness(levels),
            name=name,
        )
