"""The shipped music is what its README says, under licences that allow shipping it."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from mutagen.flac import FLAC

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_fixtures", FIXTURES / "make_fixtures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


make_fixtures = _load_script()
EXCERPTS = {excerpt.file: excerpt for excerpt in make_fixtures.EXCERPTS}


def _music_files() -> set[str]:
    suffixes = {".flac", ".wav", ".ogg", ".mp3", ".m4a", ".aiff", ".opus"}
    folders = ("example", "album", "music")
    files = (path for folder in folders for path in (FIXTURES / folder).rglob("*"))
    return {path.relative_to(FIXTURES).as_posix() for path in files if path.suffix.lower() in suffixes}


def test_every_music_file_has_a_recipe_and_every_recipe_a_file() -> None:
    assert _music_files() == set(EXCERPTS)


def test_readme_table_is_the_one_of_the_files_on_disk() -> None:
    readme = (FIXTURES / "README.md").read_text("utf-8")
    assert make_fixtures.replace_table(readme, make_fixtures.table(FIXTURES)) == readme


def test_fixtures_are_small() -> None:
    sizes = [(FIXTURES / file).stat().st_size for file in EXCERPTS]
    assert max(sizes) < 4e6
    assert sum(sizes) < 15e6


@pytest.mark.parametrize("file", sorted(EXCERPTS))
def test_excerpt_matches_its_recipe(file: str) -> None:
    excerpt = EXCERPTS[file]
    info = soundfile.info(FIXTURES / file)
    assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 2)
    assert info.frames == round(excerpt.duration_s * info.samplerate)
    samples, _ = soundfile.read(FIXTURES / file, dtype="int16")
    assert 3000 < np.abs(samples.astype(np.int32)).max() < 32767  # music, and not at full scale
    tags = FLAC(FIXTURES / file)
    assert tags["title"] == [excerpt.title]
    assert tags["artist"] == [excerpt.artist]
    assert tags["license"] == [f"{excerpt.licence} {make_fixtures.LICENCE_URLS[excerpt.licence]}"]


@pytest.fixture
def noise(rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Two seconds of stereo noise at 8 kHz that uses all 16 bits."""
    return rng.integers(-32768, 32768, size=(16000, 2), dtype=np.int16)


@pytest.fixture
def excerpt() -> Any:
    return dataclasses.replace(
        EXCERPTS["example/mix.flac"], file="a/b.flac", source_file="full.flac", start_s=0.5, duration_s=1.25
    )


def test_cut_copies_samples_bit_for_bit_and_writes_the_same_bytes_twice(
    tmp_path: Path, noise: npt.NDArray[np.int16], excerpt: Any
) -> None:
    soundfile.write(tmp_path / "full.flac", noise, 8000, subtype="PCM_16")
    once = make_fixtures.cut(excerpt, tmp_path, tmp_path / "once")
    again = make_fixtures.cut(excerpt, tmp_path, tmp_path / "again")
    samples, _ = soundfile.read(once, dtype="int16")
    np.testing.assert_array_equal(samples, noise[4000:14000])
    assert once.read_bytes() == again.read_bytes()


def test_cut_refuses_a_recording_that_is_too_short(
    tmp_path: Path, noise: npt.NDArray[np.int16], excerpt: Any
) -> None:
    soundfile.write(tmp_path / "full.flac", noise[:9000], 8000, subtype="PCM_16")
    with pytest.raises(ValueError, match="expected 10000 frames from 4000, found 5000"):
        make_fixtures.cut(excerpt, tmp_path, tmp_path)


def test_cut_refuses_to_copy_other_than_16_bits(
    tmp_path: Path, noise: npt.NDArray[np.int16], excerpt: Any
) -> None:
    soundfile.write(tmp_path / "full.flac", noise, 8000, subtype="PCM_24")
    with pytest.raises(ValueError, match="found PCM_24"):
        make_fixtures.cut(excerpt, tmp_path, tmp_path)


def test_cut_refuses_to_clip(tmp_path: Path, excerpt: Any) -> None:
    soundfile.write(tmp_path / "full.wav", np.full((16000, 2), 1.1, np.float32), 8000, subtype="FLOAT")
    decoded = dataclasses.replace(excerpt, source_file="full.wav", gain_db=-0.5)
    with pytest.raises(ValueError, match="above full scale"):
        make_fixtures.cut(decoded, tmp_path, tmp_path)
    quieter = dataclasses.replace(decoded, gain_db=-1.0)
    samples, _ = soundfile.read(make_fixtures.cut(quieter, tmp_path, tmp_path), dtype="int16")
    assert np.all(samples == round(1.1 * 10 ** (-1.0 / 20) * 32768))
