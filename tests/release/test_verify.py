"""A release is verified, file by file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from refmaster.errors import SettingsError
from refmaster.release.build import release_album
from refmaster.release.verify import is_release_record, verify_release


def test_what_was_changed_or_lost_is_named(write_album: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "Out"
    release_album(write_album([{"title": "One"}, {"title": "Two"}]), out)
    assert is_release_record(out)
    assert is_release_record(out / "release.json")
    assert not is_release_record(tmp_path)
    assert verify_release(out) == verify_release(out / "release.json") == []
    (out / "Archive" / "01 One.wav").unlink()
    image = bytearray((out / "DDP" / "IMAGE.DAT").read_bytes())
    image[400_000] ^= 1
    (out / "DDP" / "IMAGE.DAT").write_bytes(image)
    assert verify_release(out) == [
        "Archive/01 One.wav: is missing",
        "DDP/IMAGE.DAT: was changed since it was released",
        "DDP: IMAGE.DAT: its MD5 is not the one in CHECKSUM.MD5",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected the record of a release"),
        ("[]", "expected the record of a release"),
        ('{"files": {"../a.wav": "0"}}', "expected files in its own folder"),
        (json.dumps({"files": {"/etc/hosts": "0"}}), "expected files in its own folder"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "release.json").write_text(text)
    with pytest.raises(SettingsError, match=said):
        verify_release(tmp_path)
