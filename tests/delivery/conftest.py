"""Delivered masters with their manifest, to be copied and spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refmaster import MatchSettings, master_file, render_file, write_manifest

# One grey pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636000000002000148"
    "afa4710000000049454e44ae426082"
)


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory, short_example: Path) -> Path:
    """Return a folder: mix.wav, cover.png, and Masters/ with song.wav, manifest.json, song.ogg, ogg.json."""
    folder = tmp_path_factory.mktemp("delivered")
    for name in ("mix.wav", "reference.wav"):
        shutil.copyfile(short_example / name, folder / name)
    (folder / "cover.png").write_bytes(PNG)
    masters = folder / "Masters"
    masters.mkdir()
    result = master_file(
        folder / "mix.wav",
        folder / "reference.wav",
        masters / "song.wav",
        MatchSettings(target_lufs=-16.0),
        tags={"title": "Söng 🎵\u2028\ufeff"},
        art=folder / "cover.png",
    )
    write_manifest(masters / "manifest.json", [result], targets=["club"])
    lossy = render_file(result.plan, masters / "song.ogg")
    write_manifest(masters / "ogg.json", [lossy])
    return folder


@pytest.fixture
def place(delivered: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder."""
    return Path(shutil.copytree(delivered, tmp_path / "place"))
