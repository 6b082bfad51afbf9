"""Recordings found in folders."""

import pytest

from refmaster.errors import InputError
from refmaster.io.recordings import recordings_in


def test_folders_are_searched_to_their_depth_and_each_file_counts_once(tmp_path):
    wanted = ["album/1.wav", "album/deep/2.FLAC", "3.m4a"]
    for name in [*wanted, "album/.hidden.wav", "notes.txt", "album/folder.wav/cover.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "3.m4a")
    found = recordings_in([tmp_path / "album", tmp_path, tmp_path / "3.m4a", tmp_path / "notes.txt"])
    assert {file.resolve() for file in found} == {(tmp_path / n).resolve() for n in [*wanted, "notes.txt"]}
    assert found == sorted(found)


def test_nothing_to_find_is_said(tmp_path):
    with pytest.raises(InputError, match="expected recordings in this folder, found none"):
        recordings_in([tmp_path])
    with pytest.raises(InputError, match="found nothing there"):
        recordings_in([tmp_path / "absent"])
