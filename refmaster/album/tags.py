"""The tags of an album's masters: what album.yaml says, and the gains that only the whole album knows.

Tags are no part of a render: a last pass writes them anew where they are not as they should be. It copies the
file, changes the copy, and moves that into place; the audio stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from refmaster.album.folder import AlbumFolder
from refmaster.album.plan import AlbumPlan, track_plan
from refmaster.album.pooled import album_lufs
from refmaster.album.request import Album
from refmaster.album.result import TrackResult
from refmaster.io.atomic import atomic_destination
from refmaster.io.digest import sha256_of
from refmaster.io.metadata.copy import read_fields
from refmaster.io.metadata.loudness import loudness_fields
from refmaster.plan import MasteringPlan
from refmaster.profile.cache import cached_profile, keep_profile
from refmaster.rendering.outlets import said_tags, tag


def track_tags(album: Album, number: int) -> dict[str, str]:
    """Return the tags that a track has in place of the mix's own.

    Where nobody says who plays a track, it is the album's artist; of a folder nothing is said but the tracks'
    numbers, where the mix has none.
    """
    track, settings = album.settings.tracks[number], album.settings
    own = read_fields(album.paths[number])
    numbers = {"tracknumber": str(number + 1), "tracktotal": str(len(album.paths))}
    if album.document is None:
        return {} if "tracknumber" in own else numbers
    said = {
        "title": track.title,
        "artist": track.artist or (None if "artist" in own else settings.artist),
        "album": settings.title,
        "albumartist": settings.artist,
        "isrc": track.isrc,
        "barcode": settings.barcode,
    }
    return {name: text for name, text in said.items() if text is not None} | numbers


def tagged(
    plan: AlbumPlan, tracks: Sequence[TrackResult], place: AlbumFolder
) -> tuple[AlbumPlan, list[TrackResult]]:
    """Give every master the tags of its plan, and the album's gain; return plan and tracks that say so."""
    plan = plan.model_copy(update={"tags": _album_gain(plan, tracks)})
    changed = []
    for number, track in enumerate(tracks):
        planned = track_plan(plan, number)
        single = track.plan.model_copy(update={"tags": planned.tags, "output": planned.output})
        written = _write_tags(single, plan.tracks[number].output, place)
        changed.append(replace(track, plan=single, retagged=written and track.kept))
    return plan, changed


def _album_gain(plan: AlbumPlan, tracks: Sequence[TrackResult]) -> dict[str, str]:
    kind = plan.output.loudness_tags
    masters = [track.after for track in tracks if track.after is not None]
    if kind is None:
        return {}
    peaks = [f.measured["sample_peak_dbfs"] for f in masters]
    return loudness_fields(kind, album_lufs(masters), max(peaks), album=True)


def _write_tags(plan: MasteringPlan, output: str, place: AlbumFolder) -> bool:
    """Write a master's tags anew, unless they are as they should be; return whether they were written."""
    path, mix = place.path / output, Path(plan.mix.file)
    master, record = cached_profile(path), place.master(output)
    tags = said_tags(plan, master)
    if record is not None and record.tags == tags:
        return False
    free = place.may_replace(output)
    with atomic_destination(path, overwrite=free, inputs=place.inputs) as making:
        shutil.copyfile(path, making.path)
        tag(making.path, mix, plan, master, name=str(path))
        place.announce_master(output, sha256_of(making.path))
        making.commit()
    place.finish_master(output, plan, tags)
    keep_profile(path, master)
    return True
